"""Depth-first search over steps, against trees that are written down; the knobs of the bag of tricks in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from ponder.core.answer import answer, heaviest
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.tree import Node, puct, select
from ponder.methods import parse
from ponder.scorers import minmax
from ponder.scorers.base import Scorer
from ponder.stages import vote, weigh
from ponder.stages.dfs import dfs, kept


class Worth(Scorer):
    """What the last character of a text says: digits are tenths."""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> np.ndarray:
        return np.log([max(1e-9, int(c.text[-1]) / 10) for c in candidates])


class Tree:
    """A program over a written tree: state text -> children; a text of two digits is finished. It remembers what was expanded."""

    def __init__(self, children: dict[str, list[str]], depth: int = 2) -> None:
        self.children, self.depth, self.expanded = children, depth, []

    def start(self, n: int, context: Context) -> tuple[Candidate, ...]:
        return tuple(Candidate(root=i) for i in range(n))

    def finished(self, states: Sequence[Candidate]) -> np.ndarray:
        return np.array([c.finished for c in states], dtype=bool)

    def extend(self, states: Sequence[Candidate], width: int, context: Context):  # type: ignore[no-untyped-def]
        made = []
        for state in states:
            self.expanded.append(state.text)
            for step in self.children[state.text][:width]:
                text = state.text + step
                over = len(text) == self.depth
                steps = (*state.steps, step)
                made.append(Candidate(text, text if over else None, 1, finished=over, finish="stop", steps=steps, parent=state))
        return tuple(made), np.zeros(len(made))


TREE = {"": ["5", "9", "1", "7", "3"], **{d: ["2", "8", "6", "4", "1"] for d in "13579"}}


def searched(stage: str, tree: Tree) -> Population[Candidate]:
    return parse(stage)(Population((Candidate(),)), Context(Problem("?"), program=tree))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    from ponder.core.terms import REGISTRY

    monkeypatch.setitem(REGISTRY, "Worth", Worth)


def test_the_released_loop_keeps_one_more_than_it_says():
    assert [kept(5, 0.4, exact=True), kept(5, 0.4, exact=False)] == [3, 4]
    assert [kept(n, 0.4, exact=False) for n in (1, 2, 3, 4)] == [1, 2, 2, 3]
    assert [kept(n, 0.0, exact=False) for n in (1, 5)] == [1, 5], "never more than there are"
    assert kept(5, 1.0, exact=True) == 1


def test_the_best_children_come_first_and_the_worst_are_dropped():
    """From 9 its children 8, 6, 4 are kept, and finished."""
    tree = Tree(TREE)
    found = searched("dfs(5, value=Worth, paths=2)", tree)
    assert tree.expanded == ["", "9"]
    assert [c.text for c in found.items] == ["98", "96"], "94 is worth less than the threshold once a path is finished"
    assert np.exp(found.log_weights) == pytest.approx([(0.9 + 0.8) / 2, (0.9 + 0.6) / 2])


def test_it_goes_back_up_until_it_has_its_paths():
    tree = Tree(TREE)
    found = searched("dfs(5, value=Worth)", tree)
    assert tree.expanded == ["", "9", "7"]
    assert [c.text for c in found.items] == ["98", "96", "78", "76"], "an expansion's paths are all kept"
    tree = Tree(TREE)
    found = searched("dfs(5, value=Worth, paths=5, threshold=0.0)", tree)
    assert tree.expanded == ["", "9", "7"]
    assert [c.text for c in found.items] == ["98", "96", "94", "78", "76", "74"]
    tree = Tree(TREE)
    searched("dfs(5, value=Worth, paths=99, threshold=0.0)", tree)
    assert tree.expanded == ["", "9", "7", "5"], "the two worst of five are never expanded"
    tree = Tree(TREE)
    searched("dfs(5, value=Worth, paths=99, threshold=0.0, count='released')", tree)
    assert tree.expanded == ["", "9", "7", "5", "3"], "the released code keeps four"


def test_the_path_of_the_largest_mean_wins():
    """9 then 2 is worth .55 on the mean, 5 then 8 .65, though 9 was tried first."""
    tree = Tree({"": ["9", "5"], "9": ["2"], "5": ["8"]})
    context = Context(Problem("?"), program=tree)  # type: ignore[arg-type]
    result = answer(parse("dfs(5, value=Worth, drop=0.0, threshold=0.0, paths=2) | argmax()"), context)
    assert result.value == "58"


def test_without_a_finished_path_it_gives_back_what_it_began_with():
    found = searched("dfs(5, value=Worth, depth=1)", Tree(TREE))
    assert [c.text for c in found.items] == [""]
    whole = Population((Candidate("12", "12", finished=True, finish="stop"),))
    assert dfs(5, value=Worth())(whole, Context(Problem("?"), program=Tree(TREE))).items[0].text == "12"  # type: ignore[arg-type]


def test_alphazeros_bonus():
    """(1.25 + log((4 + 19652 + 1) / 19652)) * sqrt(4) / (1 + 1) = 1.25025."""
    assert puct(0.0, 1, 1.0, 4, 1.25, 19652) == pytest.approx(1.25 + math.log(19657 / 19652), abs=1e-12)
    assert round(puct(0.0, 1, 1.0, 4, 1.25, 19652), 5) == 1.25025
    assert puct(0.3, 1, 0.5, 4, 1.25) == pytest.approx(0.3 + 1.25 * 0.5)


def test_a_growing_bonus_changes_the_choice_late():
    """With a base of 1 the bonus of many visits outweighs a better mean that is visited often."""
    root = Node("r", visits=40)
    root.children = [Node("a", 0.1, root, visits=30, total=24.0), Node("b", 0.1, root, visits=4, total=2.4)]
    rng = np.random.default_rng(0)
    assert select(root, 1.25, rng) is root.children[0]
    assert select(root, 1.25, rng, base=1.0) is root.children[1]


class Values(Scorer):
    def __call__(self, candidates: Sequence[Candidate], context: Context) -> np.ndarray:
        return np.log([c.logprob or 0.0 for c in candidates])


@pytest.mark.parametrize(
    ("values", "weights", "winner"), [((2, 1, 1), (1, 0, 0), "A"), ((1, 1, 1), (1, 1, 1), "B"), ((3, 1, 2), (1, 0, 0.5), "A")]
)
def test_the_weighted_vote_of_the_paper(values: tuple[float, ...], weights: tuple[float, ...], winner: str):
    candidates = tuple(
        Candidate(str(i), v, logprob=x, finished=True, finish="stop") for i, (v, x) in enumerate(zip("ABB", values, strict=True))
    )
    context = Context(Problem("A or B?"))
    assert np.exp(minmax(Values())(candidates, context)) == pytest.approx(weights)
    best, _ = heaviest((weigh(minmax(Values())) | vote())(Population(candidates), context))
    assert best is not None
    assert best.value == winner
