"""Recipes of the judges that are trained: heads that learn from labelled samples of a policy, and the policy of a self-training loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import need
from ponder.train import measure
from ponder.train.data import epochs
from ponder.train.heads import Judged, at_steps, cross_entropy, judge, looking_back
from ponder.train.measure import Samples
from ponder.train.net import TorchNet, load, save
from ponder.train.recipes import POLICIES, TESTED, Made, base
from ponder.train.runs import first_reaching, run, snapshot
from ponder.train.schedules import constant_then_linear
from ponder.train.trainer import Plan, train

torch: Any = need("torch", "torch")

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
    return [_written(asked, net, facts, "judges countdown lines, trained on few samples: over-optimised by large N")]


def chain_outcome(asked: Made) -> list[Path]:
    """An outcome reward model: will the final answer be right. The outcome is the label of every step (Cobbe et al. 2021)."""
    policy = load(base(asked.out, "chain"))
    samples = _drawn(policy, 5000, 4, asked)
    net = _looking_back(policy, samples, at_steps(samples, samples.solved[..., None]), asked)
    tested = _tested(policy)
    scores = measure.head(measure.forward(net), tested)
    facts = measure.verifier_figures(scores, tested) | _best_of(scores, tested) | _size(samples, tested)
    return [_written(asked, net, facts, "judges whether the answer of a chain will be right (outcome reward model)")]


def chain_selfeval(asked: Made) -> list[Path]:
    """Will a fresh sample of the policy do no better than this solution: P(r(y) >= r(y')), for y whole or cut at a step
    (Manvi et al. 2024). Binary rewards: right solutions win or tie always, wrong ones where the policy fails too."""
    policy = load(base(asked.out, "chain"))
    samples = _drawn(policy, 5000, 4, asked)
    net = _looking_back(policy, samples, at_steps(samples, win_rate(samples)[..., None]), asked)
    tested = _tested(policy)
    facts = self_evaluation_figures(measure.head(measure.forward(net), tested), tested) | _size(samples, tested)
    facts |= {"pairs": samples.solved.size * (samples.solved.shape[1] - 1)}
    return [_written(asked, net, facts, "judges whether chain would do no better if it started over")]


def chain_value(asked: Made) -> list[Path]:
    """The warm start of a self-training loop: the run of `chain`, left early, with a value head that says 0 everywhere."""
    spec = replace(POLICIES["chain"], target=WARM, whole=False)
    spec = replace(spec, steps=asked.steps or spec.steps)
    _, records = run(spec, asked.folder, asked.seed, asked.quiet)
    net = load(snapshot(asked.folder, first_reaching(records, spec.target)), value=True)
    facts = measure.policy_figures(_tested(net))
    return [_written(asked, net, facts, "an early policy with a value head of zeros, to learn from search", kind="tanh")]


def win_or_tie(samples: Samples) -> NDArray[np.bool_]:
    """For each sample whether it is right or another one of its problem, the next, is wrong; shape (problems, samples)."""
    return samples.solved | ~np.roll(samples.solved, -1, axis=1)


def win_rate(samples: Samples) -> Floats:
    """For each sample the share of the other ones of its problem that are no better; shape (problems, samples)."""
    others = samples.solved.shape[1] - 1
    better = (samples.solved.sum(1, keepdims=True) - samples.solved) / others
    return np.where(samples.solved, 1.0, 1.0 - better)


def sureness(policy: TorchNet, samples: Samples) -> Judged:
    """Samples with the probability that the policy gives to all of the response up to each token, as what a head should say there."""
    tokens, start = samples.tokens, samples.prompts.shape[1]
    targets = np.full(tokens.shape, np.nan, np.float32)
    ends = np.repeat(start + samples.live.sum(1) * samples.step, samples.solved.shape[1])
    with torch.no_grad():
        for at in range(0, len(tokens), measure.ROWS):
            part = torch.from_numpy(tokens[at : at + measure.ROWS])
            scores = torch.log_softmax(policy.logits(policy(part, start - 1)[:, :-1]), -1)
            targets[at : at + len(part), start:] = scores.gather(2, part[:, start:, None])[..., 0].cumsum(1).exp().numpy()
    targets[np.arange(tokens.shape[1]) >= ends[:, None]] = np.nan
    return Judged(tokens, targets)


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


def _looking_back(policy: TorchNet, samples: Samples, judged: Judged, asked: Made) -> TorchNet:
    """A judge that first learns, without labels, how sure the policy was, and then what it is asked. That is learnt slowly: steps of
    Muon are as long for the noise of such labels as for what they say, and at the first rate what was learnt before is lost."""
    net = looking_back(policy, samples.tokens[:256], 2, asked.seed)
    for name, rows, steps, rate in (("sure", sureness(policy, samples), 600, 0.02), ("asked", judged, 300, 0.001)):
        plan = Plan(asked.steps or steps, matrix_rate=rate, other_rate=rate / 5, schedule=constant_then_linear(10))
        batches = epochs(rows, min(64, len(rows)), asked.seed)
        train(net, batches, cross_entropy, plan, checkpoint=asked.folder / name, quiet=asked.quiet)
    return net


def _best_of(scores: Floats, samples: Samples) -> dict[str, float]:
    last = np.broadcast_to(samples.live.sum(1)[:, None, None] - 1, (*samples.solved.shape, 1))
    final = np.take_along_axis(scores, last, -1)[..., 0]
    return {f"best_of_{n}": round(measure.best_of(n, final, samples.solved), 4) for n in (1, 4, 16, 32)}


def _size(learnt: Samples, tested: Samples) -> dict[str, int]:
    return {"learnt_from": learnt.solved.size, "problems": len(tested.prompts), "samples": tested.solved.shape[1]}


def _written(asked: Made, net: TorchNet, facts: dict[str, Any], about: str, kind: str = "head") -> Path:
    facts = facts | {"weights": net.count()}
    return save(net, asked.path(asked.name), facts=facts, command=asked.command, about=about, reward={"kind": kind})
