"""The analytic parts of card 18: particle filters against searches on chains whose errors are known laws, hacks included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import Curve, mean_ends, paired_bootstrap
from ponder.core.algebra import Pipeline, Stage
from ponder.core.resampling import multinomial
from ponder.methods import beam_search, dvts, particle_filter
from ponder.papers.report import Check, Table
from ponder.papers.sampling.analytic import chosen, problems, solved, verdict
from ponder.stages import argmax, vote, weigh

SUCCESSES = (0.95, 0.9, 0.8, 0.7, 0.6)
JUDGE = verdict()
CHOICES: Mapping[str, Stage] = {
    "best of N": weigh(JUDGE) | argmax(),
    "weighted best of N": weigh(JUDGE) | vote(),
    "majority": vote(),
}
PF, BEAM, DVTS = "particle filter", "beam", "DVTS"
LAST = ", best last score"
Solved = dict[str, NDArray[np.float64]]


def searches(n: int) -> dict[str, Pipeline]:
    """Particle filter, beam and DVTS at n, as they are named; the two searches also choosing as the filter does, by the best last score."""
    found = {
        PF: particle_filter(n, JUDGE, scheme=multinomial()),
        BEAM: beam_search(n, 4, JUDGE),
        DVTS: dvts(n, 4, JUDGE),
    }
    return found | {f"{name}{LAST}": Pipeline((*found[name].flat()[:-1], argmax())) for name in (BEAM, DVTS)}


@dataclass(frozen=True)
class Setting:
    """A reward model's errors.

    Attributes:
        name: what the tables say.
        noise, memory, hack, liked: as in `ponder.papers.sampling.analytic.Chains`.
    """

    name: str
    noise: float
    memory: float
    hack: float = 0.0
    liked: float = 0.0

    def run(self, n: int, size: int, seed: int, only: Sequence[str] = ()) -> Solved:
        """Which of so many problems each method solves with n particles or samples, by name; all methods or the named ones."""
        more = {"noise": self.noise, "memory": self.memory, "hack": self.hack, "liked": self.liked}
        asked = problems(SUCCESSES, size, seed, **more)
        wanted = {name: m for name, m in searches(n).items() if not only or name in only}
        return chosen(n, {name: c for name, c in CHOICES.items() if not only or name in only}, asked, seed) | solved(wanted, asked, seed)


PERSISTENT = Setting("errors that persist (sigma 2, AR .9)", 2.0, 0.9)
FRESH = Setting("fresh errors (sigma 1)", 1.0, 0.0)
HACKED = Setting("hack steps (2% a step, logit +2.5, sigma .7)", 0.7, 0.9, 0.02, 2.5)


def persistent_part(seeds: Sequence[int], size: int, ns: Sequence[int] = (4, 16, 64)) -> tuple[list[Check], list[Table], dict[str, Curve]]:
    """The claim of the card: with a persistently wrong reward model and N = 64 the filter beats beam and DVTS by .02 on every seed.

    It is tested twice. The searches as they are defined vote by score at the end (Snell et al. 2024; Beeching et al. 2024); the filter
    takes its best last score. In the second test all three take the best last score, so that only the search differs.
    """
    runs = {n: [PERSISTENT.run(n, size, seed) for seed in seeds] for n in ns}
    names = list(runs[ns[0]][0])
    pooled = {n: {name: np.concatenate([r[name] for r in runs[n]]) for name in names} for n in ns}
    table = Table(
        f"{PERSISTENT.name}: accuracy, {len(seeds)} x {size} problems",
        ("method", *(f"N={n}" for n in ns)),
        tuple((name, *(float(pooled[n][name].mean()) for n in ns)) for name in names),
    )
    gains = [
        (other, n, *(getattr(paired_bootstrap(pooled[n][PF], pooled[n][other]), end) for end in ("value", "low", "high")))
        for other in (BEAM, DVTS, f"{BEAM}{LAST}", f"{DVTS}{LAST}")
        for n in ns
    ]
    paired = Table("Accuracy of the particle filter less that of", ("method", "N", "difference", "low", "high"), tuple(gains))
    checks = [
        _claim("each choosing by its own rule", runs[ns[-1]], (BEAM, DVTS), ns[-1]),
        _claim("all choosing by the best last score", runs[ns[-1]], (f"{BEAM}{LAST}", f"{DVTS}{LAST}"), ns[-1]),
    ]
    return checks, [table, paired], {name: _curve([pooled[n][name] for n in ns], ns) for name in names if not name.endswith(LAST)}


def _claim(rule: str, runs: Sequence[Solved], others: Sequence[str], n: int) -> Check:
    least = [min(float(r[PF].mean() - r[other].mean()) for other in others) for r in runs]
    return Check(
        f"persistent errors, N={n}, {rule}: particle filter less the better of beam and DVTS, the smallest of {len(runs)} seeds",
        f"{min(least):.3f} (by seed {', '.join(f'{v:.3f}' for v in least)})",
        "at least .02",
        round(min(least), 9) >= 0.02,
    )


def _curve(grades: Sequence[NDArray[np.float64]], ns: Sequence[int]) -> Curve:
    table = np.stack(grades, axis=1)
    low, high = mean_ends(table, 1000, 0)
    return Curve(np.array(ns), table.mean(axis=0), low, high)


def fresh_part(seed: int, size: int) -> tuple[Check, Table]:
    """With fresh errors nothing tells the methods apart at N = 64: all three above .99."""
    runs = {n: FRESH.run(n, size, seed, (PF, BEAM, DVTS)) for n in (4, 64)}
    rows = tuple((name, *(float(runs[n][name].mean()) for n in (4, 64))) for name in (PF, BEAM, DVTS))
    worst = min(float(runs[64][name].mean()) for name in (PF, BEAM, DVTS))
    check = Check("fresh errors, N=64: the worst of particle filter, beam and DVTS", worst, "at least .99", worst >= 0.99, False)
    return check, Table(f"{FRESH.name}: accuracy, {size} problems", ("method", "N=4", "N=64"), rows)


def hacked_part(seed: int, size: int) -> tuple[list[Check], Table]:
    """The negative test: a step that the reward model likes too well drives filter and beam to nothing as N grows."""
    names = ("weighted best of N", BEAM, PF)
    runs = {n: HACKED.run(n, size, seed, names) for n in (4, 16, 64)}
    rows = tuple((name, *(float(runs[n][name].mean()) for n in runs)) for name in names)
    worst = max(float(runs[64][name].mean()) for name in (BEAM, PF))
    gain = float(runs[64][names[0]].mean() - runs[4][names[0]].mean())
    checks = [
        Check("reward hacking, N=64: the better of filter and beam", worst, "at most .04", worst <= 0.04, False),
        Check("reward hacking: weighted best of N at 64 less at 4", gain, "above 0", gain > 0, False),
    ]
    return checks, Table(f"{HACKED.name}: accuracy, {size} problems", ("method", "N=4", "N=16", "N=64"), rows)
