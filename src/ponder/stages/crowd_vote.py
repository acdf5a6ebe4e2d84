"""What judges or models believe together, each trusted as much as its agreement with the others earns."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ponder.core.population import Population
from ponder.core.problem import Candidate
from ponder.trust.crowds import aggregator, labels_of

EDGE = 1e-6


def crowd_shares(population: Population[Candidate], groups: Mapping[str, str], crowd: str) -> dict[str, float] | None:
    """Share of each answer, of all candidates that hold one, by truth inference over the question's distinct answers.

    The crowd's workers are the judges whose scores the candidates hold: a judge calls an answer right if the mean score
    of the candidates that give it is above 1/2. The number of candidates is the prior, the weights are left aside (they hold the
    judges' scores already). Without judges the workers are the models: each calls its own most frequent answer right, and the prior is
    even. An answer's share is its prior times the odds that the crowd gives it.

    Args:
        population: candidates.
        groups: value -> the name of its class of equal answers.
        crowd: a name in `ponder.trust.crowds.AGGREGATORS`.

    Returns:
        Class -> share, summing to 1; None if there are fewer than two answers or two workers: then there is no crowd.
    """
    voters = [(groups[c.value], c) for c in population.items if c.value is not None]
    names = sorted({name for name, _ in voters})
    prior = {name: sum(n == name for n, _ in voters) / len(voters) for name in names}
    rows = _judged(voters)
    if not rows:
        rows, prior = _most_frequent(voters, names), dict.fromkeys(names, 1 / len(names))
    judged = {item for item, *_ in rows}
    if len(names) < 2 or len({worker for _, worker, _ in rows}) < 2 or len(judged) < 2:
        return None
    truth = aggregator(crowd).fit(labels_of(*zip(*rows, strict=True), classes=(False, True)))
    right = np.clip(truth.posterior[:, 1], EDGE, 1 - EDGE)
    odds = dict(zip(truth.labels.items, right / (1 - right), strict=True))
    raw = {name: prior[name] * float(odds.get(name, 1.0)) for name in names}
    total = math.fsum(raw.values())
    return {name: value / total for name, value in raw.items()}


def _judged(voters: list[tuple[str, Candidate]]) -> list[tuple[str, str, bool]]:
    """(answer, judge, whether the judge calls it right), in order."""
    scores: dict[tuple[str, str], list[float]] = {}
    for name, c in voters:
        for judge, score in c.scores.items():
            scores.setdefault((name, judge), []).append(math.exp(min(0.0, score)))
    return [(name, judge, math.fsum(s) / len(s) > 0.5) for (name, judge), s in sorted(scores.items())]


def _most_frequent(voters: list[tuple[str, Candidate]], names: list[str]) -> list[tuple[str, str, bool]]:
    counts: dict[str, dict[str, int]] = {}
    for name, c in voters:
        own = counts.setdefault(c.model, dict.fromkeys(names, 0))
        own[name] += 1
    chosen = {model: min(names, key=lambda n: (-own[n], n)) for model, own in counts.items()}
    return [(name, model, name == chosen[model]) for model in sorted(counts) for name in names]
