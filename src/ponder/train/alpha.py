"""Learning to reason from answers alone: tree search finds right and wrong solutions and a value for every step, and policy and value
learn from them together (AlphaMath, Chen et al. 2024, arXiv 2405.03553)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.core.tree import Node, leaves, path
from ponder.train.measure import forward
from ponder.train.net import TorchNet
from ponder.train.schedules import cosine
from ponder.train.self_play import Checker, Questions, grow
from ponder.train.trainer import Plan, train

torch: Any = need("torch", "torch")

_BLOCK = 256
"""Questions whose trees are in memory at once."""


@dataclass(frozen=True)
class Paths:
    """Solutions as rows to learn from.

    Attributes:
        tokens: prompts with solutions, filled at the end, shape (rows, length).
        learn: 1 for the tokens of right solutions, shape (rows, length): what the policy learns. Wrong ones hold 0 throughout.
        targets: what the value head should say at the last token of each step, in [-1, 1], NaN elsewhere, shape (rows, length).
        right: which rows are right solutions, shape (rows,).
    """

    tokens: NDArray[np.int64]
    learn: NDArray[np.float32]
    targets: NDArray[np.float32]
    right: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: NDArray[np.int64]) -> Paths:
        """Some of the rows, in order."""
        return Paths(self.tokens[rows], self.learn[rows], self.targets[rows], self.right[rows])


@dataclass(frozen=True)
class RoundReport:
    """What a round of the loop found and learnt.

    Attributes:
        round: counted from 1.
        solved: share of the questions for which at least one right solution was found. It rises with the number of trees even if
            nothing is learnt.
        right, wrong: solutions that were learnt from.
        loss: the mean over the last quarter of the round's steps.
        failed: how often the checker raised; that counts as wrong.
        figures: what the caller's evaluation measured after the round.
    """

    round: int
    solved: float
    right: int
    wrong: int
    loss: float
    failed: int = 0
    figures: Mapping[str, float] = field(default_factory=dict[str, float])


def value_targets(leaf: Node) -> list[float]:
    """The value targets along the path to a terminal node, one for each step: the mean of what was backed up through a step (Q), and
    the reward for the last (section 3.3)."""
    return [node.q if node.value is None or not node.terminal else node.value for node in path(leaf)[1:]]


def chosen(trees: Sequence[Node], questions: Questions, positives: int, negatives: int, rng: np.random.Generator) -> list[Node]:
    """At most so many right and wrong solutions of a question, as terminal nodes, drawn at random from all its trees.

    A solution that several trees hold counts once, with the targets of one of them. Malformed solutions are left out.
    """
    found: dict[bytes, Node] = {}
    for leaf in (leaf for tree in trees for leaf in leaves(tree)):
        found.setdefault(leaf.state.written, leaf)
    kept: list[Node] = []
    for right, most in ((True, positives), (False, negatives)):
        members = [leaf for leaf in found.values() if _right(leaf) == right and _whole(leaf, questions)]
        kept += [members[i] for i in rng.permutation(len(members))[:most]]
    return kept


def _right(leaf: Node) -> bool:
    return (leaf.value or 0.0) > 0


def _whole(leaf: Node, questions: Questions) -> bool:
    """Whether each step of a solution is of the right length, so that it can be learnt from."""
    return leaf.terminal and len(leaf.state.written) == questions.step * (len(path(leaf)) - 1)


def laid_out(solutions: Sequence[Node], questions: Questions) -> Paths:
    """Terminal nodes as rows to learn from.

    Raises:
        InputError: if there are none.
    """
    if not solutions:
        raise InputError("no tree holds a finished solution: more simulations, or a better policy to begin with, are needed")
    prompt = questions.prompts.shape[1]
    shape = (len(solutions), prompt + questions.step * questions.most)
    tokens, learn = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    targets = np.full(shape, np.nan, np.float32)
    for i, leaf in enumerate(solutions):
        written = np.frombuffer(leaf.state.written, np.uint8)
        end = prompt + len(written)
        tokens[i, :prompt], tokens[i, prompt:end] = questions.prompts[leaf.state.question], written
        learn[i, prompt:end] = float(_right(leaf))
        targets[i, prompt + questions.step - 1 : end : questions.step] = value_targets(leaf)
    return Paths(tokens, learn, targets, np.array([_right(leaf) for leaf in solutions]))


def joint_loss(weight: float, prompt: int) -> Callable[[TorchNet, Paths], Any]:
    """-log p of the tokens of right solutions, a mean, plus `weight` times the mean squared error of tanh(value) at the ends of the
    steps of right and wrong ones (section 3.3, eq. 8; means as in the released code)."""

    def loss(net: TorchNet, rows: Paths) -> Any:
        tokens, learn = torch.from_numpy(rows.tokens), torch.from_numpy(rows.learn)[:, prompt:]
        hidden = net(tokens, prompt - 1)
        logits = net.logits(hidden[:, :-1])
        surprise = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, prompt:].flatten(), reduction="none")
        language = (surprise * learn.flatten()).sum() / learn.sum().clamp(min=1)
        if not weight:
            return language
        targets = torch.from_numpy(rows.targets)[:, prompt:]
        asked = ~torch.isnan(targets)
        errors = torch.tanh(net.values(hidden[:, 1:])[asked]) - targets[asked]
        return language + weight * errors.square().sum() / asked.sum().clamp(min=1)

    return loss


def learn(
    net: TorchNet, rows: Paths, prompt: int, *, epochs: int, batch: int, rate: float, value_weight: float, seed: int, quiet: bool
) -> float:
    """Train a net in place on solutions, each met `epochs` times; the mean loss of the last steps."""
    size = min(batch, len(rows))
    each = len(rows) // size

    def batches(step: int) -> Paths:
        order = np.random.default_rng((seed, step // each)).permutation(len(rows))
        return rows.take(order[step % each * size :][:size])

    plan = Plan(epochs * each, matrix_rate=rate, other_rate=rate / 5, schedule=cosine(warmup=10), every=max(1, epochs * each // 4))
    return train(net, batches, joint_loss(value_weight, prompt), plan, quiet=quiet)[-1].loss


def alpha_loop(
    policy: TorchNet,
    questions: Questions,
    checker: Checker,
    *,
    rounds: int = 3,
    trees: int = 4,
    simulations: int = 24,
    branching: int = 5,
    c_puct: float = 1.25,
    temperature: float = 1.0,
    positives: int = 4,
    negatives: int = 4,
    value_weight: float = 0.1,
    epochs: int = 6,
    batch: int = 96,
    rate: float = 0.006,
    seed: int = 0,
    evaluate: Callable[[TorchNet, int], Mapping[str, float]] | None = None,
    on_data: Callable[[int, Paths], None] | None = None,
    quiet: bool = False,
) -> tuple[TorchNet, list[RoundReport]]:
    """Improve a policy and its value on questions whose answers can be checked. Each round goes on from the weights of the one before and
    learns from the trees that they searched.

    Args:
        policy: a net with a next-token head and a value head (`ponder.train.net.load(path, value=True)`); trained in place.
        questions: what is asked; only the checker knows answers.
        checker: says whether a finished solution is right. One that raises counts as wrong.
        rounds: of searching and learning.
        trees: of each question a round.
        simulations, branching, c_puct, temperature: of a tree; leaves expanded, steps drawn at each, weight of the prior, of the draws.
        positives, negatives: the most right and wrong solutions of a question that are learnt from.
        value_weight: of the value's loss beside the language model's (the paper's beta).
        epochs, batch, rate: how often solutions are met in a round, how many a step, Muon's learning rate (AdamW's is a fifth).
        seed: of all draws.
        evaluate: figures of the net after a round, given its number.
        on_data: handed each round's solutions before they are learnt from.
        quiet: no progress bar.

    Returns:
        The policy, and a report a round.

    Raises:
        InputError: a net without one of the heads, or no finished solution in any tree.
    """
    if not (policy.shape.head and policy.shape.value):
        raise InputError("the loop needs a net that writes and values: load it with value=True")
    reports: list[RoundReport] = []
    for number in range(1, rounds + 1):
        net, rng = forward(policy), np.random.default_rng((seed, number))
        careful, solutions = _Careful(checker), list[Node]()
        for at in range(0, len(questions), _BLOCK):
            which = range(at, min(at + _BLOCK, len(questions)))
            grown = grow(
                net,
                questions,
                which,
                careful,
                trees=trees,
                simulations=simulations,
                branching=branching,
                c_puct=c_puct,
                temperature=temperature,
                rng=rng,
            )
            solutions += [leaf for own in grown for leaf in chosen(own, questions, positives, negatives, rng)]
        rows = laid_out(solutions, questions)
        solved = len({leaf.state.question for leaf in solutions if _right(leaf)}) / len(questions)
        if on_data is not None:
            on_data(number, rows)
        loss = learn(
            policy,
            rows,
            questions.prompts.shape[1],
            epochs=epochs,
            batch=batch,
            rate=rate,
            value_weight=value_weight,
            seed=seed + number,
            quiet=quiet,
        )
        figures = {} if evaluate is None else evaluate(policy, number)
        reports.append(RoundReport(number, solved, int(rows.right.sum()), int((~rows.right).sum()), loss, careful.failed, figures))
    return policy, reports


class _Careful:
    """A checker that counts what raises as wrong."""

    def __init__(self, checker: Checker) -> None:
        self._checker, self.failed = checker, 0

    def __call__(self, question: int, written: bytes) -> bool:
        try:
            return bool(self._checker(question, written))
        except Exception:
            self.failed += 1
            return False
