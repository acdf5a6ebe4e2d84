"""Searching trees for training: many questions side by side on the numpy net, where finished solutions are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.tree import Child, Expansion, Node, search
from ponder.organisms.characters import END, SEPARATOR
from ponder.organisms.net import Net
from ponder.organisms.reading import log_softmax

Ints = NDArray[np.int64]
Checker = Callable[[int, bytes], bool]
"""Whether a finished solution, the tokens after the prompt, answers the question of this index."""

_ROWS = 128
"""Leaves whose steps are drawn in one batch."""


@dataclass(frozen=True)
class Questions:
    """Questions of one shape.

    Attributes:
        prompts: tokens, shape (questions, prompt length).
        step: tokens of a step, with the separator or the line break that ends it.
        most: the most steps of a solution.
    """

    prompts: Ints
    step: int
    most: int

    def __post_init__(self) -> None:
        if self.prompts.ndim != 2 or not len(self.prompts) or self.step < 2 or self.most < 1:
            raise InputError(
                f"questions need prompts of shape (questions, length), steps of at least 2 tokens and at least 1 of them; given were "
                f"{self.prompts.shape}, step={self.step}, most={self.most}"
            )

    def __len__(self) -> int:
        return len(self.prompts)


class Begun(NamedTuple):
    """A solution as far as it is written: which question, and the tokens behind its prompt."""

    question: int
    written: bytes


def grow(
    net: Net,
    questions: Questions,
    which: Sequence[int],
    checker: Checker,
    *,
    trees: int,
    simulations: int,
    branching: int,
    c_puct: float,
    temperature: float,
    rng: np.random.Generator,
) -> list[list[Node]]:
    """`trees` searched trees for each of the questions `which`, in the manner of `mcts`, but with the checker's word of finished solutions.

    A malformed step is terminal and worth -1, as is a solution that goes on after its last step.
    """
    roots = [[Node(Begun(i, b"")) for _ in range(trees)] for i in which]

    def expansions(leaves: Sequence[Node]) -> list[Expansion]:
        found: dict[int, Expansion] = {}
        by_length: dict[int, list[Node]] = {}
        for leaf in leaves:
            by_length.setdefault(len(leaf.state.written), []).append(leaf)
        for same in by_length.values():
            for at in range(0, len(same), _ROWS):
                part = same[at : at + _ROWS]
                found |= zip(map(id, part), _expanded(net, questions, checker, part, branching, temperature, rng), strict=True)
        return [found[id(leaf)] for leaf in leaves]

    search([tree for own in roots for tree in own], simulations, expansions, c_puct, rng)
    return roots


def _expanded(
    net: Net, questions: Questions, checker: Checker, leaves: Sequence[Node], branching: int, temperature: float, rng: np.random.Generator
) -> list[Expansion]:
    """The values of leaves of one length and their different next steps."""
    read = np.array([[*questions.prompts[leaf.state.question], *leaf.state.written] for leaf in leaves], dtype=np.int64)
    values, steps, logprobs = draw_steps(net, read, branching, questions.step, temperature, rng)
    found: list[Expansion] = []
    for i, leaf in enumerate(leaves):
        children: dict[bytes, Child] = {}
        for step, logprob in zip(steps[i], logprobs[i], strict=True):
            written = step.astype(np.uint8).tobytes()
            if written not in children:
                begun = Begun(leaf.state.question, leaf.state.written + written)
                children[written] = Child(begun, float(np.exp(logprob)), _reward(begun, step, questions, checker))
        # The beginning has no step to judge.
        found.append(Expansion(float(values[i]) if leaf.state.written else 0.0, list(children.values())))
    return found


def _reward(begun: Begun, step: Ints, questions: Questions, checker: Checker) -> float | None:
    """The reward of a terminal state; None if the solution goes on."""
    if (step[:-1] == SEPARATOR).any() or (step[:-1] == END).any() or step[-1] not in (SEPARATOR, END):
        return -1.0
    if step[-1] == END:
        return 1.0 if checker(begun.question, begun.written) else -1.0
    return -1.0 if len(begun.written) >= questions.step * questions.most else None


def draw_steps(
    net: Net, read: Ints, count: int, length: int, temperature: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], Ints, NDArray[np.float64]]:
    """What the value head says of texts, and steps drawn behind them.

    Args:
        net: with a next-token head and a value head.
        read: tokens, shape (rows, length so far).
        count: steps of each.
        length: tokens of a step.
        temperature: 0 is greedy.
        rng: where draws come from.

    Returns:
        tanh of the value head at the last tokens, shape (rows,); steps, shape (rows, count, length); their mean log-probabilities a
        token at temperature 1, shape (rows, count).
    """
    cache = net.cache(len(read))
    states = net.feed(cache, read)
    values = np.tanh(net.values(states)[:, 0].astype(np.float64))
    rows = np.repeat(np.arange(len(read)), count)
    cache, logits = cache.take(rows), net.logits(states)[rows, 0]
    steps, total = np.empty((len(rows), length), np.int64), np.zeros(len(rows))
    for i in range(length):
        noisy = logits if temperature == 0 else logits / temperature + rng.gumbel(size=logits.shape)
        steps[:, i] = noisy.argmax(-1)
        total += log_softmax(logits)[np.arange(len(rows)), steps[:, i]]
        if i + 1 < length:
            logits = net.logits(net.feed(cache, steps[:, i : i + 1]))[:, 0]
    return values, steps.reshape(len(read), count, length), (total / length).reshape(len(read), count)
