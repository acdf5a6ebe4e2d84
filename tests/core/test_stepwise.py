"""The one loop: what extend does with finished, unfinished and kept candidates, and how rounds, budgets and limits end it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.conftest import step_by_step

from ponder.core.algebra import Proper
from ponder.core.budget import Budget, Meter
from ponder.core.context import Context, Trace
from ponder.core.population import Population, joined
from ponder.core.problem import Candidate, Problem
from ponder.core.stepwise import extend, loop, rested, retraced, stacked, start
from ponder.programs.reasoner import Reasoner


class Count:
    """States are numbers that grow by one until they reach their limit; every step weighs e^.1 more."""

    def __init__(self, limit: int = 3) -> None:
        self.limit = limit
        self.extended: list[int] = []

    def start(self, n: int, context: Context) -> Any:
        return np.arange(n) % 2 * 1.0

    def extend(self, states: Any, width: int, context: Context) -> Any:
        self.extended.append(len(states))
        children = np.repeat(states, width) + 1
        return children, np.full(len(children), 0.1)

    def finished(self, states: Any) -> Any:
        return np.asarray(states) >= self.limit

    def retrace(self, final: Any, state: Any) -> Any:
        return (0.25, 0.0) if state is None else (state + 1, 0.7)


class Kept:
    """A reference that says what it was asked."""

    final = 3.25

    def resample(self, population: Population[Any], context: Context) -> Population[Any]:
        return population


NOTHING: Population[Any] = Population([None], [0.0])


def counting(**more: Any) -> Context:
    return Context(Problem("?"), **{"program": Count(), **more})


def test_start_shares_the_weight_of_the_beginning() -> None:
    population = start(4)(Population([None], [np.log(2.0)]), counting())
    assert population.items.tolist() == [0, 1, 0, 1]
    assert np.exp(population.log_weights) == pytest.approx([0.5] * 4)


def test_children_stand_beside_each_other_in_the_place_of_their_parent() -> None:
    extended = extend(2)(Population(np.array([0.0, 5.0, 1.5]), np.log([0.2, 0.3, 0.5])), counting())
    assert extended.items.tolist() == [1, 1, 5, 2.5, 2.5]
    assert np.exp(extended.log_weights) == pytest.approx([0.1 * np.exp(0.1)] * 2 + [0.3] + [0.25 * np.exp(0.1)] * 2)


def test_the_kept_trajectory_is_particle_0_with_its_own_increments() -> None:
    program = Count()
    population = start(3)(NOTHING, counting(program=program, reference=Kept()))
    assert population.items.tolist() == [0.25, 1, 0]
    extended = extend()(population, counting(program=program, reference=Kept()))
    assert extended.items.tolist() == [1.25, 2, 1]
    assert extended.log_weights - population.log_weights == pytest.approx([0.7, 0.1, 0.1])
    assert program.extended == [2]  # the kept one costs nothing


def test_a_kept_trajectory_alone_needs_no_program_step_and_a_finished_one_rests() -> None:
    program = Count()
    place = counting(program=program, reference=Kept())
    assert extend()(Population(np.array([1.25, 3.0])), place).items.tolist() == [2.25, 3]
    assert program.extended == []
    assert extend()(Population(np.array([3.25, 1.0])), place).items.tolist() == [3.25, 2]


def test_finished_candidates_rest_once_an_extension_passed_them_by() -> None:
    done, open_ = Candidate("56", finished=True), Candidate()
    context = Context(Problem("?"), models={"m": step_by_step({"a\n\nb": 1.0})}, program=Reasoner("\n\n"))
    extended = extend()(Population((done, open_)), context)
    assert [c.resting for c in extended.items] == [True, False]
    assert extended.items[0] == done
    assert rested((done, replaced := Candidate(resting=True)))[1] is replaced
    array = np.zeros(2)
    assert rested(array) is array


def test_a_retraced_candidate_hangs_on_the_state_it_was_traced_from() -> None:
    """So that it knows the scores which that one remembers."""
    first = Candidate()
    second = Candidate("a", steps=("a",), parent=first)
    final = Candidate("ab", steps=("a", "b"), parent=second, finished=True)
    richer = Candidate("a", steps=("a",), scores={"prm": -1.0}, parent=first)
    child, increment = retraced(final, richer, Context(Problem("?"), program=Reasoner("\n\n")))
    assert child == final
    assert child.parent is richer
    assert increment == 0.0


def test_sequences_keep_their_kind() -> None:
    assert stacked([1, 2], ()) == (1, 2)
    assert stacked([np.zeros(2)] * 3, np.zeros(1)).shape == (3, 2)  # pyright: ignore[reportAttributeAccessIssue]
    assert joined((1,), (2, 3)) == (1, 2, 3)
    assert joined(np.ones(1), np.zeros(2)).tolist() == [1, 0, 0]


class _rounds(Proper):
    """Notes the round it is run in."""

    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        context.trace.note(f"round {context.round} at {context.path}")
        return population


def test_rounds_are_counted_and_have_places_of_their_own() -> None:
    place = counting()
    loop(extend() | _rounds())(start(2)(NOTHING, place), place)
    assert place.trace.notes == ["round 0 at (0, 1)", "round 1 at (1, 1)", "round 2 at (2, 1)"]
    assert place.round == 0


def test_a_loop_does_nothing_to_what_is_finished_or_dead() -> None:
    finished = Population(np.array([3.0, 4.0]))
    assert loop(extend())(finished, counting()) is finished
    dead = Population(np.array([0.0, 0.0]), [-np.inf, -np.inf])
    assert loop(extend())(dead, counting()) is dead


def test_a_loop_that_is_told_to_runs_all_its_rounds() -> None:
    finished = Population(np.array([3.0, 4.0]))
    place = counting()
    assert loop(_rounds(), limit=2, all=True)(finished, place).items.tolist() == [3, 4]
    assert place.trace.notes == ["round 0 at (0, 0)", "round 1 at (1, 0)"]


def test_a_context_can_bring_its_own_draws() -> None:
    asked: list[Any] = []

    def draws(root: int, path: Any) -> np.random.Generator:
        asked.append((root, tuple(path)))
        return np.random.default_rng(5)

    place = Context(Problem("?"), root=7, draws=draws).at("inside")
    assert place.rng("here").random() == np.random.default_rng(5).random()
    assert asked == [(7, ("inside", "here"))]


def test_a_loop_ends_with_the_budget_and_says_where() -> None:
    place = counting(meter=Meter(Budget(calls=0)), trace=Trace())
    begun = Population(np.zeros(2))
    assert loop(extend())(begun, place) is begun
    assert "in round 1" in place.trace.notes[0]


def test_a_model_that_never_stops_meets_the_limits_and_is_flagged() -> None:
    endless = step_by_step({"so\n\n" * 60 + "end": 1.0})
    context = Context(Problem("?"), models={"m": endless}, program=Reasoner("\n\n", max_steps=7))
    population = (start(3) | loop(extend()))(Population((Candidate(),), [0.0]), context)
    assert all(c.finished and len(c.steps) == 7 for c in population.items)
    assert any("limit of 7 steps" in note for note in context.trace.notes)
    limited = Context(Problem("?"), models={"m": endless}, program=Reasoner("\n\n"))
    population = (start(3) | loop(extend(), limit=4))(Population((Candidate(),), [0.0]), limited)
    assert all(len(c.steps) == 4 and not c.finished for c in population.items)
    assert any("limit of 4 rounds" in note for note in limited.trace.notes)
