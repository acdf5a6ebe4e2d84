"""Layers of critics, rankers, fusers and verifiers on scripted models: what is kept, what follows what, what is counted and billed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ponder
from ponder.core.budget import Budget
from ponder.core.context import Context
from ponder.core.errors import ContextOverflow, InputError
from ponder.core.language import Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.programs import layer_prompts as prompts

ASKED = {
    "critic": prompts.CRITICISE,
    "critic of one": prompts.CRITICISE_ONE,
    "ranker": prompts.RANK.partition("{n}")[2],
    "chooser": prompts.PICK,
    "comparer": prompts.COMPARE,
    "fuser": prompts.FUSE.partition("{critiques}")[2],
    "reasoner": prompts.REASONS,
    "verifier": prompts.VERDICT,
    "verifier after": prompts.VERDICT_AFTER,
    "tester": prompts.PROPOSE_TESTS.partition("{n}")[2],
    "test judge": prompts.JUDGE_TESTS,
    "feedback": prompts.FEEDBACK,
    "rewriter": prompts.REWRITE,
}
Says = str | Mapping[str, float] | Callable[[str], str]


class Team(Scripted):
    """A scripted model that knows by the end of a prompt which component asks, and remembers what it was asked."""

    def __init__(self, answers: Mapping[str, float] | None = None, /, **says: Says) -> None:
        self.asked: list[tuple[str, str]] = []
        self._says = {name.replace("_", " "): said for name, said in says.items()}
        self._drawn = answers or {"The answer is 56.": 0.5, "The answer is 54.": 0.3, "The answer is 63.": 0.2}
        super().__init__(self._reply)

    def generate(self, requests: Any, sampling: Any, allowance: Any = None) -> Any:
        for request in requests:
            text = request.prompt if isinstance(request.prompt, str) else request.prompt[-1].content
            self.asked.append((self._who(text), text))
        return super().generate(requests, sampling, allowance)

    def who(self) -> list[str]:
        return [name for name, _ in self.asked]

    def _who(self, text: str) -> str:
        return next((name for name, end in ASKED.items() if text.rstrip().endswith(end)), "generator")

    def _reply(self, prompt: str) -> Mapping[str, float]:
        said = self._says.get(self._who(prompt.removesuffix("assistant: ")), self._drawn)
        if callable(said):
            said = said(prompt)
        return {said: 1.0} if isinstance(said, str) else said


def of(*texts: str, weights: Any = None, critiques: tuple[str, ...] = ()) -> Population[Candidate]:
    """Whole answers with these texts."""
    said = critiques or ("",) * len(texts)
    items = tuple(Candidate(t, t, len(t.split()), finished=True, finish="stop", critique=c) for t, c in zip(texts, said, strict=True))
    return Population(items, weights)


def run(text: str, population: Population[Candidate], model: Scripted, seed: int = 0) -> tuple[list[Candidate], Context]:
    context = Context(Problem("Which?", reads="text"), models={"m": model}, sampling=Sampling(), root=seed)
    return list(parse(text)(population, context).items), context


def texts(candidates: list[Candidate]) -> list[str]:
    return [c.text for c in candidates]


def test_critiques_follow_their_answers_through_ranking_and_are_shown_to_the_fuser():
    team = Team(critic="[1] says one\n[2] says two\n[3] says three", ranker="[3] > [1] > [2]", fuser="d")
    kept, _ = run("critique() | rank(2, orders=0)", of("a", "b", "c"), team)
    assert [(c.text, c.critique) for c in kept] == [("c", "says three"), ("a", "says one")]
    assert "Critique of [2]: says two" in team.asked[1][1], "the ranker sees critiques"
    run("critique() | rank(2, orders=0) | fuse()", of("a", "b", "c"), team)
    assert "[1] c\nCritique of [1]: says three\n\n[2] a\nCritique of [2]: says one" in team.asked[-1][1]
    run("critique() | fuse(critiques=False)", of("a", "b", "c"), team)
    assert "says" not in team.asked[-1][1]


def test_what_a_stage_does_not_change_stays():
    population = of("a", "b", weights=[0.0, -1.0], critiques=("x", "y"))
    team = Team(critic="nothing in brackets", verifier="[Correct]")
    kept, context = run("critique()", population, team)
    assert [(c.text, c.critique) for c in kept] == [("a", "x"), ("b", "y")]
    assert context.trace.unread == {"critique()": (1, 1)}
    assert context.trace.notes == ["critique() could not read 1 of 1 replies"]
    kept, _ = run("verify()", population, team)
    assert [(c.text, c.critique) for c in kept] == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("reply", "order", "unread"),
    [
        ("[2] > [3] > [1]", "bca", 0),
        ("[3-5] > [2]", "bac", 0),
        ("[2] > [2] > [9]", "bac", 0),
        ("no idea", "abc", 1),
    ],
)
def test_rankings_that_say_less_fall_back_to_the_order_given(reply: str, order: str, unread: int):
    kept, context = run("rank(3, orders=0)", of("a", "b", "c"), Team(ranker=reply))
    assert "".join(texts(kept)) == order
    assert context.trace.unread == {"rank(3, orders=0)": (unread, 1)}


def test_the_order_given_is_that_of_weights():
    kept, _ = run("rank(3, orders=0)", of("a", "b", "c", weights=[-2.0, -1.0, -3.0]), Team(ranker="?"))
    assert texts(kept) == ["b", "a", "c"]


def test_points_of_a_list_are_how_many_stand_behind_and_one():
    context = Context(Problem("?"), models={"m": Team(ranker="[2] > [3] > [1]")})
    population = parse("rank(3, orders=0)")(of("a", "b", "c"), context)
    assert population.weights == pytest.approx([3 / 6, 2 / 6, 1 / 6])


def first_shown(prompt: str) -> str:
    return "[1] > [2] > [3] > [4]"


@pytest.mark.parametrize("by", ["list", "best"])
def test_a_model_that_always_takes_the_first_place_prefers_nothing_over_two_orders(by: str):
    """With a pure position bias the two orders, one the reverse of the other, cancel (list) or split (best)."""
    team = Team(ranker=first_shown, chooser="[1]")
    context = Context(Problem("?"), models={"m": team}, root=3)
    population = parse(f"rank(4, by='{by}', orders=2)")(of("a", "b", "c", "d"), context)
    weights = sorted(population.weights.tolist())
    assert weights == pytest.approx([0.25] * 4 if by == "list" else [1 / 5, 1 / 5, 1.5 / 5, 1.5 / 5])
    assert any("put first in 2 of 2 orders" in note for note in context.trace.notes)


def test_orders_come_from_the_seed_and_differ_between_seeds():
    def shown(seed: int) -> str:
        team = Team(ranker="[1] > [2]")
        run("rank(1)", of("a", "b", "c", "d", "e"), team, seed)
        return team.asked[0][1]

    assert shown(1) == shown(1)
    assert len({shown(seed) for seed in range(20)}) > 10


def test_over_many_seeds_every_answer_is_shown_first_equally_often():
    """Of 400 orders of 4 answers each is first 100 times, give or take 4 standard errors of 8.7."""
    counts = dict.fromkeys("abcd", 0)
    for seed in range(400):
        kept, _ = run("rank(1, by='best')", of("a", "b", "c", "d"), Team(chooser="[1]"), seed)
        counts[kept[0].text] += 1
    assert all(abs(n - 100) < 35 for n in counts.values()), counts


def better(prompt: str) -> str:
    """Prefers the alphabetically later answer."""
    a, b = prompt.partition("[A] ")[2][0], prompt.partition("[B] ")[2][0]
    return "[A]" if a > b else "[B]"


def test_pairs_are_compared_once_each_in_one_batch_and_the_best_wins():
    team = Team(comparer=better)
    kept, _ = run("rank(2, by='pairs')", of("a", "c", "d", "b"), team)
    assert texts(kept) == ["d", "c"]
    assert team.who() == ["comparer"] * 6
    assert team.calls == 1, "one batch"
    kept, context = run("rank(4, by='pairs')", of("a", "b"), Team(comparer="[A] and [B]"))
    assert texts(kept) == ["a", "b"]
    assert context.trace.unread == {"rank(4, by='pairs')": (1, 1)}


def test_a_bias_to_the_first_of_a_pair_cancels_over_two_orders():
    context = Context(Problem("?"), models={"m": Team(comparer="[A]")})
    population = parse("rank(3, by='pairs', orders=2)")(of("a", "b", "c"), context)
    assert population.weights == pytest.approx([1 / 3] * 3)


def test_ranking_by_a_scorer_asks_no_model():
    team = Team()
    kept, _ = run("rank(1, by=matches('b'))", of("a", "b"), team)
    assert texts(kept) == ["b"]
    assert team.calls == 0
    with pytest.raises(InputError, match="one of 'list', 'best', 'pairs'"):
        parse("rank(1, by='tournament')")


def test_equal_texts_are_shown_once():
    team = Team(ranker="[1] > [2]")
    kept, _ = run("rank(5, orders=0)", of("a", "a", "b", "a"), team)
    assert texts(kept) == ["a", "b"]
    assert "[3]" not in team.asked[0][1]
    run("rank(5)", of("a", "a"), team)
    assert team.calls == 1, "one answer needs no ranking"


def test_fused_answers_take_the_place_of_their_sources_and_know_them():
    population = of("a", "b", weights=[0.0, 1.0])
    context = Context(Problem("Which?", reads="text"), models={"m": Team(fuser={"The answer is c.": 0.5, "The answer is d.": 0.5})})
    fused = parse("fuse(4)")(population, context)
    assert len(fused) == 4
    assert fused.log_evidence == pytest.approx(0)
    assert {c.value for c in fused.items} <= {"c", "d"}
    assert all(c.parent is population.items[1] and c.finished for c in fused.items), "the heaviest source is shown first"


VERDICTS: list[tuple[dict[str, str], str, tuple[int, int]]] = [
    ({"a": "[Correct]", "b": "[Incorrect]", "c": "[Correct]"}, "ac", (0, 3)),
    ({"a": "[Incorrect]", "b": "no tag", "c": "[Correct] [Incorrect]"}, "bc", (2, 3)),
    ({"a": "[Incorrect]", "b": "[Incorrect]", "c": "[Incorrect]"}, "abc", (0, 3)),
    ({"a": "?", "b": "[Correct]", "c": "[Incorrect]"}, "b", (1, 3)),
]


@pytest.mark.parametrize("prompt", ["neutral", "reasons"])
@pytest.mark.parametrize(("verdicts", "kept", "unread"), VERDICTS)
def test_verification_keeps_the_right_else_the_unverified_else_all(
    prompt: str, verdicts: dict[str, str], kept: str, unread: tuple[int, int]
):
    def verdict(asked: str) -> str:
        return verdicts[asked.partition("Proposed answer: ")[2][0]]

    team = Team(verifier=verdict, verifier_after=verdict, reasoner="because")
    text = f"verify('{prompt}')"
    found, context = run(text, of("a", "b", "c"), team)
    assert "".join(texts(found)) == kept
    assert context.trace.unread == {str(parse(text)): unread}
    assert len(team.asked) == (3 if prompt == "neutral" else 6), "n or 2 n calls"
    assert team.calls == (1 if prompt == "neutral" else 2), "in one or two batches"
    if prompt == "reasons":
        assert all("Reasons: because" in asked for who, asked in team.asked if who == "verifier after")


def test_verified_copies_stay_for_the_vote():
    found, _ = run("verify()", of("a", "b", "a"), Team(verifier="[Correct]"))
    assert sorted(texts(found)) == ["a", "a", "b"]
    found, _ = run("verify(first=1)", of("a", "b", "a", weights=[-1.0, 0.0, -1.0]), Team(verifier="[Correct]"))
    assert texts(found) == ["b"]


def test_statements_that_answers_pass():
    def judged(asked: str) -> str:
        return {"a": "[1] pass\n[2] fail", "b": "[1] pass\n[2] pass", "c": "[1] passable"}[asked.partition("Proposed answer: ")[2][0]]

    team = Team(tester="[1] it is even, and positive\n[2] it is small\n[3] too many", test_judge=judged)
    context = Context(Problem("Which?"), models={"m": team})
    population = parse("unit_tests(2)")(of("a", "b", "c"), context)
    assert texts(list(population.items)) == ["b", "a", "c"]
    assert population.weights == pytest.approx([3 / 6, 2 / 6, 1 / 6])
    assert context.trace.unread == {"unit_tests(2)": (1, 3)}
    assert team.who() == ["tester"] + ["test judge"] * 3
    assert "[1] it is even, and positive\n[2] it is small\n\n" in team.asked[1][1], "a comma parts no statement"
    assert team.asked[0][1].startswith("Question: Which?"), "the question itself stays as it was"
    stays, context = run("unit_tests(2)", of("a", "b"), Team(tester=" "))
    assert texts(stays) == ["a", "b"]
    assert context.trace.unread == {"unit_tests(2)": (1, 1)}


def test_programs_are_run_on_assertions_in_the_sandbox():
    right, wrong = "def double(x):\n    return 2 * x", "def double(x):\n    return x + 2"
    tests = "assert double(2) == 4\nassert double(3) == 6\nassert double(5) == 10\nimport os"
    population = Population(tuple(Candidate(f"```python\n{c}\n```", c, finished=True, finish="stop") for c in (wrong, right)))
    team = Scripted({tests: 1.0})
    context = Context(Problem("Write double.", reads="code"), models={"m": team})
    found = parse("unit_tests(5, k=1, backend='monty')")(population, context)
    assert [c.value for c in found.items] == [right]
    assert (context.meter.bill.calls, team.calls) == (1, 1), "running tests is no call"


def test_refinement_stops_where_no_error_is_found_and_rewrites_the_rest():
    def feedback(asked: str) -> str:
        return "No errors." if "Proposed answer: b" in asked else "too short"

    team = Team(feedback=feedback, rewriter="b")
    kept, _ = run("refine(3)", of("a", "b"), team)
    assert texts(kept) == ["b", "b"]
    assert team.who() == ["feedback", "feedback", "rewriter", "feedback"]
    assert kept[0].parent is not None
    assert (kept[0].parent.text, kept[0].parent.critique) == ("a", "too short")
    assert kept[1].parent is None


class Narrow(Team):
    """Refuses prompts of more than so many characters, before anything is spent."""

    longest = 320

    def generate(self, requests: Any, sampling: Any, allowance: Any = None) -> Any:
        if any(len(r.prompt[-1].content) > self.longest for r in requests):
            raise ContextOverflow("too long")
        return super().generate(requests, sampling, allowance)


def test_what_does_not_fit_the_context_is_left_out_from_the_end():
    population = of(*(f"{letter * 30}" for letter in "abcdefgh"), weights=[0.0, -1, -2, -3, -4, -5, -6, -7])
    team = Narrow(fuser="z", ranker="[2] > [1]", critic="[1] fine", verifier="[Correct]")
    fused, context = run("fuse()", population, team)
    assert texts(fused) == ["z"]
    assert "[1] a" in team.asked[-1][1]
    assert "[8]" not in team.asked[-1][1]
    assert any("of 8 were shown" in note for note in context.trace.notes)
    ranked, _ = run("rank(8, orders=0)", population, team)
    assert [t[0] for t in texts(ranked)] == list("bacdefgh"), "what was not shown comes behind, in order"
    team.longest = 10
    for stage in ("fuse()", "rank(3)", "critique()", "verify()", "refine(1)", "unit_tests()"):
        kept, context = run(stage, population, team)
        assert len(kept) in (3, 8), "nothing fits: the answers stay"
        assert context.meter.bill.calls == 0


DEAD = Population((Candidate("a", "a", finished=True, finish="stop"),), [float("-inf")])
EMPTY = Population((Candidate(),))
STAGES = ["critique()", "critique(each=True)", "rank(3)", "rank(3, by='pairs')", "rank(1, by='best', orders=3)", "fuse(2)", "verify()"]
STAGES += ["verify('reasons', first=2)", "unit_tests()", "refine(2)"]


@pytest.mark.parametrize("text", STAGES)
@pytest.mark.parametrize("population", [DEAD, EMPTY], ids=["dead", "empty"])
def test_nothing_to_judge_is_handed_on_without_a_call(text: str, population: Population[Candidate]):
    team = Team()
    context = Context(Problem("?"), models={"m": team})
    assert parse(text)(population, context) is population or len(parse(text)(population, context)) == 1
    assert team.calls == 0
    assert str(parse(str(parse(text)))) == str(parse(text))


@pytest.mark.parametrize("text", STAGES)
def test_an_answer_that_was_ruled_out_never_comes_back(text: str):
    population = of("a", "b", weights=[0.0, float("-inf")])
    team = Team(fuser="a", ranker="[2] > [1]", verifier="[Incorrect]", rewriter="c")
    kept, _ = run(text, population, team)
    assert not [asked for _, asked in team.asked if "] b" in asked or "answer: b" in asked]
    assert "b" not in texts(kept) or text.startswith(("critique", "refine")), "what changes no weights keeps it, ruled out as it was"


METHODS = [
    "sample(10) | rank(5) | critique() | fuse() | verify()",
    "sample(4) | rank(3, by='pairs', orders=2) | verify('reasons') | vote()",
    "sample(5) | critique(each=True) | fuse(3) | refine(2) | rank(1, by='best', orders=3)",
    "sample(6) | unit_tests(3, k=2) | vote()",
    "archon(6, fusions=2, verified=True)",
    "mixture_of_agents(3, layers=3)",
]
NOISY: dict[str, Says] = {
    "critic": {"[1] good\n[2] bad": 0.7, "well": 0.3},
    "ranker": {"[2] > [1]": 0.4, "[3] > [1] > [2]": 0.3, "[3-5]": 0.3},
    "chooser": {"[2]": 0.7, "none": 0.3},
    "comparer": {"[A]": 0.4, "[B]": 0.4, "[A] [B]": 0.2},
    "verifier": {"[Correct]": 0.4, "[Incorrect]": 0.4, "hm": 0.2},
    "verifier after": {"so [Correct]": 0.6, "[Correct] [Incorrect]": 0.4},
    "tester": {"[1] even\n[2] positive": 0.8, " ": 0.2},
    "test_judge": {"[1] pass\n[2] fail": 0.8, "hm": 0.2},
    "feedback": {"No error": 0.5, "one or two things are wrong here": 0.5},
    "fuser": {"The answer is 56.": 0.8, "I cannot tell": 0.2},
}


@settings(max_examples=150)
@given(st.sampled_from(METHODS), st.one_of(st.none(), st.integers(0, 900)), st.one_of(st.none(), st.integers(0, 30)), st.integers(0, 1000))
def test_layers_are_anytime_and_their_bills_complete(method: str, tokens: int | None, calls: int | None, seed: int):
    """Whatever the budget, an answer or a reason comes back, and the bill is what the engine itself counted: judges, critics, losers."""
    spent: list[int] = []

    class Counting(Team):
        def generate(self, requests: Any, sampling: Any, allowance: Any = None) -> Any:
            replies = super().generate(requests, sampling, allowance)
            spent.append(sum(r.prompt_tokens + r.tokens_out for r in replies))
            return replies

    answer = ponder.ask("What is 7 * 8?", method=method, model=Counting(**NOISY), budget=Budget(tokens, calls), seed=seed)
    assert answer.bill.tokens == sum(spent)
    assert tokens is None or answer.bill.tokens <= tokens + max(spent, default=0)
    assert calls is None or answer.bill.calls <= calls
    assert (answer.value is None) == bool(answer.reason)
    assert all(0 <= unread <= asked for unread, asked in answer.trace.unread.values())
    json.dumps(answer.to_dict(), allow_nan=False)


def test_models_mix_in_a_layer_and_in_every_layer():
    a, b = Team({"The answer is 1.": 1.0}, fuser="The answer is 3."), Team({"The answer is 2.": 1.0}, fuser="The answer is 4.")
    method = "mixture_of_agents(1, layers=2, models='a, b')"
    written_out = "sample(1, model='a') + sample(1, model='b') | fuse(1, model='a') + fuse(1, model='b') | fuse(1, model='a')"
    assert parse(method) == parse(written_out)
    answer = ponder.ask("?", method=method, model={"a": a, "b": b})
    assert answer.value == "3"
    assert (a.who(), b.who()) == (["generator", "fuser", "fuser"], ["generator", "fuser"])
    assert "[1] The answer is 1.\n\n[2] The answer is 2." in a.asked[1][1]
    assert "[1] The answer is 3.\n\n[2] The answer is 4." in a.asked[2][1]
