"""What follows from what, by three provers, and that none of them can be made to hang."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ponder.core.errors import InputError, MissingExtra
from ponder.logic import provers
from ponder.logic.formula import FolSyntaxError, Not, SignatureError, closed
from ponder.logic.mixed import mixed_problem
from ponder.logic.models import ModelTooLarge, counterexample, enough, find_model
from ponder.logic.provers import PROVERS, ProverNotFoundError, check_installed, entails
from ponder.logic.syntax import LARGEST, parse

HERE = []
for _name in PROVERS:
    try:
        check_installed(_name)
        HERE.append(_name)
    except (MissingExtra, ProverNotFoundError):
        pass

XOR = [("P", "Q", False), ("P", "-Q", True), ("-P", "Q", True), ("-P", "-Q", False)]


@pytest.mark.parametrize("prover", HERE)
class TestEveryProver:
    @pytest.mark.parametrize(
        ("premises", "conclusion", "label"),
        [
            (["all x. (P(x) -> Q(x))", "P(A)"], "Q(A)", "True"),
            (["all x. (P(x) -> Q(x))", "P(A)"], "-Q(A)", "False"),
            (["all x. (P(x) -> Q(x))", "P(A)"], "R(A)", "Uncertain"),
            ([], "P | -P", "True"),
            ([], "P", "Uncertain"),
            (["P(x)"], "P(Bob)", "True"),
            (["P(Bob)"], "P(x)", "Uncertain"),
            (["-P(Bob)"], "P(x)", "False"),
            (["all x. all y. (P(x) | P(y))"], "exists x. exists y. (P(x) & P(y))", "True"),
            (["exists x. all y. R(x, y)"], "all y. exists x. R(x, y)", "True"),
            (["all y. exists x. R(x, y)"], "exists x. all y. R(x, y)", "Uncertain"),
            (["Anne = Bob", "P(Anne)"], "P(Bob)", "True"),
            (["f(Anne) = Bob", "all x. P(f(x))"], "P(Bob)", "True"),
            (["Zoé(Ünal)"], "Zoé(Ünal)", "True"),
        ],
    )
    def test_labels(self, prover: str, premises: list[str], conclusion: str, label: str) -> None:
        found = entails(premises, conclusion, prover=prover, timeout=2)
        assert found.label == label
        assert found.backend == prover
        assert found.proved == (label != "Uncertain")
        assert not found.inconsistent

    @pytest.mark.parametrize(("p", "q", "holds"), XOR)
    def test_exclusive_or(self, prover: str, p: str, q: str, holds: bool) -> None:
        assert entails([p, q], "P ^ Q", prover=prover).label == str(holds)
        written_out = entails([], "(P ^ Q) <-> ((P & -Q) | (-P & Q))", prover=prover)
        assert written_out.label == "True"

    def test_contradictory_premises_are_reported(self, prover: str) -> None:
        found = entails(["P(A)", "-P(A)"], "R(A)", prover=prover)
        assert found.label == "True"
        assert found.inconsistent

    def test_time_is_kept_and_its_end_recorded(self, prover: str) -> None:
        """Group axioms with a conclusion that no short search settles: wall time stays within both questions' time and grace."""
        group = ["all x. all y. all z. M(M(x, y), z) = M(x, M(y, z))", "all x. M(E, x) = x", "all x. M(I(x), x) = E"]
        hard = [*group, "all x. M(x, M(x, M(x, M(x, x)))) = E"]
        began = time.perf_counter()
        found = entails(hard, "all x. all y. M(x, M(y, M(x, M(y, x)))) = M(y, M(x, M(y, M(x, y))))", prover=prover, timeout=0.3)
        assert time.perf_counter() - began < 2 * (0.3 + provers.GRACE) + 40
        assert found.settled or "timeout" in found.outcomes or "unknown" in found.outcomes
        if found.label == "Uncertain":
            assert found.timed_out != found.settled or "unknown" in found.outcomes

    def test_agrees_with_the_model_finder_on_mixed_problems(self, prover: str) -> None:
        rng = np.random.default_rng(23)
        labels: set[str] = set()
        for _ in range(25):
            premises, conclusion = mixed_problem(rng)
            found = entails(premises, conclusion, prover=prover)
            for goal, outcome in ((conclusion, found.outcomes[0]), (Not(closed(conclusion)), found.outcomes[1])):
                bound = enough([*premises, Not(closed(goal))])
                model = counterexample(premises, goal, bound or 3)
                if model is not None:
                    assert outcome == "refuted"
                    assert all(map(model.satisfies, premises))
                    assert not model.satisfies(goal)
                elif bound is not None:
                    assert outcome == "proved"
            labels.add(found.label)
        assert labels == {"True", "False", "Uncertain"}


