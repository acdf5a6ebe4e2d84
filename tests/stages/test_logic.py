"""LINC's stages: what a model is asked, what is read of it, what a prover makes of it, and the vote."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Message, Request
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.text import parse_term
from ponder.front import ask
from ponder.lm.scripted import Scripted
from ponder.logic import provers
from ponder.methods import parse
from ponder.programs.formalise import FormalisationError, again_prompt, formalisation, formulas_of, statements, whole_prompt
from ponder.scorers.prover import prover, verdict
from ponder.stages import argmax, prove

PROBLEM = Problem(
    "Is it true?",
    choices=("True", "False", "Uncertain"),
    reads="choice",
    data={"premises": ["Every cat purrs.", "Tom is a cat."], "conclusion": "Tom purrs."},
)


def written(conclusion: str, premise: str = "all x. (Cat(x) -> Purrs(x))") -> str:
    return formalisation([("Every cat purrs.", premise), ("Tom is a cat.", "Cat(Tom)"), ("?", conclusion)])


YES, NO, OPEN = written("Purrs(Tom)"), written("-Purrs(Tom)"), written("Sleeps(Tom)")
SYNTAX, SIGNATURE, EMPTY = written("Purrs(Tom"), written("Purrs(Tom, Tom)"), "I cannot do that."


class Spy(Scripted):
    """Remembers what it was asked."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: list[Request] = []

    def generate(self, requests: Any, *args: Any, **kwargs: Any) -> Any:
        self.asked += requests
        return super().generate(requests, *args, **kwargs)


@pytest.mark.parametrize(("text", "label", "letter"), [(YES, "True", "A"), (NO, "False", "B"), (OPEN, "Uncertain", "C")])
def test_a_formalisation_gets_the_label_that_is_proved(text: str, label: str, letter: str) -> None:
    assert verdict(Candidate(text, finish="stop")).label == label
    answer = ask(PROBLEM, method="linc(3)", model=Scripted({text: 1.0}))
    assert answer.value == letter
    assert answer.confidence == 1.0
    boolean = Problem("Tom purrs?", reads="text")
    assert ask(boolean, method="linc(1)", model=Scripted({text: 1.0})).value == label.lower()


@pytest.mark.parametrize(("text", "kind"), [(SYNTAX, "syntax"), (SIGNATURE, "signature"), (EMPTY, "empty"), ("", "empty")])
def test_what_cannot_be_used_has_no_vote(text: str, kind: str) -> None:
    found = verdict(Candidate(text, finish="stop"))
    assert (found.label, found.failure) == (None, kind)
    assert found.message
    with pytest.raises(FormalisationError) as caught:
        formulas_of(text)
    assert caught.value.kind == kind
    answer = ask(PROBLEM, method="linc(8)", model=Scripted({text or " ": 1.0}))
    assert answer.abstained
    assert any(f"{kind} 8" in note for note in answer.trace.notes)


def test_confidence_is_a_share_of_what_can_be_used() -> None:
    answer = ask(PROBLEM, method="linc(20)", model=Scripted({YES: 0.5, SYNTAX: 0.5}))
    assert answer.value == "A"
    assert answer.confidence == 1.0
    assert answer.shares == {"A": 1.0}


def test_a_text_that_was_cut_has_no_vote() -> None:
    assert verdict(Candidate(YES, finish="length")).failure == "cut"
    answer = ask(PROBLEM, method="linc(2, max_tokens=4)", model=Scripted({YES: 1.0}))
    assert answer.abstained


def of(texts: list[str]) -> Population[Candidate]:
    return Population(tuple(Candidate(t, finished=True, finish="stop") for t in texts))


def decided(texts: list[str]) -> str | None:
    here = Context(PROBLEM)
    return argmax()(prove()(of(texts), here), here).items[0].value


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        ([YES, NO, NO], "B"),
        ([NO, YES], "B"),
        ([YES, NO], "A"),
        ([OPEN, YES, NO], "C"),
        ([SYNTAX, SYNTAX, SIGNATURE, OPEN], "C"),
        ([EMPTY, NO, YES, YES, NO], "B"),
        ([SYNTAX, EMPTY], None),
    ],
)
def test_the_vote_ignores_errors_and_ties_go_to_the_first_seen(texts: list[str], value: str | None) -> None:
    """Against the rule written out: drop errors, most common, first seen."""
    labels = [label for t in texts if (label := verdict(Candidate(t, finish="stop")).label)]
    common = Counter(labels).most_common(1)
    assert value == (dict(zip(("True", "False", "Uncertain"), "ABC", strict=True))[common[0][0]] if common else None)
    assert decided(texts) == value


def test_the_scorer_rules_out_what_cannot_be_used() -> None:
    scores = prover()([Candidate(t, finish="stop") for t in (YES, SYNTAX, OPEN, SIGNATURE)], Context(PROBLEM))
    assert scores.tolist() == [0.0, -np.inf, 0.0, -np.inf]
    assert str(parse_term("prover('resolution', timeout=2.0)")) == "prover('resolution', timeout=2.0)"


