"""Pictures of probabilistic inference: genealogies of particle filters, ranks of chains, paths and rates of jump processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.core.errors import InputError, need


def genealogy_plot(particles: Any, path_stem: str | Path, title: str = "", seen: Any = None) -> tuple[Path, Path]:
    """Every particle of a filter at its value, joined to the one it was moved from; lineages that are left at the end are dark.

    Args:
        particles: the items of the filter's last population, of a state-space model with `history=True` and one number a state.
        path_stem: where to write; `.png` and `.svg` are added.
        title: above the figure.
        seen: the observations, drawn as crosses if they live on the same axis as the states.

    Returns:
        The PNG and the SVG file.

    Raises:
        InputError: no history was kept, or states of several numbers.
    """
    generations = particles.generations()
    if len(generations) < 2 or any(g.values.ndim > 1 for g in generations):
        raise InputError("a genealogy is drawn of a model with history=True, two observations or more, and one number a state")
    figure, axes = new_figure()
    lineages = particles.ancestors()
    for t in range(1, len(generations)):
        then, now = generations[t - 1], generations[t]
        alive = np.isin(np.arange(len(now)), lineages[:, t])
        for mask, colour, width, order in ((~alive, "#c8ccd0", 0.6, 1), (alive, COLOURS[0], 1.1, 2)):
            ends = np.stack([then.values[now.parents[mask]], now.values[mask]])
            axes.plot([t - 1, t], ends, color=colour, lw=width, zorder=order)
    if seen is not None:
        axes.plot(np.arange(len(seen)), seen, "x", color=COLOURS[1], ms=6, label="observed", zorder=3)
        axes.legend(frameon=False)
    axes.set_xlabel("observation")
    axes.set_ylabel("state")
    finish(axes, title or f"{len(particles)} particles; {len(np.unique(lineages[:, 0]))} of the first are ancestors of the last")
    return save(figure, Path(path_stem))


def rank_plot(posterior: Any, path_stem: str | Path, name: str | None = None, bins: int = 20) -> tuple[Path, Path]:
    """Ranks of each chain's draws among all draws (Vehtari et al. 2021), by ArviZ: flat where chains have mixed.

    Args:
        posterior: several chains of `ponder.prob`.
        path_stem: where to write; `.png` and `.svg` are added.
        name: of the variable; by default the first.
        bins: of the ranks.

    Raises:
        InputError: one chain only, or no variable of that name.
    """
    from ponder.prob.diagnostics import to_arviz, variables

    known = list(variables(posterior))
    chosen = known[0] if name is None else name
    if posterior.chains < 2 or chosen not in known:
        raise InputError(f"ranks are drawn of two chains or more and one of {known}, not of {posterior.chains} and {chosen!r}")
    figure, axes = new_figure()
    plot = need("arviz", "prob").plot_rank
    plot(to_arviz(posterior), var_names=[chosen], kind="vlines", bins=bins, ax=axes, show=False)
    finish(axes, f"Ranks of {chosen} in {posterior.chains} chains")
    return save(figure, Path(path_stem))


def rates_plot(
    truth: np.ndarray, estimates: dict[str, np.ndarray], path_stem: str | Path, title: str = "", sd: dict[str, np.ndarray] | None = None
) -> tuple[Path, Path]:
    """Estimated rates of a jump process against the true ones, off the diagonal; on the line they are right.

    Args:
        truth: shape (n, n).
        estimates: by name, shape (n, n) each.
        path_stem: where to write; `.png` and `.svg` are added.
        title: above the figure.
        sd: standard deviations of some of the estimates, drawn as bars of 1.645 of them on both sides (90 %).

    Returns:
        The PNG and the SVG file.
    """
    figure, axes = new_figure()
    off = ~np.eye(len(truth), dtype=bool)
    top = max(float(e[off].max()) for e in (truth, *estimates.values())) * 1.05
    axes.plot([0, top], [0, top], color="#888888", lw=1)
    for i, (name, found) in enumerate(estimates.items()):
        bars = None if sd is None or name not in sd else 1.645 * sd[name][off]
        shift = (i - (len(estimates) - 1) / 2) * top / 120  # equal rates side by side
        axes.errorbar(truth[off] + shift, found[off], yerr=bars, fmt="os^Dv"[i % 5], color=COLOURS[i], ms=4.5, lw=0.8, label=name)
    axes.set_xlabel("true rate")
    axes.set_ylabel("estimated rate")
    axes.legend(frameon=False)
    finish(axes, title)
    return save(figure, Path(path_stem))
