"""Methods that other libraries have: plans, re-reading, round trips, self-certainty, filtered votes, votes on tool calls."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.core.answer import answer
from ponder.core.answer import heaviest as most_of
from ponder.core.context import Context
from ponder.core.errors import InputError, PonderError
from ponder.core.language import Completion, Continuation, Request, Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.reading import READERS
from ponder.core.text import parse_term
from ponder.core.tool_calls import read_tool_calls
from ponder.lm.load import load
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.programs import layer_prompts as prompts
from ponder.programs.complete import grown
from ponder.programs.prompts import write_prompt
from ponder.scorers import borda, certainty, confidence, heaviest, round_trip
from ponder.scorers.base import Scorer
from ponder.stages import vote, weigh

CONTEXT = Context(Problem("?"))


def sure(**fields: object) -> Candidate:
    return Candidate("a", "a", finished=True, finish="stop", **fields)  # type: ignore[arg-type]


class Given(Scorer):
    """Scores that are the candidates' log-probabilities."""

    def __call__(self, candidates, context):  # type: ignore[no-untyped-def]
        return np.array([c.logprob for c in candidates])


def test_borda_weights_are_ranks_to_a_power():
    """Kang et al.: of N = 4 the first has 4 ** p, the last 1; equal scores share the mean of their ranks."""
    four = [sure(logprob=s) for s in (-3.0, -1.0, -2.0, -4.0)]
    assert np.exp(borda(Given(), 1.0)(four, CONTEXT)) == pytest.approx([2, 4, 3, 1])
    assert np.exp(borda(Given(), 0.5)(four, CONTEXT)) == pytest.approx(np.sqrt([2, 4, 3, 1]))
    assert np.exp(borda(Given(), 0.0)(four, CONTEXT)) == pytest.approx([1, 1, 1, 1])
    tied = [sure(logprob=s) for s in (-1.0, -1.0, -2.0)]
    assert np.exp(borda(Given())(tied, CONTEXT)) == pytest.approx([2.5, 2.5, 1])


def test_a_power_of_0_is_the_plain_vote_and_a_large_one_the_surest():
    problem = Problem("?", reads="text")
    population = Population(
        tuple(Candidate(t, t, logprob=s, finished=True, finish="stop") for t, s in (("a", -3.0), ("a", -2.0), ("b", -1.0)))
    )
    context = Context(problem)

    def chosen(power: float) -> str | None:
        winner, _ = most_of((weigh(borda(Given(), power)) | vote())(population, context))
        return winner and winner.value

    assert (chosen(0.0), chosen(1.0), chosen(8.0)) == ("a", "a", "b"), "1 + 2 = 3: a tie goes to the first name; 1 + 2**8 < 3**8"


def test_certainty_is_the_divergence_of_the_uniform_distribution():
    """Of one token with probabilities p over V: -mean(log p) - log V, from the engine's own log-probabilities of all 19 letters."""
    lm = load("organism:chain-small")
    prompt = "086+11*09+10-04____________>"
    (reply,) = lm.generate([Request(prompt, n=1, seed=3)], Sampling(temperature=1.0, max_tokens=1))
    letters = lm.card.config.alphabet  # type: ignore[attr-defined]
    scored = lm.logprobs([Continuation(prompt, letter) for letter in letters])
    logp = np.array([s.logprobs[0] for s in scored])
    assert math.fsum(np.exp(logp)) == pytest.approx(1, abs=1e-5)
    assert reply.completions[0].certainty == pytest.approx(-logp.mean() - math.log(len(letters)), rel=1e-4)


def test_certainty_of_a_text_is_the_mean_over_the_tokens_of_its_parts():
    first = grown(Candidate(), Completion("ab", 2, token_ids=(1, 2), logprobs=(-1.0, -2.0), certainty=3.0), "m")
    both = grown(first, Completion("c", 1, token_ids=(3,), logprobs=(-3.0,), certainty=6.0), "m")
    assert (first.certainty, both.certainty) == (3.0, pytest.approx(4.0))
    assert both.token_logprobs == (-1.0, -2.0, -3.0)
    unknown = grown(both, Completion("d", 1), "m")
    assert (unknown.certainty, unknown.token_logprobs) == (None, ())
    assert grown(unknown, Completion("e", 1, token_ids=(5,), certainty=1.0), "m").certainty is None


def test_what_an_engine_does_not_tell_is_named():
    with pytest.raises(PonderError, match="use likelihood"):
        certainty()([sure()], CONTEXT)
    with pytest.raises(PonderError, match="token log-probabilities"):
        confidence()([sure()], CONTEXT)
    assert certainty()([sure(certainty=2.0), Candidate()], CONTEXT).tolist() == [math.log(2), -np.inf]


