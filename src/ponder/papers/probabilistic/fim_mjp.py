"""Reproduction: foundation inference models for Markov jump processes (Berghaus et al. 2024, arXiv 2406.06419)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.bench.process_plots import rates_plot
from ponder.core.seeds import generator
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.prob.markov_jump import (
    JumpPrior,
    JumpTasks,
    Panel,
    RateNetwork,
    checked_rates,
    entropy_production,
    fit,
    flashing_ratchet,
    hellinger,
    ratchet_parameters,
    shipped,
    simulate,
    stationary,
    transition_matrix,
)
from ponder.prob.markov_jump.fitting import WEAK_PRIOR

SLUG = "fim-mjp"
TITLE = "Foundation inference models for Markov jump processes"
CLAIM = (
    "One network, trained once on simulated chains, reads noisy and sparse paths of any chain with few states and returns its rates with "
    "their uncertainty in one pass, about as well as methods that are fitted to each data set."
)
NOTES = (
    "The network is trained here on our own prior, built after the description and after what the authors' data show. It is far smaller "
    "than theirs (21,000 weights), reads neighbouring observations instead of whole paths with an LSTM or a transformer, and treats all "
    "states alike.",
    "EM knows nothing of a prior, MAP-EM has half a jump in 1.6 units of time, HMM-EM is MAP-EM with the true label noise; the network is "
    "not told the noise.",
    "Published figures for the ratchet are of the authors' pretrained model on their data (their tutorial), ours on data simulated by the "
    "same recipe. Beyond 300 paths the network reads in parts.",
    "Errors mix rates of all sizes; EM of one path has no bound.",
)
UNTESTED = "the ion channel, alanine dipeptide and protein folding data, and the authors' own weights, which were not at hand."
EM_STEPS, TOLERANCE = 200, 1e-4
RATCHET_PATHS = (1, 10, 30, 100, 300, 1000)
PUBLISHED = {1: 0.648, 30: 0.330, 100: 0.212, 300: 0.162, 1000: 0.230}
"""Paths to the published root mean squared error of the pretrained model on the ratchet, V = 1."""
CARD = {"network": "network", "prior": "mean of the prior", "em": "EM", "map": "MAP-EM", "hmm": "HMM-EM, noise known"}
SMALL = JumpPrior(2, 4, (0.0, 0.05))
EIGENVALUES = (0, -2, -2.860, -3.564, -4.877, -6.295)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The ratchet, chains of the prior, and a chain outside it: the network beside EM.

    Args:
        quick: the shipped network on 40 chains and 3 ratchets of up to 300 paths, instead of 200 chains and 10 ratchets of up to 1,000
            paths, and two networks trained from the beginning on 20,000 chains of 2 to 4 states (this needs torch).
        seed: of everything simulated, and of the first network.
        out: a folder for the figures; none are drawn without it.
    """
    network = shipped()
    checks = [*constant_checks(), *symmetry_checks(network, seed)]
    half = 20 if quick else 100
    regular, irregular = (SMALL.tasks(half, 50, 40, generator(seed, ["chains", even]), bool(even)) for even in (1, 0))
    tasks = regular.beside(irregular)
    errors, seconds, covered = compared(tasks, network)
    checks += prior_checks("shipped network", errors, covered, tasks)
    rows = tuple(row(CARD[k], e, tasks, seconds.get(k)) for k, e in errors.items())
    ratchets, ratchet_rows = ratchet_errors(network, 3 if quick else 10, seed, RATCHET_PATHS[:-1] if quick else RATCHET_PATHS)
    checks += ratchet_checks(ratchets)
    tables = [
        Table("50 paths of 40 points, chains of 2 to 4 states of the prior", ("", "RMSE", "no noise", "5 % noise", "Hellinger", "s"), rows),
        Table("Ratchet, V = 1, 100 points a path: RMSE of 30 rates", ("paths", "EM", "MAP-EM", "network", "published"), ratchet_rows),
        outside_table(network, seed),
    ]
    if not quick:
        for s in (seed, seed + 1):
            fresh = trained_small(s)
            errors, _, covered = compared(tasks, fresh, ("hmm",), errors)
            checks += prior_checks(f"network of 20,000 chains, seed {s}", errors, covered, tasks)
    figures = (errors_figure(ratchets, out), ratchet_figure(network, seed, out)) if out is not None else ()
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=tuple(tables),
        figures=figures,
        notes=NOTES,
    )


