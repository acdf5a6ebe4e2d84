"""Reproduction: the impact of hyperparameters on inference performance (Martinez 2024, arXiv 2408.01050)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ponder.bench.batching import exponential_share, geometric_longest, geometric_share, linear_step, simulate
from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.bench.stats import Interval
from ponder.core.language import LM, Request, Sampling
from ponder.core.seeds import derive, generator
from ponder.lm.embedded import Embedded, Scheduling
from ponder.lm.load import DEFAULT
from ponder.lm.throughput import ThroughputSample, measure, workload
from ponder.papers.real_model import is_here, without_it
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.pull import fetch
from ponder.search.serving import Landscape, ServingSpace, Settings, again, ratio, transfer_gain, tune

SLUG = "inference-hyperparameters"
TITLE = "The Impact of Hyperparameters on Large Language Model Inference Performance: An Evaluation of vLLM and HuggingFace Pipelines"
CLAIM = (
    "Throughput over batch size and number of GPUs has isolated peaks and no setting that is best for all models; tuning again after a "
    "change of GPU gains 9.16% on an upgrade and 13.7% on a downgrade on average."
)
BATCHES = (2, 4, 8, 16, 32)
PUBLISHED = {
    "exponential": (0.667, 0.480, 0.368, 0.296, 0.246),
    "geometric, mean 64": (0.668, 0.482, 0.370, 0.297, 0.248),
    "longest of geometric": (95.75, 132.79, 173.08, 215.17, 258.21),
}
NOTES = (
    "Throughput is generated tokens a second of processor time on one thread, which a busy machine leaves nearly alone.",
    "The change of hardware is a change of arithmetic: the engine's 8-bit default against float32, the same weights.",
    "Static batches are the same engine handed 8 prompts at a time, where completions end at their first full stop.",
    "Best cells are measured afresh before a gain is told.",
)
UNTESTED = (
    "the 9.16% and 13.7% themselves, which need two kinds of GPU, the 20 models and vLLM; threads and wall-clock time, which a shared "
    "machine cannot show."
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Batching in closed form and simulated, and the embedded engine's own landscape under two arithmetics.

    Args:
        quick: 3 cells of 8 prompts and 8 tokens, twice, under one arithmetic, instead of 10 cells of 24 prompts and 16 tokens, three times,
            under two.
        seed: of workloads and draws.
        out: a folder for the figure, throughput against sequences side by side.
    """
    checks, tables, figures = exact_checks(4000 if quick else 40_000, seed), [simulated_table(seed)], []
    here = is_here() or not quick
    if here:
        size = (
            Size(8, 8, 2, {"sequences": [1, 4, 16]}, ("8-bit",))
            if quick
            else Size(24, 16, 3, {"sequences": [256, 1, 2, 4, 8], "batched_tokens": [2048, 64]})
        )
        found = Engines.measured(size, seed)
        checks += found.checks(seed)
        tables += found.tables()
        checks.append(batching_check(8 if quick else 16, seed))
        figures = [found.figure(out)] if out is not None else []
    else:
        share = geometric_share(8, 64)
        checks.append(Check("static batches of 8, geometric lengths: share of slots that work", share, "below .5", share < 0.5))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED if here else without_it(UNTESTED),
        tables=tuple(tables),
        figures=tuple(figures),
        notes=NOTES,
    )


def exact_checks(n: int, seed: int) -> list[Check]:
    """Shares of static batches in closed form and simulated; continuous batching's; B / (a + c B)."""
    shares = {
        "exponential": [exponential_share(b) for b in BATCHES],
        "geometric, mean 64": [geometric_share(b, 64) for b in BATCHES],
        "longest of geometric": [geometric_longest(b, 64) for b in BATCHES],
    }
    checks = []
    for name, values in shares.items():
        off = max(abs(round(v, 2 if v > 1 else 3) - p) for v, p in zip(values, PUBLISHED[name], strict=True))
        checks.append(
            Check(f"{name}, batches of {', '.join(map(str, BATCHES))}: largest difference", off, "0 to the digits given", off < 1e-9, False)
        )
    lengths = generator(seed, ("lengths",)).geometric(1 / 64, n)
    static = simulate(lengths, 8, batching="static").share
    continuous = simulate(lengths, 8).share
    error = 4 * 0.6 / np.sqrt(n / 8)
    checks += [
        Check(
            f"simulated static share of batches of 8, {n:,} geometric lengths",
            static,
            ".370 within 4 s.e.",
            abs(static / 0.37 - 1) < error,
            False,
        ),
        Check("simulated continuous share of the same", continuous, "above .98", continuous > 0.98, False),
    ]
    rates = [simulate([40] * b, b, linear_step(1.0, 0.1), "static").throughput for b in BATCHES]
    off = max(abs(r - b / (1 + 0.1 * b)) for r, b in zip(rates, BATCHES, strict=True))
    return [*checks, Check("equal lengths: throughput against B / (a + c B), largest difference", off, "0", off < 1e-9, False)]


