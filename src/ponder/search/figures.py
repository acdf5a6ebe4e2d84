"""Three pictures of a search: accuracy against cost, the best so far, what each choice matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.search.searching import Found

GREY, FAINT = "#888888", "#9fb8c8"


def front_figure(found: Found, stem: Path, unit: str) -> tuple[Path, Path]:
    """Every trial's accuracy against its cost, with the front and the winner."""
    figure, axes = new_figure()
    for complete, fill, label in ((False, "white", "given up early"), (True, FAINT, "seen on all questions")):
        some = [t for t in found.trials if t.complete is complete]
        if some:
            axes.scatter([t.cost for t in some], [t.score for t in some], s=26, color=fill, edgecolors=COLOURS[0], label=label, zorder=3)
    front = found.front
    axes.plot([t.cost for t in front], [t.score for t in front], drawstyle="steps-post", color=GREY, lw=1.5, label="front")
    if found.best is not None:
        axes.scatter([found.best.cost], [found.best.score], s=90, marker="*", color=COLOURS[1], label="winner", zorder=4)
    if all(t.cost > 0 for t in found.trials):
        axes.set_xscale("log")
    axes.set_xlabel(f"{unit} per question")
    axes.set_ylabel("accuracy on the search's questions")
    axes.legend(frameon=False)
    finish(axes, f"{len(found.trials)} of {found.size} configurations")
    return save(figure, stem)


def history_figure(found: Found, stem: Path) -> tuple[Path, Path]:
    """Scores in the order of the trials and the best so far."""
    figure, axes = new_figure()
    at = np.arange(1, len(found.trials) + 1)
    axes.scatter(at, [t.score for t in found.trials], s=16, color=FAINT, label="trial")
    axes.step(at, found.best_so_far(), where="post", color=COLOURS[0], lw=1.8, label="best so far")
    axes.set_xlabel("configurations tried")
    axes.set_ylabel("accuracy on the search's questions")
    axes.legend(frameon=False, loc="lower right")
    finish(axes, "History")
    return save(figure, stem)


def importance_figure(found: Found, stem: Path) -> tuple[Path, Path]:
    """Share of the variance of scores that each choice explains."""
    figure, axes = new_figure()
    ranked = sorted(found.importance().items(), key=lambda pair: pair[1])
    axes.barh([name for name, _ in ranked], [share for _, share in ranked], color=COLOURS[0])
    axes.set_xlabel("share of the variance of scores")
    axes.set_xlim(0, 1)
    finish(axes, "Importance of each choice")
    return save(figure, stem)
