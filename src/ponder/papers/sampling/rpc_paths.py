"""Stored reasoning paths, and how well self-consistency, perplexity, their union and RPC choose from them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import Interval, bootstrap, brier, expected_calibration_error
from ponder.core.errors import InputError
from ponder.scorers.paths import Equal, Probability, perplexity_consistency, rpc

KEYS = ("predict", "completion", "mean_logprob", "answer")


@dataclass(frozen=True)
class SampledPaths:
    """Stored paths of one problem.

    Attributes:
        answers: n answers; None where none could be read.
        completions: n texts or token ids.
        logprobs: n log-probabilities, a path's mean or sum, as the run that uses them says.
        gold: the right answer.
    """

    answers: tuple[Hashable | None, ...]
    completions: tuple[Hashable, ...]
    logprobs: tuple[float, ...]
    gold: Hashable

    def __post_init__(self) -> None:
        if not len(self.answers) == len(self.completions) == len(self.logprobs) >= 1:
            raise InputError(
                f"paths need as many answers, completions and logprobs, at least one: "
                f"{len(self.answers)}, {len(self.completions)}, {len(self.logprobs)}"
            )

    def at(self, indices: NDArray[np.intp]) -> SampledPaths:
        """The paths at `indices`."""
        chosen = [int(i) for i in indices]
        return SampledPaths(
            tuple(self.answers[i] for i in chosen),
            tuple(self.completions[i] for i in chosen),
            tuple(self.logprobs[i] for i in chosen),
            self.gold,
        )


def load_paths(path: str | Path) -> list[SampledPaths]:
    """Read the authors' files of sampled paths: one JSON object a model, as in the data sets `WNJXYK/MATH-Reasoning-Paths` and its kin.

    Keys `predict`, `completion` and `mean_logprob` are lists [problem][sample]; `answer` is a list [problem]. Empty predictions
    become None. The log-probabilities are means over tokens: use probability="mean".

    Raises:
        InputError: for a file that is not such an object, naming what is missing or does not fit.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read sampled paths from {path}: {error}") from None
    missing = [k for k in KEYS if not isinstance(data, dict) or not isinstance(data.get(k), list)]
    if missing:
        raise InputError(f"{path} needs the lists {', '.join(KEYS)}; {', '.join(missing)} is not one")
    if len({len(data[k]) for k in KEYS}) != 1:
        raise InputError(f"{path} has different numbers of problems: " + ", ".join(f"{k} {len(data[k])}" for k in KEYS))
    return [_problem(path, i, *row) for i, row in enumerate(zip(*(data[k] for k in KEYS), strict=True))]


def _problem(path: str | Path, i: int, predict: Any, completion: Any, logprob: Any, answer: Any) -> SampledPaths:
    lists = all(isinstance(column, list) for column in (predict, completion, logprob))
    if not lists or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in logprob):
        raise InputError(f"problem {i} of {path} needs lists of predictions, completions and numbers")
    try:
        return SampledPaths(tuple(map(_answer, predict)), tuple(map(_key, completion)), tuple(map(float, logprob)), _answer(answer))
    except InputError as error:
        raise InputError(f"problem {i} of {path}: {error}") from None


def _answer(value: Any) -> Hashable | None:
    return None if value is None or (isinstance(value, str) and not value.strip()) else _key(value)


def _key(value: Any) -> Hashable:
    return tuple(map(_key, value)) if isinstance(value, list) else str(value)


Chooser = Callable[[SampledPaths, Probability, Equal | None], Mapping[Any, float]]


def by_votes(paths: SampledPaths, probability: Probability, equal: Equal | None) -> Mapping[Any, float]:
    """Self-consistency: each answer's share of all n paths."""
    even = perplexity_consistency(paths.answers, range(len(paths.answers)), [0.0] * len(paths.answers), equal=equal)
    share = sum(a is not None for a in paths.answers) / len(paths.answers)
    return {answer: value * share for answer, value in even.confidence.items()}


