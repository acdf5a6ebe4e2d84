"""The text form: what parses prints back, and nothing else does harm."""

from __future__ import annotations

import builtins
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ponder.core.algebra import Decider, Pipeline, Proper, Stage, until
from ponder.core.errors import InputError, ParseError
from ponder.core.resampling import multinomial, residual, stratified, systematic
from ponder.core.stepwise import extend, loop, split, start
from ponder.core.terms import REGISTRY, arguments
from ponder.core.text import LONGEST, parse
from ponder.methods import best_of_n, rpc, self_consistency
from ponder.scorers import judge, likelihood, matches, random, self_eval, weibull
from ponder.stages import abstain, argmax, confident, distinct, draw, merge, prune, resample, sample, settled, top, vote, weigh

counts = st.integers(1, 10_000)
shares = st.floats(0, 1)
texts = st.text(max_size=12)
scorers = st.one_of(
    st.builds(likelihood, st.booleans()),
    st.builds(matches, texts, st.sampled_from(["same", "math"])),
    st.builds(judge, texts, st.integers(1, 100), st.floats(0, 10)),
    st.builds(self_eval, texts),
    st.just(random()),
)
leaves = st.one_of(
    st.builds(
        sample,
        counts,
        st.sampled_from([None, "plain", "cot", "few-shot"]),
        st.one_of(st.none(), st.floats(0, 5)),
        st.one_of(st.none(), counts),
    ),
    st.builds(weigh, scorers, st.floats(0, 9)),
    st.builds(vote, st.sampled_from(["same", "math"])),
    st.builds(resample, st.sampled_from([multinomial(), residual(), stratified(), systematic()]), shares, st.one_of(st.none(), counts)),
    st.builds(top, counts),
    st.builds(abstain, shares),
    st.builds(start, counts),
    st.builds(extend, counts),
    st.builds(rpc, counts, st.booleans()),
    st.builds(best_of_n, counts, scorers),
    st.sampled_from([argmax(), draw(), merge(), distinct(), prune(weibull())]),
)
conditions = st.one_of(st.builds(confident, st.floats(0.5, 1)), st.builds(settled, st.floats(0.5, 1), counts, st.floats(0, 5)))
stages = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda s: Pipeline(tuple(s))),
        st.lists(inner, min_size=2, max_size=3).map(lambda s: s[0] + s[1] if len(s) == 2 else s[0] + s[1] + s[2]),
        st.builds(loop, inner, counts),
        st.builds(split, counts, inner),
        st.builds(until, conditions, inner, counts),
    ),
    max_leaves=12,
)


@settings(max_examples=500)
@given(stages)
def test_what_is_printed_parses_to_the_same_value(stage: Stage) -> None:
    pipeline = Pipeline((stage,))
    text = str(pipeline)
    if len(text) > LONGEST:
        return
    again = parse(text)
    assert again == pipeline
    assert hash(again) == hash(pipeline)
    assert str(again) == text


@pytest.mark.parametrize(
    "text",
    [
        "sample(16) | vote()",
        "sample(16) | weigh(likelihood) | argmax()",
        "sample(64) | weigh(likelihood(True)) | prune(weibull) | distinct() | vote()",
        "start(16) | loop(extend() | weigh(likelihood) | resample()) | argmax()",
        "split(4, start(4) | loop(extend(4) | top(1))) | argmax()",
        "until(confident(), sample(1)) | vote()",
        "sample(8, style='cot') + sample(8, style='plain', temperature=0.0) | vote()",
        "(sample(4) | weigh(random)) + sample(4) | vote()",
        "rpc(16)",
        "best_of_n(16, scorer=judge(scale=5))",
    ],
)
def test_the_text_is_printed_as_it_was_parsed(text: str) -> None:
    assert str(parse(text)) == text


def test_named_methods_are_names_for_pipelines() -> None:
    assert self_consistency(8) == parse("sample(8) | vote()")
    assert parse("self_consistency(8)") == parse("self_consistency(n=8)") == sample(8) | vote()
    assert str(self_consistency(8) | abstain(0.6)) == "self_consistency(8) | abstain(0.6)"
    assert (self_consistency(8) | abstain(0.6)) == parse("sample(8) | vote() | abstain(0.6)")
    assert self_consistency(8) != self_consistency(9)
    assert parse("repeated_sampling(8)") == parse("sample(8)")


def test_python_and_text_agree() -> None:
    assert sample(16) | weigh(likelihood) | vote == parse("sample(16) | weigh(likelihood()) | vote")
    assert sample(2) + sample(3) | vote() == parse("(sample(2) + sample(3)) | vote()")


