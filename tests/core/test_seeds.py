"""Seeds come from places: however a place is written, its seed is the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.core.seeds import derive, place_of, places_in, seed_of

paths = st.lists(st.integers(0, 10**6) | st.text(max_size=5), max_size=4)


@given(st.integers(0, 2**40), paths, st.integers(0, 5))
def test_places_inside_are_those_written_one_by_one(root: int, path: list[str | int], n: int):
    places = places_in(root, path, n)
    assert places == [place_of(root, (*path, i)) for i in range(n)]
    assert [seed_of(p) for p in places] == [derive(root, (*path, i)) for i in range(n)]


def test_a_seed_never_changes():
    # Runs are replayed from stores that older versions wrote.
    assert derive(0) == seed_of("[0]") == 96405916
    assert derive(7, ("a", 1)) == seed_of('[7,"a",1]') == 2074416515
