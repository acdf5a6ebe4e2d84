"""The reproduction of the limits of resampling: what it computes against simulation, and small runs of its parts."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ponder.papers.sampling.flaws_mutants as mutants
import ponder.papers.sampling.flaws_solutions as programs
import ponder.papers.sampling.inference_scaling_flaws as paper
from ponder.core.errors import PonderError
from ponder.core.problem import Problem
from ponder.papers.sampling.flaws_mutants import Subject, judged, mutants_part, samples, subjects
from ponder.papers.sampling.flaws_parts import BUCKETS, Checked, bucket_part
from ponder.papers.sampling.flaws_solutions import by_problem, features, solutions_part
from ponder.papers.sampling.inference_scaling_flaws import checked, fixture_checks
from ponder.sandbox import find
from ponder.tasks.code import Solution, labelled_solutions

try:
    find()
except PonderError as error:
    pytest.skip(str(error), allow_module_level=True)

SOURCE = "def f(x):\n    if x > 3:\n        return x + 1\n    return x"


def test_fixtures_hold() -> None:
    checks = fixture_checks()
    assert len(checks) == 5
    assert all(c.passed and not c.claim for c in checks)


def test_buckets_are_what_random_orders_give() -> None:
    """2,000 orders of each problem; shares within 4 standard errors."""
    rng = np.random.default_rng(2)
    strong = rng.random((30, 16)) < rng.random((30, 1))
    c = Checked(strong | (rng.random((30, 16)) < 0.15), strong)
    _, table = bucket_part(c, "random tables")
    wrong: dict[int, list[bool]] = {}
    for weak, right in zip(c.weak, c.strong, strict=True):
        for _ in range(2000):
            order = rng.permutation(16)
            if weak[order].any():
                k = int(weak[order].argmax())
                wrong.setdefault(k + 1, []).append(not right[order[k]])
    for (name, questions, rate), (low, high) in zip(table.rows, BUCKETS, strict=False):
        found = [w for k in range(low, high + 1) for w in wrong.get(k, [])]
        assert name == f"{low} to {high}"
        assert len(found) / 2000 == pytest.approx(questions, rel=0.05, abs=0.05)
        assert abs(np.mean(found) - float(rate or 0)) < 4 * (0.25 / len(found)) ** 0.5


def test_casting_out_nines_accepts_every_right_answer_and_some_wrong_ones() -> None:
    c = checked("chain-small", 20, 16, 0)
    assert not (c.strong & ~c.weak).any()
    assert (c.weak & ~c.strong).any()


def test_a_mutant_that_only_the_new_inputs_kill() -> None:
    """The tests look at 1 and 5; `x > 4` differs at 4, `x + 2` at 5, and `x > 3 - 0` not at all."""
    problem = Problem("f", "f", data={"tests": ("assert f(1) == 1", "assert f(5) == 6")})
    subject = Subject(problem, SOURCE, (("f", (4,)), ("f", (0,))), (5, 0))
    texts = [
        SOURCE,
        SOURCE.replace("> 3", "> 4"),
        SOURCE.replace("+ 1", "+ 2"),
        SOURCE.replace("> 3", "> 3 - 0"),
        "def f(x):\n    return f(x)",
    ]
    found = judged(mutants.sandbox(), [subject], {"all": [texts]})["all"]
    assert found.weak.tolist() == [[True, True, False, True, False]]
    assert found.strong.tolist() == [[True, False, False, True, False]]


def test_samples_are_right_at_their_rate_and_depend_on_the_seed_alone() -> None:
    subject = Subject(Problem("f", "f"), SOURCE, (), ())
    drawn = samples([subject], 0.6, None, 800, 0, "x")
    assert drawn == samples([subject], 0.6, None, 800, 0, "x")
    assert drawn != samples([subject], 0.6, None, 800, 1, "x")
    assert abs(np.mean([text == SOURCE for text in drawn[0]]) - 0.6) < 4 * (0.24 / 800) ** 0.5
    single = samples([subject], 0.0, ("comparison",), 50, 0, "y")[0]
    assert all("return x + 1" in text and text != SOURCE for text in single)


def test_new_inputs_are_ones_that_the_solution_takes() -> None:
    chosen, left_out = subjects(mutants.sandbox(), 3, 20, 0)
    assert len(chosen) + len(left_out) == 3
    for subject in chosen:
        assert 0 < len(subject.calls) == len(subject.values) <= 20
        assert judged(mutants.sandbox(), [subject], {"x": [[subject.source]]})["x"].strong.all()


def test_curves_are_made_of_problems_with_enough_programs() -> None:
    right = [Solution(f"a{i}", "A", "m", True, "") for i in range(6)]
    rejected = [Solution(f"b{i}", "B", "m", True, "") for i in range(7)]
    few = [Solution(f"c{i}", "C", "m", False, "") for i in range(5)]
    passed = np.array([True] * 6 + [False] * 7 + [True] * 5)
    table, problems = by_problem(right + rejected + few, passed)
    assert problems == 1
    assert table.strong.all()


def test_features_of_style() -> None:
    assert features(Solution("", "", "", True, "def f(x):\n    the_sum = x  # a sum\n    return the_sum")) == (True, True, 3, True)
    assert features(Solution("", "", "", True, "def f(x):\n    theSum = x\n\n    return theSum" + " " * 80)) == (False, False, 3, False)
    assert features(Solution("", "", "", True, "def f(")) is None


def test_the_reproduction_measures(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(paper, "checked", lambda policy, problems, n, seed: checked(policy, 16, 16, seed))
    some = [s for s in labelled_solutions() if s.task_id in ("HumanEval/0", "HumanEval/101", "HumanEval/103", "HumanEval/116")]
    monkeypatch.setattr(paper, "solutions_part", lambda solutions, seed: solutions_part(some, seed))
    monkeypatch.setattr(paper, "mutants_part", lambda problems, n, inputs, seed, single: mutants_part(4, 6, 10, seed, ("constant",)))
    monkeypatch.setattr(programs, "EACH", 2)
    report = paper.reproduce(True, 1, tmp_path)
    assert report.slug == paper.SLUG
    assert report.untested
    assert report.verdict in ("partly", "does not reproduce")
    assert all(c.passed for c in report.checks if not c.claim and "62" not in c.expected)
    assert [row[0] for row in report.tables[0].rows] == list(paper.POLICIES)
    assert json.dumps(report.to_dict(), allow_nan=False)
    assert report.to_html().count("data:image/svg+xml;base64") == 1
