"""Drawing: every token has the probability that the net and the settings give it, and nothing but seed, sample and text matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.organisms.random_nets import by_loops, net, tensors

from ponder.organisms.characters import ALPHABET, END
from ponder.organisms.drawing import Drawn, Rules, choose, draw, mixed, streams, uniforms
from ponder.organisms.kept import Kept
from ponder.organisms.net import Net
from ponder.organisms.reading import log_softmax, start

PROMPT = bytes(ALPHABET.index(c) for c in "086+11>")


def ids(text: str) -> bytes:
    return bytes(ALPHABET.index(c) for c in text)


def rules(limit: int = 4, stops: tuple[str, ...] = (), temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Rules:
    return Rules(temperature, top_k, top_p, limit, END, tuple(ids(s) for s in stops))


def drawn(made: Net, n: int, rule: Rules, *, seed: int = 0, kept: Kept | None = None, admit=None) -> Drawn:
    kept = Kept() if kept is None else kept
    cache, logits, _ = start(made, kept, [PROMPT], [n])
    words = streams([seed] * n, range(n))
    return draw(made, kept, [PROMPT] * n, cache, logits, words, rule, admit or (lambda rows: np.ones(len(rows), dtype=bool)))


def far(observed: np.ndarray, probabilities: np.ndarray) -> float:
    """Chi-square in standard deviations from its mean, cells that expect fewer than 5 united."""
    expected = probabilities * observed.sum()
    rare = expected < 5
    cells = [(observed[~rare], expected[~rare]), (observed[rare].sum(keepdims=True), expected[rare].sum(keepdims=True))]
    observed, expected = (np.concatenate(column) for column in zip(*cells, strict=True))
    observed, expected = observed[expected > 0], expected[expected > 0]
    freedom = len(observed) - 1
    return float((((observed - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


def test_the_mixer_is_splitmix64() -> None:
    golden = 0x9E3779B97F4A7C15
    words = np.array([golden * i % 2**64 for i in range(3)], dtype=np.uint64)
    # The generator's first three outputs from the state 0, as published with it.
    assert [hex(word) for word in mixed(words).tolist()] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_uniforms_are_uniform_and_unrelated_over_seeds_samples_and_places() -> None:
    seeds, samples = np.meshgrid(np.arange(40), np.arange(40), indexing="ij")
    words = streams(seeds.ravel().tolist(), samples.ravel().tolist())
    table = np.stack([uniforms(words, place) for place in range(20)])
    assert 0 <= table.min() < 1e-3
    assert 1 - 1e-3 < table.max() < 1
    assert len(np.unique(table)) == table.size
    # Four standard deviations of a chi-square are passed by chance with a probability below 1e-3.
    assert far(np.histogram(table, 64, (0, 1))[0], np.full(64, 1 / 64)) < 4
    for a, b in ((table[:-1], table[1:]), (table[:, :-1], table[:, 1:]), (table[:, :-40], table[:, 40:])):
        pairs = np.histogram2d(a.ravel(), b.ravel(), 8, [(0, 1), (0, 1)])[0]
        assert far(pairs.ravel(), np.full(64, 1 / 64)) < 4


def test_negative_and_large_seeds_are_seeds() -> None:
    words = streams([-1, 2**63, 2**64, 0, 2**70 + 1], [0] * 5)
    assert words[2] == words[3]
    assert len(set(words.tolist())) == 4


def truncated(logits: np.ndarray, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    """The distribution to draw from, token by token."""
    p = np.exp(logits / temperature - (logits / temperature).max())
    p /= p.sum()
    order = sorted(range(len(p)), key=lambda i: -p[i])[: top_k or len(p)]
    total, keep = sum(p[i] for i in order), []
    for i in order:
        if sum(p[j] for j in keep) < top_p * total:
            keep.append(i)
    return np.array([p[i] if i in keep else 0 for i in range(len(p))]) / sum(p[i] for i in keep)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [0, 1, 3])
@pytest.mark.parametrize("top_p", [1.0, 0.6, 1e-9])
def test_tokens_have_their_share_of_the_unit_interval(temperature: float, top_k: int, top_p: float) -> None:
    logits = np.random.default_rng(0).normal(size=18).astype(np.float32)
    n = 20_000
    at = (np.arange(n) + 0.5) / n
    found = choose(np.repeat(logits[None], n, 0), at, temperature, top_k, top_p)
    expected = truncated(logits.astype(np.float64), temperature, top_k, top_p)
    # On an even grid the count of an interval is off by at most one.
    assert np.abs(np.bincount(found, minlength=18) - n * expected).max() <= 1.001
    assert np.all(expected[found] > 0)


def test_extremes_choose_something_that_can_be() -> None:
    logits = np.array([[0.0, 3.0, 3.0, -1e9], [-1e9, -1e9, -1e9, 5.0]], dtype=np.float32)
    assert choose(logits, np.zeros(2), 0.0).tolist() == [1, 3]
    last = np.full(2, np.nextafter(1, 0))
    assert choose(logits, last, 1.0).tolist() == [2, 3]
    for temperature in (1e-300, 1e300):
        assert choose(logits, last, temperature)[0] in ((2,) if temperature < 1 else (3,))
        assert choose(logits, np.zeros(2), temperature, top_k=1).tolist() == [1, 3]


def test_pairs_of_tokens_have_their_probabilities(tmp_path: Path) -> None:
    n = 6000
    found = drawn(net(tmp_path), n, rules(2))
    p = np.zeros((18, 18))
    first = np.exp(log_softmax(by_loops(tensors(), 4, list(PROMPT))[0][-1]))
    for a in range(18):
        p[a] = first[a] * np.exp(log_softmax(by_loops(tensors(), 4, [*PROMPT, a])[0][-1]))
    p[END] = 0
    p[END, 0] = first[END]
    pairs = np.where(found.counts > 1, found.tokens[:, 0] * 18 + found.tokens[:, 1], END * 18)
    assert far(np.bincount(pairs, minlength=324), p.ravel()) < 4
    for i in range(200):
        a, b = found.tokens[i]
        expected = [np.log(first[a])] + ([np.log(p[a, b] / first[a])] if found.counts[i] > 1 else [])
        assert found.logprobs[i, : found.counts[i]] == pytest.approx(expected, abs=1e-4)


def test_log_probabilities_are_those_of_the_model_itself(tmp_path: Path) -> None:
    found = drawn(net(tmp_path), 20, rules(1, temperature=0.5, top_k=4))
    first = log_softmax(by_loops(tensors(), 4, list(PROMPT))[0][-1])
    assert found.logprobs[:, 0] == pytest.approx(first[found.tokens[:, 0]], abs=1e-4)
    assert set(found.tokens[:, 0]) <= set(np.argsort(-first)[:4].tolist())


def test_a_row_depends_on_nothing_beside_it(tmp_path: Path) -> None:
    made = net(tmp_path)
    whole, part = drawn(made, 64, rules(12)), drawn(made, 9, rules(12))
    for i in range(9):
        assert whole.counts[i] == part.counts[i]
        assert np.array_equal(whole.tokens[i, : whole.counts[i]], part.tokens[i, : part.counts[i]])
    other = drawn(made, 64, rules(12), seed=1)
    assert not np.array_equal(whole.tokens, other.tokens)


def test_texts_end_where_they_should(tmp_path: Path) -> None:
    stops = ("1", "21", "3+")
    found = drawn(net(tmp_path), 400, rules(10, stops))
    ends = set()
    for tokens, count, end in zip(found.tokens, found.counts, found.ends, strict=True):
        text = "".join(ALPHABET[t] for t in tokens[:count])
        assert not any(s in text[:-1] for s in (*stops, "\n"))
        if end == 0:
            assert text.endswith("\n")
        elif end > 0:
            assert text.endswith(stops[end - 1])
            assert (stops[end - 1] == "21") == text.endswith("21")
        else:
            assert count == 10
            assert not text.endswith((*stops, "\n"))
        ends.add(int(end))
    assert ends == {-1, 0, 1, 2, 3}


def test_what_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    made = net(tmp_path)
    free, stopped = drawn(made, 50, rules(8)), drawn(made, 50, Rules(1.0, 0, 1.0, 8, END, (b"",)))
    assert np.array_equal(free.counts, stopped.counts)
    assert np.array_equal(free.ends, stopped.ends)


def test_the_budget_ends_the_rows_it_does_not_admit(tmp_path: Path) -> None:
    asked: list[int] = []

    def admit(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return (rows % 2 == 0) | (len(asked) <= 3)

    found = drawn(net(tmp_path), 40, rules(8), admit=admit)
    assert sum(asked) - found.cancelled.sum() == found.counts.sum()
    assert (found.counts[1::2] <= 3).all()
    assert found.cancelled[1::2].sum() > 5
    assert not found.cancelled[::2].any()
    assert ((found.ends < 0) & ~found.cancelled == ((found.counts == 8) & (found.ends < 0))).all()
    free = drawn(net(tmp_path), 40, rules(8))
    for i in range(40):
        assert np.array_equal(found.tokens[i, : found.counts[i]], free.tokens[i, : found.counts[i]])


def test_rows_that_can_go_on_are_kept_as_they_were_read(tmp_path: Path) -> None:
    made, kept = net(tmp_path), Kept()
    found = drawn(made, 60, rules(9, (";", "5")), kept=kept)
    texts = {PROMPT + bytes(found.tokens[i, : found.counts[i]].tolist()) for i in range(60) if found.ends[i] != 0 and found.counts[i] > 1}
    assert len(texts) > 20
    for text in sorted(texts):
        length, row = kept.find(text)
        assert length == len(text) - 1
        assert row is not None
        cache = row.cache.take(np.array([row.index]), length)
        logits = made.logits(made.feed(cache, np.array([[text[-1]]])))[0, 0]
        assert logits == pytest.approx(by_loops(tensors(), 4, list(text))[0][-1], rel=1e-3, abs=1e-3)
