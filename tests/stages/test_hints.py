"""The stage `hinted` and the methods that are made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import ponder
from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.programs.hints import HINTS, hints_for
from ponder.programs.tools import TOOLS, ToolResult
from ponder.stages import hinted


class Fake:
    """A tool that always finds 56."""

    def run(self, codes: Sequence[str]) -> list[ToolResult]:
        return [ToolResult("56") for _ in codes]


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, "python", Fake)


def sloppy() -> Scripted:
    """Wrong in its head, and right once it has seen a result."""

    def answers(text: str) -> dict[str, float]:
        if text.endswith("```python\n"):
            return {"7 * 8\n```": 1.0}
        return {"The answer is 56.": 1.0} if "output" in text else {"The answer is 54.": 0.6, "The answer is 55.": 0.4}

    return Scripted(answers)


def test_a_hint_turns_wrong_into_right() -> None:
    assert ponder.ask("What is 7 * 8?", method="tool_reasoning(8)", model=sloppy()).value in ("54", "55")
    answer = ponder.ask("What is 7 * 8?", method="hint_infer(4)", model=sloppy())
    assert (answer.value, answer.confidence) == ("56", 1.0)
    assert any("4 hints were put in and 4 tool calls were run" in note for note in answer.trace.notes)
    assert answer.population is not None
    for candidate in answer.population.items:
        assert "".join(candidate.steps) == candidate.text
        assert (candidate.finished, candidate.finish, candidate.logprob) == (True, "stop", None)


def test_the_placebo_costs_a_round_and_calls_no_tool() -> None:
    answer = ponder.ask("What is 7 * 8?", method="hint_infer(4, hints='again')", model=sloppy())
    assert answer.value in ("54", "55")
    assert any("4 hints were put in and 0 tool calls" in note for note in answer.trace.notes)


def test_hints_for_code_list_the_examples_of_the_question() -> None:
    question = 'def inc(x):\n    """One more.\n    >>> inc(1)\n    2\n    >>> inc(5)\n    6\n    >>> inc\n    """\n'
    for text in hints_for("code", question).texts:
        assert "inc(1) should give 2; inc(5) should give 6." in text
    assert all("EXAMPLES" not in t and t.endswith("expected.\n") for t in hints_for("code", "Write inc.").texts)
    assert hints_for("math", question) == HINTS["math"]
    answer = ponder.ask(
        Problem(question, reads="code"), method="hinted(1, hints='code')", model=Scripted({"def inc(x):\n    return 1": 1.0})
    )
    assert answer.population is not None
    assert "inc(5) should give 6." in answer.population.items[0].text


def test_weights_are_shared_and_finished_candidates_pass() -> None:
    done = Candidate("The answer is 1.", "1", finished=True, finish="stop")
    context = Context(Problem("What is 7 * 8?"), models={"m": sloppy()}, sampling=Sampling())
    got = hinted(3)(Population((Candidate(), done), np.log([0.75, 0.25])), context)
    assert len(got) == 4
    assert np.allclose(np.exp(got.log_weights), [0.25, 0.25, 0.25, 0.25])
    assert got.items[3] is done
    assert hinted(3)(Population((done,)), context).items == (done,)


def test_the_same_seed_gives_the_same_answer() -> None:
    def texts(seed: int) -> list[str]:
        found = ponder.ask("What is 7 * 8?", method="hinted(6, rounds=3, where='both')", model=sloppy(), seed=seed).population
        return [] if found is None else [c.text for c in found.items]

    assert texts(1) == texts(1) != texts(2)


def test_a_cut_stream_answers_what_it_had_said_before_the_hint() -> None:
    """The result that stands behind the hint is no answer yet."""

    def answers(text: str) -> dict[str, float]:
        return {"7 * 8\n```" if text.endswith("```python\n") else "It is 56." if "output" in text else "It is 54.": 1.0}

    seen = set()
    for calls in range(8):
        answer = ponder.ask("What is 7 * 8?", method="hint_infer(1)", model=Scripted(answers), budget=f"{calls} calls", reads="number")
        assert (answer.value is None) == bool(answer.reason)
        seen.add((calls, answer.value))
    assert seen == {(0, None), (1, "54"), (2, "54"), *((n, "56") for n in range(3, 8))}


@pytest.mark.parametrize(
    "text",
    ["hinted()", "hinted(4, rounds=3, where='both', hints='code', chance=0.5)", "hint_infer(8, rounds=2)", "tool_reasoning(16)"],
)
def test_the_text_form(text: str) -> None:
    assert str(parse(text)) == text
    assert not parse(text).proper


@pytest.mark.parametrize(
    "text", ["hinted(0)", "hinted(where='middle')", "hinted(hints='physics')", "hinted(tool='shell')", "hint_infer(rounds=0)"]
)
def test_bad_arguments_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)
