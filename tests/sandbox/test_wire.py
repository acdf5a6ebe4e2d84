"""Plain data as bytes, and what is not plain data."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.sandbox.inside import wire

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(st.characters()), st.binary())
KEYS = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.binary()), lambda k: st.tuples(k, k), max_leaves=3)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)


def there_and_back(value: object) -> object:
    return wire.unpack(wire.from_bytes(wire.to_bytes(wire.pack(value))[4:]))


@given(PLAIN)
def test_plain_data_survives(value: object) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert _shown(back) == _shown(value)


def _shown(value: object) -> object:
    """A value so that equal means the same types and the same bits, in sets in any order."""
    if isinstance(value, dict):
        return sorted((repr(_shown(k)), repr(_shown(v))) for k, v in value.items())
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(repr(_shown(v)) for v in value)
    if isinstance(value, list | tuple):
        return type(value)(_shown(v) for v in value)
    return repr(value)


def test_subclasses_pass_as_the_plain_values_they_hold() -> None:
    class Liar(int):
        def __index__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Lie(str):
        def __str__(self) -> str:
            return "lie"

    class Items(dict[int, int]):
        def items(self) -> list[tuple[int, int]]:  # type: ignore[override]
            return []

    point = namedtuple("point", "x y")
    for value, plain in [
        (Liar(5), 5),
        (Lie("truth"), "truth"),
        (Items({1: 2}), {1: 2}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (point(1, 2), (1, 2)),
    ]:
        back = there_and_back(value)
        assert type(back) is type(plain)
        assert back == plain


class NotAnInt:
    __class__ = int  # type: ignore[assignment]


def _deep() -> list[object]:
    value: list[object] = []
    for _ in range(1000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [object(), NotAnInt(), int, len, range(3), iter([]), [object()], {1: object()}, _deep()], ids=lambda v: type(v).__name__
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(wire.NotPlain):
        wire.pack(value)


MALFORMED = [
    *[
        {},
        {"d": 1},
        {"d": [1]},
        {"d": [[1]]},
        {"d": [[[], 1]]},
        {"s": [[]]},
        {"t": 5},
        {"c": [1]},
        {"c": 1},
        {"c": ["a", 1]},
        {"i": 5},
        {"i": "g"},
    ],
    *[{"x": "a"}, {"x": []}, {"b": "0"}, {"b": 1}, {"q": 1}, {"t": [], "s": []}, [{}], {"not plain": 0}],
]


@pytest.mark.parametrize("packed", MALFORMED, ids=repr)
def test_what_no_packer_made_is_refused(packed: object) -> None:
    with pytest.raises(wire.NotPlain):
        wire.unpack(packed)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(wire.NotPlain):
        wire.from_bytes(body)


def test_keys_made_to_collide_are_refused() -> None:
    colliding = [i * (2**61 - 1) for i in range(1000)]
    for packed in [{"s": colliding}, {"f": colliding}, {"d": [[i, 0] for i in colliding]}]:
        with pytest.raises(wire.NotPlain, match="same hash"):
            wire.unpack(packed)
    assert len(wire.unpack({"s": list(range(10_000))})) == 10_000


def test_messages_on_a_pipe() -> None:
    incoming, outgoing = os.pipe()
    wire.write(outgoing, {"a": 1})
    wire.write(outgoing, [2])
    os.close(outgoing)
    assert wire.read(incoming) == {"a": 1}
    assert wire.read(incoming) == [2]
    with pytest.raises(EOFError):
        wire.read(incoming)
    os.close(incoming)


def test_a_message_has_a_longest_length() -> None:
    with pytest.raises(wire.NotPlain, match="bytes"):
        wire.write(-1, "x" * wire.MAX_BYTES)
