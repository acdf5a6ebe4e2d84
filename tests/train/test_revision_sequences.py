"""Sequences that the revision model learns from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.organisms import chain
from ponder.organisms.characters import ALPHABET, END
from ponder.train import measure
from ponder.train.net import Shape, TorchNet
from ponder.train.revise import ATTEMPTS, CONTEXT, TEXT, edit_distances, revision_figures, sequences, widened


def slow_distance(a: str, b: str) -> int:
    """Levenshtein by its definition."""
    if not a or not b:
        return len(a) + len(b)
    return min(
        slow_distance(a[1:], b[1:]) + (a[0] != b[0]),
        slow_distance(a[1:], b) + 1,
        slow_distance(a, b[1:]) + 1,
    )


def test_edit_distances_against_the_definition():
    rng = np.random.default_rng(4)
    texts, other = rng.integers(0, 3, (30, 5)), rng.integers(0, 3, 6)
    expected = [slow_distance("".join(map(str, t)), "".join(map(str, other))) for t in texts]
    assert edit_distances(texts, other).tolist() == expected


def attempts() -> tuple[chain.Problems, measure.Samples]:
    """Problems with 4 right and 6 wrong samples; a wrong one differs in as many last digits as its place says."""
    chains = chain.problems(40, np.random.default_rng(7), np.arange(40) % 5 + 4)
    tokens = chain.encode(chains)
    responses = np.repeat(tokens[:, None, chain.PROMPT :], 10, 1)
    for i, k in enumerate(chains.lengths):
        for j in range(6):
            for step in range(min(k, j + 1)):
                place = (k - 1 - step) * chain.STEP + 2
                responses[i, j, place] = responses[i, j, place] % 10 + 1
    return chains, measure.labelled_chains(chains, tokens[:, : chain.PROMPT], responses)


def test_wrong_attempts_lead_to_a_right_one_and_the_nearest_goes_last():
    chains, samples = attempts()
    found = sequences(samples, np.random.default_rng(0), most=2)
    assert len(found) == 80
    counts = []
    for i, (context, target) in enumerate(found):
        problem = i // 2
        length = int(chains.lengths[problem]) * chain.STEP
        assert len(context) + len(target) <= CONTEXT
        assert context[: chain.PROMPT] == samples.prompts[problem].tolist()
        assert target == samples.responses[problem, 9, :length].tolist()
        earlier = np.array(context[chain.PROMPT :]).reshape(-1, length)
        counts.append(len(earlier))
        assert (earlier[:, -1] == END).all()
        assert not any(row.tolist() == target for row in earlier)
        if len(earlier):
            assert earlier[-1].tolist() == samples.responses[problem, 0, :length].tolist()
    assert set(counts) == set(range(ATTEMPTS + 1))


def test_problems_without_a_right_sample_teach_nothing_and_without_a_wrong_one_no_revision():
    _, samples = attempts()
    wrong = measure.Samples(samples.prompts, samples.responses[:, :6], samples.right[:, :6], samples.live, samples.solved[:, :6])
    assert sequences(wrong, np.random.default_rng(0)) == []
    right = measure.Samples(samples.prompts, samples.responses[:, 6:], samples.right[:, 6:], samples.live, samples.solved[:, 6:])
    assert {len(context) for context, _ in sequences(right, np.random.default_rng(0))} == {chain.PROMPT}


def test_a_widened_policy_is_the_same_at_first_and_tells_later_attempts_apart_by_one_vector_each():
    policy = TorchNet(Shape(8, 2, 2, chain.LENGTH, ALPHABET, "chain"), 1)
    net = widened(policy, 0)
    for name, tensor in policy.tensors().items():
        assert np.array_equal(net.tensors()[name][: len(tensor)], tensor)
    table = net.tensors()["position"]
    added = table[chain.LENGTH :].reshape(ATTEMPTS, TEXT, 8) - table[chain.PROMPT : chain.LENGTH]
    assert table.shape == (CONTEXT, 8)
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-6)
    assert np.linalg.matrix_rank(added[:, 0]) == ATTEMPTS


def test_figures_of_revisions_are_shares():
    net = TorchNet(Shape(8, 1, 2, CONTEXT, ALPHABET, "chain"), 1)
    figures = revision_figures(net, 10, 2, np.random.default_rng(0))
    assert figures["pass@1_by_attempt"] == [0.0] * 5  # an untrained net writes nothing right
    assert figures["wrong_to_right"] == 0