def by_perplexity(paths: SampledPaths, probability: Probability, equal: Equal | None) -> Mapping[Any, float]:
    """The probability of each answer's single most likely path."""
    best: dict[Any, float] = {}
    for answer, logprob in zip(paths.answers, paths.logprobs, strict=True):
        if answer is not None:
            best[answer] = max(best.get(answer, 0.0), float(np.exp(logprob)))
    return best


def by_consistency(paths: SampledPaths, probability: Probability, equal: Equal | None) -> Mapping[Any, float]:
    """Perplexity consistency."""
    return perplexity_consistency(paths.answers, paths.completions, paths.logprobs, probability=probability, equal=equal).confidence


def by_rpc(paths: SampledPaths, probability: Probability, equal: Equal | None) -> Mapping[Any, float]:
    """Perplexity consistency after pruning."""
    return rpc(paths.answers, paths.completions, paths.logprobs, probability=probability, equal=equal).confidence


CHOOSERS: Mapping[str, Chooser] = {"SC": by_votes, "PPL": by_perplexity, "PC": by_consistency, "RPC": by_rpc}


@dataclass(frozen=True)
class Comparison:
    """How well each chooser does with n paths.

    Attributes:
        credit: (chooser, n) -> mean credit of every problem, shape (P,); tied answers share it.
        ece, brier: (chooser, n) -> calibration of the largest confidence, over problems and repeats.
    """

    credit: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)
    ece: dict[tuple[str, int], float] = field(default_factory=dict)
    brier: dict[tuple[str, int], float] = field(default_factory=dict)

    def accuracy(self, chooser: str, n: int) -> Interval:
        """Accuracy with its interval over problems."""
        return bootstrap(self.credit[chooser, n])


def compare(
    problems: Sequence[SampledPaths],
    ns: Sequence[int],
    repeats: int = 10,
    seed: int = 0,
    *,
    probability: Probability = "mean",
    equal: Equal | None = None,
) -> Comparison:
    """Accuracy and calibration of SC, PPL, PC and RPC on random subsets of n stored paths.

    Every chooser sees the same subsets, and those of one repeat are nested in n.

    Raises:
        InputError: no problems, or an n above the paths of one.
    """
    if not problems or repeats < 1:
        raise InputError(f"a comparison needs at least one problem and one repeat, not {len(problems)} and {repeats}")
    fewest = min(len(p.answers) for p in problems)
    if not ns or min(ns) < 1 or max(ns) > fewest:
        raise InputError(f"n must be between 1 and {fewest}, the fewest paths of a problem; {list(ns)!r} was asked")
    rng = np.random.default_rng(seed)
    orders = [[rng.permutation(len(p.answers)) for _ in range(repeats)] for p in problems]
    result = Comparison()
    for n in ns:
        subsets = [[p.at(order[:n]) for order in orders[i]] for i, p in enumerate(problems)]
        for name, chooser in CHOOSERS.items():
            scored = np.array([[_scored(chooser(s, probability, equal), s.gold, equal) for s in row] for row in subsets])
            result.credit[name, n] = scored[:, :, 0].mean(axis=1)
            sure, right = scored[:, :, 1].ravel(), scored[:, :, 0].ravel()
            result.ece[name, n], result.brier[name, n] = expected_calibration_error(sure, right), brier(sure, right)
    return result


def _scored(confidence: Mapping[Any, float], gold: Hashable, equal: Equal | None) -> tuple[float, float]:
    """Credit and confidence of the choice: among tied answers the right one counts its share."""
    if not confidence:
        return 0.0, 0.0
    top = max(confidence.values())
    tied = [answer for answer, value in confidence.items() if value >= top * (1 - 1e-12)]
    same = Counter(bool(answer == gold if equal is None else equal(answer, gold)) for answer in tied)
    return same[True] / len(tied), min(top, 1.0)
