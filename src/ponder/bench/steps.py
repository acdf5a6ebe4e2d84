"""Tables of step-aware metrics: by length class, by task, against the number of steps (ProcBench, arXiv 2410.03117).

The metrics themselves, and when two states are one, are in `ponder.core.steps`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.bench.stats import Curve, Interval, bootstrap
from ponder.core.errors import InputError
from ponder.core.steps import Steps, final_match, parse_steps, prefix_accuracy, prefix_match_length, sequential_match
from ponder.tasks.base import Task

LENGTH_CLASSES = {"short": (2, 6), "medium": (7, 16), "long": (17, 25)}
"""The published classes: the fewest and the most steps."""
Metric = Literal["sm", "fm", "pa", "pml"]


@dataclass(frozen=True)
class Graded:
    """One answer beside the right run.

    Attributes:
        task: which procedure, "task01" to "task23".
        k: steps of the right run.
        pml, pa, sm, fm: prefix match length, prefix accuracy, sequential match, final match.
        read: whether the answer could be read; if not, all metrics are 0.
    """

    task: str
    k: int
    pml: int
    pa: float
    sm: float
    fm: float
    read: bool = True

    @property
    def zero_pml(self) -> bool:
        """Whether not even the first state is right."""
        return self.pml == 0


@dataclass(frozen=True)
class Summary:
    """Means over answers with 95% intervals.

    Attributes:
        name: of the class or the task.
        n: answers.
        sm, fm, pa: means of the metrics.
        zero_pml: share of answers whose first state is wrong.
        parse_failures: answers that could not be read.
    """

    name: str
    n: int
    sm: Interval
    fm: Interval
    pa: Interval
    zero_pml: float
    parse_failures: int


def grade(right: Steps, given: Steps | None, task: str = "") -> Graded:
    """All metrics of one answer; None is an answer that could not be read."""
    return Graded(
        task,
        len(right.states),
        prefix_match_length(right, given),
        prefix_accuracy(right, given),
        sequential_match(right, given),
        final_match(right, given),
        given is not None,
    )


def grade_texts(task: Task, texts: Sequence[str], extract: Callable[[str], Steps | None] = parse_steps) -> list[Graded]:
    """Grade what a model wrote on each problem of a task such as `load("procbench")`.

    Args:
        task: its gold answers are runs as JSON, and its problems say which procedure they are of.
        texts: one a problem, in the task's order.
        extract: how steps are read off a text: strict JSON, or a function of your own (a second model, for example).

    Raises:
        InputError: there are not as many texts as problems.
    """
    if len(texts) != len(task.problems):
        raise InputError(f"{task.name} has {len(task.problems)} problems, and {len(texts)} texts were given")
    rights = [Steps.of(json.loads(task.gold(problem))) for problem in task.problems]
    names = [problem.data.get("task", "") for problem in task.problems]
    return [grade(right, extract(text), name) for right, text, name in zip(rights, texts, names, strict=True)]


def length_class(k: int) -> str:
    """ "short", "medium" or "long".

    Raises:
        InputError: runs have 2 to 25 steps.
    """
    for name, (low, high) in LENGTH_CLASSES.items():
        if low <= k <= high:
            return name
    raise InputError(f"runs of ProcBench have 2 to 25 steps, not {k}")


def by_class(graded: Sequence[Graded], seed: int = 0) -> list[Summary]:
    """A summary of each length class that there are answers of, and of all; `seed` is of the intervals' bootstrap."""
    parts = [(name, [g for g in graded if length_class(g.k) == name]) for name in LENGTH_CLASSES]
    return [_summary(name, rows, seed) for name, rows in (*parts, ("all", list(graded))) if rows]


def by_task(graded: Sequence[Graded], seed: int = 0) -> list[Summary]:
    """A summary of each task."""
    return [_summary(name, [g for g in graded if g.task == name], seed) for name in sorted({g.task for g in graded})]


def _summary(name: str, rows: Sequence[Graded], seed: int) -> Summary:
    sm, fm, pa = (bootstrap([getattr(g, metric) for g in rows], seed=seed) for metric in ("sm", "fm", "pa"))
    return Summary(name, len(rows), sm, fm, pa, float(np.mean([g.zero_pml for g in rows])), sum(not g.read for g in rows))


def against_steps(graded: Iterable[Graded], metric: Metric, seed: int = 0) -> Curve:
    """The mean of a metric against the number of steps, with 95% intervals."""
    groups: dict[int, list[float]] = {}
    for g in graded:
        groups.setdefault(g.k, []).append(float(getattr(g, metric)))
    if not groups:
        raise InputError("there are no answers to draw a curve of")
    ks = sorted(groups)
    means = [bootstrap(groups[k], seed=seed) for k in ks]
    values, low, high = (np.array([getattr(m, end) for m in means]) for end in ("value", "low", "high"))
    return Curve(np.array(ks), values, low, high)


def steps_plot(curves: Mapping[str, Curve], path_stem: str | Path, title: str = "", line: int | None = None) -> tuple[Path, Path]:
    """Draw shares against the number of steps, with their intervals.

    Args:
        curves: at least one, by name, as `against_steps` gives them.
        path_stem: where to write; `.png` and `.svg` are added.
        title: above the figure.
        line: a number of steps to mark, such as the most that were trained on.

    Returns:
        The PNG and the SVG file.
    """
    if not curves:
        raise InputError("there are no curves to draw")
    figure, axes = new_figure()
    for i, (name, curve) in enumerate(curves.items()):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axes.fill_between(curve.ks, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        axes.plot(curve.ks, curve.values, color=colour, marker=marker, ms=4, lw=1.6, label=name)
    if line is not None:
        axes.axvline(line, color="#888888", ls="--", lw=1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("steps of the procedure, k")
    axes.set_ylabel("mean (95% interval)")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    finish(axes, title)
    return save(figure, Path(path_stem))


def expected_after_errors(rate: float, k: int) -> tuple[float, float]:
    """Expected SM and PA of a run of k steps that errs at each step with probability `rate` and never recovers: (1-e)^k and
    (1-e)(1-(1-e)^k)/(e k), as PML has the mean sum_{j=1..k} (1-e)^j.

    Raises:
        InputError: unless 0 <= rate <= 1 and k is at least 1.
    """
    if not 0 <= rate <= 1 or k < 1:
        raise InputError(f"a rate in [0, 1] and at least 1 step are needed, not {rate} and {k}")
    right = (1.0 - rate) ** np.arange(1, k + 1)
    return float(right[-1]), float(right.mean())
