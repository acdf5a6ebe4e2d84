"""A language model that writes step by step: where steps end, where candidates end, what is noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.conftest import step_by_step

from ponder.core.budget import Allowance, Budget, Meter
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Completion, Reply, Request, Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.programs.reasoner import FINAL, Reasoner
from ponder.stages import extend, loop, start

BLANK: Population[Any] = Population((Candidate(),), [0.0])


class Says(Scripted):
    """An engine that gives these completions, one a call, and remembers what it was asked."""

    step_separator: str | None = None

    def __init__(self, *completions: Completion) -> None:
        super().__init__({"": 1.0})
        self.completions, self.asked = list(completions), []

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        self.asked.append((requests, sampling))
        own = self.completions.pop(0)
        return [Reply((own,) * r.n, prompt_tokens=1) for r in requests]


def reasoning(engine: Any, program: Reasoner | None = None, **more: Any) -> Context:
    return Context(Problem("Q?"), models={"m": engine}, program=program or Reasoner(), **more)


def step(engine: Any, state: Candidate | None = None, program: Reasoner | None = None, **more: Any) -> tuple[Candidate, Context]:
    """One step from a state."""
    context = reasoning(engine, program, **more)
    children, increments = context.program.extend((state or Candidate(),), 1, context)
    assert increments.tolist() == [0]
    return children[0], context


@pytest.mark.parametrize(
    ("stopped_by", "finished", "text"),
    [("\n\n", False, "so 4\n\n"), (None, False, "so 4\n\n"), ("", True, "so 4"), ("Q:", True, "so 4")],
)
def test_a_step_ends_at_the_separator_and_a_candidate_at_anything_else(stopped_by: str | None, finished: bool, text: str) -> None:
    """An engine that does not tell what stopped it is taken to have met the separator."""
    child, _ = step(Says(Completion("so 4", 2, "stop", stopped_by=stopped_by)))
    assert (child.finished, child.text, child.steps) == (finished, text, (text,))
    assert child.value == ("so 4" if finished else None)


@pytest.mark.parametrize(("given", "told", "separator"), [(None, None, "\n\n"), (None, ";", ";"), ("|", ";", "|")])
def test_the_separator_is_the_programs_the_engines_or_a_blank_line(given: str | None, told: str | None, separator: str) -> None:
    engine = Says(Completion("1+1=2", 3, "stop", stopped_by=separator))
    engine.step_separator = told
    child, context = step(engine, None, Reasoner(given), sampling=Sampling(stop=("Q:",)))
    assert child.text == f"1+1=2{separator}"
    assert engine.asked[0][1].stop == ("Q:", separator)
    assert Reasoner(given).split(f"a{separator}b", context) == [f"a{separator}", "b"]


def test_a_text_is_cut_into_the_steps_a_reasoner_would_have_written() -> None:
    context = reasoning(Says())
    for text, steps in (("", []), ("a", ["a"]), ("a\n\n", ["a\n\n"]), ("a\n\nb", ["a\n\n", "b"]), ("a\n\n\n\nb", ["a\n\n", "\n\n", "b"])):
        assert Reasoner("\n\n").split(text, context) == steps


@pytest.mark.parametrize("mark", FINAL)
def test_a_step_with_a_final_mark_is_the_last(mark: str) -> None:
    child, _ = step(Says(Completion(f"{mark} 56", 4, "stop", stopped_by="\n\n")))
    assert child.finished
    assert not child.text.endswith("\n\n")
    assert child.steps[-1].endswith("\n\n")


@pytest.mark.parametrize("stopped_by", ["\n\n", "", None])
@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_step_ends_its_candidate_and_is_flagged(text: str, stopped_by: str | None) -> None:
    begun = Candidate("a\n\n", steps=("a\n\n",), tokens=1)
    child, context = step(Says(Completion(text, 1, "stop", stopped_by=stopped_by)), begun)
    assert child.finished
    assert child.text.strip() == "a"
    assert any("empty" in note for note in context.trace.notes)


def test_a_cancelled_step_leaves_its_candidate_open_and_without_an_answer() -> None:
    child, _ = step(Says(Completion("the answer is 5", 4, "cancelled")))
    assert not child.finished
    assert child.value is None


def test_the_token_limit_counts_between_steps() -> None:
    """What a step may have is what the shortest of the batch has left; one that is full is finished."""
    begun = [Candidate("a\n\n", steps=("a\n\n",), tokens=t) for t in (10, 25)]
    engine = Says(Completion("b", 15, "stop", stopped_by="\n\n"))
    context = reasoning(engine, sampling=Sampling(max_tokens=40))
    children, _ = context.program.extend(begun, 1, context)
    assert engine.asked[0][1].max_tokens == 30
    assert [(c.tokens, c.finished) for c in children] == [(25, False), (40, True)]
    assert any("40 tokens" in note for note in context.trace.notes)


def test_a_step_limit_goes_on_in_the_next_step_and_a_context_that_is_full_ends() -> None:
    cut = Completion("so", 8, "length")
    child, _ = step(Says(cut), None, Reasoner(step_tokens=8))
    assert not child.finished
    assert child.text == "so"
    child, _ = step(Says(Completion("so", 3, "length")), None, Reasoner(step_tokens=8))  # fewer than asked for: no room in the context
    assert child.finished
    child, _ = step(Says(Completion("so", 20, "length")), sampling=Sampling(max_tokens=20))
    assert child.finished


def test_the_step_limit_ends_a_candidate_and_is_flagged() -> None:
    begun = Candidate("a\n\n", steps=("a\n\n",), tokens=1)
    child, context = step(Says(Completion("b 7", 1, "stop", stopped_by="\n\n")), begun, Reasoner(max_steps=2))
    assert child.finished
    assert child.text == "a\n\nb 7"
    assert any("limit of 2 steps" in note for note in context.trace.notes)


def test_states_that_the_budget_leaves_out_stay_as_they_were() -> None:
    context = reasoning(step_by_step({"a\n\nb": 1.0}), meter=Meter(Budget(calls=1)))
    states = [Candidate(root=0), Candidate(root=1)]
    children, increments = context.program.extend(states, 2, context)
    assert [c.text for c in children] == ["a\n\n", "a\n\n", "", ""]
    assert children[2] is states[1]
    assert increments.shape == (4,)


def test_a_trajectory_can_be_retraced_from_its_beginning() -> None:
    context = reasoning(step_by_step({"a\n\nb\n\nc": 1.0}), Reasoner("\n\n"))
    (final,) = (start(1) | loop(extend()))(BLANK, context).items
    state, texts = None, []
    while state is None or not state.finished:
        state, increment = context.program.retrace(final, state)
        assert increment == 0
        texts.append(state.text)
    assert texts == ["", "a\n\n", "a\n\nb\n\n", "a\n\nb\n\nc"]
    assert state == final


def test_starts_have_roots_of_their_own() -> None:
    context = reasoning(Says())
    assert [c.root for c in context.program.start(3, context)] == [0, 1, 2]


@pytest.mark.parametrize("options", [{"separator": ""}, {"max_steps": 0}, {"step_tokens": 0}])
def test_bad_limits_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="separator"):
        Reasoner(**options)
