"""Answers from sampled reasoning paths and their probabilities: perplexity consistency, and the same after pruning (RPC).

Zhou et al. 2025. For data that is already drawn; inside a method the same is
`sample(64) | weigh(likelihood) | prune(weibull) | distinct() | vote()`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError
from ponder.core.population import Population
from ponder.scorers.weibull import FEWEST, prune_paths

Floats = NDArray[np.float64]
Probability = Literal["mean", "joint"]
Equal = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class PathVote:
    """What the paths of one problem say.

    Attributes:
        answer: the heaviest class of answers; a class is named by its answer of smallest repr; None if no path has an answer.
        confidence: share of every class, heaviest first; sums to 1.
        kept: shape (n,), False for paths that were pruned; paths without an answer do not vote whether kept or not.
        n_distinct: how many different completions voted.
        notes: what the reader should know.
    """

    answer: Hashable | None
    confidence: dict[Hashable, float]
    kept: NDArray[np.bool_]
    n_distinct: int
    notes: tuple[str, ...] = ()


def perplexity_consistency(
    answers: Sequence[Hashable | None],
    completions: Sequence[Hashable | Sequence[int]],
    logprobs: Sequence[float | Sequence[float]],
    *,
    probability: Probability = "mean",
    equal: Equal | None = None,
) -> PathVote:
    """Sum the probabilities of the distinct sampled paths of each answer (Zhou et al. 2025, eq. 7).

    Drawing a path twice adds nothing: its probability is known. The squared error falls exponentially in n where few paths
    carry the answers, and is far worse than a vote's where nearly every path is new (400 paths of .001, 64 draws: 37 times).

    Args:
        answers: n answers; None is an answer that could not be read, and forms no class.
        completions: n texts or token id sequences: what makes two paths the same. Prefer token ids.
        logprobs: for each path its token log-probabilities, or one number: their mean or their sum, as `probability` says.
        probability: "mean" is exp(mean token log-probability), one over the perplexity, as the authors' code has it; "joint" is
            the path's probability, as the theorems have it. The two are not comparable.
        equal: whether two answers are the same; by default `==`. What is equal to a common third is taken to be equal.

    Raises:
        InputError: lengths that differ, no paths, log-probabilities that are positive or not numbers.
    """
    classes, logp, distinct, notes = _checked(answers, completions, logprobs, probability, equal)
    return _vote(classes, logp, distinct, np.ones(len(logp), dtype=bool), notes)


def rpc(
    answers: Sequence[Hashable | None],
    completions: Sequence[Hashable | Sequence[int]],
    logprobs: Sequence[float | Sequence[float]],
    *,
    probability: Probability = "mean",
    equal: Equal | None = None,
) -> PathVote:
    """Perplexity consistency after Weibull pruning of all sampled paths that have an answer (Zhou et al. 2025, algorithm 1).

    Takes and raises what `perplexity_consistency` does.
    """
    classes, logp, distinct, notes = _checked(answers, completions, logprobs, probability, equal)
    kept = np.ones(len(logp), dtype=bool)
    readable = np.array([c is not None for c in classes])
    if readable.any():
        pruned = prune_paths(path_weights(logp[readable], probability))
        kept[readable] = pruned.keep
        if pruned.mixture is None:
            notes.append(f"fewer than {FEWEST} different path probabilities: nothing was pruned")
        elif not pruned.mixture.converged:
            notes.append("the fit of the mixture did not converge")
    return _vote(classes, logp, distinct, kept, notes)


def path_weights(logp: Floats, probability: Probability) -> Floats:
    """What pruning compares, shape (n,): exp(logp) for "mean"; for "joint", which underflows, relative weights of mean 1."""
    if probability == "mean":
        return np.exp(logp)
    return len(logp) * Population(range(len(logp)), logp).weights


def _checked(
    answers: Sequence[Hashable | None],
    completions: Sequence[Hashable | Sequence[int]],
    logprobs: Sequence[float | Sequence[float]],
    probability: Probability,
    equal: Equal | None,
) -> tuple[list[Hashable | None], Floats, NDArray[np.intp], list[str]]:
    """Class of every path, its log-probability, one index a distinct path, and notes."""
    if probability not in ("mean", "joint"):
        raise InputError(f"probability must be 'mean' or 'joint', not {probability!r}")
    if not len(answers) == len(completions) == len(logprobs):
        raise InputError(f"every path needs all three: {len(answers)} answers, {len(completions)} completions, {len(logprobs)} logprobs")
    if len(answers) == 0:
        raise InputError("there are no paths to choose from")
    logp = np.array([_logprob(i, value, probability) for i, value in enumerate(logprobs)])
    classes = _classes(answers, equal)
    keys = [(c, t if isinstance(t, Hashable) else tuple(t)) for c, t in zip(classes, completions, strict=True)]
    # Serving is not exact: the same path can come with two probabilities. The larger counts, whatever the order.
    heaviest: dict[Hashable, int] = {}
    differ = False
    for i, key in enumerate(keys):
        j = heaviest.setdefault(key, i)
        differ |= logp[i] != logp[j]
        if logp[i] > logp[j]:
            heaviest[key] = i
    notes = ["the same completion came with different log-probabilities; the largest was taken"] if differ else []
    return classes, logp, np.array([i for i in heaviest.values() if classes[i] is not None], dtype=np.intp), notes


def _logprob(i: int, value: float | Sequence[float], probability: Probability) -> float:
    tokens = np.asarray(value, dtype=np.float64)
    if tokens.size == 0 or np.isnan(tokens).any() or np.any(tokens > 0):
        raise InputError(f"path {i}: log-probabilities must be numbers of at most 0, not {value!r}")
    return float(tokens.mean() if probability == "mean" else tokens.sum())


def _classes(answers: Sequence[Hashable | None], equal: Equal | None) -> list[Hashable | None]:
    """The answer that stands for each answer's class under the closure of `equal`: the one of smallest repr, whatever the order."""
    distinct = list(dict.fromkeys(a for a in answers if a is not None))
    root = dict(zip(distinct, distinct, strict=True))
    if equal is not None:
        for i, a in enumerate(distinct):
            for b in distinct[:i]:
                if root[a] != root[b] and equal(a, b):
                    new, old = sorted((root[a], root[b]), key=repr)
                    root = {k: new if r == old else r for k, r in root.items()}
    return [None if a is None else root[a] for a in answers]


def _vote(classes: list[Hashable | None], logp: Floats, distinct: NDArray[np.intp], kept: NDArray[np.bool_], notes: list[str]) -> PathVote:
    voting = distinct[kept[distinct]]
    if len(voting) == 0:
        return PathVote(None, {}, kept, 0, (*notes, "no path has an answer that could be read"))
    population = Population(tuple(int(i) for i in voting), logp[voting]).normalised()
    winner = population.mode(lambda i: classes[i])
    if winner is None:
        return PathVote(None, {}, kept, len(voting), (*notes, "every path has probability 0"))
    merged = population.merge(lambda i: classes[i])
    shares = sorted(
        ((classes[i], float(w)) for i, w in zip(merged.items, merged.weights, strict=True)), key=lambda kv: (-kv[1], repr(kv[0]))
    )
    heaviest = float(population.weights.max())
    if heaviest > 0.999 and len(voting) > 1:
        notes = [*notes, f"one path has {heaviest:.4%} of the weight: the answer is that of the single most likely path"]
    return PathVote(winner[0], {k: v for k, v in shares if k is not None}, kept, len(voting), tuple(notes))
