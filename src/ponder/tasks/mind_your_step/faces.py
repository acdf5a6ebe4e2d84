"""A stand-in for recognising faces after describing them: little drawn faces that all fit one description.

Liu et al. 2024 (arXiv 2410.21333), task 2, shows photographs to vision models. No photographs can be shipped, so these are drawings on a
grid of characters: five measures make a face, a description says of each only whether it is small or large, and all five candidates fit
the same description. Whoever looks can tell them apart; whoever goes by the words can only guess.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.base import Maker, Task
from ponder.tasks.mind_your_step.drawn import drawn_task

HEIGHT, WIDTH = 13, 17
MEASURES = ("head width", "eye distance", "eye height", "nose length", "mouth width")
LEVELS = ((4, 5, 6, 7), (1, 2, 3, 4), (3, 4, 5, 6), (1, 2, 3, 4), (1, 2, 3, 4))
"""The four sizes of each measure; the lower two are called small and the upper two large."""
LETTERS = "ABCDE"
CANDIDATES = len(LETTERS)
KIND = "faces"


def words(face: tuple[int, ...]) -> tuple[str, ...]:
    """The description of a face: small or large, for each measure given as a place in its levels."""
    return tuple(f"{'small' if level < 2 else 'large'} {name}" for level, name in zip(face, MEASURES, strict=True))


def draw(face: tuple[int, ...]) -> np.ndarray:
    """The face as dark (1) and light (0) pixels, shape (13, 17)."""
    head, eyes, high, nose, mouth = (levels[i] for levels, i in zip(LEVELS, face, strict=True))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    middle, centre = (HEIGHT - 1) / 2, WIDTH // 2
    far = ((rows - middle) / middle) ** 2 + ((columns - centre) / (head + 0.5)) ** 2
    picture = ((far <= 1) & (far > 1 - 2.2 / head)).astype(np.int64)
    picture[high, [centre - eyes, centre + eyes]] = 1
    picture[high + 1 : high + 1 + nose, centre] = 1
    picture[HEIGHT - 3, centre - mouth : centre + mouth + 1] = 1
    return picture


def text(picture: np.ndarray) -> str:
    """Pixels as characters, a row a line."""
    return "\n".join("".join(".#"[p] for p in row) for row in picture)


def faces(rng: np.random.Generator) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """A target and five candidates of the same description with different pictures, the target among them, in random order."""
    halves = rng.integers(2, size=len(MEASURES)) * 2
    found: dict[bytes, tuple[int, ...]] = {}
    while len(found) < CANDIDATES:
        face = tuple(int(i) for i in halves + rng.integers(2, size=len(MEASURES)))
        found.setdefault(draw(face).tobytes(), face)
    listed = list(found.values())
    return listed[0], [listed[i] for i in rng.permutation(CANDIDATES)]


def nearest(target: np.ndarray, candidates: list[np.ndarray]) -> int:
    """The candidate with the fewest different pixels: recognising by looking."""
    return int(np.argmin([(target != c).sum() for c in candidates]))


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    def one(number: int) -> tuple[Problem, str]:
        rng = generator(seed, ("tasks", KIND, number))
        target, listed = faces(rng)
        shown = draw(target)
        shown[int(rng.integers(HEIGHT)), int(rng.integers(WIDTH))] ^= 1  # so that looking is more than comparing texts
        candidates = "\n\n".join(f"{letter}:\n{text(draw(face))}" for letter, face in zip(LETTERS, listed, strict=True))
        question = (
            f"This face was seen, drawn in characters, with one speck of dirt:\n{text(shown)}\n\nWhich of these is it?\n\n{candidates}"
        )
        names = tuple(f"Face {letter}" for letter in LETTERS)
        return Problem(question, choices=names, reads="choice", data={"words": words(target)}), LETTERS[listed.index(target)]

    return drawn_task(FACES.about, one, kind=KIND, n=options["n"], most=1000, limit=limit, seed=seed, guess=1 / CANDIDATES)


FACES = Maker("a stand-in for photographs: which of five drawn faces of one description was seen?", _make, {"n": (100, "how many faces")})
