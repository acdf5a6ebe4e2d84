"""The best of four apartments: each feature is said to be good, bad or neither, and the most good ones less bad ones win.

Liu et al. 2024 (arXiv 2410.21333), task 6: 80 features with four phrasings each (one good, one bad, two neutral), four-way choices in three
bands by how far the best is ahead. The phrasings are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.base import Maker, Task
from ponder.tasks.mind_your_step.drawn import drawn_task

PLACES = ("kitchen", "bathroom", "bedroom", "living room", "hallway", "balcony", "cellar", "staircase", "entrance", "study")
ASPECTS = (
    ("is spotless", "is filthy", "was swept on Monday", "has a tiled floor"),
    ("gets plenty of sun", "is always dark", "faces east", "has two lamps"),
    ("is very quiet", "is unbearably noisy", "has a wooden door", "has a round doorknob"),
    ("smells fresh", "smells of mould", "was painted last year", "has white walls"),
    ("is wonderfully roomy", "is far too cramped", "is square", "is three metres high"),
    ("stays warm all winter", "is freezing in winter", "has one radiator", "has a thermometer"),
    ("has been beautifully renovated", "is falling apart", "was built in 1970", "has a numbered door"),
    ("has a lovely view", "looks onto a rubbish dump", "has a square window", "has grey curtains"),
)
"""Good, bad and two neutral things to say; every aspect of every place is a feature, 80 in all."""
WORTH = (1, -1, 0, 0)
BANDS = {"hard": (1, 1), "medium": (2, 3), "easy": (4, 99)}
"""By how much the best option is ahead of the next."""
KIND = "feature-preference"
_TRIES = 20_000


def phrase(feature: int, phrasing: int) -> str:
    """What is said of a feature, 0 to 79, in one of its four phrasings."""
    place, aspect = divmod(feature, len(ASPECTS))
    return f"the {PLACES[place]} {ASPECTS[aspect][phrasing]}"


def scores(phrasings: np.ndarray) -> np.ndarray:
    """Good features less bad ones of each option; phrasings of shape (options, features)."""
    return np.array(WORTH)[phrasings].sum(-1)


def lead(phrasings: np.ndarray) -> int:
    """By how much the best option is ahead of the next best."""
    ranked = np.sort(scores(phrasings))
    return int(ranked[-1] - ranked[-2])


def choice(rng: np.random.Generator, band: str, features: int = 8, options: int = 4) -> tuple[list[int], np.ndarray]:
    """Which features are told of, and the phrasing of each for every option, shape (options, features), drawn until the lead fits.

    Raises:
        InputError: a band that so few features cannot reach.
    """
    low, high = BANDS[band]
    chosen = [int(i) for i in rng.permutation(len(PLACES) * len(ASPECTS))[:features]]
    for _ in range(_TRIES):
        phrasings = rng.integers(4, size=(options, features))
        if low <= lead(phrasings) <= high:
            return chosen, phrasings
    raise InputError(f"{KIND}: {features} features do not put one option {low} ahead")


def describe(features: Sequence[int], phrasings: np.ndarray) -> str:
    """The options one after the other, a line each."""
    return "\n".join(
        f"Apartment {'ABCD'[i]}: {'; '.join(phrase(f, int(p)) for f, p in zip(features, row, strict=True))}."
        for i, row in enumerate(phrasings)
    )


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    features = options["features"]
    if not 4 <= features <= 20:
        raise InputError(f"{KIND}: features must be between 4 and 20, not {features}")

    def one(number: int) -> tuple[Problem, str]:
        band = list(BANDS)[number % len(BANDS)]
        chosen, phrasings = choice(generator(seed, ("tasks", KIND, features, number)), band, features)
        question = (
            f"{describe(chosen, phrasings)}\n\nEvery good feature speaks for an apartment as much as every bad one speaks against it; "
            "features that are neither do not matter. Which apartment is the best?"
        )
        names = tuple(f"Apartment {letter}" for letter in "ABCD")
        return Problem(question, choices=names, reads="choice", data={"band": band}), "ABCD"[int(scores(phrasings).argmax())]

    return drawn_task(FEATURE_PREFERENCE.about, one, kind=KIND, n=options["n"], most=3000, limit=limit, seed=seed, guess=0.25)


FEATURE_PREFERENCE = Maker(
    "the best of four apartments by good and bad features, in three bands of difficulty",
    _make,
    {"n": (300, "how many choices"), "features": (8, "told of each apartment")},
)
