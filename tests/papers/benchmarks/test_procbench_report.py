"""The reproduction of ProcBench: its exact checks, its gates on runs made by hand, and a small run."""

from __future__ import annotations

import json

import pytest

import ponder.papers.benchmarks.procbench as paper
from ponder.bench.steps import Graded
from ponder.papers.benchmarks.nets import shipped
from ponder.papers.benchmarks.procbench import exact_checks, fails, organism_checks, rank_correlation


def test_exact_checks_hold() -> None:
    checks = exact_checks(1, 0)
    assert len(checks) == 6
    assert all(c.passed and not c.claim for c in checks)


def followed(upto: int, then: int) -> list[Graded]:
    """A run of every length: right up to so many steps, and longer ones right for the first `then` steps only."""
    pml = {k: k if k <= upto else then for k in range(2, 26)}
    return [Graded("task01", k, n, n / k, float(n == k), float(n == k)) for k, n in pml.items()]


def test_the_gates_tell_a_fall_from_none() -> None:
    fall, flat, nothing = followed(6, 3), followed(25, 25), followed(1, 0)
    assert all(c.passed for c in organism_checks(fall))
    assert [c.passed for c in organism_checks(flat)] == [True, False, False, False, True]
    assert not organism_checks(nothing)[0].passed
    assert rank_correlation(fall) < -0.8
    assert not fails(fall)
    assert fails(flat)
    assert fails(nothing)
    assert fails(followed(2, 1))


def test_the_reproduction_measures(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(paper, "measured", lambda net, per_length, seed: paper_measured(net, 1, seed, (2, 4, 8, 16, 20)))
    report = paper.reproduce(True, 1, tmp_path)
    assert report.slug == paper.SLUG
    assert report.untested
    assert report.verdict in ("partly", "does not reproduce")
    assert all(c.passed for c in report.checks if not c.claim)
    assert [row[0] for row in report.tables[0].rows] == ["short", "medium", "long", "all"]
    assert json.dumps(report.to_dict(), allow_nan=False)
    assert report.to_html().count("data:image/svg+xml;base64") == 1


paper_measured = paper.measured


def test_shipped_nets_are_small() -> None:
    assert shipped("procedures")
    assert all(path.stat().st_size < 4_000_000 for path in shipped("procedures"))
