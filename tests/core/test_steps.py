"""Runs of procedures: the equality of states, the four metrics on runs made by hand, the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.reading import READERS
from ponder.core.steps import (
    METRICS,
    Steps,
    equal,
    final_match,
    matched_share,
    parse_steps,
    prefix_accuracy,
    prefix_match_length,
    read_steps,
    sequential_match,
)


@pytest.mark.parametrize(
    ("right", "given"),
    [
        (5, "5"), (5, 5.0), (7, "07"), (512, " 512 "), (-3, "-3"), (0, "+0"), ("21", 21), ("abc", "abc"), ("", ""), ("07", "07"),
        ([1], ["1"]), (["1", "3"], [1, 3]), ([3.0], [3]), (["abc", "de"], ["abc", "de"]), (10**30, str(10**30)),
    ],
)  # fmt: skip
def test_states_that_are_one(right: Any, given: Any) -> None:
    assert equal(right, given)


@pytest.mark.parametrize(
    ("right", "given"),
    [
        (5, "55"), (512, "a"), (231, [231]), (65, None), (73, []), (7, 7.5), (1, True), (1, "1_0"), (1, ""), (7, "9" * 5000), (1, {"1": 1}),
        ("abc", "ac"), ("fe a t", "feat"), ("abc", ["abc"]), ("None", None), ("7", "07"), ("a", " a"), ("True", 1),
        ([1], []), ([1], None), ([1], 1), ([1], [1, 1]), ([], []), ([], [1]), (["abc", "de"], ["de", "abc"]), (["07"], [7]), (["a"], "a"),
        (["None"], [None, "a"]), (["1", "2"], "12"),
    ],
)  # fmt: skip
def test_states_that_are_not(right: Any, given: Any) -> None:
    assert not equal(right, given)


@pytest.mark.parametrize("right", [1.5, None, True, {"a": 1}])
def test_right_states_of_other_types_are_refused(right: Any) -> None:
    with pytest.raises(InputError, match="a right state is"):
        equal(right, "1")


RIGHT = Steps(("a", "b", "c"), "d")
CASES = [
    # given, PML, PA, SM, FM
    (Steps(("a", "b", "c"), "d"), 4, 1.0, 1.0, 1.0),
    (Steps(("a", "b", "c"), "x"), 3, 3 / 4, 0.0, 0.0),
    (Steps(("a", "x", "c"), "d"), 1, 1 / 4, 0.0, 1.0),  # nothing counts behind the first error but the final state's own match
    (Steps(("x", "b", "c"), "d"), 0, 0.0, 0.0, 1.0),
    (Steps(("a", "b"), "d"), 2, 2 / 4, 0.0, 1.0),  # one state dropped: the final state stands in its place
    (Steps(("a", "b"), "c"), 3, 3 / 4, 0.0, 0.0),
    (Steps(("a", "b", "c", "x"), "d"), 3, 3 / 5, 0.0, 1.0),  # one wrong state too many: (k - 1) / (k + 1)
    (Steps(("a", "b", "c", "d"), "d"), 4, 4 / 5, 0.0, 1.0),  # the final state said twice: k / (k + 1)
    (Steps(("a", "b", "c", "d", "d", "d"), "d"), 4, 4 / 7, 0.0, 1.0),  # rambling costs
    (Steps((), "d"), 0, 0.0, 0.0, 1.0),
    (None, 0, 0.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("given", "pml", "pa", "sm", "fm"), CASES)
def test_metrics_on_runs_made_by_hand(given: Steps | None, pml: int, pa: float, sm: float, fm: float) -> None:
    assert prefix_match_length(RIGHT, given) == pml
    assert prefix_accuracy(RIGHT, given) == pytest.approx(pa)
    assert sequential_match(RIGHT, given) == sm
    assert final_match(RIGHT, given) == fm
    assert matched_share(RIGHT, given) == pml / 4
    assert [METRICS[name](RIGHT, given) for name in ("sm", "pa", "fm", "pml")] == pytest.approx([sm, pa, fm, pml / 4])


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=2, max_size=25))
def test_identities_for_every_length(states: list[str]) -> None:
    """Dropping the last intermediate state leaves (k - 2)/k, a wrong one too many (k - 1)/(k + 1), the final one twice k/(k + 1)."""
    states = [f"{i}{state}" for i, state in enumerate(states)]
    k, right = len(states), Steps(tuple(states[:-1]), states[-1])
    assert prefix_accuracy(right, right) == sequential_match(right, right) == 1
    assert prefix_accuracy(right, Steps(right.intermediate[:-1], right.final)) == pytest.approx((k - 2) / k)
    assert prefix_accuracy(right, Steps((*right.intermediate, "?"), right.final)) == pytest.approx((k - 1) / (k + 1))
    assert prefix_accuracy(right, Steps((*right.intermediate, right.final), right.final)) == pytest.approx(k / (k + 1))


def test_integers_are_compared_as_numbers_in_a_run() -> None:
    assert sequential_match(Steps((7, 14), 21), Steps(("07", "14"), "21")) == 1
    assert sequential_match(Steps(("7",), "14"), Steps(("07",), "14")) == 0


ANSWER = '{"intermediate": ["a", "b"], "final": "c"}'


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"First I think.\n\n{ANSWER}\n\nThat is it.",
        f"```json\n{ANSWER}\n```",
        '{"intermediate": [], "final": "no"}\nWait. ' + ANSWER,
        '{"final": "c", "why": {"a": 1}, "intermediate": ["a", "b"]}',
        f'{{"answer": {ANSWER}}}',
        f"The set {{x}} is odd. {ANSWER} {{",
        '{"intermediate":["a",\n"b"],\n"final":"c"}',
        ANSWER + ' {"note": "done"}',
    ],
)
def test_the_last_object_is_read(text: str) -> None:
    assert read_steps(text) == ANSWER
    assert parse_steps(text) == Steps(("a", "b"), "c")


@pytest.mark.parametrize(
    "text",
    [
        "", "a, b, c", '["a", "b"]', '{"intermediate": ["a"]}', '{"final": "c"}', '{"intermediate": "ab", "final": "c"}',
        "{'intermediate': ['a'], 'final': 'c'}", '{"intermediate": ["a",], "final": "c"}', '{"intermediate": ["a"], "final": NaN}',
        '{"intermediate": ["a", "b"', '{"intermediate": null, "final": "c"}', "{" * 100_000, '{"a":' * 50_000, "[" * 100_000,
        '{"intermediate": [' + "[" * 5_000,
    ],
)  # fmt: skip
def test_texts_that_hold_no_answer(text: str) -> None:
    assert read_steps(text) is None


def test_numbers_are_written_as_texts_so_that_equal_answers_are_equal_texts() -> None:
    assert read_steps('{"intermediate": [7, [1.0, "x"]], "final": 20}') == read_steps('{"intermediate": ["7", ["1", "x"]], "final": "20"}')
    assert read_steps('{"intermediate": [], "final": 7}') != read_steps('{"intermediate": [], "final": "07"}')


def test_a_state_that_is_no_state_is_wrong_and_the_others_still_count() -> None:
    right = Steps(("a", "b"), "c")
    given = parse_steps('{"intermediate": ["a", {"b": 1}], "final": "c"}')
    assert given == Steps(("a", None), "c")
    assert (prefix_match_length(right, given), final_match(right, given)) == (1, 1)
    assert parse_steps('{"intermediate": [[["a"]]], "final": null}') == Steps((None,), None)


scalars = st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=5), scalars, st.text(max_size=20))
def test_a_canonical_answer_reads_as_itself(intermediate: list[Any], final: Any, around: str) -> None:
    text = around.replace("{", "(") + json.dumps({"intermediate": intermediate, "final": final})
    value = READERS["steps"](text, ())
    assert value is not None
    assert READERS["steps"](value, ()) == value


@pytest.mark.parametrize("given", [None, "text", 3, [1], {"final": 1}, {"intermediate": "ab", "final": 1}])
def test_steps_out_of_something_else_are_refused(given: Any) -> None:
    with pytest.raises(InputError, match=r"steps|intermediate"):
        Steps.of(given)


def test_steps_keep_their_types_in_json() -> None:
    steps = Steps(([1, 2], "07"), 7)
    assert Steps.of(json.loads(steps.to_json())) == steps
