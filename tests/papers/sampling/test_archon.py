"""Archon's reproduction: the panel's judgements, the search's bookkeeping, the race on a recorded table."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.core.context import Context
from ponder.core.errors import EngineError
from ponder.core.language import Message, Request, Sampling
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.methods import parse
from ponder.methods.forecast import forecast
from ponder.organisms import chain
from ponder.papers.sampling.archon import exact_checks
from ponder.papers.sampling.archon_panel import SHOWN, Panel, partial_checks, passes
from ponder.papers.sampling.archon_system import _ablations, _completions, _ensembles, best_of, template
from ponder.search.race import race
from ponder.search.template import Space
from ponder.tasks import load as load_task

MADE = chain.problems(300, np.random.default_rng(0), 8)
QUESTIONS = [f"What is {q}, worked from left to right?" for q in chain.questions(MADE)]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return Panel()


def test_the_cards_exact_checks():
    assert all(c.passed for c in exact_checks())
    assert not any(c.claim for c in exact_checks())


def test_right_answers_pass_all_tests_and_many_wrong_ones_do_not():
    """Parity catches what is off by one, the last operation some of what is off by an even number."""
    caught = 0
    for question, answer in zip(QUESTIONS, MADE.answers.tolist(), strict=True):
        written = partial_checks(question)
        assert len(written) == 2
        assert all(passes(t, answer) for t in written), (question, answer, written)
        assert not all(passes(t, answer + 1) for t in written), "one more has the other parity"
        caught += not all(passes(t, (answer + 7 * 2) % 1000) for t in written)
        assert not any(passes(t, None) for t in written)
    assert caught >= 10


def candidates(question: str, right: int, wrong: int) -> Population[Candidate]:
    good = chain.responses(MADE)[QUESTIONS.index(question)]
    bad = good[:-1] + ("0" if good[-1] != "0" else "1")
    made = [good] * right + [bad] * wrong
    return Population(tuple(Candidate(t, str(int(t[-3:])), finished=True, finish="stop") for t in made))


def test_the_outcome_model_ranks_and_criticises(panel: Panel):
    """A last step that is off by its last digit is ranked behind the right one on most questions."""
    ahead = 0
    for question in QUESTIONS[:40]:
        context = Context(Problem(question, reads="number"), models={"panel": panel})
        kept = parse("critique() | rank(2, orders=0)")(candidates(question, 1, 1), context)
        ahead += kept.items[0].text == chain.responses(MADE)[QUESTIONS.index(question)]
        assert {c.critique for c in kept.items} <= {"likely right", "likely wrong"}
        assert context.trace.unread == {"critique()": (0, 1), "rank(2, orders=0)": (0, 1)}
    assert ahead >= 34


def test_the_verifier_errs_as_often_as_it_says(panel: Panel):
    """85% of right answers and 25% of wrong ones are accepted, within 4 standard errors of 300 draws."""
    accepted = {"right": 0, "wrong": 0}
    for i, question in enumerate(QUESTIONS):
        right = chain.responses(MADE)[i]
        for name, text in (("right", right), ("wrong", right[:-1] + ("0" if right[-1] != "0" else "1"))):
            context = Context(Problem(question, reads="number"), models={"panel": panel}, root=i)
            single = Population((Candidate(text, "1", finished=True, finish="stop"), Candidate("?", "0", finished=True, finish="stop")))
            accepted[name] += any(c.text == text for c in parse("verify()")(single, context).items) and not _all_kept(context)
    assert abs(accepted["right"] / 300 - 0.85) < 4 * np.sqrt(0.85 * 0.15 / 300)
    assert abs(accepted["wrong"] / 300 - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 300)


def _all_kept(context: Context) -> bool:
    return any("judged all" in note for note in context.trace.notes)


def test_the_fuser_sees_the_best_last_and_leaves_out_what_was_found_wrong(panel: Panel, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    real = panel._fuser.generate

    def spy(requests, *rest):  # type: ignore[no-untyped-def]
        asked.extend(r.prompt for r in requests)
        return real(requests, *rest)

    monkeypatch.setattr(panel._fuser, "generate", spy)
    question, good = QUESTIONS[0], chain.responses(MADE)[0]
    texts = [good[:-1] + d for d in "0123456"]
    items = tuple(Candidate(t, "1", finished=True, finish="stop", critique="likely wrong" if i == 1 else "") for i, t in enumerate(texts))
    context = Context(Problem(question, reads="number"), models={"panel": panel}, sampling=Sampling(temperature=1.0, max_tokens=40))
    fused = parse("fuse(2)")(Population(items), context)
    assert len(fused) == 2
    shown = [texts[i] for i in (0, 2, 3, 4)][::-1]
    assert len(shown) == SHOWN
    assert asked == [chain.canonical(question) + "".join(t + "\n" for t in shown)]


def test_the_panel_answers_nothing_else(panel: Panel):
    with pytest.raises(EngineError, match="only the prompts of layers"):
        panel.generate([Request((Message("user", "What is 7 * 8?"),))], Sampling())


def test_spaces_ensembles_and_ablations():
    full, quick = Space(template(False)), Space(template(True))
    assert (len(full), len(quick)) == (384, 64)
    assert len(full) <= 400
    question = load_task("chain:low=8,high=8", limit=1).problems[0]
    for calls in (1, 7, 26):
        for method in _ensembles(calls).values():
            assert _completions(method, question) == calls, "ensembles draw as many replies as the winner"
    index = next(i for i, c in enumerate(full) if str(c).startswith("sample(8") and "None" not in str(c) and len(c.pipeline.flat()) == 7)
    ablated = _ablations(full, index)
    assert list(ablated) == ["without unit_tests", "without critique", "without rank", "without verify", "without fuse"]
    assert all(len(m.flat()) == 6 for m in ablated.values())
    assert forecast(full[index].pipeline, question, answer_tokens=32, characters=1).completions > 8 + 1 + 8
    assert best_of(np.array([0.1, 0.9, 0.5, 0.9]), 3).tolist() == [1, 3, 2]
    assert len(best_of(np.arange(64.0))) == 10


def test_random_search_on_a_table_needs_what_the_formula_says():
    """Of 48 architectures 2 are within 1% of the best: (48 + 1) / (2 + 1) evaluations on the mean, within 4 standard errors."""
    space = Space("sample({1, 2, 3, 4, 5, 6}) | {vote(), argmax(), draw(), top(1)} | {distinct(), abstain(0.1)}")
    table = np.linspace(0, 0.9, len(space))
    table[[3, 17]] = 1.0
    raced = race(space, table, {"random": 400, "greedy": 20}, 0, 48)
    assert (raced.good, raced.size, raced.expected) == (2, 48, 49 / 3)
    needed = raced.needed["random"]
    assert abs(needed.mean() - 49 / 3) < 4 * needed.std() / np.sqrt(400)
    assert raced.curves["random"][-1] == 1
    assert np.all(np.diff(raced.curves["greedy"]) >= 0)
