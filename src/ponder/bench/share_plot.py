"""A figure of shares with intervals: one row of points for each group, over named places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.bench.stats import Interval
from ponder.core.errors import InputError


def shares_plot(
    groups: Mapping[str, Sequence[Interval]],
    places: Sequence[str],
    path_stem: str | Path,
    title: str = "",
    ylabel: str = "share (95% interval)",
    line: float | None = None,
) -> tuple[Path, Path]:
    """Draw shares in [0, 1] side by side.

    Args:
        groups: name -> one share a place.
        places: what stands below the axis.
        path_stem: where to write; `.png` and `.svg` are added.
        title: above the figure.
        ylabel: beside the axis.
        line: a share to compare with, such as guessing.

    Returns:
        The two files.

    Raises:
        InputError: no groups, or one with another number of shares than there are places.
    """
    if not groups or not places or any(len(shares) != len(places) for shares in groups.values()):
        raise InputError(f"shares to draw must be one for each of {list(places)}; given were { {k: len(v) for k, v in groups.items()} }")
    figure, axes = new_figure()
    width = 0.7 / len(groups)
    for i, (name, shares) in enumerate(groups.items()):
        at = [x + (i - (len(groups) - 1) / 2) * width for x in range(len(places))]
        values = [s.value for s in shares]
        bars = [[s.value - s.low for s in shares], [s.high - s.value for s in shares]]
        axes.errorbar(
            at, values, yerr=bars, fmt=MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)], ms=6, capsize=3, lw=1.4, label=name
        )
    if line is not None:
        axes.axhline(line, color="#888888", ls="--", lw=1)
    axes.set_xticks(range(len(places)), places)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    finish(axes, title)
    return save(figure, Path(path_stem))
