"""Figures of a comparison: accuracy against tokens with the Pareto front, coverage against samples. PNG and SVG, always the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.scaling import PowerLaw
from ponder.bench.stats import Curve, pareto
from ponder.core.errors import InputError, need

# Distinct for readers with colour vision deficiencies (Okabe & Ito 2008), black last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE = {
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "axes.axisbelow": True,
    "svg.hashsalt": "ponder",
    "svg.fonttype": "path",
}
_OFFSETS = [(8, 6), (8, -12), (-8, 6), (-8, -12), (0, 12), (0, -18), (8, 18), (8, -24), (-8, 18), (-8, -24), (0, 28), (0, -34)]


@dataclass(frozen=True)
class Point:
    """One method's result.

    Attributes:
        name: what the label says.
        tokens: mean tokens a question, above 0.
        accuracy, low, high: mean accuracy and its interval, in [0, 1].
    """

    name: str
    tokens: float
    accuracy: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.tokens) and self.tokens > 0 and 0 <= self.low <= self.accuracy <= self.high <= 1):
            raise InputError(f"a point needs tokens above 0 and 0 <= low <= accuracy <= high <= 1, not {self!r}")


def accuracy_against_tokens(points: Sequence[Point], path_stem: str | Path, title: str = "") -> tuple[Path, Path]:
    """Draw every method's accuracy against its tokens a question, intervals and Pareto front included.

    Args:
        points: at least one.
        path_stem: where to write; `.png` and `.svg` are added.
        title: above the figure.

    Returns:
        The two files.
    """
    if not points:
        raise InputError("there are no points to draw")
    figure, axes = new_figure()
    front = pareto([p.tokens for p in points], [p.accuracy for p in points])
    best = [points[i] for i in front]
    axes.plot(
        [p.tokens for p in best], [p.accuracy for p in best], drawstyle="steps-post", color="#888888", lw=1.5, label="best at this cost"
    )
    for i, p in enumerate(points):
        on_front = i in front
        axes.errorbar(
            p.tokens,
            p.accuracy,
            yerr=[[p.accuracy - p.low], [p.high - p.accuracy]],
            fmt=MARKERS[0],
            color=COLOURS[0],
            markerfacecolor=COLOURS[0] if on_front else "white",
            ecolor="#9fb8c8",
            capsize=2.5,
            ms=6.5,
            zorder=3,
        )
    axes.set_xscale("log")
    _log_axis(axes.xaxis)
    axes.margins(x=0.12, y=0.1)
    axes.set_xlabel("tokens per question (prompt and generated)")
    axes.set_ylabel("accuracy (95% interval)")
    axes.legend(frameon=False, loc="lower right")
    finish(axes, title)
    _place_labels(figure, axes, points)
    return save(figure, Path(path_stem))


def coverage_plot(
    curves: Mapping[str, Curve],
    path_stem: str | Path,
    fits: Mapping[str, PowerLaw] | None = None,
    title: str = "",
    ylabel: str = "coverage",
) -> tuple[Path, Path]:
    """Draw curves against the number of samples, with their intervals; `fits` of the same names are dashed.

    Returns:
        The PNG and the SVG file.
    """
    if not curves or set(fits or ()) - set(curves):
        raise InputError(f"there must be curves to draw, and a curve for every fit; {list(curves)} and {list(fits or ())} were given")
    figure, axes = new_figure()
    for i, (name, curve) in enumerate(curves.items()):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axes.fill_between(curve.ks, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        axes.plot(curve.ks, curve.values, color=colour, marker=marker, ms=4, lw=1.6, label=name)
        if fits and name in fits:
            grid = np.geomspace(curve.ks.min(), curve.ks.max(), 200)
            law = fits[name]
            axes.plot(grid, law.predict(grid), "--", color=colour, lw=1.2, label=f"exp({law.a:.2f} k^{law.b:.2f})")
    axes.set_xscale("log")
    _log_axis(axes.xaxis)
    axes.set_ylim(min(0.0, *(float(np.min(curve.low)) for curve in curves.values())), 1.02)
    axes.set_xlabel("samples per problem, k")
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    finish(axes, title)
    return save(figure, Path(path_stem))


def new_figure() -> tuple[Any, Any]:
    """A figure of its own canvas: no global state, no window, safe in threads."""
    matplotlib = need("matplotlib", "bench")
    with matplotlib.rc_context(STYLE):
        figure = need("matplotlib.figure", "bench").Figure(figsize=(7.5, 4.6), layout="constrained")
        need("matplotlib.backends.backend_agg", "bench").FigureCanvasAgg(figure)
        return figure, figure.subplots()


def _log_axis(axis: Any) -> None:
    """Plain numbers at 1, 2, 5 of every decade (1k, 1M) where they fit, instead of powers of ten."""
    ticker = need("matplotlib.ticker", "bench")
    low, high = axis.get_view_interval()
    wide = high / low > 300
    axis.set_major_locator(ticker.LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(ticker.EngFormatter(sep=""))
    axis.set_minor_formatter(ticker.NullFormatter())


def finish(axes: Any, title: str) -> None:
    """Put the title, if there is one, where all plots have it."""
    if title:
        axes.set_title(title, loc="left", fontweight="bold", fontsize=11)


def _place_labels(figure: Any, axes: Any, points: Sequence[Point]) -> None:
    """A label a point, at the offset where it covers the fewest labels, markers and bars, near ones first."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    transform, bounds = need("matplotlib.transforms", "bench"), axes.get_window_extent(renderer)
    centres = axes.transData.transform([(p.tokens, p.accuracy) for p in points])
    taken = [transform.Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in centres]
    bars = [axes.transData.transform([(p.tokens, p.low), (p.tokens, p.high)]) for p in points]
    crossed = [transform.Bbox.from_extents(low[0] - 3, low[1], high[0] + 3, high[1]) for low, high in bars]
    halo = need("matplotlib.patheffects", "bench").withStroke(linewidth=3, foreground="white")
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent(renderer))
    for p in sorted(points, key=lambda p: (p.tokens, -p.accuracy)):
        label = axes.annotate(
            p.name, (p.tokens, p.accuracy), xytext=_OFFSETS[0], textcoords="offset points", fontsize=9, zorder=4, annotation_clip=False
        )
        label.set_in_layout(False)
        label.set_path_effects([halo])
        costs = []
        for far, offset in enumerate(_OFFSETS):
            _move(label, offset)
            box = label.get_window_extent(renderer)
            outside = not (bounds.x0 <= box.x0 and box.x1 <= bounds.x1 and bounds.y0 <= box.y0 and box.y1 <= bounds.y1)
            covered = sum(box.overlaps(other) for other in taken) + 0.3 * sum(box.overlaps(bar) for bar in crossed)
            costs.append(10 * outside + covered + 0.08 * far)
        _move(label, _OFFSETS[int(np.argmin(costs))])
        taken.append(label.get_window_extent(renderer))


def _move(label: Any, offset: tuple[float, float]) -> None:
    label.set_position(offset)
    label.set_ha({-1: "right", 0: "center", 1: "left"}[int(np.sign(offset[0]))])


def save(figure: Any, stem: Path) -> tuple[Path, Path]:
    """Write the figure as PNG and SVG, byte for byte the same each time; both files."""
    matplotlib = need("matplotlib", "bench")
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = (stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg"))
    with matplotlib.rc_context(STYLE):
        figure.savefig(files[0], dpi=160, metadata={"Software": None})
        figure.savefig(files[1], metadata={"Date": None, "Creator": None})
    return files
