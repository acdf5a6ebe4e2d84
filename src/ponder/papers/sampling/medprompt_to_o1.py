"""Reproduction: from Medprompt to o1 (Nori et al. 2024, arXiv 2411.03590): what shuffling options does to a liking for a letter."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, MARKERS, finish, new_figure, save
from ponder.bench.stats import pareto
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.methods.medprompt import Bank
from ponder.papers.report import Check, Report, reproduction
from ponder.papers.sampling.medprompt_bias import (
    LETTERS,
    Asked,
    Floats,
    Measured,
    bias_checks,
    bias_table,
    conditions,
    hunt,
    letter_shares,
    mean_single,
    questions,
    real_letters,
)
from ponder.pull import home
from ponder.stages.choices import orders

SLUG = "medprompt-to-o1"
TITLE = "From Medprompt to o1: Exploration of Run-Time Strategies for Medical Challenge Problems and Beyond"
CLAIM = (
    "A model that reasons by itself needs little steering: o1-preview without any strategy reaches 96% on MedQA, GPT-4 with the full "
    "Medprompt ensemble 90.2%, and few-shot examples make the reasoning model worse; ensembles still help, at their cost."
)
HUNT = "0123 1032 1302 3120 3210 2301 2031 0213"
UNTESTED = (
    "nearest-neighbour shots with self-written reasoning against random ones, and few shots that hurt a model that reasons by itself: both "
    "need organisms trained with shots in context; MedQA, which a small model knows nothing of."
)
NOTES = (
    "Probabilities of the four letters after 'Answer:' are added up over orders; nothing is written.",
    "The made scorer prefers places by logits of 1, .4, 0, -.6 and knows the right option by .5 with noise of .8 a question and option.",
    "Real questions: iris petals and wines of scikit-learn's tables, and kinds of words; right options stand in every place equally often.",
)
PLACES, KNOWS, NOISE = (1.0, 0.4, 0.0, -0.6), 0.5, 0.8


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Exact checks, a made scorer that likes a place, and (in full) SmolLM2 on 300 questions.

    Args:
        quick: without SmolLM2.
        seed: of questions and draws.
        out: a folder for the figure, accuracy by the right option's place. None is drawn without it.
    """
    measured, single = _made(400 if quick else 2000, seed)
    # Without the real model the made scorer is all that bears on the claim.
    checks = [*exact_checks(), *bias_checks("made scorer", measured, single, claim=quick)]
    tables = [bias_table("made scorer, 24 orders", measured, single)]
    panels = {"made scorer": measured}
    if not quick:
        asked, chosen = questions(300, seed), hunt(8)
        shares = letter_shares(asked, chosen, real_letters(), home() / "kept" / f"medprompt-letters-{seed}.json")
        real, alone = conditions(asked, shares, chosen, seed), mean_single(asked, shares, chosen)
        checks += bias_checks("SmolLM2, 300 questions", real, alone)
        tables.append(bias_table("SmolLM2-135M-Instruct, 300 questions", real, alone))
        panels["SmolLM2"] = real
    untested = UNTESTED if not quick else f"a real model (the full run asks SmolLM2); {UNTESTED}"
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=untested,
        tables=tuple(tables),
        figures=(_figure(panels, out),) if out is not None else (),
        notes=NOTES,
    )


def exact_checks() -> list[Check]:
    """Plain hunt, the vote of five, the purely biased scorer, the leak guard, the front."""
    told = " ".join("".join(map(str, o)) for o in orders(4, 8, "plain_hunt"))
    five = majority(0.6, 5)
    uniform = purely_biased()
    bank = Bank.of([("Which is a fruit?", "apple"), ("Which is a tool?", "saw")])
    left = [bank.examples[i][0] for i in bank.nearest(Problem("Which is a fruit?"), 2)]
    front = [int(i) for i in pareto([1, 1, 2, 3, 3], [0.5, 0.6, 0.6, 0.7, 0.7])]
    return [
        Check("plain hunt on four options", told, HUNT, told == HUNT, False),
        Check("majority of 5 at p = .6", five, ".68256", abs(five - 0.68256) < 1e-9, False),
        Check("votes of a scorer that knows only places, all 24 orders: largest less smallest", uniform, "0", uniform < 1e-12, False),
        Check("a copy of the question among the examples", ", ".join(left), "left out", left == ["Which is a tool?"], False),
        Check("front of five points with ties", str(front), "[1, 3]", front == [1, 3], False),
    ]


def majority(p: float, n: int) -> float:
    """How often most of n independent members are right that each are with probability p (n odd, two answers)."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))


def purely_biased() -> float:
    """Largest less smallest vote of a scorer that knows only places, over all orders of four options."""
    shares, total = np.exp(np.array(PLACES)), np.zeros(4)
    for order in orders(4, 1, "all"):
        total[list(order)] += shares / shares.sum()
    return float(total.max() - total.min())


def _made(n: int, seed: int) -> tuple[dict[str, Measured], float]:
    """A scorer of content and place on made questions, under all orders."""
    rng = generator(seed, ("made scorer",))
    chosen = hunt(24)
    asked = [Asked(Problem("?", id=str(i), choices=tuple(LETTERS), reads="choice"), i % 4) for i in range(n)]
    content = NOISE * rng.standard_normal((n, 4))
    content[np.arange(n), [a.gold for a in asked]] += KNOWS
    shares = _scored(content, chosen)
    return conditions(asked, shares, chosen, seed), mean_single(asked, shares, chosen)


def _scored(content: Floats, chosen: Sequence[tuple[int, ...]]) -> Floats:
    """Log-shares by place, shape (questions, orders, options)."""
    logits = content[:, np.array(chosen)] + np.array(PLACES)
    return logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)


def _figure(panels: dict[str, dict[str, Measured]], out: Path) -> Path:
    """Accuracy by the right option's place; the SVG's path."""
    figure, axes = new_figure()
    for row, (name, measured) in enumerate(panels.items()):
        for i, (condition, m) in enumerate(measured.items()):
            values = [np.nan if a is None else a.value for a in m.bias.accuracy]
            axes.plot(LETTERS_AT, values, ls=("--", "-")[row % 2 if len(panels) > 1 else 1], marker=MARKERS[i], color=COLOURS[i], lw=1.4,
                      label=f"{name}: {condition}")  # fmt: skip
    axes.set_xticks(LETTERS_AT, list(LETTERS))
    axes.set_xlabel("place of the right option")
    axes.set_ylabel("accuracy")
    axes.legend(frameon=False, fontsize=8, ncols=len(panels))
    finish(axes, "A liking for a letter, and what shuffling leaves of it")
    return save(figure, out / "position-bias")[1]


LETTERS_AT = list(range(4))
