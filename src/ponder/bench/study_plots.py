"""The figure of a study: every level of every axis, all other axes averaged over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ponder.bench.effects import Effect
from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.core.errors import InputError

_LONGEST = 34


def effects_plot(effects: Sequence[Effect], path_stem: str | Path, title: str = "") -> tuple[Path, Path]:
    """Draw accuracy by level, an axis in one colour, with intervals; what differs from the axis's first level after correction is filled.

    Returns:
        The PNG and the SVG file.
    """
    if not effects:
        raise InputError("there are no effects to draw")
    figure, axes = new_figure()
    figure.set_figheight(max(3.0, 0.34 * len(effects) + 1.4))
    names = list(dict.fromkeys(e.axis for e in effects))
    places, labels = [], []
    for y, effect in enumerate(effects):
        at, colour = names.index(effect.axis), COLOURS[names.index(effect.axis) % len(COLOURS)]
        place = -(y + 0.6 * at)
        filled = effect.p_holm < 0.05
        axes.errorbar(
            effect.mean.value,
            place,
            xerr=[[effect.mean.value - effect.mean.low], [effect.mean.high - effect.mean.value]],
            fmt=MARKERS[at % len(MARKERS)],
            color=colour,
            markerfacecolor=colour if filled else "white",
            capsize=2.5,
            ms=6,
        )
        level = effect.level if len(effect.level) <= _LONGEST else effect.level[: _LONGEST - 1] + "…"
        places.append(place)
        labels.append(f"{effect.axis}: {level}")
    axes.set_yticks(places, labels)
    axes.set_xlabel("accuracy, other settings averaged over (95% interval)")
    finish(axes, title)
    return save(figure, Path(path_stem))
