"""Streams of thought, hints, code and results: every branch by a scripted model, and the parser's round trip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import BudgetExhausted, ContextOverflow, EngineError, InputError
from ponder.core.language import Completion, Reply, Request, Sampling
from ponder.lm.scripted import Scripted
from ponder.programs.hints import HINTS, Hints
from ponder.programs.tool_use import MARKUPS, SHOWN, Plan, Segment, Trajectory, parse, shown, think
from ponder.programs.tools import Calculator, PythonTool, ToolResult, notebook
from ponder.sandbox import Limits

FENCED, BRACKETS = MARKUPS["fenced"], MARKUPS["brackets"]
HINT = Hints(("\nWait, use the tool.\n",), (" use the tool.\n",))
QUIET = Hints(("\nWait, again.\n",), (" again.\n",), opens=False)


class Echo:
    """A tool that says what it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def run(self, codes: Sequence[str]) -> list[ToolResult]:
        self.given += codes
        return [ToolResult(f"<{code.strip()}>") for code in codes]


def run(script: Callable[[str], str], tool: Any = None, sampling: Sampling | None = None, **plan: Any) -> Trajectory:
    """The stream of a model that writes what the script says of what stands there so far."""
    settings = {"hints": HINT, "tool": tool or Echo(), **plan}
    lm = Scripted(lambda text: {script(text.removeprefix("Q:")): 1.0})
    return think(["Q:"], lm.generate, sampling or Sampling(temperature=0), Plan(**settings))[0]


def kinds(t: Trajectory) -> list[str]:
    return [s.kind for s in t.segments]