DOUBLING = [f"P{i}(f(x, x)) -> P{i + 1}(x)" for i in range(40)]


@pytest.mark.parametrize("prover", HERE)
def test_terms_that_double_at_every_step_end_in_time(prover: str) -> None:
    began = time.perf_counter()
    entails([*DOUBLING, "P0(x)"], "P40(Bob)", prover=prover, timeout=0.5)
    assert time.perf_counter() - began < 2 * (0.5 + provers.GRACE) + 40


@pytest.mark.parametrize("prover", ["z3", "resolution"])
def test_a_worker_that_does_not_answer_is_ended(prover: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is asked for so much more time than it is waited for that only its end can end the call."""
    if prover not in HERE:
        pytest.skip("not installed")
    worker = provers._Worker(prover, provers.PROVERS[prover]._written)  # pyright: ignore[reportFunctionMemberAccess]
    assert worker([], closed(provers.parse("P | -P")), 5.0) == "proved"
    process = worker._process
    assert process is not None
    monkeypatch.setattr(provers, "GRACE", -1e6 + 0.2)
    hard = [provers.parse(t) for t in ("all x. all y. all z. M(M(x, y), z) = M(x, M(y, z))", "all x. exists y. M(x, y) = x & x != y")]
    assert worker(hard, provers.parse("all x. all y. M(x, y) = M(y, x)"), 1e6) == "timeout"
    assert process.poll() is not None
    monkeypatch.undo()
    assert worker([], closed(provers.parse("P | -P")), 5.0) == "proved"
    worker.stop()


def test_symbols_of_very_many_arguments_are_refused_and_not_worked_out() -> None:
    wide = f"P({', '.join(['Anne'] * 1500)})"
    assert entails([wide, "Anne = Bob"], "Q", prover="resolution").outcomes == ("unknown", "unknown")
    assert entails([wide], wide, prover="resolution").label == "True"
    with pytest.raises(ModelTooLarge):
        find_model([parse(wide.replace("Anne", "Bob", 1)), parse("Bob != Anne")], largest=2)


@pytest.mark.parametrize("prover", HERE)
def test_formulas_of_the_largest_size_are_decided(prover: str) -> None:
    whole = " & ".join(["P(Bob)"] * (LARGEST // 2))
    assert entails([whole], "-(-P(Bob))", prover=prover).label == "True"


def test_what_has_too_many_clauses_is_unknown_and_not_uncertain() -> None:
    nested = "P0"
    for i in range(1, 40):
        nested = f"(P{i} <-> {nested})"
    found = entails([nested], "Q", prover="resolution")
    assert found.outcomes == ("unknown", "unknown")
    assert not found.settled


def test_bad_input_is_refused_before_a_prover_runs() -> None:
    with pytest.raises(FolSyntaxError):
        entails(["P("], "Q")
    with pytest.raises(FolSyntaxError):
        entails(["P"], "")
    with pytest.raises(SignatureError):
        entails(["P(Bob)"], "P")
    with pytest.raises(InputError, match="z3, eprover, resolution"):
        entails([], "P", prover="prover9")
    for timeout in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="timeout"):
            entails([], "P", timeout=timeout)


def test_a_missing_prover_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provers.shutil, "which", lambda name: None)
    with pytest.raises(ProverNotFoundError, match="apt install eprover"):
        entails([], "P", prover="eprover")
    monkeypatch.setitem(__import__("sys").modules, "z3", None)
    with pytest.raises(MissingExtra, match=r"ponder\[logic\]"):
        entails([], "P", prover="z3")
    assert entails([], "P | -P", prover="resolution").label == "True"
