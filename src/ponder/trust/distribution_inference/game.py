"""The game: a victim trains on one of two distributions, an adversary who knows both says which (Suri & Evans 2022, section 3)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ponder.core.errors import InputError
from ponder.core.seeds import derive, generator
from ponder.trust.distribution_inference.black_box import Answers, BlackBox
from ponder.trust.distribution_inference.leakage import n_leaked, samples_needed
from ponder.trust.distribution_inference.networks import Networks, train_networks
from ponder.trust.distribution_inference.records import Records, check_disjoint, with_ratio
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
    return _counted((int(np.sum(~guesses[0])), int(np.sum(guesses[1]))), (counts[0], counts[1]), props)


def pooled(reports: Sequence[AttackReport], props: tuple[float, float] | None = None) -> AttackReport:
    """Several games' victims as those of one, at least one game; they must be independent of each other."""
    if not reports:
        raise InputError("there are no reports to pool")
    first, second = (sum(round(r.per_side_accuracy[w] * r.victims[w]) for r in reports) for w in (0, 1))
    return _counted((first, second), (sum(r.victims[0] for r in reports), sum(r.victims[1] for r in reports)), props)


def _counted(hits: tuple[int, int], counts: tuple[int, int], props: tuple[float, float] | None) -> AttackReport:
    sides = (hits[0] / counts[0], hits[1] / counts[1])
    accuracy = sum(sides) / 2
    ends = [share_bounds(h, n, 0.0125) for h, n in zip(hits, counts, strict=True)]
    ci = (float(sum(e[0] for e in ends)) / 2, float(sum(e[1] for e in ends)) / 2)
    leaked, needed = (n_leaked(accuracy, *props), samples_needed(accuracy, *props)) if props else (None, None)
    return AttackReport(accuracy, ci, sides, leaked, needed, counts)


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


Party = Literal["adversary", "victim", "probe"]
Draw = Callable[[Party, int, np.random.Generator], Records]
"""A fresh sample of a world, 0 or 1, from what a party has; all samples to train on have one size."""
Train = Callable[[Sequence[Records], int], Networks]
"""Models of samples: (samples, seed) -> one network each."""


@dataclass(frozen=True)
class DistributionInferenceGame:
    """Two worlds, what either party can draw of them, and a way to train.

    Attributes:
        draw: gives samples: the adversary's and the victim's to train on, and the adversary's probes. The parties must share no rows.
        train: trains a model for each sample.
        props: the attribute's share in either world; None for other properties.
    """

    draw: Draw
    train: Train = train_networks
    props: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.props is not None and not all(0 <= a <= 1 for a in self.props):
            raise InputError(f"the attribute's shares must be in [0, 1], not {self.props!r}")

    @classmethod
    def on_table(
        cls, victim: Records, adversary: Records, probe: Records, props: tuple[float, float], positives: tuple[int, int] = (1100, 500)
    ) -> DistributionInferenceGame:
        """The game on a table: worlds differ in the attribute's share; three negatives for each positive in all samples.

        Args:
            victim, adversary: rows that either party trains on.
            probe: test rows of the adversary.
            props: the attribute's share in world 0 and in world 1.
            positives: rows of label 1 in a training sample, and in a probe.

        Raises:
            InputError: if the victim's rows are also the adversary's.
        """
        check_disjoint(victim, adversary)
        check_disjoint(victim, probe)
        rows = {"victim": victim, "adversary": adversary, "probe": probe}

        def draw(party: Party, world: int, rng: np.random.Generator) -> Records:
            return with_ratio(rows[party], props[world], positives[party == "probe"], rng)

        return cls(draw, props=props)

    def models(self, party: Party, world: int, many: int, seed: int) -> Networks:
        """Fresh models of one party in one world."""
        if many < 1:
            raise InputError(f"either party needs at least 1 model a world, not {many!r}")
        samples = [self.draw(party, world, generator(seed, [party, world, i])) for i in range(many)]
        return self.train(samples, derive(seed, [party, world]))

    def play(self, n_adversary: int, n_victim: int, seed: int) -> Played:
        """Train models of either party in either world, and draw the probes."""
        own = (self.models("adversary", 0, n_adversary, seed), self.models("adversary", 1, n_adversary, seed))
        theirs = (self.models("victim", 0, n_victim, seed), self.models("victim", 1, n_victim, seed))
        first, second = (self.draw("probe", world, generator(seed, ["probe", world])) for world in (0, 1))
        return Played(own, theirs, (first, second), self.props)
