"""The AlphaMath loop: what is learnt from which solutions, value targets, and that a round runs from end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.core.tree import Child, Expansion, Node, expand
from ponder.organisms import chain
from ponder.organisms.characters import ALPHABET, END, SEPARATOR

torch: Any = pytest.importorskip("torch")

from ponder.train.alpha import Paths, alpha_loop, chosen, joint_loss, laid_out, value_targets  # noqa: E402
from ponder.train.measure import forward  # noqa: E402
from ponder.train.net import Shape, TorchNet  # noqa: E402
from ponder.train.self_play import Begun, Questions, draw_steps, grow  # noqa: E402

RNG = np.random.default_rng(0)
CHAINS = chain.problems(6, RNG, RNG.integers(1, 3, 6))
QUESTIONS = Questions(chain.encode(CHAINS)[:, : chain.PROMPT], chain.STEP, 2)


def small(seed: int = 0, value: bool = True) -> TorchNet:
    net = TorchNet(Shape(16, 2, 2, chain.LENGTH, ALPHABET, "chain", value=value), seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "norm" not in name:
                p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)) * 0.2)
    return net


def ids(text: str) -> bytes:
    return bytes(ALPHABET.index(c) for c in text)


def tree(question: int = 0) -> Node:
    """Root -> 001; (value .5) -> {002\n right, 003\n wrong}, 004\n wrong."""
    root = Node(Begun(question, b""))
    first = ids("001;")
    expand(root, Expansion(0.0, [Child(Begun(question, first)), Child(Begun(question, ids("004\n")), reward=-1.0)]))
    ends = [Child(Begun(question, first + ids("002\n")), reward=1.0), Child(Begun(question, first + ids("003\n")), reward=-1.0)]
    expand(root.children[0], Expansion(0.5, ends))
    return root


def test_value_targets_are_q_and_the_reward_at_the_end() -> None:
    root = tree()
    right, wrong = root.children[0].children
    assert value_targets(right) == [pytest.approx(0.5 / 3), 1.0]
    assert value_targets(wrong) == [pytest.approx(0.5 / 3), -1.0]
    assert value_targets(root.children[1]) == [-1.0]


def test_solutions_are_chosen_once_and_laid_out() -> None:
    kept = chosen([tree(), tree()], QUESTIONS, 4, 4, np.random.default_rng(0))
    assert sorted(leaf.value or 0 for leaf in kept) == [-1.0, -1.0, 1.0]
    assert len(chosen([tree()], QUESTIONS, 4, 1, np.random.default_rng(0))) == 2
    assert [leaf.value for leaf in chosen([tree()], QUESTIONS, 4, 0, np.random.default_rng(0))] == [1.0]
    rows = laid_out([leaf for leaf in kept if leaf.value == 1.0], QUESTIONS)
    assert rows.tokens.shape == (1, chain.PROMPT + 8)
    assert bytes(rows.tokens[0, chain.PROMPT :].astype(np.uint8)) == ids("001;002\n")
    assert rows.learn[0].tolist() == [0.0] * chain.PROMPT + [1.0] * 8
    places = np.flatnonzero(~np.isnan(rows.targets[0]))
    assert places.tolist() == [chain.PROMPT + 3, chain.PROMPT + 7]
    with pytest.raises(InputError, match="finished"):
        laid_out([], QUESTIONS)


def rows_of(leaves: Sequence[Node]) -> Paths:
    return laid_out(list(leaves), QUESTIONS)


def gradients(weight: float, rows: Paths) -> dict[str, np.ndarray]:
    net = small()
    joint_loss(weight, chain.PROMPT)(net, rows).backward()
    return {name: np.zeros(1) if p.grad is None else p.grad.numpy() for name, p in net.named_parameters()}


def test_wrong_solutions_teach_the_language_model_nothing() -> None:
    right, wrong = tree().children[0].children
    assert all(not g.any() for g in gradients(0.0, rows_of([wrong])).values())
    both, alone = gradients(0.0, rows_of([right, wrong])), gradients(0.0, rows_of([right]))
    assert all(np.allclose(both[name], alone[name], atol=1e-6) for name in both)
    assert any(g.any() for g in alone.values())
    head = gradients(1.0, rows_of([wrong]))
    assert not head["head"].any()
    assert head["value"].any()


def test_the_value_loss_looks_at_the_ends_of_steps_only() -> None:
    """Removing the targets of all other tokens changes nothing, for there are none; moving one moves the loss as the formula says."""
    right, wrong = tree().children[0].children
    rows = rows_of([right, wrong])
    net = small()
    with torch.no_grad():
        hidden = net(torch.from_numpy(rows.tokens))
        said = np.tanh(net.values(hidden).numpy())
        language = float(joint_loss(0.0, chain.PROMPT)(net, rows))
        whole = float(joint_loss(0.7, chain.PROMPT)(net, rows))
    asked = [chain.PROMPT + 3, chain.PROMPT + 7]
    targets = np.array([value_targets(right), value_targets(wrong)])
    assert whole - language == pytest.approx(0.7 * np.mean((said[:, asked] - targets) ** 2), rel=1e-4)
    assert np.isnan(np.delete(rows.targets, asked, 1)).all()


def test_values_lie_in_their_range_and_priors_are_probabilities() -> None:
    net = small()
    with torch.no_grad():
        net.get_parameter("value").mul_(100)
    values, steps, logprobs = draw_steps(forward(net), QUESTIONS.prompts, 3, 4, 1.0, np.random.default_rng(0))
    assert np.all(np.abs(values) <= 1)
    assert steps.shape == (6, 3, 4)
    assert np.all(logprobs < 0)
    read = np.concatenate([np.repeat(QUESTIONS.prompts, 3, 0), steps.reshape(18, 4)], 1)
    with torch.no_grad():
        logits = net.logits(net(torch.from_numpy(read[:, :-1]))[:, chain.PROMPT - 1 :])
        own = torch.log_softmax(logits, -1).gather(-1, torch.from_numpy(read[:, chain.PROMPT :])[..., None])[..., 0].mean(1)
    assert np.allclose(own.numpy().reshape(6, 3), logprobs, atol=2e-2)


def test_greedy_draws_are_one_text() -> None:
    _, steps, _ = draw_steps(forward(small()), QUESTIONS.prompts, 3, 4, 0.0, np.random.default_rng(0))
    assert (steps == steps[:, :1]).all()


def test_trees_end_where_steps_are_malformed_and_the_checker_is_asked_of_whole_solutions_only() -> None:
    asked: list[bytes] = []

    def checker(question: int, written: bytes) -> bool:
        asked.append(written)
        return True

    trees = grow(forward(small()), QUESTIONS, range(6), checker, trees=2, simulations=5, branching=8, c_puct=1.25, temperature=1.0, rng=RNG)
    assert [len(own) for own in trees] == [2] * 6
    assert all(w[-1] == END and len(w) in (4, 8) for w in asked)
    for node in (n for own in trees for root in own for n in root.walk() if n.parent is not None):
        last = node.state.written[-4:]
        whole = last[-1] in (SEPARATOR, END) and not {SEPARATOR, END} & set(last[:-1])
        deep = len(node.state.written) == 8 and last[-1] == SEPARATOR
        assert node.terminal == (not whole or deep or last[-1] == END)
        assert not node.terminal or node.value == (1.0 if whole and not deep else -1.0)


class _Taught:
    """A checker that knows the answers."""

    def __call__(self, question: int, written: bytes) -> bool:
        gold = chain.encode(CHAINS)[question, chain.PROMPT :]
        return written[-4:-1] == bytes(gold[4 * CHAINS.lengths[question] - 4 :][:3].astype(np.uint8))


def test_a_round_runs_and_is_the_same_for_the_same_seed() -> None:
    from ponder.organisms.shelf import find
    from ponder.train.net import load

    def run() -> tuple[TorchNet, Any]:
        policy = load(find("chain-small").path, value=True)
        return alpha_loop(policy, QUESTIONS, _Taught(), rounds=2, trees=1, simulations=4, epochs=1, batch=4, quiet=True)

    first, reports = run()
    second, _ = run()
    assert [r.round for r in reports] == [1, 2]
    assert all(0 < r.solved <= 1 and r.right > 0 for r in reports)
    for name, tensor in first.tensors().items():
        assert np.array_equal(tensor, second.tensors()[name])


def test_a_checker_that_raises_counts_as_wrong() -> None:
    from ponder.organisms.shelf import find
    from ponder.train.net import load

    def broken(question: int, written: bytes) -> bool:
        raise RuntimeError("no verdict")

    policy = load(find("chain-small").path, value=True)
    _, reports = alpha_loop(policy, QUESTIONS, broken, rounds=1, trees=1, simulations=4, epochs=1, batch=4, quiet=True)
    assert (reports[0].solved, reports[0].right) == (0.0, 0)
    assert reports[0].failed > 0


def test_a_net_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="value"):
        alpha_loop(small(value=False), QUESTIONS, _Taught())
    with pytest.raises(InputError):
        replace(QUESTIONS, most=0)
