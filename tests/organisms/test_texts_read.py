"""Reading texts: whatever is kept of earlier ones, what comes out is what reading from the start gives, and no more is read than is new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.organisms.random_nets import by_loops, net, tensors

from ponder.organisms.kept import Kept
from ponder.organisms.net import Net
from ponder.organisms.reading import ROWS, Told, log_softmax, start, tell


class Counting(Net):
    """A net that counts the tokens it reads."""

    read = 0

    def feed(self, cache, tokens, **options):
        self.read += tokens.size
        return super().feed(cache, tokens, **options)


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    made = net(tmp_path)
    return Counting(made.card, {name: tensor.astype(np.float32) for name, tensor in tensors().items()})


def random_texts(n: int, length: int, seed: int = 0) -> list[bytes]:
    return [row.astype(np.uint8).tobytes() for row in np.random.default_rng(seed).integers(0, 18, (n, length))]


def as_tokens(texts: list[bytes]) -> np.ndarray:
    return np.array([list(text) for text in texts])


def starts_right(made: Net, kept: Kept, texts: list[bytes], copies: list[int]) -> bool:
    """Copies are as many as asked for, side by side, and they and what is read after them are as read from the start."""
    cache, logits, order = start(made, kept, texts, copies)
    assert np.bincount(order, minlength=len(texts)).tolist() == copies
    assert np.count_nonzero(np.diff(order)) == len(texts) - 1
    again = as_tokens(texts)[order]
    assert cache.rows == len(again)
    assert cache.length == len(texts[0])
    fresh = Net.load(made.card.path)
    expected = fresh.logits(fresh.feed(fresh.cache(len(again)), again))[:, 0]
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    more = np.random.default_rng(9).integers(0, 18, (len(again), 1))
    after = fresh.feed(fresh.cache(len(again)), np.concatenate([again, more], 1))
    np.testing.assert_allclose(made.feed(cache, more), after, rtol=1e-3, atol=1e-4)
    return True


def test_a_start_from_nothing(counting: Counting) -> None:
    texts = random_texts(3, 10)
    assert starts_right(counting, Kept(), texts, [3, 8, 1])
    # Each text once, and the one token that the comparison feeds.
    assert counting.read == 3 * 10 + 12


@pytest.mark.parametrize("more", [1, 3])
def test_a_start_from_what_is_kept(counting: Counting, more: int) -> None:
    kept, first, ends = Kept(), random_texts(2, 10), random_texts(4, more, 1)
    assert starts_right(counting, kept, first, [4, 4])
    counting.read = 0
    longer = [first[0] + ends[0], first[1] + ends[1], first[0] + ends[2], random_texts(1, 10, 5)[0] + ends[3]]
    assert starts_right(counting, kept, longer, [2, 1, 3, 5])
    known = 6 if more == 1 else 3 * more
    assert counting.read == known + 10 + more + 11
    counting.read = 0
    assert starts_right(counting, kept, [longer[3]], [7])
    assert counting.read == 7 + 7


def test_a_start_from_rows_of_several_lengths(counting: Counting) -> None:
    kept, whole = Kept(), random_texts(4, 12)
    for i, length in enumerate((3, 6, 9, 11)):
        assert starts_right(counting, kept, [whole[i][:length]], [1 + i])
    assert starts_right(counting, kept, whole, [1, 4, 2, 4])


def test_what_is_told_is_what_the_definition_gives(counting: Counting) -> None:
    texts = [*random_texts(2, 9), *random_texts(2, 5, 1), b"\3"]
    logprobs, values = tell(counting, Kept(), texts, "logprobs"), tell(counting, Kept(), texts, "values")
    assert set(logprobs) == set(values) == set(texts)
    for text in texts:
        logits, expected = by_loops(tensors(), 4, list(text))
        own = log_softmax(logits)[np.arange(len(text) - 1), list(text[1:])]
        assert logprobs[text] == pytest.approx([0, *own], abs=1e-4)
        assert values[text] == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("what", ["logprobs", "values"])
def test_telling_from_what_is_kept(counting: Counting, what: Told) -> None:
    kept, begun, ends = Kept(), random_texts(6, 8), random_texts(6, 3, 1)
    before = tell(counting, kept, [text[:1] for text in begun] + begun, what)
    assert counting.read == 6 * 9 - (6 - len({text[:1] for text in begun}))
    counting.read = 0
    texts = [a + b for a, b in zip(begun, ends, strict=True)]
    found = tell(counting, kept, [*texts, *texts], what)
    # The three that are new, and the last known one: its state says how probable the first new one is.
    assert counting.read == 6 * 4
    fresh = tell(Net.load(counting.card.path), Kept(), texts, what)
    for text, short in zip(texts, begun, strict=True):
        assert found[text] == pytest.approx(fresh[text], rel=1e-3, abs=1e-4)
        assert found[text][:8] == pytest.approx(before[short], rel=1e-3, abs=1e-4)
    counting.read = 0
    again = tell(counting, kept, texts, what)
    assert counting.read == 0
    assert all(np.array_equal(again[text], found[text]) for text in texts)


def test_many_texts_are_read_in_batches(counting: Counting) -> None:
    texts = list(dict.fromkeys(random_texts(ROWS + 90, 6)))
    assert len(texts) > ROWS
    found, whole = tell(counting, Kept(), texts, "values"), as_tokens(texts)
    fresh = Net.load(counting.card.path)
    expected = fresh.values(fresh.feed(fresh.cache(len(whole)), whole, every=True))
    np.testing.assert_allclose([found[text] for text in texts], expected, rtol=1e-3, atol=1e-4)


def test_a_small_store_forgets_and_reads_again(counting: Counting) -> None:
    kept, texts = Kept(1), random_texts(3, 6)
    for _ in range(2):
        assert starts_right(counting, kept, texts, [1, 2, 5])
    assert len(kept) == 0
    assert counting.read == 2 * (3 * 6 + 8)


def test_log_probabilities_are_normalised() -> None:
    found = log_softmax(np.array([[1e5, 1e5, -1e5], [0, 0, 0]], dtype=np.float32))
    assert np.exp(found).sum(-1) == pytest.approx([1, 1])
    assert found[0, :2] == pytest.approx([np.log(0.5)] * 2)
    assert found[0, 2] < -1e5