def after(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """Writes the text whose mark is the last thing that stands there; "" is the beginning."""
    return lambda text: next((reply for mark, reply in pairs if (text.endswith(mark) if mark else not text)), " the end")


def test_code_is_run_and_its_result_put_behind_it() -> None:
    tool = Echo()
    t = run(after(("", "Let me see. ```python\n1 + 1\n``` then more"), ("```python\n", "1 + 1\n``` and so on")), tool, rounds=0)
    assert tool.given == ["1 + 1\n"]
    assert t.segments == (
        Segment("thought", "Let me see. "),
        Segment("code", "```python\n1 + 1\n```"),
        Segment("output", "\n```output\n<1 + 1>\n```\n"),
        Segment("thought", " the end"),
    )
    assert (t.calls, t.hints, t.finish) == (1, 0, "stop")


def test_a_hint_before_the_stop_opens_code_and_the_model_goes_on() -> None:
    tool = Echo()
    t = run(after(("", "It is 5."), ("```python\n", "2 * 3\n```")), tool, rounds=1)
    assert kinds(t) == ["thought", "hint", "code", "output", "thought"]
    assert t.text.startswith("It is 5.\nWait, use the tool.\n```python\n2 * 3\n```\n```output\n<2 * 3>\n```\n")
    assert (t.calls, t.hints) == (1, 1)


def test_a_hint_may_leave_the_code_to_the_model() -> None:
    t = run(after(("", "It is 5."), ("again.\n", "It is 6.")), hints=QUIET, rounds=1)
    assert t.text == "It is 5.\nWait, again.\nIt is 6."
    assert kinds(t) == ["thought", "hint", "thought"]


def test_a_word_of_doubt_is_followed_by_a_hint() -> None:
    t = run(after(("", "It is 5. Wait, no, it is 6.")), where=("doubt",))
    assert t.text.startswith("It is 5. Wait, use the tool.\n```python\n")
    assert kinds(t)[:3] == ["thought", "hint", "code"]


@pytest.mark.parametrize("text", ["The eWait, here", "Waiting, here", "wait, here", "We Wait for it"])
def test_what_is_no_word_of_doubt_is_left_alone(text: str) -> None:
    rest = text.partition("Wait,")[2]
    t = run(lambda so_far: "" if so_far == text else rest if so_far else text, where=("doubt",))
    assert t.text == text
    assert t.hints == 0


def test_a_doubt_in_code_is_no_doubt() -> None:
    tool = Echo()
    run(after(("", "```python\n"), ("```python\n", "print('Wait, what')\n```")), tool, where=("doubt",), calls=1)
    assert tool.given[0] == "print('Wait, what')\n"


def test_the_chance_of_a_hint_at_a_doubt() -> None:
    lm = Scripted(lambda text: {"" if "Wait," in text else "Hm. Wait, no": 1.0})
    streams = think(["Q:"] * 2000, lm.generate, Sampling(), Plan(Echo(), QUIET, where=("doubt",), chance=0.3), seed=1)
    share = sum(t.hints for t in streams) / 2000
    assert abs(share - 0.3) < 4 * (0.21 / 2000) ** 0.5  # false alarm 6e-5
    assert {t.hints for t in think(["Q:"] * 20, lm.generate, Sampling(), Plan(Echo(), QUIET, where=("doubt",), chance=0.0))} == {0}


def test_only_so_many_calls_and_the_second_refusal_ends_the_stream() -> None:
    tool = Echo()
    count = iter(range(100))
    t = run(lambda text: f"{next(count)}\n```" if text.endswith("```python\n") else "again ```python\n", tool, rounds=0, calls=2)
    assert len(tool.given) == t.calls == 2
    assert t.text.count(FENCED.refusal) == 2
    assert t.finish == "stop"
    none = run(after(("", "```python\n1\n```"), ("```python\n", "1\n```")), tool, rounds=0, calls=0)
    assert none.calls == 0
    assert FENCED.refusal in none.text
    assert len(tool.given) == 2


def test_rounds_of_hints_and_the_loop_that_ends_them() -> None:
    for rounds in range(5):
        count = iter(range(100))
        t = run(lambda text, c=count: f"{next(c)}\n```" if text.endswith("```python\n") else "so", rounds=rounds)
        assert (t.hints, t.calls, t.looped) == (rounds, rounds, False)
    same = run(after(("```python\n", "1\n```")), rounds=5)
    assert (same.hints, same.calls, same.looped) == (2, 2, True)
    assert same.text.endswith(" the end")


def test_the_token_limit_and_the_budget_end_a_stream() -> None:
    cut = run(lambda _: "a b c d e f", sampling=Sampling(temperature=0, max_tokens=4))
    assert (cut.finish, cut.text, cut.tokens) == ("length", "a b c d", 4)

    def ends_after(calls: int) -> Any:
        left = iter(range(calls))

        def draw(requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
            if next(left, None) is None:
                raise BudgetExhausted("no tokens are left")
            return [Reply((Completion("It is 5.", 3, stopped_by=""),)) for _ in requests]

        return draw

    (half,) = think(["Q:"], ends_after(1), Sampling(), Plan(Echo(), HINT))
    assert (half.finish, kinds(half)) == ("cancelled", ["thought", "hint", "code"])
    with pytest.raises(BudgetExhausted):
        think(["Q:"], ends_after(0), Sampling(), Plan(Echo(), HINT))
    (unbegun,) = think(["Q:"], lambda r, s: [Reply(())], Sampling(), Plan(Echo(), HINT))
    assert (unbegun.finish, unbegun.text) == ("cancelled", "")


def test_a_stream_that_outgrows_the_context_ends_and_the_others_go_on() -> None:
    def draw(requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        if any(len(str(r.prompt) + r.prefix) > 40 for r in requests):
            raise ContextOverflow("too long")
        return [Reply((Completion("so", 1, stopped_by=""),)) for _ in requests]

    found = think(["Q" * 3, "Q" * 30, "Q" * 4], draw, Sampling(), Plan(Echo(), QUIET, rounds=2))
    assert [t.finish for t in found] == ["stop", "length", "stop"]
    assert [t.hints for t in found] == [2, 1, 2]


def test_code_that_the_model_never_closes_is_not_run() -> None:
    tool = Echo()
    t = run(after(("", "```python\n"), ("```python\n", "1 +")), tool, rounds=3)
    assert (tool.given, t.finish, t.text) == ([], "stop", "```python\n1 +")


def test_an_engine_that_does_not_say_what_stopped_it_is_refused() -> None:
    with pytest.raises(EngineError, match="says what ended"):
        think(["Q:"], lambda r, s: [Reply((Completion("x", 1),))], Sampling(), Plan(Echo(), HINT))


@pytest.mark.parametrize("bad", [{"rounds": -1}, {"calls": -1}, {"chance": 1.1}, {"where": ("middle",)}])
def test_bad_plans_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a plan needs"):
        Plan(Echo(), HINT, **bad)


def test_results_are_data() -> None:
    hostile = ToolResult("``````python\n`` ```output\n```\nprint('x')\n" + "y" * 5000, "Error: ```")
    text = shown(hostile, FENCED)
    assert "```" not in text
    assert len(text) <= SHOWN + 4
    assert shown(ToolResult("7]}{[", ""), BRACKETS) == "7"
    assert shown(ToolResult("1\n", "ValueError: no"), FENCED) == "1\nValueError: no"


@pytest.mark.parametrize("rounds", [0, 1, 3])
@pytest.mark.parametrize("hints", [HINT, QUIET, HINTS["math"]])
def test_parsing_a_stream_gives_its_parts(rounds: int, hints: Hints) -> None:
    count = iter(range(100))
    script = lambda text: f"{next(count)}\n```" if text.endswith("```python\n") else "so Wait, it is"  # noqa: E731
    t = run(script, hints=hints, rounds=rounds, where=("end", "doubt"))
    assert parse(t.text, FENCED, hints) == t.segments


@given(st.lists(st.sampled_from(["[", "]", "{", "}", "is 3. ", "Wait, again", " Wait, use python ", "7*8", " so", "\n"])))
def test_the_parts_of_any_text_are_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = parse(text, BRACKETS, HINTS["products"])
    assert "".join(p.text for p in parts) == text
    assert all(p.text for p in parts)
    assert all(b.kind != "output" or a.kind == "code" for a, b in pairwise(parts))
    assert not parts or parts[0].kind != "output"


def test_the_seed_decides_which_hint_is_put_in() -> None:
    script = after(("", "It is 5."), ("```python\n", "1\n```"))
    lm = Scripted(lambda text: {script(text.removeprefix("Q:")): 1.0})
    plan = Plan(Echo(), HINTS["math"])
    texts = [think(["Q:"] * 12, lm.generate, Sampling(temperature=0), plan, seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert len({t.segments[1].text for t in texts[0]}) > 3


@pytest.mark.parametrize(
    ("code", "result"),
    [("37*84", "3108"), ("2+3*-4", "?"), ("7-9", "-2"), ("f(2)", "?"), ("1/2", "?"), ("9**9", "?"), ("((", "?"), ("1" * 13, "?")],
)
def test_the_calculator(code: str, result: str) -> None:
    (found,) = Calculator().run([code])
    assert (found.output or found.error) == result


def test_a_notebook_shows_its_last_value() -> None:
    assert notebook("x = 3") == "x = 3"
    assert notebook("x = (") == "x = ("
    assert "print(last_value__)" in notebook("import math\nmath.pi")


def test_python_runs_in_the_sandbox() -> None:
    results = PythonTool(Limits(seconds=1.5)).run(["6 * 7", "print('a')\nprint('b')", "x = 1", "1 / 0", "6 * 7", "while True: pass"])
    assert [r.output.strip() for r in results] == ["42", "a\nb", "", "", "42", ""]
    assert results[3].error.startswith("ZeroDivisionError")
    assert [r.timed_out for r in results] == [False] * 5 + [True]
    assert results[5].error
