"""The attacks on a holdout that the reproduction of adaptive data analysis runs: random features, noise prompts, feature subsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.held import held_rows
from ponder.core.seeds import generator
from ponder.trust.holdout import Holdout, HoldoutScorer, NaiveHoldout, StatisticalQueries, halves

Floats = NDArray[np.float64]
KS = (0, 10, 20, 30, 45, 70, 100, 150, 200, 250, 300, 400, 500)


def majority_attack(n: int, sigma: float, seed: int) -> tuple[float, float]:
    """n random signs asked one by one for their correlation with random labels, then their majority: what is reported, and the worst error.

    Returns:
        The sample accuracy of the majority of signs that follow the answers (the truth is 1/2), and the largest error of all n + 1 answers.
    """
    rng = generator(seed, ["majority", n])
    x, y = rng.choice(np.array([-1, 1], dtype=np.float32), (n, n)), rng.choice(np.array([-1, 1], dtype=np.float32), n)
    queries = StatisticalQueries(y, sigma / 2, n + 1, seed=seed + 1)  # a correlation c is the query (1 + c) / 2
    told = 2 * queries.ask_means((1 + (y @ x).astype(np.float64) / n) / 2) - 1
    accuracy = float(np.mean(np.sign(x @ np.sign(told).astype(np.float32)) == y))
    answer = accuracy + sigma * float(generator(seed, ["last"]).standard_normal())
    return accuracy, max(float(np.abs(told).max()), abs(answer - 0.5))


@dataclass(frozen=True)
class Curves:
    """Accuracies at every k, shape (repetitions, len(KS)): on the training set, as the holdout reports, and on fresh data."""

    train: Floats
    reported: Floats
    fresh: Floats

    def at(self, k: int) -> tuple[float, float, float]:
        """Means at one k."""
        return tuple(float(c[:, KS.index(k)].mean()) for c in (self.train, self.reported, self.fresh))  # pyright: ignore[reportReturnType]


def feature_selection(n: int, repetitions: int, signal: bool, how: str, seed: int) -> Curves:
    """The experiment of "The reusable holdout": features chosen by how train and holdout agree about them, n rows and n features.

    Args:
        how: "naive" asks the holdout itself; "science2015" the mechanism of the published simulations; "theorem" Thresholdout with
            its guarantee, whose budget is as many answers as there are questions (features' products are clipped to [-4, 4]).
        signal: whether 20 features carry some.
    """
    found = [_selected(n, signal, how, generator(seed, ["selection", n, int(signal), r]), seed + r) for r in range(repetitions)]
    return Curves(*(np.array([f[i] for f in found]) for i in range(3)))


def _selected(n: int, signal: bool, how: str, rng: np.random.Generator, seed: int) -> tuple[list[float], list[float], list[float]]:
    sets = []
    for _ in range(3):
        x, y = rng.standard_normal((n, n), dtype=np.float32), rng.choice(np.array([-1, 1], dtype=np.float32), n)
        if signal:
            x[:, :20] += 6 / np.sqrt(n) * y[:, None]
        sets.append((x, y))
    ask = _asker(how, n, seed)
    edge = 1 / np.sqrt(n)
    train, held = (np.asarray(y @ x, dtype=np.float64) / n for x, y in sets[:2])
    told = ask(train, held)
    kept = np.flatnonzero(((train > edge) & (told > edge)) | ((train < -edge) & (told < -edge)))
    order = kept[np.argsort(-np.abs(train[kept]))]
    curves: tuple[list[float], list[float], list[float]] = ([], [], [])
    for k in KS:
        scores = [_accuracy(x, y, order[:k], train) for x, y in sets]
        reported = float(ask(np.array(scores[:1]), np.array(scores[1:2]))[0]) if k else 0.5
        for curve, value in zip(curves, (scores[0], reported, scores[2]), strict=True):
            curve.append(value)
    return curves


def _accuracy(x: NDArray[np.float32], y: NDArray[np.float32], chosen: NDArray[np.intp], train: Floats) -> float:
    """Accuracy of the sum of the chosen features, each with the sign of its training correlation; 1/2 for none."""
    return float(np.mean(np.sign(x[:, chosen] @ np.sign(train[chosen]).astype(np.float32)) == y)) if len(chosen) else 0.5


def _asker(how: str, n: int, seed: int) -> Callable[[Floats, Floats], Floats]:
    if how == "naive":
        return lambda train, held: held
    threshold, noise = 4 / np.sqrt(n), 1 / np.sqrt(n)
    if how == "science2015":
        holdout = Holdout(n, threshold=threshold, noise=noise, seed=seed, preset="science2015")
    else:
        # Means of numbers in [-4, 4]: the noise that hides one row is eight times that of numbers in [0, 1], and would drown the answers;
        # the threshold stays where it was, and the privacy parameter says what that costs.
        holdout = Holdout(n, threshold=threshold, budget=n + len(KS), seed=seed)
    return lambda train, held: np.array([e.value for e in holdout.ask_means(train, held)])


@dataclass(frozen=True)
class Noise:
    """What an analyst claims of a vote of prompts on a benchmark whose key is a coin: no method is better than 1/2.

    Attributes:
        naive, reusable: accuracies that are reported.
        naive_fresh, reusable_fresh: accuracies of the same votes on fresh keys.
        source: who told the second, "train" or "holdout".
        remaining: budget left.
        kept: prompts in each vote.
    """

    naive: float
    reusable: float
    naive_fresh: float
    reusable_fresh: float
    source: str
    remaining: int
    kept: tuple[int, int]


def noise_prompts(answers: NDArray[np.bool_], folder: Path, seed: int) -> Noise:
    """Weigh prompts by their training edge where the holdout agrees about its sign, and let them vote: once with the raw holdout, once
    through `ponder bench`.

    Args:
        answers: each prompt's answer to each question, shape (prompts, questions).
        folder: where the ledger lies.
    """
    questions = answers.shape[1]
    rng = generator(seed, ["keys"])
    key, fresh = rng.random(questions) < 0.5, rng.random(questions) < 0.5
    ids = [f"q{i}" for i in range(questions)]
    train, held = halves(ids, salt="coins")
    right = (answers == key).astype(np.float64)
    holdout = Holdout(len(held), ledger=folder / "coins.sqlite", rows=[ids[i] for i in held], seed=seed)
    naive = NaiveHoldout(len(held))
    claims, chosen = [], []
    for asked in (naive, holdout):
        with holdout.ledger.together():
            told = np.array([asked.ask(r[train], r[held]).value for r in right])
        edge = right[:, train].mean(axis=1) - 0.5
        weights = np.where(edge * (told - 0.5) > 0, edge, 0.0)
        chosen.append(int((weights != 0).sum()))
        claims.append(weights @ np.where(answers, 1.0, -1.0) > 0)
    holdout.ledger.close()
    votes = [(c == key).astype(np.float64) for c in claims]
    blank = {"random": 0.0, "oracle": 1.0, "abstained": False, "confidence": 0.5}
    bill = {"tokens": 0, "calls": 0, "seconds": 0.0, "money": 0.0}
    rows = {("coins", "vote of prompts", 0, i): {**blank, "bill": bill, "correct": float(v)} for i, v in zip(ids, votes[1], strict=True)}
    (row,) = held_rows(rows, ["vote of prompts"], {"coins": ids}, folder)
    assert row.held is not None  # the budget pays for far more disagreements than there are prompts to disagree about
    fresher = [float(np.mean(c == fresh)) for c in claims]
    return Noise(
        float(votes[0][held].mean()), row.held.value, fresher[0], fresher[1], row.held.source, row.held.remaining, (chosen[0], chosen[1])
    )


def tuned_subsets(reshuffles: int, tries: int, seed: int) -> tuple[Floats, Floats]:
    """Feature subsets of a logistic regression on breast cancer data, each a change of the best so far, chosen by a holdout.

    Returns:
        Reported best minus its accuracy on a sealed third part, naive and reusable, shape (reshuffles,) each.
    """
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    gaps: list[list[float]] = [[], []]
    for r in range(reshuffles):
        order = generator(seed, ["reshuffle", r]).permutation(len(y))
        scaled = StandardScaler().fit_transform(x)  # labels are not used
        parts = [(scaled[p], y[p]) for p in np.array_split(order, 3)]
        size = len(parts[1][1])
        for gap, holdout in zip(gaps, (NaiveHoldout(size), Holdout(size, budget=tries, seed=seed + r)), strict=True):
            rng = generator(seed, ["subsets", r])
            best, subset, model = -1.0, rng.random(x.shape[1]) < 0.2, LogisticRegression(max_iter=200)
            subset[0] = True
            kept = (subset, model)
            for _ in range(tries):
                changed = subset ^ (rng.random(x.shape[1]) < 0.1)
                if not changed.any():
                    continue
                fitted = LogisticRegression(max_iter=200).fit(parts[0][0][:, changed], parts[0][1])
                score = HoldoutScorer(holdout, parts[1][0][:, changed], parts[1][1])(fitted, parts[0][0][:, changed], parts[0][1])
                if score > best:
                    best, subset, kept = score, changed, (changed, fitted)
            gap.append(best - float(kept[1].score(parts[2][0][:, kept[0]], parts[2][1])))
    return np.array(gaps[0]), np.array(gaps[1])
