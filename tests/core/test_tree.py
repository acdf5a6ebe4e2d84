"""Tree statistics: fixtures of the PUCT rule, backup by hand, and the identity of the exhausted tree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.tree import Child, Expansion, Node, backup, best_leaf, expand, leaves, path, puct, search, select, to_dict

ACTIONS = 3
DEPTH = 3


def test_puct_fixtures() -> None:
    assert puct(0.2, 4, 0.5, 10, 1.25) == pytest.approx(0.5953, abs=5e-5)
    assert puct(0.0, 0, 0.3, 10, 1.25) == pytest.approx(1.1859, abs=5e-5)


def test_selection_takes_the_unvisited_child_of_the_fixture() -> None:
    root = Node("root", visits=10)
    root.children = [Node("seen", 0.5, root, visits=4, total=0.8), Node("new", 0.3, root)]
    assert select(root, 1.25, np.random.default_rng(0)) is root.children[1]


def test_backup_by_hand_on_seven_nodes() -> None:
    """root -> a (-> c, d terminal), b (-> e, f terminal): values .5 of the root, -.25 of a, .75 of b, rewards 1, -1, 1, 1."""
    root = Node("root")
    expand(root, Expansion(0.5, [Child("a"), Child("b")]))
    a, b = root.children
    assert (root.visits, root.q, a.visits) == (1, 0.5, 0)
    expand(a, Expansion(-0.25, [Child("c", reward=1.0), Child("d", reward=-1.0)]))
    assert (a.visits, a.total) == (3, -0.25)
    assert a.q == pytest.approx(-0.25 / 3)
    assert (root.visits, root.total) == (4, 0.25)
    expand(b, Expansion(0.75, [Child("e", reward=1.0), Child("f", reward=1.0)]))
    assert (b.visits, b.q) == (3, 2.75 / 3)
    assert (root.visits, root.q) == (7, 3.0 / 7)
    assert [n.visits for n in root.walk()] == [7, 3, 1, 1, 3, 1, 1]
    assert a.closed
    assert b.closed
    assert root.closed


def everything(rewards: dict[str, float], priors: dict[str, float]):
    """Expansions of a tree of three steps with three actions each, all values 0."""

    def expansions(at: Sequence[Node]) -> list[Expansion]:
        found = []
        for node in at:
            texts = [node.state + str(i) for i in range(ACTIONS)]
            found.append(Expansion(0.0, [Child(t, priors[t], rewards.get(t)) for t in texts]))
        return found

    return expansions


@given(st.integers(0, 10_000), st.floats(0, 5))
def test_an_exhausted_tree_counts_each_node_once_whatever_the_priors(seed: int, c: float) -> None:
    rng = np.random.default_rng(seed)
    rewards = {"".join(t): float(rng.choice([-1.0, 1.0])) for t in product("012", repeat=DEPTH)}
    priors = {"".join(t): float(rng.random()) for d in range(1, DEPTH + 1) for t in product("012", repeat=d)}
    root = Node("")
    assert search([root], 1000, everything(rewards, priors), c, rng) == 13
    assert select(root, c, rng) is None
    for child in root.children:
        assert child.visits == 9 + 4
        below = [r for t, r in rewards.items() if t.startswith(child.state)]
        assert child.q == pytest.approx(sum(below) / 13)
    assert root.visits == 27 + 13
    assert all(leaf.visits == 1 for leaf in leaves(root))


def test_terminal_children_are_passed_by_and_trees_go_on_side_by_side() -> None:
    calls: list[int] = []
    short = {str(i): 1.0 for i in range(ACTIONS)}
    long = {"".join(t): -1.0 for t in product("012", repeat=2)}

    def expansions(at: Sequence[Node]) -> list[Expansion | None]:
        calls.append(len(at))
        found: list[Expansion | None] = []
        for node in at:
            rewards, texts = (short if path(node)[0] is first else long), [node.state + str(i) for i in range(ACTIONS)]
            found.append(Expansion(0.0, [Child(t, 1.0, rewards.get(t)) for t in texts]))
        return found

    first, second = Node(""), Node("")
    assert search([first, second], 50, expansions, 1.0, np.random.default_rng(0)) == 4
    assert calls == [2, 1, 1, 1]
    assert first.q == 0.75


def test_a_leaf_that_could_not_be_expanded_stays() -> None:
    root = Node("")
    assert search([root], 3, lambda at: [None] * len(at), 1.0, np.random.default_rng(0)) == 3
    assert (root.visits, root.children) == (0, [])


def test_ties_are_broken_at_random() -> None:
    root = Node("", visits=1)
    root.children = [Node(str(i), 0.5, root) for i in range(3)]
    rng = np.random.default_rng(0)
    found = [select(root, 1.0, rng).state for _ in range(300)]  # pyright: ignore[reportOptionalMemberAccess]
    assert min(found.count(str(i)) for i in range(3)) > 70  # P(fewer than 71 of 300) < 3e-4 a child


def walked() -> Node:
    root = Node("")
    root.children = [Node("a", parent=root, visits=3, total=1.5), Node("b", parent=root, visits=5, total=1.0)]
    for child, values in zip(root.children, ((0.1, 0.9), (0.4, 1.0)), strict=True):
        child.value = values[0]
        child.children = [Node(child.state + str(i), parent=child, terminal=True, visits=1, total=v, value=v) for i, v in enumerate(values)]
    return root


def test_best_paths() -> None:
    root = walked()
    ends = {by: best_leaf(root, by) for by in ("q", "visits", "value")}
    assert {by: n.state for by, n in ends.items() if n} == {"q": "a1", "visits": "b0", "value": "b1"}
    chosen = best_leaf(root, "q", lambda state: state.startswith("b"))
    assert chosen is not None
    assert chosen.state == "b1"
    assert best_leaf(root, "q", lambda state: False) is None
    with pytest.raises(InputError, match="visits"):
        best_leaf(root, "luck")


def test_a_tree_as_json() -> None:
    found = json.loads(json.dumps(to_dict(walked())))
    assert found["children"][0]["children"][1] == {
        "state": "a1",
        "prior": 1.0,
        "visits": 1,
        "q": 0.9,
        "value": 0.9,
        "terminal": True,
        "children": [],
    }


@pytest.mark.parametrize("found", [Expansion(1.5, []), Expansion(0.0, [Child("", reward=-2.0)]), Expansion(0.0, [Child("", prior=-0.1)])])
def test_values_and_priors_are_checked(found: Expansion) -> None:
    with pytest.raises(InputError):
        expand(Node(""), found)


def test_backup_reaches_the_root() -> None:
    root = Node("")
    child = Node("a", parent=root)
    backup(child, 0.5)
    assert (root.visits, root.total, child.visits) == (1, 0.5, 1)