def constant_checks() -> list[Check]:
    """Published constants of the ratchet with V = 1."""
    ratchet = flashing_ratchet(1.0)
    off = float(np.abs(np.sort(np.linalg.eigvals(ratchet).real)[::-1] - EIGENVALUES).max())
    entropy = entropy_production(ratchet)
    return [
        Check("ratchet: largest error of its eigenvalues", off, "below 5e-4", off < 5e-4, False),
        Check("ratchet: entropy production", entropy, "0.17919 (within 5e-6)", abs(entropy - 0.17919) < 5e-6, False),
    ]


def symmetry_checks(network: RateNetwork, seed: int) -> list[Check]:
    """The network must not see the order of paths, and must see time in its own units only."""
    panel = simulate(flashing_ratchet(1.0), np.full(6, 1 / 6), np.linspace(0, 2.5, 40), 60, generator(seed, ["symmetry"]))
    said = network.infer(panel).rates
    order = generator(seed, ["order"]).permutation(60)
    mixed = Panel(panel.states[order], panel.lengths[order], panel.gaps, panel.gap[order], 6)
    slower = Panel(panel.states, panel.lengths, 3 * panel.gaps, panel.gap, 6)
    moved = float(np.abs(network.infer(mixed).rates - said).max())
    scaled = float(np.abs(3 * network.infer(slower).rates - said).max())
    return [
        Check("network: largest change of a rate when paths change places", moved, "below 1e-6", moved < 1e-6, False),
        Check("network: largest change of 3 x rates when times are tripled", scaled, "below 1e-6", scaled < 1e-6, False),
    ]


Errors = dict[str, list[np.ndarray]]
"""Method to its rates for each chain."""


def compared(
    tasks: JumpTasks, network: RateNetwork, methods: tuple[str, ...] = ("em", "map", "hmm"), known: Errors | None = None
) -> tuple[Errors, dict[str, float], float]:
    """Rates of every chain by the network and by EM of three kinds, seconds a chain, and how many rates the network's 90 % intervals hold.

    Args:
        known: what was found before by other methods than the network.
    """
    found: Errors = {"network": [], "prior": [], **({m: known[m] for m in methods} if known else {m: [] for m in methods})}
    seconds = dict.fromkeys(found, 0.0)
    inside: list[np.ndarray] = []
    guess = prior_means()
    for k in range(len(tasks)):
        panel, truth = tasks.panel(k), tasks.truth(k)
        began = time.perf_counter()
        said = network.infer(panel)
        seconds["network"] += time.perf_counter() - began
        found["network"].append(said.rates)
        found["prior"].append(checked_rates(np.full(truth.shape, guess[len(truth)])))
        links = tasks.links[k][: len(truth), : len(truth)]
        inside.append((np.abs(said.rates - truth) <= 1.645 * said.sd)[links])
        for name in methods if known is None else ():
            began = time.perf_counter()
            noise = float(tasks.label_noise[k]) if name == "hmm" else 0.0
            fitted = fit(panel, None if name == "em" else WEAK_PRIOR, noise, EM_STEPS, TOLERANCE)
            seconds[name] += time.perf_counter() - began
            found[name].append(fitted.rates)
    return found, {k: s / len(tasks) for k, s in seconds.items() if s}, float(np.concatenate(inside).mean())