@pytest.mark.parametrize("backend", ["z3", "resolution", "eprover"])
def test_every_prover_serves(backend: str) -> None:
    try:
        provers.check_installed(backend)
    except Exception:
        pytest.skip("not installed")
    assert [verdict(Candidate(t, finish="stop"), backend).label for t in (YES, NO, OPEN)] == ["True", "False", "Uncertain"]


def test_what_was_not_settled_in_time_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(provers.PROVERS, "resolution", lambda *_: "timeout")
    text = YES.replace("Cat", "Dog")  # not proved by another test before
    answer = ask(PROBLEM, method="linc(2, backend='resolution')", model=Scripted({text: 1.0}))
    assert answer.value == "C"
    assert any("2 of 2 proofs were not settled" in note for note in answer.trace.notes)


def by_sentence(prompt: str) -> dict[str, float]:
    """A translator of single sentences that errs in one of them, in two of ten draws."""
    if "Sentence: Every cat purrs." in prompt:
        return {"all x. (Cat(x) -> Purrs(x))": 0.8, "all x. (Cat(x) ->": 0.2}
    return {"Formula: Cat(Tom)": 1.0} if "Sentence: Tom is a cat." in prompt else {"FOL:\tPurrs(Tom)": 1.0}


def test_sentence_by_sentence_the_draws_of_each_are_put_together() -> None:
    lm = Spy(by_sentence)
    answer = ask(PROBLEM, method="linc(10, by='sentence')", model=lm)
    assert [r.n for r in lm.asked] == [10, 10, 10]
    assert answer.value == "A"
    assert answer.population is not None
    assert len(answer.population) == 10
    texts = {c.text for c in answer.population.items if c.value == "A"}
    assert texts == {
        formalisation([("Every cat purrs.", "all x. (Cat(x) -> Purrs(x))"), ("Tom is a cat.", "Cat(Tom)"), ("Tom purrs.", "Purrs(Tom)")])
    }
    assert all(c.tokens > 6 for c in answer.population.items)


def test_errors_are_shown_and_repaired() -> None:
    def table(prompt: str) -> dict[str, float]:
        return {YES: 1.0} if "A prover cannot use this" in prompt else {SYNTAX: 1.0}

    lm = Spy(table)
    answer = ask(PROBLEM, method="linc(4, repairs=2)", model=lm)
    assert answer.value == "A"
    assert len(lm.asked) == 1 + 4
    last = lm.asked[-1].prompt
    assert isinstance(last[-2], Message)
    assert last[-2] == Message("assistant", SYNTAX)
    assert "')' of a list of arguments is missing" in last[-1].content  # pyright: ignore[reportAttributeAccessIssue]
    never = ask(PROBLEM, method="linc(4, repairs=2)", model=Scripted({SYNTAX: 1.0}))
    assert never.abstained
    with pytest.raises(InputError, match="by='problem'"):
        parse("linc(4, by='sentence', repairs=1)")


@pytest.mark.parametrize("by", ["problem", "sentence"])
def test_a_budget_that_ends_leaves_whole_translations_only(by: str) -> None:
    for tokens in (0, 5, 40, 120):
        answer = ask(
            PROBLEM,
            method=f"linc(6, by='{by}')",
            model=Scripted(by_sentence if by == "sentence" else {YES: 1.0}),
            budget=f"{tokens} tokens",
        )
        assert answer.value in ("A", None)
        assert (answer.value is None) == bool(answer.reason)


def test_problems_without_data_give_their_lines_and_their_question() -> None:
    plain = Problem("Tom purrs.", context=("Every cat purrs.\nTom is a cat.", "Cats sleep."))
    assert statements(plain) == (("Every cat purrs.", "Tom is a cat.", "Cats sleep."), "Tom purrs.")
    assert statements(PROBLEM) == (("Every cat purrs.", "Tom is a cat."), "Tom purrs.")


def test_prompts_show_the_problem_last() -> None:
    (message,) = whole_prompt(PROBLEM)
    assert message.content.count("</EVALUATE>") == 3  # the instruction and two examples
    assert message.content.endswith(
        "<PREMISES>\nEvery cat purrs.\nTom is a cat.\n</PREMISES>\n<CONCLUSION>\nTom purrs.\n</CONCLUSION>\n<EVALUATE>\n"
    )
    for block in message.content.split("<EVALUATE>\n")[1:-1]:
        assert formulas_of(block.partition("</EVALUATE>")[0])
    assert [m.role for m in again_prompt(PROBLEM, YES, "wrong")] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("Reads(Tom, 'War and Peace')", "Reads(Tom, War_and_Peace)"),
        ("Born(Tom, 1999-2000)", "Born(Tom, 1999_2000)"),
        ("Costs(Tom, 1.5)", "Costs(Tom, 1Dot5)"),
        ("∀x (Cat(x) → ¬Dog(x))", "all x. (Cat(x) -> -Dog(x))"),
        ("∀x(Cat(x)→Dog(x)⊕Cow(x))", "all x. (Cat(x) -> Dog(x) ^ Cow(x))"),
    ],
)
def test_names_are_made_words_and_both_dialects_are_read(line: str, same: str) -> None:
    assert formulas_of(f"FOL: {line}") == formulas_of(f"FOL:\t{same}")
