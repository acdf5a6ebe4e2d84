"""The architectures that Archon searches, enumerated (Saad-Falcon et al. 2024, arXiv 2409.15254, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ponder.core.errors import InputError
from ponder.methods.architecture import Architecture
from ponder.methods.archon_component import Component

GENERATORS = tuple(range(1, 11))
SAMPLES = tuple(range(1, 6))
FUSERS = (2, 4, 6, 8)
DEEPEST = 3
MOST = 24
"""The most candidates that a fuser's context is taken to hold."""
KEPT = 5
"""How many candidates the ranker before a fusion leaves."""


@dataclass(frozen=True)
class Point:
    """One architecture of the space: every fusion is preceded by a critic and a ranker, and one fuser ends it.

    Attributes:
        generators: how many models answer, the best first.
        samples: of each.
        fusers: how many models fuse in each layer of fusion before the last.
    """

    generators: int
    samples: int
    fusers: tuple[int, ...] = ()

    def architecture(self, models: Sequence[str], temperature: float = 0.7) -> Architecture:
        """The architecture for models from best to worst; the best also judges and ends it. Where there are fewer models than
        fusers, they fuse in turn.

        Raises:
            InputError: there are fewer models than generators.
        """
        if len(models) < self.generators:
            raise InputError(f"{self} needs {self.generators} models, and there are {len(models)}")

        def part(kind: str, model: str, **settings: int | bool) -> Component:
            return Component(kind, {"model": model, "temperature": temperature, **settings})

        best = models[0]
        layers = [tuple(part("generator", model, samples=self.samples) for model in models[: self.generators])]
        judging = [(part("critic", best, samples=1),), (part("ranker", best, top_k=KEPT, use_critiques=True),)]
        for width in self.fusers:
            layers += [*judging, tuple(part("fuser", models[j % len(models)], samples=1) for j in range(width))]
        layers += [*judging, (part("fuser", best, samples=1),)] if self.fusers else [(part("fuser", best, samples=1),)]
        return Architecture(str(self), tuple(layers))


def space(
    generators: Sequence[int] = GENERATORS,
    samples: Sequence[int] = SAMPLES,
    fusers: Sequence[int] = FUSERS,
    deepest: int = DEEPEST,
    most: int = MOST,
    plain: bool = False,
) -> list[Point]:
    """All architectures whose first layer leaves at most `most` candidates, with 1 to `deepest` layers of fusion before the last.

    With the defaults there are 38 first layers, those with generators * samples <= 24, times 4 + 16 + 64 = 84 fusions: 3192, the number
    that the paper's first version states. That these are its rules is our reading.

    Args:
        generators, samples: choices for the first layer.
        fusers: choices for the width of a layer of fusion.
        deepest: the most layers of fusion before the last.
        most: candidates that a fuser's context holds.
        plain: also those without a fusion before the last.
    """
    firsts = [(g, s) for g, s in product(generators, samples) if g * s <= most]
    depths = range(0 if plain else 1, deepest + 1)
    return [Point(g, s, widths) for g, s in firsts for depth in depths for widths in product(fusers, repeat=depth)]
