"""Plain data as bytes, and messages on pipes, without anything that could run code on the reader's side.

Both ends of every channel of the bubblewrap sandbox use this module. Only exact builtin types pass; an instance of a subclass passes as
the plain value that it holds (a Counter as a dict), so that no method of it can answer on the other side.
"""

from __future__ import annotations

import json
import os
from typing import Any

MAX_BYTES = 4 * 2**20
"""The longest message that a run may send."""
MAX_DEPTH = 100
"""The deepest nesting of containers."""

ENDS_LOOPS = (StopIteration, StopAsyncIteration, GeneratorExit)
"""Exceptions that would end a loop of the tests in silence (`all(map(f, cases))`): a call that raises one raises RuntimeError instead."""

_BASES = (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)


class NotPlain(TypeError):
    """A value is not made of plain data, is nested too deeply, or is too long."""


def plain_type(value: object) -> type | None:
    """The builtin type of plain data that `value` is an instance of, whatever its class says; None if there is none."""
    kind = type(value)
    return next((base for base in type.__dict__["__mro__"].__get__(kind) if base in _BASES), None)


def pack(value: object, depth: int = 0) -> Any:
    """A value as JSON's types: lists stay lists, anything that JSON lacks becomes an object with one tag.

    Raises:
        NotPlain: for other values.
    """
    if depth > MAX_DEPTH:
        raise NotPlain(f"plain data may be nested {MAX_DEPTH} deep (is there a cycle?)")
    if value is None:
        return None
    base = plain_type(value)
    if base is None:
        raise NotPlain(f"an object of type {type(value).__name__} is not plain data")
    if base is dict:
        return {"d": [[pack(k, depth + 1), pack(v, depth + 1)] for k, v in dict.items(value)]}  # type: ignore[arg-type]
    if base in (list, tuple, set, frozenset):
        items = [pack(item, depth + 1) for item in base.__iter__(value)]  # type: ignore[attr-defined]
        return items if base is list else {base.__name__[0]: items}
    return _pack_scalar(value, base)


def _pack_scalar(value: Any, base: type) -> Any:
    if base is bool or base is str:
        return value if base is bool else str.__str__(value)
    if base is int:
        number = int.__index__(value)
        return number if -(2**53) < number < 2**53 else {"i": int.__format__(number, "x")}
    if base is float:
        number = float.__float__(value)
        return number if number - number == 0 else {"x": float.__repr__(number)}
    if base is complex:
        return {"c": [_pack_scalar(part, float) for part in (complex.real.__get__(value), complex.imag.__get__(value))]}  # type: ignore[attr-defined]
    return {"b": bytes.hex(value)}


def unpack(packed: Any) -> Any:
    """The value that `pack` packed.

    Raises:
        NotPlain: for what `pack` cannot have made.
    """
    try:
        return _unpack(packed)
    except NotPlain:
        raise
    except (TypeError, ValueError, KeyError, RecursionError, OverflowError) as error:
        raise NotPlain(f"not packed data: {type(error).__name__}") from None


def _unpack(packed: Any) -> Any:
    if type(packed) is list:
        return [_unpack(item) for item in packed]
    if type(packed) is not dict:
        return packed
    ((tag, body),) = packed.items()
    if tag == "d":
        pairs = [(_unpack(key), _unpack(value)) for key, value in body]
        _refuse_collisions([key for key, _ in pairs])
        return dict(pairs)
    if tag in ("t", "s", "f"):
        items = [_unpack(item) for item in body]
        if tag != "t":
            _refuse_collisions(items)
        return {"t": tuple, "s": set, "f": frozenset}[tag](items)
    if tag == "c":
        real, imaginary = body
        return complex(float(_unpack(real)), float(_unpack(imaginary)))
    if tag == "i":
        return int(body, 16)
    if tag == "x":
        return float(body)
    if tag == "b":
        return bytes.fromhex(body)
    raise NotPlain("a value is not plain data, nested too deeply, or too long")


def _refuse_collisions(keys: list[Any]) -> None:
    """Refuse keys made to collide: hashing them takes time that grows with the square of their number.

    Raises:
        NotPlain: if more than a hundred have the same hash.
    """
    hashes = sorted(hash(key) for key in keys)
    if any(a == b for a, b in zip(hashes, hashes[100:], strict=False)):
        raise NotPlain("over a hundred keys of a set or dict have the same hash")


def to_bytes(message: Any) -> bytes:
    """A message (JSON's types) with its length before it."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(4, "big") + body


def from_bytes(body: bytes) -> Any:
    """The message in the bytes after a length.

    Raises:
        NotPlain: if it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NotPlain("not a message") from None


def write(fd: int, message: Any) -> None:
    """Send a message from inside, blocking.

    Raises:
        NotPlain: if it is longer than `MAX_BYTES`.
    """
    rest = to_bytes(message)
    if len(rest) > MAX_BYTES:
        raise NotPlain(f"a message may have {MAX_BYTES} bytes, not {len(rest)}")
    while rest:
        rest = rest[os.write(fd, rest) :]


def read(fd: int) -> Any:
    """Wait for a message.

    Raises:
        EOFError: if the other end was closed.
    """
    return from_bytes(_exactly(fd, int.from_bytes(_exactly(fd, 4), "big")))


def _exactly(fd: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.read(fd, min(count, 2**16))
        if not part:
            raise EOFError("the other end was closed")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
