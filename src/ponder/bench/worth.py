"""How many samples are worth drawing when the checker that accepts them errs (Stroebl et al. 2024, arXiv 2411.17501)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.bench.limits import TwoType, false_positives, reward_curve
from ponder.bench.stats import Curve
from ponder.bench.store import RunStore
from ponder.core.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Worth:
    """What at most k attempts bring, for each k, in units of what a right answer is worth.

    Attributes:
        ks: 1 to the most attempts that were asked about, shape (K,).
        right, wrong: probability that the answer taken is right, or wrong; the rest is no answer. Shape (K,).
        reward: right - cost of a wrong answer * wrong - cost of the attempts, shape (K,).
        best: the k of the largest reward; 0 if no attempt is worth it.
        ceiling: share of right ones among accepted ones after endless attempts; None if nothing is ever accepted.
        wrong_cost, attempt_cost: what was asked about.
        dropped: how many problems were left out because a right sample of theirs was rejected.
    """

    ks: NDArray[np.int64]
    right: Floats
    wrong: Floats
    reward: Floats
    best: int
    ceiling: float | None
    wrong_cost: float
    attempt_cost: float
    dropped: int = 0

    @property
    def nearly(self) -> int:
        """The smallest k that brings 99% of the largest reward; 0 if no attempt is worth it."""
        return int(np.argmax(self.reward >= 0.99 * self.reward.max()) + 1) if self.best else 0

    @property
    def advice(self) -> str:
        """What to do, in a sentence or two."""
        limit = "Nothing is ever accepted."
        if self.ceiling is not None:
            limit = f"No number of samples makes what is accepted right more often than {self.ceiling:.1%}."
        if self.best == 0:
            return f"Draw none: with wrong answers at {self.wrong_cost:g} times what a right one is worth, even one attempt loses. {limit}"
        most = f"Draw at most {self.best}: {self.reward[self.best - 1]:.3f} a question"
        if self.nearly < self.best:
            most += f" (at most {self.nearly} bring 99% of it)"
        lost = float(self.reward[self.best - 1] - self.reward[-1])
        return f"{most}{f'; at most {self.ks[-1]} would bring {self.reward[-1]:.3f}' if lost > 5e-4 else ''}. {limit}"

    def curves(self) -> dict[str, Curve]:
        """The shares and the reward by name at up to 40 values of k, for a plot."""
        some = np.unique(np.geomspace(1, len(self.ks), 40).round().astype(int)) - 1
        lines = {"right": self.right, "wrong": self.wrong, "no answer": np.maximum(1 - self.right - self.wrong, 0), "reward": self.reward}
        return {name: Curve(self.ks[some], values[some], values[some], values[some]) for name, values in lines.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = zip(self.ks.tolist(), self.right.tolist(), self.wrong.tolist(), self.reward.tolist(), strict=True)
        return {
            "best": self.best,
            "nearly": self.nearly,
            "ceiling": self.ceiling,
            "wrong_cost": self.wrong_cost,
            "attempt_cost": self.attempt_cost,
            "dropped": self.dropped,
            "advice": self.advice,
            "curve": [dict(zip(("k", "right", "wrong", "reward"), row, strict=True)) for row in rows],
        }


def of_rates(model: TwoType, wrong_cost: float, attempt_cost: float = 0.0, most: int = 200) -> Worth:
    """What 1 to `most` attempts bring by the rates of problems and checker.

    Raises:
        InputError: costs below 0, `most` below 1.
    """
    if most < 1:
        raise InputError(f"most must be at least 1, not {most}")
    ks = np.arange(1, most + 1)
    right = model.reward(ks, 0.0)
    wrong = right - model.reward(ks, 1.0)
    best = model.optimal_attempts(wrong_cost, attempt_cost, most)
    return Worth(ks, right, wrong, model.reward(ks, wrong_cost, attempt_cost), best, model.ceiling(), wrong_cost, attempt_cost)


def of_samples(base: ArrayLike, strong: ArrayLike, wrong_cost: float, attempt_cost: float = 0.0, most: int | None = None) -> Worth:
    """The same by samples of P problems that a weak (`base`) and a strong checker judged, bool[P, N].

    Problems in which the weak checker rejects a right sample are dropped, as published.

    Raises:
        InputError: costs below 0, tables of unequal shape, `most` outside 1..N, no problem left.
    """
    report = false_positives(base, strong)
    kept = np.setdiff1d(np.arange(len(np.asarray(base))), report.dropped)
    accepted, good = np.asarray(base)[kept], np.asarray(strong)[kept]
    ks = np.arange(1, (most or accepted.shape[1]) + 1)
    right = reward_curve(accepted, good, ks, 0.0).values
    wrong = right - reward_curve(accepted, good, ks, 1.0).values
    curve = reward_curve(accepted, good, ks, wrong_cost, attempt_cost=attempt_cost)
    return Worth(ks, right, wrong, curve.values, curve.k_star, report.ceiling, wrong_cost, attempt_cost, len(report.dropped))


Verdicts = tuple[NDArray[np.bool_], NDArray[np.bool_], list[str]]


def read_verdicts(path: str | Path) -> Verdicts:
    """Verdicts of a weak and a strong checker: (base bool[P, N], strong bool[P, N], names of the problems).

    From EvalPlus' `eval_results.json`, {"eval": {task: [{"base_status": "pass", "plus_status": "fail"}, ...]}}; a JSON file
    {"base": [[true, ...], ...], "strong": [[...], ...]}; or the folder of a run of single samples with several seeds that abstained from
    those that its checker rejected, as `sample(1) | weigh(tests) | argmax()` does: the weak checker is the method's, the strong one the
    grader, and right samples that were rejected are not seen.

    Raises:
        InputError: if it cannot be read, is none of these, or problems have different numbers of samples.
    """
    tasks = _run_verdicts(Path(path)) if Path(path).is_dir() else _file_verdicts(path)
    counts = sorted({len(samples) for samples in tasks.values()})
    if len(counts) != 1 or counts[0] == 0:
        raise InputError(f"{path}: every problem needs the same number of samples, at least 1; there are {counts or 'no problems'}")
    both = np.array(list(tasks.values()), dtype=bool)
    return both[:, :, 0], both[:, :, 1], list(tasks)


def _run_verdicts(folder: Path) -> dict[str, list[tuple[bool, bool]]]:
    if not (folder / "run.sqlite").exists():
        raise InputError(f"{folder} holds no run (ponder bench --out {folder})")
    store = RunStore(folder)
    answers = store.answers()
    store.close()
    kinds = sorted({(task, method) for task, method, _, _ in answers})
    if len(kinds) != 1:
        raise InputError(f"{folder} must hold one task and one method, not {len(kinds)}: {', '.join(' / '.join(k) for k in kinds)}")
    tasks: dict[str, list[tuple[bool, bool]]] = {}
    for (_, _, _, problem), row in answers.items():
        tasks.setdefault(problem, []).append((not row["abstained"], row["correct"] >= 0.5))
    return tasks


def _file_verdicts(path: str | Path) -> dict[str, list[tuple[bool, bool]]]:
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    try:
        if "eval" in held:
            return {t: [(s["base_status"] == "pass", s["plus_status"] == "pass") for s in found] for t, found in held["eval"].items()}
        tables = zip(held["base"], held["strong"], strict=True)
        return {str(i): list(zip(map(bool, b), map(bool, s), strict=True)) for i, (b, s) in enumerate(tables)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wanted = 'neither EvalPlus\' eval_results.json (eval -> task -> base_status and plus_status) nor {"base": ..., "strong": ...}'
        raise InputError(f"{path} is {wanted}: {type(error).__name__} {error}") from error