def prior_means() -> dict[int, float]:
    """The mean rate of chains of the prior with so many states, jumps that cannot happen included."""
    rates, n_states = SMALL.chains(4000, generator(0, ["prior means"]))
    totals = -np.trace(rates, axis1=1, axis2=2)
    return {n: float(totals[n_states == n].mean() / (n * (n - 1))) for n in (2, 3, 4)}


def rmse(found: list[np.ndarray], tasks: JumpTasks, chosen: np.ndarray | None = None) -> float:
    """Over all rates off the diagonal, of all or of some chains."""
    squares = [((f - tasks.truth(k)) ** 2)[~np.eye(len(f), dtype=bool)] for k, f in enumerate(found) if chosen is None or chosen[k]]
    return float(np.sqrt(np.concatenate(squares).mean()))


def distance(found: list[np.ndarray], tasks: JumpTasks) -> float:
    """Mean Hellinger distance of p(t) under true and found rates, from the true start, at ten times."""
    times, off = np.linspace(0.5, 10, 10), []
    for k, f in enumerate(found):
        start = tasks.initial[k][: len(f)]
        off.append(hellinger(start @ transition_matrix(tasks.truth(k), times), start @ transition_matrix(f, times)).mean())
    return float(np.mean(off))


def row(name: str, found: list[np.ndarray], tasks: JumpTasks, seconds: float | None) -> tuple[str | float | None, ...]:
    """One method's errors: all chains, without and with label noise, Hellinger distance, seconds a chain."""
    noisy = tasks.label_noise > 0
    return name, rmse(found, tasks), rmse(found, tasks, ~noisy), rmse(found, tasks, noisy), distance(found, tasks), seconds


def prior_checks(name: str, errors: Errors, covered: float, tasks: JumpTasks) -> list[Check]:
    """The thresholds that were set before: against the mean of the prior, against HMM-EM under noise, and coverage."""
    noisy = tasks.label_noise > 0
    to_prior = rmse(errors["network"], tasks) / rmse(errors["prior"], tasks)
    to_hmm = rmse(errors["network"], tasks, noisy) / rmse(errors["hmm"], tasks, noisy)
    return [
        Check(f"{name}: RMSE over that of the prior's mean", to_prior, "at most 0.6", to_prior <= 0.6),
        Check(f"{name}: RMSE over that of HMM-EM at 5 % noise", to_hmm, "at most 1.3", to_hmm <= 1.3),
        Check(f"{name}: share of rates within 90 % intervals", covered, "in [0.80, 0.97]", 0.80 <= covered <= 0.97),
    ]


def ratchet_errors(
    network: RateNetwork, repeats: int, seed: int, sizes: tuple[int, ...]
) -> tuple[dict[str, dict[int, float]], tuple[tuple[int | float | None, ...], ...]]:
    """Root mean squared errors on the ratchet by number of paths: EM, MAP-EM and the network."""
    ratchet, off = flashing_ratchet(1.0), ~np.eye(6, dtype=bool)
    errors: dict[str, dict[int, float]] = {"EM": {}, "MAP-EM": {}, "network": {}}
    for paths in sizes:
        seen: dict[str, list[float]] = {name: [] for name in errors}
        for i in range(repeats):
            rng = generator(seed, ["ratchet", paths, i])
            panel = simulate(ratchet, stationary(ratchet), np.linspace(0, 2.5, 100), paths, rng)
            rates = {
                "EM": fit(panel, steps=EM_STEPS, tol=TOLERANCE).rates,
                "MAP-EM": fit(panel, WEAK_PRIOR, steps=EM_STEPS, tol=TOLERANCE).rates,
                "network": network.infer(panel).rates,
            }
            for name, found in rates.items():
                seen[name].append(float(np.sqrt(np.mean((found - ratchet)[off] ** 2))))
        for name, values in seen.items():
            errors[name][paths] = float(np.mean(values))
    return errors, tuple((n, *(errors[m][n] for m in errors), PUBLISHED.get(n)) for n in sizes)