def test_proper_stages_and_deciders_are_told_apart_by_type() -> None:
    assert isinstance(sample(1), Proper)
    assert isinstance(vote(), Decider)
    assert parse("sample(2) | weigh(likelihood) | resample()").proper
    assert parse("start(2) | loop(extend() | weigh(likelihood))").proper
    for improper in ("sample(2) | vote()", "loop(extend() | top(2))", "until(confident(), sample(1))", "sample(1) + (sample(2) | top(1))"):
        assert not parse(improper).proper


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "empty"),
        ("smaple(16) | vote()", 0, "did you mean 'sample'"),
        ("sample(16) | vot()", 13, "did you mean 'vote'"),
        ("sample(16) | vote(", 17, "never closed"),
        ("sample(0)", 0, "between 1 and 100000"),
        ("top(0)", 0, "at least 1"),
        ("sample(1.5)", 0, "a whole number"),
        ("sample(True)", 0, "a whole number"),
        ("sample()", 0, "needs n"),
        ("sample(16, 3, 4, 5, 6, 7, 8)", 0, "takes"),
        ("sample(16, nn=3)", 0, "no argument 'nn'"),
        ("sample(16, n=3)", 0, "twice"),
        ("sample(16, style='essay')", 0, "one of"),
        ("sample(16) | 3", 13, "only stages"),
        ("sample(16) | likelihood", 13, "likelihood is a scorer"),
        ("weigh(vote())", 0, "must be a scorer"),
        ("likelihood", 0, "made of stages"),
        ("sample(16).n", 0, "only names"),
        ("vote()()", 0, "plain name"),
        ("sample(*[1])", 7, "only names"),
        ("sample(**{'n': 1})", 9, "** cannot"),
        ("[sample(1)]", 0, "only names"),
        ("sample(1) if 1 else vote()", 0, "only names"),
        ("(lambda: 1)()", 1, "plain name"),
        ("sample(1) - vote()", 0, "only names"),
        ("__import__('os').system('true')", 0, "plain name"),
        ("sample(2) | weigh(matches(f'{1}'))", 26, "only names"),
        ("  é | vote()", 2, "nothing is called"),
        ("sample(10**10)", 7, "only names"),
        ("sample(1e999)", 0, "a whole number"),
        ("abstain(1e999)", 0, "a number"),
        ("sample(\n1) |\nvote() |", 21, "not a method"),
    ],
)
def test_every_refusal_names_the_place(text: str, position: int, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.position == position
    assert says in str(caught.value)
    assert "^" in str(caught.value)


fragments = st.sampled_from(
    [*REGISTRY, "(", ")", "|", "+", ",", "16", "0.5", "'x'", "=", "n=", "-", ".", "__class__", "import", "\n", " ", "\\", "'", "[", "é"]
)


@settings(max_examples=1500)
@given(st.one_of(st.text(max_size=60), st.lists(fragments, max_size=14).map("".join), st.lists(fragments, max_size=14).map(" ".join)))
@example("\x00")
@example("(" * 5000)
@example("vote()|" * 1400 + "vote()")
@example("-" * 9000 + "1")
@example("9" * 5000)
@example("'\ud800'")
@example("sample(" * 300 + "1" + ")" * 300)
def test_no_text_can_crash_or_execute(text: str) -> None:
    called: list[str] = []
    for maker in REGISTRY.values():
        arguments(maker)  # the declarations of our own terms are read once, by evaluating their annotations
    originals = {name: getattr(builtins, name) for name in ("eval", "exec", "__import__", "open")}
    try:
        for name in ("eval", "exec", "open"):
            setattr(builtins, name, lambda *a, _n=name, **k: called.append(_n))
        outcome = _parsed(text)
    finally:
        for name, original in originals.items():
            setattr(builtins, name, original)
    assert not called
    assert isinstance(outcome, Pipeline) or 0 <= outcome.position <= len(text)


def _parsed(text: str) -> Pipeline | ParseError:
    try:
        return parse(text)
    except ParseError as error:
        return error


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(ParseError, match="characters"):
        parse("vote() | " * LONGEST)


def test_python_arguments_are_checked_like_those_of_the_text() -> None:
    for make in (
        lambda: sample(0),
        lambda: top("3"),
        lambda: abstain(math.nan),
        lambda: weigh(3),
        lambda: sample(2) | 3,
        lambda: until(1, vote()),
    ):
        with pytest.raises(InputError):
            make()