@pytest.mark.parametrize(
    ("over", "expected"),
    [("lowest", -3.5), ("tail", -1.5), ("bottom", -3.5)],
)
def test_the_doubtful_passage_counts(over: str, expected: float):
    """Windows of 2 over -1 -3 -4 -2 -1 have the means -2 -3.5 -3 -1.5."""
    candidate = sure(token_logprobs=(-1.0, -3.0, -4.0, -2.0, -1.0))
    assert confidence(2, over)([candidate], CONTEXT)[0] == pytest.approx(expected)
    assert confidence(99, over)([candidate], CONTEXT)[0] == pytest.approx(-11 / 5), "a short text is one window"


def test_the_bottom_tenth_is_a_mean_of_the_smallest_windows():
    logprobs = tuple(-float(i) for i in range(1, 31))
    assert confidence(1, "bottom")([sure(token_logprobs=logprobs)], CONTEXT)[0] == pytest.approx(-(30 + 29 + 28) / 3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1))
def test_the_heaviest_share_is_kept(weights: list[float], share: float):
    kept = heaviest(share)(np.array(weights))
    assert kept.sum() >= max(1, round(share * len(weights)))
    assert not kept.all() or share > 0.4 or len(set(weights)) < len(weights) or len(weights) < 3
    if (~kept).any():
        assert np.array(weights)[kept].min() > np.array(weights)[~kept].max()


def test_a_filtered_vote_leaves_out_the_unsure():
    """Three unsure samples of a wrong answer lose against two sure ones once the least sure are left out."""
    lm = Scripted({"so the answer is 54": 0.55, "56": 0.45})
    plain = ponder.ask("What is 7 * 8?", method="sample(40) | vote()", model=lm, seed=1)
    assert plain.value == "54"
    filtered = ponder.ask("What is 7 * 8?", method="confidence_vote(40, share=0.9, scorer=matches('56'))", model=lm, seed=1)
    assert (filtered.value, filtered.confidence) == ("56", 1.0)
    assert parse("confidence_vote(8)") == parse("sample(8) | weigh(confidence()) | prune(heaviest()) | vote()")


def test_reading_twice():
    prompt, _ = write_prompt(Problem("What is 7 * 8?", reads="number"), "reread")
    assert isinstance(prompt, tuple)
    assert prompt[0].content.count("What is 7 * 8?") == 2
    assert "step by step" in prompt[0].content
    reflected, _ = write_prompt(Problem("What is 7 * 8?", reads="number"), "reflect")
    assert isinstance(reflected, tuple)
    assert "check" in reflected[0].content
    assert parse("rereading(4)") == parse("sample(4, style='reread') | vote()")


def test_a_round_trip_comes_home_for_the_answer_of_its_own_question():
    """The question written back from a right solution has its answer, that from a wrong one another."""
    asked: list[str] = []

    def script(prompt: str) -> dict[str, float]:
        asked.append(prompt)
        if "Here is a solution" in prompt:
            return {"What is 7 * 8?" if "56" in prompt else "What is 6 * 8?": 1.0}
        return {"The answer is 56." if "7 * 8" in prompt else "The answer is 48.": 1.0}

    context = Context(Problem("What is 7 * 8?", reads="number"), models={"m": Scripted(script)})
    candidates = [Candidate(f"It is {v}", v, finished=True, finish="stop") for v in ("56", "54", "56")]
    weights = np.exp(round_trip(3)(candidates, context))
    assert weights == pytest.approx([4 / 5, 1 / 5, 4 / 5])
    assert context.meter.bill.calls == 4, "two different texts, two calls each"


def test_plans_are_made_of_observations_and_followed():
    asked: list[str] = []

    def script(prompt: str) -> dict[str, float]:
        asked.append(prompt)
        if prompts.OBSERVE.partition("{n}")[2] in prompt:
            return {"[1] it is even\n[2] it is small\n[3] left out": 1.0}
        if prompts.PLAN in prompt:
            return {"plan of " + " and ".join(o for o in ("even", "small") if o in prompt): 1.0}
        return {"The answer is 56.": 1.0}

    lm = Scripted(script)
    result = ponder.ask("What is 7 * 8?", method="planned(5, observations=2) | vote()", model=lm, seed=2)
    followed = [p.partition("Follow this plan:\n")[2].partition("\n")[0] for p in asked if "Follow this plan" in p]
    assert result.value == "56"
    assert sorted(set(followed)) == ["plan of even", "plan of even and small", "plan of small"]
    assert (len(followed), result.bill.calls, lm.calls) == (5, 1 + 5 + 5, 3), "three batches"
    assert result.trace.unread == {"planned(5, observations=2)": (0, 1)}
    without = ponder.ask("What is 7 * 8?", method="plan_search(2)", model=Scripted({" ": 0.5, "56": 0.5}), seed=1)
    assert without.value in ("56", None)