def simulated_table(seed: int) -> Table:
    """Static against continuous on the same queue, with a step of 1 + .02 a row."""
    lengths, step = generator(seed, ("queue",)).geometric(1 / 64, 2000), linear_step(1.0, 0.02)
    rows = []
    for b in BATCHES:
        static, continuous = (simulate(lengths, b, step, kind) for kind in ("static", "continuous"))
        rows.append((b, static.share, continuous.share, continuous.throughput / static.throughput))
    return Table(
        "Simulated: 2,000 geometric lengths of mean 64", ("slots", "static share", "continuous share", "throughput gain"), tuple(rows)
    )


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    prompts: int
    tokens: int
    repeats: int
    factors: dict[str, list[int]]
    arithmetics: tuple[str, ...] = ("8-bit", "float32")


@dataclass(frozen=True)
class Engines:
    """Landscapes of one grid under two arithmetics, and the best cells measured afresh."""

    landscapes: dict[str, Landscape]
    fresh: dict[str, Landscape]

    @classmethod
    def measured(cls, size: Size, seed: int) -> Engines:
        """Every cell of the grid, in random order, the default again every five cells."""
        space, batch, sampling = ServingSpace(size.factors), workload(size.prompts, 24, seed), Sampling(1.0, size.tokens)
        path = fetch(DEFAULT)
        landscapes, fresh = {}, {}
        for name in size.arithmetics:

            def timed(settings: Settings, exact: bool = name == "float32") -> ThroughputSample:
                def make() -> LM:
                    return Embedded(path, exact=exact, scheduling=Scheduling(threads=1, **settings))

                return measure(make, batch, sampling, size.repeats, clock=time.process_time)

            landscapes[name] = tune(space, timed, "random", null_every=5, seed=seed)
            fresh[name] = again(landscapes[name], timed, top=1)
        return cls(landscapes, fresh)

    def transfer(self, old: str, new: str, resamples: int = 2000, seed: int = 0) -> Interval:
        """The gain of tuning again, with a bootstrap interval over repeats of the two cells."""
        best, kept = (self.landscapes[new].samples[self.landscapes[n].best()] for n in (new, old))
        gain = ratio(best, kept, resamples, seed)
        assert abs(gain.value - 1 - transfer_gain(self.landscapes[old], self.landscapes[new])) < 1e-9
        return Interval(gain.value - 1, gain.low - 1, gain.high - 1)

    def checks(self, seed: int) -> list[Check]:
        """The card's (a), (b) and (d)."""
        fresh = self.fresh["8-bit"]
        best, default = fresh.samples[fresh.best()], fresh.samples[fresh.default]
        gain = ratio(best, default, seed=seed)
        error = gain.value * float(np.hypot(best.error / best.mean, default.error / default.mean))
        shape = self._shape("8-bit")
        drift = [d for d in self.landscapes["8-bit"].drift if d]
        return [
            Check("best over default, measured afresh", f"{gain} (s.e. {error:.3f})", "above 1 + 3 s.e.", gain.value > 1 + 3 * error),
            Check("throughput against sequences side by side", shape, "non-monotone or saturating", shape != "rising"),
            *self._transfers(seed),
            Check(
                "drift of the default cell", f"{(max(drift) - min(drift)) / max(drift):.0%}", "reported (above 10% is flagged)", True, False
            ),
        ]

    def _transfers(self, seed: int) -> list[Check]:
        """The card's (d), if there are two arithmetics."""
        if len(self.landscapes) < 2:
            return []
        a, b = self.landscapes
        top = max((self.transfer(a, b, seed=seed), self.transfer(b, a, seed=seed)), key=lambda g: g.value)
        passed = top.value > 0.05 and top.low > 0
        return [Check("gain of tuning again after a change of arithmetic, the larger", str(top), "above .05, interval above 0", passed)]

    def _shape(self, name: str) -> str:
        """Throughput by sequences side by side, the best over other factors: what rises and falls by more than 2 standard errors."""
        landscape, by = self.landscapes[name], dict[int, ThroughputSample]()
        for i, s in landscape.samples.items():
            n = landscape.space[i].values["sequences"]
            by[n] = max(by.get(n, s), s, key=lambda sample: sample.mean)
        curve = [by[n] for n in sorted(by)]
        steps = [(b.mean - a.mean, 2 * float(np.hypot(a.error, b.error))) for a, b in pairwise(curve)]
        if any(step < -error for step, error in steps):
            return "non-monotone"
        return "saturating" if steps[-1][0] < steps[-1][1] else "rising"

    def tables(self) -> list[Table]:
        """Every cell."""
        rows = [
            (name, str(landscape.space[i]), s.mean, s.error, s.failed or ("unstable" if s.unstable else ""))
            for name, landscape in self.landscapes.items()
            for i, s in sorted(landscape.samples.items())
        ]
        summary = [
            (
                name,
                str(o.space[o.best()]),
                "; ".join(str(o.space[i]) for i in o.local_optima()),
                o.irregularity("sequences"),
                len(o.failures()),
            )
            for name, o in self.landscapes.items()
        ]
        return [
            Table("The embedded engine, tokens a processor second", ("arithmetic", "setting", "tokens/s", "s.e.", ""), tuple(rows)),
            Table("Landscapes", ("arithmetic", "best", "local optima", "irregular along sequences", "failed"), tuple(summary)),
        ]

    def figure(self, out: Path) -> Path:
        """Throughput against sequences side by side; the SVG's path."""
        figure, axes = new_figure()
        for k, (name, landscape) in enumerate(self.landscapes.items()):
            others = sorted({tuple(v for n, v in c.values.items() if n != "sequences") for c in landscape.space})
            for j, rest in enumerate(others):
                cells = sorted(
                    (c.values["sequences"], landscape.samples[i].mean, landscape.samples[i].error)
                    for i, c in enumerate(landscape.space)
                    if tuple(v for n, v in c.values.items() if n != "sequences") == rest
                )
                x, y, error = (np.array(v) for v in zip(*cells, strict=True))
                label = name + (f", {rest[0]} batched tokens" if rest else "")
                axes.errorbar(x, y, yerr=error, marker=MARKERS[j], color=COLOURS[k], ls=("-", "--")[j % 2], capsize=2, label=label)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("sequences side by side")
        axes.set_ylabel("tokens a processor second")
        axes.legend(frameon=False)
        finish(axes, "Throughput of the embedded engine, one thread")
        return save(figure, out / "throughput")[1]


def batching_check(slots: int, seed: int, queue: int = 4) -> Check:
    """The same queue of `queue` times `slots` prompts, handed over at once and batch by batch; completions end at a full stop."""
    prompts = workload(queue * slots, 8, seed + 1)
    sampling = Sampling(1.0, 48, stop=(".",))
    engine = Embedded(fetch(DEFAULT), scheduling=Scheduling(threads=1, sequences=slots))
    try:
        engine.generate(prompts[:2], sampling)
        continuous = _rate(engine, [prompts], sampling, seed)
        static = _rate(engine, [prompts[i : i + slots] for i in range(0, len(prompts), slots)], sampling, seed + 1)
    finally:
        engine.close()
    name = f"continuous over static batches of {slots}, {len(prompts)} prompts: tokens a processor second"
    return Check(name, continuous / static, "above 1.3", continuous / static > 1.3)


def _rate(engine: Embedded, batches: Sequence[Sequence[Request]], sampling: Sampling, seed: int) -> float:
    began, tokens = time.process_time(), 0
    for batch in batches:
        fresh = [replace(r, seed=derive(r.seed, (seed,))) for r in batch]
        tokens += sum(reply.tokens_out for reply in engine.generate(fresh, sampling))
    return tokens / (time.process_time() - began)
