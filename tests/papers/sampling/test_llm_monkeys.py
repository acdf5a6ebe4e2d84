import json

import numpy as np
import pytest

import ponder.papers.sampling.large_language_monkeys as paper
from ponder.bench.scaling import beta_coverage
from ponder.bench.stats import Curve
from ponder.papers.sampling.monkeys_chain import SIZES, coverage_anchor, draw_family, flops_per_token
from ponder.papers.sampling.monkeys_organism import draw_samples, success_counts


def curve(ks, values):
    array = np.asarray(values, dtype=float)
    return Curve(np.asarray(ks), array, array, array)


def test_counts_grow_and_have_the_shares_of_their_beta():
    counts = success_counts({"a": (2, 3), "b": (2, 30)}, 4000, (10, 50), np.random.default_rng(0))
    for (alpha, beta), (early, late) in zip(((2, 3), (2, 30)), counts.values(), strict=True):
        assert np.all(early <= late)
        assert early.max() <= 10
        assert late.mean() / 50 == pytest.approx(alpha / (alpha + beta), rel=0.05)
    # One order of difficulty: what one size finds hard, the other does too.
    assert np.corrcoef(counts["a"][1], counts["b"][1])[0, 1] > 0.6


def test_samples_have_the_shares_and_rewards_that_they_say():
    samples = draw_samples(2, 3, 400, 100, np.random.default_rng(1))
    assert samples.correct.mean() == pytest.approx(0.4, abs=0.04)
    log = np.log(samples.rewards)
    assert log[samples.correct].mean() - log[~samples.correct].mean() == pytest.approx(1, abs=0.25)
    assert samples.answers.max() <= 20


def test_straightness_and_the_gap_of_a_family():
    ks = np.unique(np.round(np.geomspace(1, 4096, 60)))
    line = curve(ks, 0.1 + 0.1 * np.log(ks) / np.log(4096) * 8)
    assert paper.straightness(line) == pytest.approx(1)
    family = {name: curve(ks, beta_coverage(0.35, b, ks)) for name, b in (("s", 24), ("l", 1.5))}
    assert paper.family_gap(family) < 0.05
    steep = {"a": family["s"], "b": curve(ks, beta_coverage(1.2, 24, ks))}
    assert paper.family_gap(steep) > 0.1


def test_sizes_share_their_problems_and_cost_what_they_are():
    family = draw_family(4, 3, 0)
    assert len({paths.prompts for paths in family.values()}) == 1
    costs = [flops_per_token(size) for size in SIZES]
    assert costs == sorted(costs)
    # 12 d^2 a layer and the tables, times 2, and the attention: .34M weights in all for d = 96, 3 layers, 18 characters.
    assert costs[1] == pytest.approx(2 * (3 * 12 * 96**2 + 36 * 96 + 60 * 96 + 2 * 3 * 96 * 30), rel=1e-9)


def test_the_anchor_is_passed_by_all():
    family = {"a": curve([1, 10], [0.2, 0.8]), "b": curve([1, 10], [0.5, 0.9])}
    assert coverage_anchor(family) == pytest.approx(0.65)


def test_the_exact_checks_hold():
    checks = paper.exact_checks()
    assert len(checks) == 7
    assert all(c.passed and not c.claim for c in checks)


def test_the_reproduction_measures_and_draws(monkeypatch, tmp_path):
    monkeypatch.setattr(paper, "PROBLEMS", 48)
    monkeypatch.setattr(paper, "draw_family", lambda problems, n, seed: draw_family(16, 64, seed))
    monkeypatch.setattr("ponder.papers.sampling.monkeys_chain.VERIFIER", "chain-reward-1")
    report = paper.reproduce(True, 0, tmp_path)
    assert report.verdict == "partly"
    assert report.untested
    by_name = {c.name: c for c in report.checks}
    assert by_name["coverage grows with k, three sizes"].passed
    gained = by_name["coverage gained from k = 128 to 4096"].measured
    selected = by_name["most that a selection method gained"].measured
    assert gained > 0.1
    assert selected < gained / 3
    assert json.dumps(report.to_dict(), allow_nan=False)
    page = report.to_html()
    assert page.count("data:image/svg+xml;base64") == 3
    assert (tmp_path / "coverage.png").exists()
