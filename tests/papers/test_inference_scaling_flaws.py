"""The reproduction of the limits of resampling: what it computes against simulation, and a small run."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ponder.papers.inference_scaling_flaws as paper
from ponder.papers.inference_scaling_flaws import Checked, bucket_part, checked, fixture_checks


def test_fixtures_hold() -> None:
    checks = fixture_checks()
    assert len(checks) == 5
    assert all(c.passed and not c.claim for c in checks)


def test_buckets_are_what_random_orders_give() -> None:
    """2,000 orders of each problem; shares within 4 standard errors."""
    rng = np.random.default_rng(2)
    strong = rng.random((30, 16)) < rng.random((30, 1))
    c = Checked(strong | (rng.random((30, 16)) < 0.15), strong)
    _, table = bucket_part(c)
    wrong: dict[int, list[bool]] = {}
    for weak, right in zip(c.weak, c.strong, strict=True):
        for _ in range(2000):
            order = rng.permutation(16)
            if weak[order].any():
                k = int(weak[order].argmax())
                wrong.setdefault(k + 1, []).append(not right[order[k]])
    for (name, questions, rate), (low, high) in zip(table.rows, paper.BUCKETS, strict=False):
        found = [w for k in range(low, high + 1) for w in wrong.get(k, [])]
        assert name == f"{low} to {high}"
        assert len(found) / 2000 == pytest.approx(questions, rel=0.05, abs=0.05)
        assert abs(np.mean(found) - rate) < 4 * (0.25 / len(found)) ** 0.5


def test_casting_out_nines_accepts_every_right_answer_and_some_wrong_ones() -> None:
    c = checked("chain-small", 20, 16, 0)
    assert not (c.strong & ~c.weak).any()
    assert (c.weak & ~c.strong).any()


def test_the_reproduction_measures(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(paper, "checked", lambda policy, problems, n, seed: checked(policy, 16, 16, seed))
    report = paper.reproduce(True, 1, tmp_path)
    assert report.slug == paper.SLUG
    assert report.untested
    assert report.verdict in ("partly", "does not reproduce")
    assert all(c.passed for c in report.checks if not c.claim)
    assert [row[0] for row in report.tables[0].rows] == list(paper.POLICIES)
    assert json.dumps(report.to_dict(), allow_nan=False)
    assert report.to_html().count("data:image/svg+xml;base64") == 1
