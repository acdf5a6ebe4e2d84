"""Landscapes of throughput over an engine's own settings, and the search for the best of them (arXiv 2408.01050)."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.stats import Interval
from ponder.core.errors import InputError, PonderError, did_you_mean
from ponder.core.seeds import generator
from ponder.lm.throughput import ThroughputSample, settings_text
from ponder.search.optimisers import OPTIMISERS, Told
from ponder.search.template import Choice

Settings = dict[str, Any]


class NoFeasibleConfig(PonderError):
    """Nothing that was tried could be measured; the message lists why."""


@dataclass(frozen=True)
class Setting:
    """One cell of a grid.

    Attributes:
        options: for each factor the number of its level.
        values: for each factor its level.
    """

    options: tuple[int | None, ...]
    values: Settings

    def __str__(self) -> str:
        return settings_text(self.values)


class ServingSpace:
    """A grid of settings, the last factor fastest.

    >>> len(ServingSpace({"threads": [1, 2], "group": [4, 16, 64]}, lambda s: s["group"] >= 4 * s["threads"]))
    5

    Args:
        factors: levels of each factor, in order where they have one.
        constraint: which settings make sense; all by default.

    Raises:
        InputError: a factor without levels, or nothing that makes sense.
    """

    def __init__(self, factors: Mapping[str, Sequence[Any]], constraint: Callable[[Settings], bool] | None = None) -> None:
        if not factors or any(len(set(levels)) < len(levels) or not levels for levels in factors.values()):
            raise InputError(f"every factor needs levels, all different; {dict(factors)!r:.80} was given")
        self.choices = tuple(Choice(name, tuple(map(str, levels))) for name, levels in factors.items())
        cells = [
            Setting(tuple(at), dict(zip(factors, values, strict=True)))
            for at, values in zip(
                itertools.product(*(range(len(levels)) for levels in factors.values())), itertools.product(*factors.values()), strict=True
            )
        ]
        self.cells = tuple(c for c in cells if constraint is None or constraint(c.values))
        if not self.cells:
            raise InputError("no setting meets the constraint")
        self.index = {c.options: i for i, c in enumerate(self.cells)}

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Setting]:
        return iter(self.cells)

    def __getitem__(self, index: int) -> Setting:
        return self.cells[index]

    def present(self, choice: int, options: tuple[int | None, ...]) -> bool:
        """Every factor is always there."""
        return True

    def neighbours(self, index: int) -> list[int]:
        """Cells that differ by one step of one factor."""
        at = self.cells[index].options
        found = []
        for i, level in enumerate(at):
            for step in (-1, 1):
                near = (*at[:i], (level or 0) + step, *at[i + 1 :])
                if near in self.index:
                    found.append(self.index[near])
        return found


@dataclass(frozen=True)
class Landscape:
    """What cells of a grid did; failed cells are cells too.

    Attributes:
        space: the grid.
        samples: number of a cell -> what was measured, in order of measurement.
        default: number of the cell that an engine uses by itself.
        drift: what the default cell did each time that it was measured again, tokens a second.
    """

    space: ServingSpace
    samples: Mapping[int, ThroughputSample]
    default: int = 0
    drift: tuple[float, ...] = ()

    def best(self) -> int:
        """The cell of the highest mean.

        Raises:
            NoFeasibleConfig: every cell failed.
        """
        good = {i: s.mean for i, s in self.samples.items() if not s.failed}
        if not good:
            told = "; ".join(f"{self.space[i]}: {reason}" for i, reason in list(self.failures().items())[:5])
            raise NoFeasibleConfig(f"none of the {len(self.samples)} settings could be measured: {told}")
        return max(good, key=lambda i: good[i])

    def failures(self) -> dict[int, str]:
        """Cells that failed, and why."""
        return {i: s.failed for i, s in self.samples.items() if s.failed}

    def unstable(self) -> list[int]:
        """Cells whose repeats differ by more than 20%."""
        return [i for i, s in self.samples.items() if s.unstable]

    def local_optima(self) -> list[int]:
        """Measured cells that are better than all their measured neighbours."""
        good = {i: s.mean for i, s in self.samples.items() if not s.failed}
        return [i for i in good if all(good[i] > good[j] for j in self.space.neighbours(i) if j in good)]

    def irregularity(self, factor: str) -> float:
        """Share of neighbouring pairs along a factor whose order goes against that factor's own trend by more than 2 standard errors.

        The trend is that of the means over all other factors between the two levels, made monotone in the direction of its ends.
        """
        names = [c.name for c in self.space.choices]
        if factor not in names:
            raise InputError(f"no factor is called {factor!r}; {did_you_mean(factor, names, f'there are {names}')}")
        at, good = names.index(factor), {i: s for i, s in self.samples.items() if not s.failed}
        levels = len(self.space.choices[at].options)
        means = [np.mean([s.mean for i, s in good.items() if self.space[i].options[at] == level] or [0.0]) for level in range(levels)]
        rising = means[-1] >= means[0]
        pairs = against = 0
        for i, sample in good.items():
            options = self.space[i].options
            j = self.space.index.get((*options[:at], (options[at] or 0) + 1, *options[at + 1 :]))
            if j in good:
                step = good[j].mean - sample.mean
                error = math.hypot(_error(sample), _error(good[j]))
                pairs += 1
                against += (step < -2 * error) if rising else (step > 2 * error)
        return against / pairs if pairs else 0.0

    def over_default(self, resamples: int = 2000, seed: int = 0) -> Interval:
        """The best cell's throughput over the default's, with a bootstrap interval over repeats.

        The best of noisy cells looks better than it is: measure it again and give that (`again`).
        """
        return ratio(self.samples[self.best()], self.samples[self.default], resamples, seed)

    def to_json(self) -> str:
        """All of it as JSON."""
        cells = [
            {**self.space[i].values, "rates": list(s.rates), "mean": s.mean, "failed": s.failed, "unstable": s.unstable}
            for i, s in self.samples.items()
        ]
        return json.dumps({"cells": cells, "default": str(self.space[self.default]), "drift": list(self.drift)}, indent=2)


def _error(sample: ThroughputSample) -> float:
    return 0.0 if math.isnan(sample.error) else sample.error


def ratio(a: ThroughputSample, b: ThroughputSample, resamples: int = 2000, seed: int = 0) -> Interval:
    """Throughput of a over that of b with a bootstrap interval over repeats."""
    if a.failed or b.failed:
        raise InputError(f"a ratio needs two samples that were measured: {a.failed or b.failed}")
    rng = generator(seed, ("throughput ratio",))
    x, y = np.array(a.rates), np.array(b.rates)
    draws = rng.choice(x, (resamples, len(x))).mean(axis=1) / rng.choice(y, (resamples, len(y))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(x.mean() / y.mean()), float(low), float(high))


Measure = Callable[[Settings], ThroughputSample]


def tune(
    space: ServingSpace,
    measure: Measure,
    optimiser: str = "tpe",
    evaluations: int | None = None,
    default: int = 0,
    null_every: int = 10,
    seed: int = 0,
    on_cell: Callable[[int, ThroughputSample], None] | None = None,
) -> Landscape:
    """Measure cells as an optimiser proposes them, the default first, and the default again every so often, which shows the drift.

    Args:
        measure: what a setting does; a failure is a sample, not an exception.
        optimiser: a name in `ponder.search.optimisers.OPTIMISERS`; "random" for a whole landscape.
        evaluations: the most cells; None is all of them.
        null_every: how many cells lie between measurements of the default; 0 for none.
        on_cell: called with each cell as it is measured.
    """
    if optimiser not in OPTIMISERS:
        raise InputError(f"no optimiser is called {optimiser!r}; {did_you_mean(optimiser, OPTIMISERS, f'there are {list(OPTIMISERS)}')}")
    samples: dict[int, ThroughputSample] = {}
    drift: list[float] = []

    def tried(index: int) -> ThroughputSample:
        if index not in samples:
            samples[index] = measure(space[index].values)
            if on_cell is not None:
                on_cell(index, samples[index])
        return samples[index]

    drift.append(tried(default).mean)
    proposals, most = OPTIMISERS[optimiser](space, seed, 1), min(len(space), evaluations or len(space))
    index = next(proposals)
    while True:
        sample = tried(index)
        if len(samples) >= most:
            break
        if null_every and len(samples) % null_every == 0:
            drift.append(measure(space[default].values).mean)
        try:
            index = proposals.send(Told((sample.mean,)))
        except StopIteration:
            break
    return Landscape(space, samples, default, tuple(drift))


def again(landscape: Landscape, measure: Measure, top: int = 3) -> Landscape:
    """The best few cells and the default measured afresh, so that luck is not reported as a gain; the others are left out."""
    good = sorted((i for i, s in landscape.samples.items() if not s.failed), key=lambda i: -landscape.samples[i].mean)[:top]
    fresh = {i: measure(landscape.space[i].values) for i in dict.fromkeys([*good, landscape.default])}
    return Landscape(landscape.space, fresh, landscape.default, landscape.drift)


def transfer_gain(old: Landscape, new: Landscape) -> float:
    """What tuning again gains on new hardware over keeping the old best: T_new(best of new) / T_new(best of old) - 1.

    At least 0, and 0 if the best is the same; infinite if the old best fails there.

    Raises:
        InputError: the new landscape has not measured the old best.
    """
    kept = new.samples.get(old.best())
    if kept is None:
        raise InputError(f"the new landscape has not measured {old.space[old.best()]}, the old one's best")
    return math.inf if kept.failed else new.samples[new.best()].mean / kept.mean - 1


def save(landscape: Landscape, path: Path) -> None:
    """Write a landscape as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(landscape.to_json(), encoding="utf-8")