CALL = '{"name": "add", "arguments": {"b": 2, "a": 1}}'


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"I will add. <tool_call>\n{CALL}\n</tool_call>",
        f"```json\n{CALL}\n```",
        '{"function": {"name": "add", "arguments": "{\\"a\\": 1, \\"b\\": 2}"}, "id": "x7"}',
        '{"tool_calls": [{"id": "y", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}]}',
        '{"name": "add", "parameters": {"a": 1, "b": 2}}',
        f"{{broken {CALL}",
    ],
)
def test_a_call_is_one_call_however_it_is_written(text: str):
    assert read_tool_calls(text) == '[{"arguments":{"a":1,"b":2},"name":"add"}]'


@pytest.mark.parametrize(
    "text", ["", "add(1, 2)", '{"name": "add"}', '{"name": 3, "arguments": {}}', '{"name": "f", "arguments": "no"}', "{" * 5000]
)
def test_what_is_no_call(text: str):
    assert READERS["tool-call"](text, ()) is None


@given(st.text(alphabet='{}[]":, namergutsx12', max_size=80))
def test_reading_calls_never_raises_and_reads_its_own_form_back(text: str):
    found = read_tool_calls(text)
    assert found is None or read_tool_calls(found) == found


def calls(*given: tuple[str, dict[str, object], float]) -> Population[Candidate]:
    texts = [json.dumps({"name": name, "arguments": arguments}) for name, arguments, _ in given]
    return Population(tuple(Candidate(t, read_tool_calls(t), finished=True, finish="stop") for t in texts), np.log([w for *_, w in given]))


TOOLS = Context(Problem("?", reads="tool-call"))


def test_names_first_finds_the_call_that_a_vote_on_whole_calls_misses():
    """search has 5 of 9 votes in three forms, stop has 4 in one."""
    population = calls(("search", {"q": "a"}, 2), ("search", {"q": "b"}, 2), ("search", {"q": "c"}, 1), ("stop", {}, 4))
    first = parse("vote_calls()")(population, TOOLS)
    assert '"search"' in (first.items[0].value or "")
    assert '"a"' in (first.items[0].value or "")
    assert first.weights[0] == pytest.approx(2 / 9)
    whole = parse("vote_calls('calls')")(population, TOOLS)
    assert '"stop"' in (whole.items[0].value or "")
    assert whole.weights[0] == pytest.approx(4 / 9)
    assert parse("vote_calls('names')")(population, TOOLS).weights[0] == pytest.approx(5 / 9)


def test_arguments_that_do_not_count():
    population = calls(("f", {"x": 1, "id": "u"}, 1), ("f", {"x": 1, "id": "v"}, 1), ("f", {"x": 2, "id": "u"}, 1.5))
    assert '"x":2' in (parse("vote_calls()")(population, TOOLS).items[0].value or "")
    kept = parse("vote_calls(ignore='id, at')")(population, TOOLS)
    assert '"x":1' in (kept.items[0].value or "")
    assert kept.weights[0] == pytest.approx(2 / 3.5)


def test_calls_are_voted_on_from_the_front():
    lm = Scripted({CALL: 0.4, '{"arguments": {"a": 1, "b": 2}, "name": "add"}': 0.3, "I would rather not.": 0.3})
    result = ponder.ask("Add 1 and 2.", method="sample(20) | vote_calls()", model=lm, reads="tool-call")
    assert result.value == '[{"arguments":{"a":1,"b":2},"name":"add"}]'
    assert 0.5 < result.confidence < 0.9, "those that call nothing count against it"
    with pytest.raises(InputError, match="read as 'tool-call'"):
        parse("vote_calls()")(calls(("f", {}, 1)), CONTEXT)
    nobody = answer(parse("sample(2) | vote_calls()"), Context(Problem("?", reads="tool-call"), models={"m": Scripted({"no": 1.0})}))
    assert nobody.abstained


@pytest.mark.parametrize("text", ["borda(likelihood, 0.5)", "certainty", "confidence(8, over='tail')", "heaviest(0.5)", "round_trip(2)"])
def test_terms_print_as_they_are_parsed(text: str):
    assert str(parse_term(text)) == text.replace("borda(likelihood, 0.5)", "borda(likelihood, power=0.5)")
    assert parse_term(str(parse_term(text))) == parse_term(text)
