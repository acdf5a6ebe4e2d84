"""Tilted glasses: how full must one glass be to spill at the same angle as another?

Liu et al. 2024 (arXiv 2410.21333), task 5. A glass of width W and height H, filled to h of at least H / 2, spills at
tan(angle) = 2 (H - h) / W: the surface turns about the middle of the water. Below half it is tan(angle) = H^2 / (2 h W).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.base import Maker, Task
from ponder.tasks.mind_your_step.drawn import drawn_task

KIND = "tilted-glasses"


def spill_angle(height: float, width: float, fill: float) -> float:
    """The tilt in radians at which a glass of rectangular section spills; sizes in one unit.

    Raises:
        InputError: unless 0 < fill <= height and the width is above 0.
    """
    if not (0 < fill <= height and width > 0):
        raise InputError(f"a glass needs a width above 0 and 0 < fill <= height, not width={width}, fill={fill}, height={height}")
    if fill >= height / 2:
        return math.atan2(2 * (height - fill), width)
    return math.atan2(height**2, 2 * fill * width)


def equal_fill(height: float, width: float, fill: float, other_width: float) -> float:
    """How full a glass of another width and the same height must be to spill at the same angle: H - (H - h) W' / W.

    Raises:
        InputError: for a glass that is less than half full, or must be: other laws hold there.
    """
    if not (height / 2 <= fill <= height and width > 0 and other_width > 0):
        raise InputError(
            f"glasses need widths above 0 and a fill from half the height to all of it, not widths {width} and {other_width}, fill={fill}, "
            f"height={height}"
        )
    found = height - (height - fill) * other_width / width
    if found < height / 2:
        raise InputError(f"the other glass would have to be less than half full: {found:g} of {height:g}")
    return found


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    one = partial(_one, seed)
    return drawn_task(TILTED_GLASSES.about, one, kind=KIND, n=options["n"], most=1000, limit=limit, seed=seed, guess=0.25)


def _one(seed: int, number: int) -> tuple[Problem, str]:
    """A problem whose four marked levels are whole millimetres at least 4 apart: the right one, the same level, and two others."""
    rng = generator(seed, ("tasks", KIND, number))
    height = 100
    while True:
        width, other = (int(10 * i) for i in rng.integers(4, 13, 2))
        fill = int(rng.integers(height // 2, height - 4))
        right = height - (height - fill) * other / width
        turned = height - (height - fill) * width / other
        if abs(right - fill) < 4 or right != int(right) or not height / 2 <= right <= height - 4:
            continue
        levels = [int(right), fill, *(round(x) for x in (turned, 2 * right - fill, (right + fill) / 2, right - 12, right + 12))]
        marks: list[int] = []
        for level in levels:
            if 30 <= level <= height - 2 and all(abs(level - m) >= 4 for m in marks):
                marks.append(level)
        if len(marks) < 4:
            continue
        order = [int(i) for i in rng.permutation(4)]
        choices = tuple(f"{marks[i]} mm" for i in order)
        question = (
            f"Two glasses with straight sides are both {height} mm high. The first is {width} mm wide and filled to {fill} mm. "
            f"The second is {other} mm wide. Both are slowly tilted side by side. To which level must the second be filled so that both "
            "begin to spill at the same angle?"
        )
        return Problem(question, choices=choices, reads="choice"), "ABCD"[order.index(0)]


TILTED_GLASSES = Maker(
    "the level at which a second glass spills at the same tilt as a first; four marks", _make, {"n": (100, "how many pairs of glasses")}
)