def ratchet_checks(errors: Mapping[str, Mapping[int, float]]) -> list[Check]:
    """EM as it was measured before on the authors' own data, and whether the network is on par with it."""
    em, network = errors["EM"], errors["network"]
    return [
        Check("ratchet: RMSE of EM, 100 paths", em[100], "0.163 +- 0.05", abs(em[100] - 0.163) < 0.05, False),
        Check("ratchet: RMSE of EM, 300 paths", em[300], "0.092 +- 0.03", abs(em[300] - 0.092) < 0.03, False),
        Check(
            "ratchet: RMSE of the network, 300 paths, over the published one",
            network[300] / 0.162,
            "at most 1.3",
            network[300] <= 1.3 * 0.162,
        ),
        Check("ratchet: RMSE of the network, 300 paths, over EM's", network[300] / em[300], "at most 1.3", network[300] <= 1.3 * em[300]),
    ]


def outside_table(network: RateNetwork, seed: int) -> Table:
    """Chains that the prior does not draw: three states on the ratchet's potential, ten times as fast, and six states with V = 3."""
    i = np.arange(3)
    slope = np.exp(-(i[None] - i[:, None]) / 2.0)
    rows = []
    for name, rates, end in (
        ("three states on a slope", slope, 2.5),
        ("the same, ten times as fast", 10 * slope, 2.5),
        ("ratchet, V = 3", flashing_ratchet(3.0), 2.5),
    ):
        f = checked_rates(rates)
        panel = simulate(f, stationary(f), np.linspace(0, end, 50), 100, generator(seed, ["outside", name]))
        off, said = ~np.eye(len(f), dtype=bool), network.infer(panel)
        errors = (float(np.sqrt(np.mean((found - f)[off] ** 2))) for found in (fit(panel, steps=EM_STEPS, tol=TOLERANCE).rates, said.rates))
        rows.append((name, *errors, str(said.in_domain)))
    return Table(
        "Outside the prior: 100 paths of 50 points", ("chain", "RMSE of EM", "RMSE of the network", "network says in domain"), tuple(rows)
    )


def trained_small(seed: int) -> RateNetwork:
    """A network trained on 20,000 chains of 2 to 4 states, 50 paths of 40 points each."""
    from ponder.train.jump_rates import JumpRun, trained

    return trained(JumpRun(SMALL, paths=(50, 50), points=(40, 40), steps=625, load=1600), seed, quiet=True)


def errors_figure(errors: dict[str, dict[int, float]], out: Path) -> Path:
    """Errors on the ratchet against the number of paths; the SVG's path."""
    figure, axes = new_figure()
    for i, (name, curve) in enumerate((errors | {"pretrained model, published": PUBLISHED}).items()):
        shown = {n: e for n, e in curve.items() if e < 5}  # EM of one path has no bound
        axes.loglog(list(shown), list(shown.values()), MARKERS[i] + "-", color=COLOURS[i], ms=5, lw=1.5, label=name)
    axes.set_xlabel("paths of 100 observations")
    axes.set_ylabel("root mean squared error of 30 rates")
    axes.legend(frameon=False)
    finish(axes, "Rates of the flashing ratchet (V = 1)")
    return save(figure, out / "ratchet")[1]


def ratchet_figure(network: RateNetwork, seed: int, out: Path) -> Path:
    """Rates of one ratchet as the network and EM see them; the SVG's path."""
    ratchet = flashing_ratchet(1.0)
    panel = simulate(ratchet, stationary(ratchet), np.linspace(0, 2.5, 50), 100, generator(seed, ["figure"]), 0.05)
    said = network.infer(panel)
    v, r, b = ratchet_parameters(said.rates)
    estimates = {"EM": fit(panel, steps=EM_STEPS, tol=TOLERANCE).rates, "network, 90 % intervals": said.rates}
    title = f"100 paths, 5 % wrong labels; network: V {v:.2f}, r {r:.2f}, b {b:.2f} (all are 1)"
    return rates_plot(ratchet, estimates, out / "rates", title, {"network, 90 % intervals": said.sd})[1]
