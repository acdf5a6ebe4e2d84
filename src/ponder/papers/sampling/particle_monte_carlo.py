"""Reproduction: inference-time scaling with particle-based Monte Carlo (Puri et al. 2025, arXiv 2502.01618)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ponder.bench.plots import coverage_plot
from ponder.bench.stats import Curve, mean_ends, paired_bootstrap
from ponder.core.algebra import Pipeline
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.resampling import multinomial
from ponder.methods import (
    beam_search,
    best_of_n,
    dvts,
    parallel_tempering,
    particle_filter,
    particle_gibbs,
    self_consistency,
    weighted_vote,
)
from ponder.methods.stepwise import weighing
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.analytic import QUESTION, Chain, verdict
from ponder.papers.sampling.chain_runs import Runs, chain_runs
from ponder.papers.sampling.particle_analytic import fresh_part, hacked_part, persistent_part
from ponder.scorers import prm

SLUG = "particle-monte-carlo"
TITLE = "A probabilistic inference approach to inference-time scaling with particle-based Monte Carlo methods"
CLAIM = (
    "Sampling the posterior of accepted steps with a particle filter, instead of searching for the best reward, is robust against an "
    "imperfect reward model and scales better with samples than weighted best-of-N, beam search and diverse verifier tree search."
)
REWARD, WEAK = "organism:chain-reward-3", "organism:chain-reward-2"
WEIGHTS: Mapping[str, tuple[str, float, tuple[float, ...]]] = {
    "odds": ("logit", 1.0, (0.8901, 0.0989, 0.0110)),
    "odds, temperature 2": ("logit", 2.0, (0.6923, 0.2308, 0.0769)),
    "exp(score)": ("softmax", 1.0, (0.4718, 0.3162, 0.2120)),
    "the score": ("product", 1.0, (0.6, 0.3333, 0.0667)),
}
WBON, PF, BEAM, DVTS = "weighted best of N", "particle filter", "beam", "DVTS"
NOTES = (
    "Analytic chains: 6 steps, success .95 to .6 by problem, errors absorb, 20 wrong answers by Zipf's law; the reward model sees logit "
    "+1 or -1 and Gaussian noise. Filters resample multinomially at every step and answer with the best last score.",
    "Whether the filter or the searches win on them is decided by the last choice, not by the search: beams and DVTS that vote by score at "
    "the end, as they are defined, beat the filter; with the best last score they fall behind it.",
    "Trained organism: temperature 1, one task of chains of 4 to 8 operations; intervals are paired bootstraps over problems.",
    "Reward hacking is a negative test that the paper does not have: a filter is not immune to steps that the reward model overrates.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on chains with known laws and on a trained organism.

    Args:
        quick: 60 analytic problems a seed instead of 500 and 100 chains at N up to 16 instead of 300 at N up to 64. The gates are the same
            and are met or missed by chance more often.
        seed: the first of the three seeds of the analytic part, and that of the chains.
        out: a folder for the figures, accuracy against samples; none are drawn without it.
    """
    gates, analytic, curves = persistent_part((seed, seed + 1, seed + 2), 60 if quick else 500)
    fresh, fresh_table = fresh_part(seed, 100 if quick else 300)
    hacked, hacked_table = hacked_part(seed, 100 if quick else 300)
    trained, tables, measured = organism_part(100, (seed,), (4, 16)) if quick else organism_part(300, (seed,), (4, 16, 64))
    if not quick:
        tables.append(weak_table(300, (seed,)))
    figures: tuple[Path, ...] = ()
    if out is not None:
        ylabel = "accuracy"
        figures = (
            coverage_plot(curves, out / "analytic", title="Analytic chains, errors that persist", ylabel=ylabel)[1],
            coverage_plot(measured, out / "organism", title="Trained organism", ylabel=ylabel)[1],
        )
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*weight_checks(), *gates, fresh, *hacked, *trained),
        tables=(*analytic, fresh_table, hacked_table, *tables),
        figures=figures,
        notes=NOTES,
    )


def weight_checks() -> list[Check]:
    """The three definitions of a weight in circulation, on scores .9, .5 and .1, and the example of the paper's figure 3."""
    checks: list[Check] = []
    for name, (weighting, temperature, expected) in WEIGHTS.items():
        found = weights_of(np.log([0.9 / 0.1, 1.0, 0.1 / 0.9]), weighting, temperature)
        off = float(np.abs(found - expected).max())
        checks.append(Check(f"weights of .9, .5, .1 by {name}", _four(found), _four(expected), off < 6e-5, False))
    figure = weights_of(np.array([2.1, -1.2, 1.3, 0.1]), "logit", 1.0)
    expected = (0.6167, 0.0227, 0.2771, 0.0835)
    close = float(np.abs(figure - expected).max()) < 6e-5
    return [*checks, Check("weights of logits 2.1, -1.2, 1.3, .1", _four(figure), _four(expected), close, False)]


