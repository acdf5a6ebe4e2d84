"""Make a GGUF readable without loss: what OpenVINO's reader damages is rewritten as Q8_0, which it reads as it is.

The reader turns the offsets of 4-bit blocks into whole quantisation steps. Q4_0 blocks are centred on a whole step and lose nothing.
Q4_1 and Q4_K blocks have offsets of their own, and lose up to half a step a weight: measured on SmolLM2-135M-Instruct Q4_1 against
float32 torch on the same file, log-probabilities were off by 0.48 nats a token (5.1 at most). Rewritten as Q8_0 they are off by 0.04
to 0.08 (0.7 at most), and in float32 arithmetic by 0.02 to 0.04 (0.4 at most): what is left there is Q8_0's own rounding
(`benchmarks/logprob_error.py`). That Q4_K goes the same way is known from the reader's source; it was
not measured. Q8_0, F16 and F32 are kept; other types the reader turns into F16 itself.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, PonderError
from ponder.lm.gguf import Layout, Tensor, read_layout
from ponder.pull import home

Q4_1, Q8_0, Q4_K = 3, 8, 12

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_CHUNK = 1 << 16
"""Blocks that are rewritten at a time, so that large models need little memory."""
_SLOW = 200 << 20
"""Bytes from which rewriting takes so long that the user is told."""


def readable(path: Path) -> Path:
    """A GGUF of the same weights that OpenVINO reads without loss: the file itself, or a rewrite that is kept for the next time.

    Rewrites are kept under ponder's home, by name, size and time of change. Several processes may rewrite the same file at once.

    Raises:
        InputError: the file cannot be read or is malformed.
        PonderError: the rewrite cannot be kept.
    """
    layout = read_layout(path)
    if not any(t.type in _WIDENED for t in layout.tensors):
        return path
    target = _target(path)
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if sum(t.size for t in layout.tensors) > _SLOW:
            _say(f"rewriting {path.name} once, so that the embedded engine reads its weights as they are")
        with tempfile.TemporaryDirectory(prefix=".widen-", dir=target.parent) as folder:
            fresh = Path(folder) / "fresh"
            with fresh.open("wb") as out:
                widen(path, layout, out)
            os.replace(fresh, target)
    except OSError as error:
        raise _disk_error(path, layout, error) from error
    return target


def widen(path: Path, layout: Layout, out: BinaryIO) -> None:
    """Write the file with its Q4_1 and Q4_K tensors as Q8_0; metadata and other tensors are kept byte for byte.

    Raises:
        OSError: reading or writing failed.
        InputError: the file became shorter meanwhile.
    """
    data = np.memmap(path, np.uint8, "r")
    if data.size < layout.data_at + max((t.offset + t.size for t in layout.tensors), default=0):
        raise InputError(f"{path} changed while it was read")
    out.write(data[: layout.metadata_end].tobytes())
    offset = 0
    for t in layout.tensors:
        kind = Q8_0 if t.type in _WIDENED else t.type
        out.write(struct.pack("<Q", len(t.name)) + t.name + struct.pack(f"<I{len(t.shape)}Q", len(t.shape), *t.shape))
        out.write(struct.pack("<IQ", kind, offset))
        size = _new_size(t)
        offset += size + -size % layout.alignment
    _pad(out, layout.alignment)
    for t in layout.tensors:
        start = layout.data_at + t.offset
        for part in _rewritten(data[start : start + t.size], t):
            out.write(part.tobytes())
        _pad(out, layout.alignment)


def _rewritten(raw: Bytes, tensor: Tensor) -> Iterator[Bytes]:
    if tensor.type not in _WIDENED:
        yield raw
        return
    size, dequantise = _WIDENED[tensor.type]
    blocks = raw.reshape(-1, size)
    for first in range(0, len(blocks), _CHUNK):
        weights = dequantise(blocks[first : first + _CHUNK])
        if not np.isfinite(weights).all():
            raise InputError(f"the tensor {tensor.name!r:.60} holds weights that are no numbers")
        yield quantise(weights)


def dequantise_q4_1(blocks: Bytes) -> Floats:
    """Blocks, shape (n, 20): scale f16, least f16, 32 steps of 4 bits. Weights, shape (n, 32)."""
    return _half(blocks, 0) * _nibbles(blocks[:, 4:]) + _half(blocks, 2)


def dequantise_q4_k(blocks: Bytes) -> Floats:
    """Blocks, shape (n, 144): two scales f16, eight (scale, least) of 6 bits each, 256 steps of 4 bits. Weights, shape (8 n, 32)."""
    low, high, rest = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = np.concatenate([low & 63, (rest & 15) | (low >> 6 << 4)], axis=1)
    least = np.concatenate([high & 63, (rest >> 4) | (high >> 6 << 4)], axis=1)
    steps = _nibbles(blocks[:, 16:].reshape(-1, 32)).reshape(-1, 8, 32)
    weights = (_half(blocks, 0) * scales)[:, :, None] * steps - (_half(blocks, 2) * least)[:, :, None]
    return weights.reshape(-1, 32).astype(np.float32)


def quantise(weights: Floats) -> Bytes:
    """Weights, shape (n, 32), as Q8_0 blocks, shape (n, 34): scale f16, 32 signed bytes."""
    scale = np.minimum(np.abs(weights).max(axis=1, keepdims=True) / 127, 65504).astype("<f2")
    wide = scale.astype(np.float32)
    inverse = np.divide(1, wide, out=np.zeros_like(wide), where=wide > 0)
    whole = np.clip(np.rint(weights * inverse), -127, 127).astype(np.int8)
    return np.concatenate([scale.view(np.uint8), whole.view(np.uint8)], axis=1)


_WIDENED: Mapping[int, tuple[int, Callable[[Bytes], Floats]]] = {Q4_1: (20, dequantise_q4_1), Q4_K: (144, dequantise_q4_k)}
"""Bytes of a block, and how to read blocks, of the types that are rewritten."""


def _half(blocks: Bytes, at: int) -> Floats:
    return blocks[:, at : at + 2].copy().view("<f2").astype(np.float32)


def _nibbles(packed: Bytes) -> Floats:
    return np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)


def _new_size(tensor: Tensor) -> int:
    return math.prod(tensor.shape) // 32 * 34 if tensor.type in _WIDENED else tensor.size


def _pad(out: BinaryIO, alignment: int) -> None:
    out.write(b"\0" * (-out.tell() % alignment))


def _target(path: Path) -> Path:
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    key = hashlib.blake2b(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode(), digest_size=6).hexdigest()
    return home() / "widened" / f"{path.stem}-{key}.gguf"


def _say(line: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(line, highlight=False, markup=False)


def _disk_error(path: Path, layout: Layout, error: OSError) -> PonderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need = (layout.data_at + sum(map(_new_size, layout.tensors))) // 1_000_000 + 1
        return PonderError(f"the disk is full: a rewrite of {path.name} needs {need} MB under {home()}; free some, or set PONDER_HOME")
    return PonderError(f"a rewrite of {path.name} cannot be kept under {home()}: {error}; set PONDER_HOME to a folder that can be written")
