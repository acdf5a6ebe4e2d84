"""The network that reads rates off observations of a chain, trained on fresh chains of the synthetic prior (`ponder.prob.markov_jump`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ponder.core.errors import need
from ponder.core.seeds import generator
from ponder.prob.markov_jump import JumpPrior, RateNetwork
from ponder.prob.markov_jump.network import FEATURES, MANY, accuracy, pair_features
from ponder.prob.markov_jump.prior import JumpTasks
from ponder.train.recipes import Made
from ponder.train.schedules import cosine
from ponder.train.trainer import Plan, train

torch: Any = need("torch", "torch")
HELD_OUT = 99
"""Seed of the chains that the stated figures are measured on."""


@dataclass(frozen=True)
class JumpRun:
    """How a network for rates is made.

    Attributes:
        prior: where chains come from.
        paths, points: the fewest and the most of a batch, drawn evenly in the logarithm.
        steps: updates.
        hidden, queries, width: size of what is kept of a pair in one path, of the pooling and of what is kept in all.
        load: paths of a batch, over all of its chains.
    """

    prior: JumpPrior = field(default_factory=JumpPrior)
    paths: tuple[int, int] = (1, 300)
    points: tuple[int, int] = (10, 100)
    steps: int = 400
    hidden: int = 32
    queries: int = 4
    width: int = 64
    load: int = 800


class TorchRates(torch.nn.Module):
    """The network as a module; tensors have the names that `RateNetwork` reads. Matrices in `layers` learn with Muon."""

    def __init__(self, spec: JumpRun, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        nn = torch.nn
        self.embed = nn.Linear(FEATURES, spec.hidden)
        self.queries = nn.Parameter(torch.randn(spec.queries, spec.hidden))
        self.key, self.value = (nn.Linear(spec.hidden, spec.hidden) for _ in range(2))
        pooled = spec.queries * spec.hidden + FEATURES + 2
        self.layers = nn.ModuleList([nn.Linear(pooled, spec.width), nn.Linear(spec.width + spec.width // 4, spec.width)])
        self.left, self.right = (nn.Linear(spec.width, spec.width // 4) for _ in range(2))
        self.rates, self.initial = nn.Linear(spec.width, 2), nn.Linear(spec.width, 1)

    def forward(self, times: np.ndarray, states: np.ndarray, s: int) -> tuple[Any, Any, Any]:
        """Log-means and log-deviations of rates in units of the longest path, (tasks, s, s) each, and logits of the first state.

        Args:
            times, states: shape (tasks, paths, points).
            s: the number of states of all tasks.
        """
        tasks, paths, points = states.shape
        selu, lengths = torch.selu, np.full(tasks * paths, points)
        read = pair_features(times.reshape(-1, points), states.reshape(-1, points), lengths, s)
        read = torch.from_numpy(read.astype(np.float32)).reshape(tasks, paths, s, s, FEATURES)
        path = selu(self.embed(read / 10))
        shares = torch.softmax(torch.einsum("tpijh,qh->tijqp", self.key(path), self.queries) / path.shape[-1] ** 0.5, dim=-1)
        pooled = torch.einsum("tijqp,tpijh->tijqh", shares, self.value(path)).flatten(3)
        about = torch.tensor([paths / MANY, s / 6]).expand(tasks, s, s, 2)
        pair = selu(self.layers[0](torch.cat([pooled, torch.log1p(read.sum(1)), about], dim=-1)))
        third = torch.einsum("tikh,tkjh->tijh", self.left(pair), self.right(pair)) / 6
        pair = selu(self.layers[1](torch.cat([pair, third], dim=-1)))
        mean, deviation = (6 * torch.tanh(self.rates(pair) / 6)).unbind(-1)
        return mean, deviation, self.initial(pair)[..., 0].diagonal(dim1=1, dim2=2)


def loss(net: TorchRates, tasks: JumpTasks) -> Any:
    """Gaussian surprise of the rates of possible jumps, squares of the others', and the surprise of the first state."""
    longest = tasks.times.max(axis=(1, 2), keepdims=True)
    rates, size = torch.as_tensor(tasks.rates * longest, dtype=torch.float32), tasks.rates.shape[1]
    mean, deviation, logits = net(tasks.times / longest, tasks.states, size)
    links = torch.as_tensor(tasks.links, dtype=torch.float32)
    others = 1 - torch.eye(size) - links
    surprise = deviation + 0.5 * ((rates - mean.exp()) / deviation.exp()) ** 2
    spurious = mean.exp() ** 2 + deviation.exp() ** 2
    first = torch.log_softmax(logits, dim=1)
    due = torch.as_tensor(tasks.initial, dtype=torch.float32)
    return (surprise * links).sum() / links.sum() + (spurious * others).sum() / others.sum().clamp(min=1) - (due * first).sum(1).mean()


def batches(spec: JumpRun, seed: int) -> Callable[[int], JumpTasks]:
    """Fresh chains, those of a step with one number of states; a function of the step."""

    def batch(step: int) -> JumpTasks:
        rng = np.random.default_rng((seed, step))
        paths, points = (int(np.exp(rng.uniform(np.log(low), np.log(high + 1)))) for low, high in (spec.paths, spec.points))
        size = int(rng.integers(spec.prior.least, spec.prior.most + 1))
        return replace(spec.prior, least=size, most=size, padded=None).tasks(int(np.clip(spec.load // paths, 4, 128)), paths, points, rng)

    return batch


def trained(spec: JumpRun, seed: int, folder: Path | None = None, quiet: bool = False) -> RateNetwork:
    """Train a network; a run that was killed goes on from `folder`."""
    net = TorchRates(spec, seed)
    plan = Plan(spec.steps, matrix_rate=0.02, other_rate=6e-3, schedule=cosine(100), every=min(spec.steps, 200))
    train(cast(Any, net), batches(spec, seed), cast(Any, loss), plan, checkpoint=folder, quiet=quiet)
    tensors = {name: t.detach().numpy().astype(np.float16).astype(np.float32) for name, t in net.state_dict().items()}
    facts = {"most_paths": spec.paths[1], "points": list(spec.points), "largest_rate": spec.prior.t_end}
    facts |= {"most_states": spec.prior.most, "run_steps": spec.steps}
    return RateNetwork(tensors, facts, "")


def make(asked: Made) -> list[Path]:
    """The recipe."""
    spec = replace(JumpRun(), steps=asked.steps or JumpRun.steps)
    network = trained(spec, asked.seed, asked.folder, asked.quiet)
    held = spec.prior.tasks(100, 50, 40, generator(HELD_OUT))
    found = accuracy(network, held)
    facts = dict(network.facts) | {
        "rmse": round(found.rmse, 4),
        "rmse_of_the_mean_rate": round(found.guess, 4),
        "coverage": round(found.coverage, 3),
    }
    path = asked.path(asked.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    tensors = {name: t.astype(np.float16) for name, t in network.tensors.items()}
    about = f"reads rates of chains of up to {spec.prior.most} states, {sum(t.size for t in tensors.values()) / 1e6:.2f}M weights"
    need("safetensors.numpy", "torch").save_file(tensors, part, {"facts": json.dumps(facts), "command": asked.command, "about": about})
    return [part.replace(path)]