def weights_of(logits: np.ndarray, weighting: str, temperature: float) -> np.ndarray:
    """The weights that the library's stage gives to candidates of equal weight with these scores, shape as given."""
    chains = tuple(Chain(logit=float(v)) for v in logits)
    stage = weighing(verdict(), weighting, temperature)
    return stage(Population(chains), Context(QUESTION)).weights


def _four(values: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{v:.4f}" for v in values)


def methods(n: int) -> dict[str, Pipeline]:
    """What is compared at n samples or particles; filters that sweep need at least 16."""
    found = {
        "best of N": best_of_n(n, prm()),
        WBON: weighted_vote(n, prm()),
        "majority": self_consistency(n),
        BEAM: beam_search(n, 4),
        DVTS: dvts(n, 4),
        PF: particle_filter(n, scheme=multinomial()),
    }
    if n >= 16:
        found |= {"particle Gibbs, 4 sweeps": particle_gibbs(n, 4), "parallel tempering, 2 x 2": parallel_tempering(n, 2, 2)}
    return found


def organism_part(limit: int, seeds: Sequence[int], ns: Sequence[int]) -> tuple[list[Check], list[Table], dict[str, Curve]]:
    """All methods on the chain organism: is the filter ahead of weighted best-of-N by 2 points at N=16?"""
    one = chain_runs({"one sample": best_of_n(1, prm())}, limit, seeds, REWARD)
    runs = {n: chain_runs(methods(n), limit, seeds, REWARD) for n in ns}
    names = list(methods(16))
    rows: list[tuple[str | float | None, ...]] = [("one sample", str(one.accuracy("one sample")), *("" for _ in ns))]
    rows += [(name, "", *(str(runs[n].accuracy(name)) if name in runs[n].correct else "" for n in ns)) for name in names]
    title = f"{REWARD}, {limit} chains: accuracy with its 95% interval"
    tables = [Table(title, ("method", "N=1", *(f"N={n}" for n in ns)), tuple(rows)), _paired(runs), _tokens(runs)]
    gain = runs[16].gain(PF, WBON)
    check = Check(
        f"organism, N=16: particle filter less weighted best of N ({limit} chains)", str(gain), "at least .02", round(gain.value, 9) >= 0.02
    )
    first = one.correct["one sample"]
    curves = {
        name: _curve([first, *(runs[n].correct[name] for n in ns)], (1, *ns)) for name in names if all(name in runs[n].correct for n in ns)
    }
    return [check], tables, curves


def _paired(runs: Mapping[int, Runs]) -> Table:
    rows = []
    for n, run in runs.items():
        for other in (name for name in run.correct if name != PF):
            gain = paired_bootstrap(run.correct[PF], run.correct[other])
            rows.append((other, n, gain.value, gain.low, gain.high))
    return Table("Organism: accuracy of the particle filter less that of", ("method", "N", "difference", "low", "high"), tuple(rows))


def _tokens(runs: Mapping[int, Runs]) -> Table:
    names = list(runs[max(runs)].tokens)
    rows = tuple((name, *(runs[n].tokens.get(name) for n in runs)) for name in names)
    return Table("Organism: tokens generated a question", ("method", *(f"N={n}" for n in runs)), rows)


def _curve(grades: Sequence[np.ndarray], ns: Sequence[int]) -> Curve:
    table = np.stack(grades, axis=1)
    low, high = mean_ends(table, 1000, 0)
    return Curve(np.array(ns), table.mean(axis=0), low, high)


def weak_table(limit: int, seeds: Sequence[int]) -> Table:
    """The same comparison at N=16 with a weaker reward model."""
    wanted = (WBON, BEAM, DVTS, PF)
    run = chain_runs({name: m for name, m in methods(16).items() if name in wanted}, limit, seeds, WEAK)
    rows = tuple((name, str(run.accuracy(name)), str(run.gain(PF, name)) if name != PF else "") for name in wanted)
    return Table(f"{WEAK}, N=16, {limit} chains", ("method", "accuracy", "particle filter less this"), rows)
