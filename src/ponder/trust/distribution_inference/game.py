"""The game: a victim trains on one of two distributions, an adversary who knows both says which (Suri & Evans 2022, section 3)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.core.seeds import derive, generator
from ponder.trust.distribution_inference.black_box import Answers, BlackBox
from ponder.trust.distribution_inference.leakage import n_leaked, samples_needed
from ponder.trust.distribution_inference.networks import Networks
from ponder.trust.distribution_inference.records import Records, check_disjoint
from ponder.trust.shares import share_bounds

FEWEST = 20
"""Models a side below which a report warns: its standard error is above .1."""


@dataclass(frozen=True)
class AttackReport:
    """How well an attack told the worlds apart.

    Attributes:
        accuracy: balanced over the worlds, in [0, 1].
        ci95: its interval, from exact ones of each world's share (each end missed with a chance of at most .0125 a world).
        per_side_accuracy: share of right guesses for victims of either world; 1 and 0 mean that an attack says the same of all.
        n_leaked: the paper's bound on the records that such an accuracy is worth; None where the property has no such formula.
        samples_needed: the records that it truly takes.
        victims: how many of either world.
    """

    accuracy: float
    ci95: tuple[float, float]
    per_side_accuracy: tuple[float, float]
    n_leaked: float | None
    samples_needed: float | None
    victims: tuple[int, int]


def report(guesses: tuple[np.ndarray, np.ndarray], props: tuple[float, float] | None = None) -> AttackReport:
    """What guesses amount to.

    Args:
        guesses: whether each victim of world 0, and of world 1, was taken for one of world 1.
        props: the attribute's share in either world, for the leakage.
    """
    counts = tuple(len(g) for g in guesses)
    if min(counts) < 1:
        raise InputError("each world needs at least 1 victim")
    if min(counts) < FEWEST:
        warnings.warn(f"{min(counts)} victims a world leave a standard error of up to {0.5 / np.sqrt(2 * min(counts)):.2f}", stacklevel=2)
    hits = (int(np.sum(~guesses[0])), int(np.sum(guesses[1])))
    sides = (hits[0] / counts[0], hits[1] / counts[1])
    accuracy = sum(sides) / 2
    ends = [share_bounds(h, n, 0.0125) for h, n in zip(hits, counts, strict=True)]
    ci = (float(sum(e[0] for e in ends)) / 2, float(sum(e[1] for e in ends)) / 2)
    leaked, needed = (n_leaked(accuracy, *props), samples_needed(accuracy, *props)) if props else (None, None)
    return AttackReport(accuracy, ci, sides, leaked, needed, (counts[0], counts[1]))


@dataclass(frozen=True)
class Played:
    """A game's models and what they answer on the adversary's probes.

    Attributes:
        adversary, victims: models of world 0 and of world 1.
        probes: the adversary's test rows from either world.
        props: the attribute's shares, where the property is one.
    """

    adversary: tuple[Networks, Networks]
    victims: tuple[Networks, Networks]
    probes: tuple[Records, Records]
    props: tuple[float, float] | None = None

    def answers(self, models: tuple[Networks, Networks]) -> Answers:
        """What models of both worlds answer."""
        first, second = ((w.scores(self.probes[0].x), w.scores(self.probes[1].x)) for w in models)
        return Answers((first, second), (self.probes[0].y, self.probes[1].y))

    def run(self, *attacks: BlackBox) -> list[AttackReport]:
        """The attacks' reports, in order."""
        own, theirs = self.answers(self.adversary), self.answers(self.victims)
        return [report(attack(own, theirs), self.props) for attack in attacks]


Draw = Callable[[Records, int, int, np.random.Generator], Records]
"""A sample of a party's rows: (rows, world, size, rng) -> records; `size` is the number of positive rows."""
Train = Callable[[Sequence[Records], int], Networks]
"""Models of samples: (samples, seed) -> one network each."""


@dataclass(frozen=True)
class DistributionInferenceGame:
    """Two parties with rows of their own, two worlds, and a way to train.

    Attributes:
        victim, adversary: training rows of either party; they must share none.
        probe: test rows of the adversary.
        draw: makes a sample of one world out of a party's rows.
        train: trains a model for each sample.
        positives: rows of label 1 in a training sample and in a probe.
        props: the attribute's share in either world; None for other properties.
    """

    victim: Records
    adversary: Records
    probe: Records
    draw: Draw
    train: Train
    positives: tuple[int, int]
    props: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_disjoint(self.victim, self.adversary)
        check_disjoint(self.victim, self.probe)
        for a in self.props or ():
            if not 0 <= a <= 1:
                raise InputError(f"the attribute's shares must be in [0, 1], not {self.props!r}")

    def play(self, n_adversary: int, n_victim: int, seed: int) -> Played:
        """Train n models a world for either party, with fresh samples, and draw the probes."""
        if min(n_adversary, n_victim) < 1:
            raise InputError(f"either party needs at least 1 model a world, not {n_adversary!r} and {n_victim!r}")

        def models(name: str, rows: Records, many: int, world: int) -> Networks:
            samples = [self.draw(rows, world, self.positives[0], generator(seed, [name, world, i])) for i in range(many)]
            return self.train(samples, derive(seed, [name, world]))

        own, theirs = (
            (models(name, rows, many, 0), models(name, rows, many, 1))
            for name, rows, many in (("adversary", self.adversary, n_adversary), ("victim", self.victim, n_victim))
        )
        first, second = (self.draw(self.probe, world, self.positives[1], generator(seed, ["probe", world])) for world in (0, 1))
        return Played(own, theirs, (first, second), self.props)
