"""Recipes of further judges, learnt from labelled samples of a policy, and of the policy of a self-training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.train import measure
from ponder.train.data import epochs
from ponder.train.heads import Judged, at_steps, cross_entropy, judge
from ponder.train.measure import Samples
from ponder.train.net import TorchNet, load, save
from ponder.train.recipes import POLICIES, TESTED, Made, base
from ponder.train.runs import first_reaching, run, snapshot
from ponder.train.schedules import constant_then_linear
from ponder.train.trainer import Plan, train

DRAWN = 777
"""Added to the seed: of the samples that judges learn from."""

WARM = 0.22
"""Estimated pass@1 at which the warm start leaves its run."""

Floats = NDArray[np.float64]


def countdown_head(asked: Made) -> list[Path]:
    """A classifier of countdown lines: can the target still be made, is it made. It learns from few samples on purpose, so that
    there is something to find for a search that optimises it too hard."""
    policy = load(base(asked.out, "countdown"))
    samples = _drawn(policy, 700, 3, asked)
    net = _taught(policy, at_steps(samples, samples.right), asked, extra=1, steps=300)
    tested = _tested(policy)
    scores = measure.head(measure.forward(net), tested)
    facts = measure.verifier_figures(scores, tested) | _best_of(scores, tested) | _size(samples, tested)
    return [_written(asked, net, facts, "judges countdown lines, trained on few samples: over-optimised by large N", {"kind": "head"})]


def chain_outcome(asked: Made) -> list[Path]:
    """An outcome reward model: the chance that the final answer is right, from how probable a later checkpoint finds the whole
    solution. Heads that were trained for it learnt which problems are hard, and not which solutions are wrong."""
    later, samples, tested, scores = _read(asked)
    last = _last(samples)
    reward = _calibrated(np.take_along_axis(scores(samples), last, -1), samples.solved[..., None])
    said = reward["a"] * scores(tested) + reward["b"]
    facts = measure.verifier_figures(said, tested) | _best_of(said, tested) | _size(samples, tested) | {"policy": "chain"}
    return [_written(asked, later, facts, "judges whether the answer of a chain will be right (outcome reward model)", reward)]


def chain_selfeval(asked: Made) -> list[Path]:
    """Will a fresh sample of the policy do no better than this solution: P(r(y) >= r(y')), for y whole or cut at a step
    (Manvi et al. 2024). Binary rewards: right solutions win or tie always, wrong ones where the policy fails too. Read off a later
    checkpoint's likelihood, as `chain_outcome` is."""
    later, samples, tested, scores = _read(asked)
    live = np.broadcast_to(samples.live[:, None], samples.right.shape)
    labels = np.broadcast_to(win_or_tie(samples)[..., None], samples.right.shape)
    reward = _calibrated(scores(samples)[live], labels[live])
    said = reward["a"] * scores(tested) + reward["b"]
    facts = self_evaluation_figures(said, tested) | measure.verifier_figures(said, tested) | _size(samples, tested) | {"policy": "chain"}
    return [_written(asked, later, facts, "judges whether chain would do no better if it started over", reward)]


def chain_value(asked: Made) -> list[Path]:
    """The warm start of a self-training loop: the run of `chain`, left early, with a value head that says 0 everywhere."""
    spec = replace(POLICIES["chain"], target=WARM, whole=False)
    spec = replace(spec, steps=asked.steps or spec.steps)
    _, records = run(spec, asked.folder, asked.seed, asked.quiet)
    net = load(snapshot(asked.folder, first_reaching(records, spec.target)), value=True)
    facts = measure.policy_figures(_tested(net))
    return [_written(asked, net, facts, "an early policy with a value head of zeros, to learn from search", {"kind": "tanh"})]


def win_or_tie(samples: Samples) -> NDArray[np.bool_]:
    """For each sample whether it is right or another one of its problem, the next, is wrong; shape (problems, samples)."""
    return samples.solved | ~np.roll(samples.solved, -1, axis=1)


def calibration_error(said: Floats, labels: NDArray[Any], bins: int = 10) -> float:
    """The expected calibration error: the mean of |share of positives - mean probability said| over equally wide bins, by size."""
    place = np.minimum((said * bins).astype(int), bins - 1)
    return float(sum(abs((labels - said)[place == i].sum()) for i in range(bins)) / len(said))


def self_evaluation_figures(scores: Floats, samples: Samples) -> dict[str, float]:
    """How well a win-or-tie head does on whole solutions and on those cut at half their steps; arrays (problems, samples, steps).

    `auroc_*`: of win or tie, pooled. `auroc_*_within`: of right against wrong outcomes, within a problem. `ece_*`: of win or tie.
    """
    labels, count = win_or_tie(samples), samples.live.sum(1)
    figures: dict[str, float] = {}
    for name, steps in (("finished", count), ("half", (count + 1) // 2)):
        said = np.take_along_axis(scores, np.broadcast_to(steps[:, None, None] - 1, (*labels.shape, 1)), -1)
        figures[f"auroc_{name}"] = round(measure.auroc(said[..., 0], labels), 4)
        figures[f"auroc_{name}_within"] = round(measure.within(said, samples.solved[..., None], np.ones_like(said, dtype=bool)), 4)
        figures[f"ece_{name}"] = round(calibration_error(1 / (1 + np.exp(-said.ravel())), labels.ravel()), 4)
    return figures


def _drawn(policy: TorchNet, problems: int, count: int, asked: Made) -> Samples:
    return measure.sampled(measure.forward(policy), problems, count, np.random.default_rng((DRAWN, asked.seed)))


def _tested(policy: TorchNet) -> Samples:
    return measure.sampled(measure.forward(policy), 300, 32, np.random.default_rng(TESTED))


def _taught(policy: TorchNet, judged: Judged, asked: Made, *, extra: int, steps: int) -> TorchNet:
    net = judge(policy, extra, asked.seed)
    plan = Plan(asked.steps or steps, matrix_rate=0.01, other_rate=2e-3, schedule=constant_then_linear(10))
    train(net, epochs(judged, min(64, len(judged)), asked.seed), cross_entropy, plan, checkpoint=asked.folder, quiet=asked.quiet)
    return net


def _read(asked: Made) -> tuple[TorchNet, Samples, Samples, Callable[[Samples], Floats]]:
    """A later checkpoint of the policy `chain`, samples of the policy to learn from and to test on, and the log-odds of prefixes."""
    policy, later = load(base(asked.out, "chain")), load(base(asked.out, "chain-reward-3"))
    runner = measure.forward(later)
    return later, _drawn(policy, 5000, 4, asked), _tested(policy), lambda samples: measure.logit(measure.log_probability(runner, samples))


def _calibrated(scores: Floats, labels: NDArray[np.bool_]) -> dict[str, Any]:
    a, b = measure.fitted(scores.ravel(), labels.ravel(), 0.0, np.random.default_rng(0))
    return {"kind": "likelihood", "a": round(a, 4), "b": round(b, 4)}


def _last(samples: Samples) -> NDArray[np.intp]:
    """The place of each solution's last step, shape (problems, samples, 1)."""
    return np.broadcast_to(samples.live.sum(1)[:, None, None] - 1, (*samples.solved.shape, 1))


def _best_of(scores: Floats, samples: Samples) -> dict[str, float]:
    final = np.take_along_axis(scores, _last(samples), -1)[..., 0]
    return {f"best_of_{n}": round(measure.best_of(n, final, samples.solved), 4) for n in (1, 4, 16, 32)}


def _size(learnt: Samples, tested: Samples) -> dict[str, int]:
    return {"learnt_from": learnt.solved.size, "problems": len(tested.prompts), "samples": tested.solved.shape[1]}


def _written(asked: Made, net: TorchNet, facts: dict[str, Any], about: str, reward: dict[str, Any]) -> Path:
    facts = facts | {"weights": net.count()}
    return save(net, asked.path(asked.name), facts=facts, command=asked.command, about=about, reward=reward)
