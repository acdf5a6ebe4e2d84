"""LINC's reproduction: provers against the model finder, the vote, what becomes of translations, the gates."""

from __future__ import annotations

import numpy as np
import pytest

from ponder.bench.stats import wilson
from ponder.core.problem import Candidate
from ponder.lm.scripted import Scripted
from ponder.logic import provers
from ponder.logic.syntax import text_of
from ponder.logic.theories import LABELS
from ponder.organisms.worded import formula_text
from ponder.papers.sampling import linc_exact
from ponder.papers.sampling.linc_exact import crosscheck, exact_part, installed
from ponder.papers.sampling.linc_organisms import (
    Drawn,
    K,
    accuracy,
    asked_problems,
    by_depth,
    claims,
    draw,
    from_sign,
    gains,
    tables,
    translations,
)
from ponder.papers.sampling.linc_smollm2 import real_model
from ponder.programs.formalise import formalisation
from ponder.tasks.logic import Made

PROBLEMS = asked_problems(3, 0)


def test_provers_agree_with_the_model_finder_on_a_hundred_problems() -> None:
    found = crosscheck(100, 1, ["resolution", *(name for name in installed() if name == "z3")])
    assert found.disagreements == 0
    assert min(found.labels[label] for label in LABELS) >= 15
    for agreement in found.by_prover.values():
        assert agreement.wrong == 0
        assert agreement.right > 180
        assert agreement.right + agreement.unsettled + agreement.open == 200


def test_a_prover_that_is_wrong_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(provers.PROVERS, "resolution", lambda *_: "refuted")
    agreement = crosscheck(12, 1, ["resolution"]).by_prover["resolution"]
    assert agreement.wrong > 0
    monkeypatch.setattr(linc_exact, "installed", lambda: ["resolution"])
    checks, _ = exact_part(12, 12, 1)
    assert sum(not c.passed for c in checks) >= 3


def test_problems_are_balanced() -> None:
    assert len(PROBLEMS) == 18
    for depth in range(6):
        assert sorted(m.question.label for m in PROBLEMS if m.question.depth == depth) == sorted(LABELS)


def given(right: np.ndarray, problems: list[Made]) -> Drawn:
    """Samples that say the right label where told, else another one."""
    gold = np.array([m.question.label for m in problems])
    other = np.array([LABELS[(LABELS.index(g) + 1) % 3] for g in gold])
    return Drawn(np.where(right, gold[:, None], other[:, None]), ((),) * len(problems))


def test_the_vote_drops_what_cannot_be_used_and_takes_the_first_of_equals() -> None:
    labels = np.array([["", "True", "False", "False", ""], ["False", "True", "", "", ""], ["", "", "", "", ""]])
    assert Drawn(labels, ((), (), ())).voted(range(5)).tolist() == ["False", "False", ""]
    assert Drawn(labels, ((), (), ())).voted([2, 1]).tolist() == ["False", "True", ""]


def test_accuracy_of_smaller_votes_is_a_mean_over_choices() -> None:
    right = np.zeros((18, K), bool)
    right[:, :6] = True
    drawn = given(right, PROBLEMS)
    assert accuracy(drawn, PROBLEMS, K, 0).tolist() == [1.0] * 18
    one = accuracy(drawn, PROBLEMS, 1, 0, orders=400)
    assert one.mean() == pytest.approx(0.6, abs=0.1)
    assert [i.value for i in by_depth(accuracy(drawn, PROBLEMS, K, 0), PROBLEMS)] == [1.0] * 6


def test_the_gates_are_the_cards() -> None:
    rng = np.random.default_rng(0)
    depth = np.array([m.question.depth for m in PROBLEMS])[:, None]
    good = np.ones((18, K), bool)
    good[:, 8:] = False
    poor = np.broadcast_to(depth < 3, (18, K))
    drawn = {"label": given(poor, PROBLEMS), "steps": given(poor, PROBLEMS), "linc": given(good, PROBLEMS)}
    checks, depths = claims(drawn, PROBLEMS, 0)
    assert all(c.passed for c in checks)
    assert [c.name for c in claims({"linc": drawn["linc"]}, PROBLEMS, 0)[0] if "less" in c.name and "depths" in c.name] == []
    assert len(tables(drawn | {"linc": Drawn(drawn["linc"].labels, ((),) * 18)}, PROBLEMS, depths, 0)) == 5
    flat, _ = claims({**drawn, "linc": given(rng.random((18, K)) < 0.4, PROBLEMS)}, PROBLEMS, 0)
    assert not any(c.passed for c in flat if "worst" in c.name or c.name.startswith("LINC less derive"))


def test_the_sign_of_a_question_makes_two_of_three_right_whatever_its_depth() -> None:
    problems = asked_problems(15, 1)
    for label, share in (("True", 1.0), ("False", 1.0), ("Uncertain", 0.0)):
        own = [from_sign(m) == label for m in problems if m.question.label == label]
        assert np.mean(own) == pytest.approx(share, abs=0.05), "a sign is rarely unknown"
    half = given(np.broadcast_to(np.arange(18)[:, None] % 2 == 0, (18, K)), PROBLEMS)
    table = gains({"linc": given(np.ones((18, K), bool), PROBLEMS), "steps": half}, PROBLEMS, 0)
    assert [row[0] for row in table.rows] == ["derive, then answer", "the question's sign"]
    assert str(table.rows[0][-1]).startswith("0.500")


def test_what_becomes_of_translations() -> None:
    m = PROBLEMS[1]
    said = [*m.premises, m.conclusion]

    def candidate(change: str = "") -> Candidate:
        formulas = [formula_text(f) for f in m.formulas]
        if change:
            formulas[0] = change
        return Candidate(formalisation(list(zip(said, formulas, strict=True))), finished=True, finish="stop")

    row = (candidate(), candidate(), candidate("Γ("), candidate("Γ(N)∧Γ(N,N)"), candidate("Я(Ю)"))
    drawn = Drawn(np.full((1, 5), ""), (row,))
    rows = {kind: (n, right) for kind, n, _, right in translations(drawn, [m]).rows}
    assert rows["as it should be"] == (2, 1.0)
    assert rows["syntax"] == (1, 0.0)
    assert rows["signature"] == (1, 0.0)
    assert rows["says something else"][0] == 1


def test_the_shipped_translator_draws_labels() -> None:
    drawn = draw("linc", PROBLEMS[:6], 0, k=4)
    assert drawn.labels.shape == (6, 4)
    assert accuracy(drawn, PROBLEMS[:6], 4, 0).mean() > 0.5
    assert draw("linc", PROBLEMS[:2], 0, k=4).labels.tolist() == drawn.labels[:2].tolist()


def test_a_real_model_is_counted_and_not_judged() -> None:
    m = PROBLEMS[0]
    text = formalisation([(s, text_of(f)) for s, f in zip((*m.premises, m.conclusion), m.formulas, strict=True)])
    checks, (table,) = real_model([m, PROBLEMS[1]], 0, Scripted({text: 0.5, "I cannot.": 0.5}))
    assert [c.measured for c in checks] == ["32 of 32"]
    assert not any(c.claim for c in checks)
    assert [row[0] for row in table.rows] == ["answer at once", "step by step", "LINC", "LINC, one repair"]
    answers, *_ = real_model(PROBLEMS, 0, Scripted({"True": 1.0}), linc=[1.0] * 18)[1][0].rows
    assert answers[1:3] == (18, str(wilson(6, 18)))
    assert str(answers[3]).startswith("0.667")
