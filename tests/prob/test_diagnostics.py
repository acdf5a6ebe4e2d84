"""Diagnostics of chains, what becomes of them in ArviZ, and genealogies of filters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ponder.bench.process_plots import genealogy_plot, rank_plot, rates_plot
from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.prob.diagnostics import diagnose, side_by_side, to_arviz, variables
from ponder.prob.distributions import Normal
from ponder.prob.infer import Posterior, smc, trace_mh
from ponder.prob.kernels import independent
from ponder.prob.program import Program, Trace
from ponder.prob.statespace import linear_gaussian, stochastic_volatility

pytest.importorskip("arviz")
RNG = np.random.default_rng(3)


def posterior(values, chains):
    return Posterior(Population(tuple(Trace(finished=True, value=v) for v in values)), chains=chains)


def given(ctx):
    theta = ctx.sample(Normal())
    ctx.observe(Normal(theta, 0.5), 1.0)
    return theta


def test_chains_side_by_side_agree_and_are_reproducible():
    run = lambda seed: trace_mh(Program(given), 600, independent(), burn=100, seed=seed)  # noqa: E731
    found = side_by_side(run, 3, seed=5)
    assert found.chains == 3
    assert found.values == side_by_side(run, 3, seed=5).values
    said = diagnose(found)["x"]
    assert said.r_hat < 1.03
    assert 100 < said.ess_bulk < 1500
    assert abs(said.mean - 0.8) < 5 * math.sqrt(0.2 / said.ess_bulk)


def test_chains_that_do_not_agree_are_seen():
    stuck = posterior([*RNG.standard_normal(200), *(RNG.standard_normal(200) + 3)], 2)
    assert diagnose(stuck)["x"].r_hat > 1.5
    mixed = posterior(RNG.standard_normal(400), 2)
    assert diagnose(mixed)["x"].r_hat < 1.02
    walk = posterior(np.cumsum(RNG.standard_normal(400)), 2)
    assert diagnose(walk)["x"].ess_bulk < 40


def test_arviz_reads_names_chains_and_arrays():
    values = [{"a": float(i), "b": np.array([i, -i])} for i in range(12)]
    data = to_arviz(posterior(values, 3)).posterior
    assert dict(data.sizes) == {"chain": 3, "draw": 4, "b_dim_0": 2}
    assert data["a"].values.tolist() == np.arange(12.0).reshape(3, 4).tolist()
    assert set(diagnose(posterior([(i, float(RNG.random())) for i in range(12)], 2))) == {"x0", "x1"}
    assert set(diagnose(posterior(values, 2))) == {"a", "b[0]", "b[1]"}
    assert math.isnan(diagnose(posterior([1.0] * 12, 2))["x"].r_hat)


def test_weighted_populations_are_resampled_for_arviz_and_not_judged_as_chains():
    """The mean of systematic survivors is that of the weighted population, within 5 of its standard errors."""
    found = smc(linear_gaussian([0.3, -0.2, 1.1]), 4000, ess=0.01, seed=1)
    data = to_arviz(found).posterior
    assert data.attrs["log_evidence"] == pytest.approx(found.log_evidence)
    assert float(data["x"].mean()) == pytest.approx(float(found.mean()), abs=0.02)
    assert np.ptp(found.population.log_weights) > 0
    with pytest.raises(InputError, match="weighted population"):
        diagnose(found)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: variables(posterior(["a", "b"], 1)), "not a number"),
        (lambda: variables(posterior([np.zeros(2), np.zeros(3)], 1)), "one shape"),
        (lambda: diagnose(posterior([1.0, 2.0, 3.0], 1)), "at least 4 draws"),
        (lambda: side_by_side(lambda seed: posterior(range(4 + seed % 7), 1), 5), "one length"),
        (lambda: side_by_side(lambda seed: posterior([1], 1), 0), "at least 1 chain"),
        (lambda: rank_plot(posterior(range(9), 1), "ranks"), "two chains"),
        (lambda: genealogy_plot(smc(linear_gaussian([0.1, 0.2]), 3).population.items, "x"), "history=True"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(InputError, match=match):
        call()


def test_genealogies_follow_parents_back():
    y = RNG.standard_normal(12)
    last = smc(stochastic_volatility(y, history=True), 40, seed=2).population.items
    generations, ancestors = last.generations(), last.ancestors()
    assert [g.time for g in generations] == list(range(1, 13))
    assert ancestors.shape == (40, 12)
    assert ancestors[:, -1].tolist() == list(range(40))
    for t in range(1, 12):
        assert generations[t].parents[ancestors[:, t]].tolist() == ancestors[:, t - 1].tolist()
    left = [len(np.unique(column)) for column in ancestors.T]
    assert left == sorted(left)
    assert left[0] < 30
    assert np.stack([g.values[a] for g, a in zip(generations, ancestors.T, strict=True)], 1).tolist() == last.trajectories().tolist()


def test_figures_are_files(tmp_path):
    y = RNG.standard_normal(6)
    last = smc(linear_gaussian(y, history=True), 20, seed=2).population.items
    rates = np.array([[-1.0, 1.0], [2.0, -2.0]])
    for files in (
        genealogy_plot(last, tmp_path / "g", seen=y),
        rank_plot(posterior(RNG.standard_normal(80), 2), tmp_path / "r", bins=5),
        rates_plot(rates, {"found": rates * 1.1}, tmp_path / "q", sd={"found": np.abs(rates) / 4}),
    ):
        assert [f.suffix for f in files] == [".png", ".svg"]
        assert all(f.stat().st_size > 2000 for f in files)
