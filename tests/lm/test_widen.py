"""Rewriting of 4-bit tensors, on small files that the test writes, and what it saves on the real model."""

import errno
import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lm.test_gguf import build, build_tensors

from ponder.core.errors import InputError, PonderError
from ponder.core.language import Continuation
from ponder.lm import widen
from ponder.lm.embedded import Embedded
from ponder.lm.gguf import Tensor, read_layout

RNG = np.random.default_rng(0)


def halves(values: np.ndarray) -> np.ndarray:
    return values.astype("<f2").view(np.uint8).reshape(len(values), -1)


def q4_1(n: int) -> np.ndarray:
    return np.concatenate([halves(RNG.normal(size=(n, 2))), RNG.integers(0, 256, (n, 16), dtype=np.uint8)], axis=1)


def q4_k(n: int) -> np.ndarray:
    return np.concatenate([halves(RNG.uniform(0, 0.1, size=(n, 2))), RNG.integers(0, 256, (n, 140), dtype=np.uint8)], axis=1)


def plain_q4_1(block: bytes) -> list[float]:
    """One block, weight by weight, as the format's description has it."""
    scale, least = struct.unpack("<2e", block[:4])
    return [scale * step + least for step in [b & 15 for b in block[4:]] + [b >> 4 for b in block[4:]]]


def plain_q4_k(block: bytes) -> list[float]:
    d, dmin = struct.unpack("<2e", block[:4])
    packed, steps = block[4:16], block[16:]
    weights: list[float] = []
    for j in range(8):
        if j < 4:
            scale, least = packed[j] & 63, packed[j + 4] & 63
        else:
            scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4)
            least = (packed[j + 4] >> 4) | (packed[j] >> 6 << 4)
        part = steps[j // 2 * 32 : j // 2 * 32 + 32]
        weights += [d * scale * (b >> 4 if j % 2 else b & 15) - dmin * least for b in part]
    return weights


TENSORS = [
    (b"a.weight", (64, 3), 3, q4_1(6).tobytes()),
    (b"norm.weight", (5,), 0, RNG.normal(size=5).astype("<f4").tobytes()),
    (b"k.weight", (256, 2), 12, q4_k(2).tobytes()),
    (b"q8.weight", (32,), 8, RNG.integers(0, 256, 34, dtype=np.uint8).tobytes()),
]
FILE = build_tensors(TENSORS)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    if "model_path" not in request.fixturenames:
        monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(FILE)
    return path


def content(path: Path, tensor: Tensor) -> bytes:
    start = read_layout(path).data_at + tensor.offset
    return path.read_bytes()[start : start + tensor.size]


def test_four_bit_tensors_become_eight_bit_within_half_a_step_and_all_else_stays(source: Path) -> None:
    wide = widen.readable(source)
    old, new = read_layout(source), read_layout(wide)
    assert wide.read_bytes()[: new.metadata_end] == FILE[: old.metadata_end]
    assert [(t.name, t.shape) for t in new.tensors] == [(t.name, t.shape) for t in old.tensors]
    assert [t.type for t in new.tensors] == [8, 0, 8, 8]
    for i in (1, 3):
        assert content(wide, new.tensors[i]) == TENSORS[i][3]
    for i, size, plain in ((0, 20, plain_q4_1), (2, 144, plain_q4_k)):
        raw = TENSORS[i][3]
        expected = np.array([plain(raw[at : at + size]) for at in range(0, len(raw), size)]).reshape(-1, 32)
        blocks = np.frombuffer(content(wide, new.tensors[i]), np.uint8).reshape(-1, 34)
        scale = blocks[:, :2].copy().view("<f2").astype(float)
        found = scale * blocks[:, 2:].copy().view(np.int8)
        assert np.all(np.abs(found - expected) <= scale * (0.5 + 127 / 2**11))  # the scale itself is rounded to 11 bits
        assert np.all(np.abs(blocks[:, 2:].copy().view(np.int8)).max(axis=1) == 127)


def test_blocks_of_nothing_but_zeros(source: Path) -> None:
    source.write_bytes(build_tensors([(b"z", (32,), 3, b"\0" * 20)]))
    wide = widen.readable(source)
    assert content(wide, read_layout(wide).tensors[0]) == b"\0" * 34


def test_the_rewrite_is_kept_and_follows_the_file(source: Path, home: Path) -> None:
    wide = widen.readable(source)
    assert wide.parent == home / "widened"
    assert [p.name for p in wide.parent.iterdir()] == [wide.name]
    before = wide.stat().st_mtime_ns
    assert widen.readable(source) == wide
    assert wide.stat().st_mtime_ns == before
    os.utime(source, ns=(1, 1))
    assert widen.readable(source) != wide


def test_a_file_that_needs_nothing_is_read_as_it_is(source: Path, home: Path) -> None:
    source.write_bytes(build_tensors(TENSORS[1::2]))
    assert widen.readable(source) == source
    source.write_bytes(build(tensors=0))
    assert widen.readable(source) == source
    assert not home.exists()


@pytest.mark.parametrize(("code", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "cannot be kept")])
def test_a_disk_that_fails_leaves_nothing_behind(source: Path, home: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    def full(weights: np.ndarray) -> np.ndarray:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(widen, "quantise", full)
    with pytest.raises(PonderError, match=said):
        widen.readable(source)
    assert list((home / "widened").iterdir()) == []


def test_weights_that_are_no_numbers_are_refused(source: Path, home: Path) -> None:
    source.write_bytes(build_tensors([(b"bad", (32,), 3, struct.pack("<2e", math.inf, 0) + b"\0" * 16)]))
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match="no numbers"):
        widen.readable(source)
    assert list((home / "widened").iterdir()) == []


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, len(FILE)))
def test_changed_bytes_give_a_readable_file_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(FILE)
    for place, value in changes:
        data[place] = value
    folder = tmp_path_factory.mktemp("gguf")
    path = folder / "changed.gguf"
    path.write_bytes(bytes(data[: len(data) - cut // 8]))
    try:
        layout = read_layout(path)
        with (folder / "wide").open("wb") as out, np.errstate(all="ignore"):
            widen.widen(path, layout, out)
    except InputError:
        return
    wide = read_layout(folder / "wide")
    assert [(t.name, t.shape) for t in wide.tensors] == [(t.name, t.shape) for t in layout.tensors]


@pytest.mark.model
def test_the_embedded_engine_runs_the_weights_that_the_file_holds(model_path: Path) -> None:
    """Expected: float32 torch on the same file. Tolerances: 0.01 in float32; the engine's own reading is off by much more."""
    expected = {("The capital of France is", " Paris"): -0.2621}
    lm = Embedded(model_path, exact=True)
    scored = lm.logprobs([Continuation(*pair) for pair in expected])
    lm.close()
    assert [sum(s.logprobs) for s in scored] == pytest.approx(list(expected.values()), abs=0.01)
