"""Handwritten digits, two classes after two: prototypes beside a softmax with the same memory, and without any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ponder.core.errors import need
from ponder.core.seeds import derive, generator
from ponder.papers.report import Check, Table
from ponder.prob.continual import Memory, ProtoCL, train

EPOCHS, EMBEDDING = 30, 128


@dataclass(frozen=True)
class Digits:
    """Accuracy over all ten classes after the last task, a list over seeds for each method; the same as a table."""

    accuracy: dict[str, list[float]]
    table: Table


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 images of 8 x 8, pixels in [0, 1], and their labels."""
    x, y = need("sklearn.datasets", "prob").load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y.astype(np.int64)


def network(sizes: Sequence[int], seed: int) -> Any:
    """A fully connected ReLU network of the sizes given, its weights drawn from a seed of its own."""
    torch = need("torch", "torch")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [part for a, b in pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.ReLU())]
    return torch.nn.Sequential(*layers[:-1])


def prototypes(memory: int, seed: int, tasks: Sequence[tuple[np.ndarray, np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
    """ProtoCL over the tasks; gives p(class | image) for all ten."""
    model = ProtoCL(network((64, 128, EMBEDDING), seed), memory=memory, epochs=EPOCHS, seed=seed)
    for x, y in tasks:
        model.partial_fit(x, y)
    return model.predict_proba


def softmax(memory: int, seed: int, tasks: Sequence[tuple[np.ndarray, np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
    """The same network with a softmax head, the same training and the same memory; without memory it is fine-tuning."""
    torch = need("torch", "torch")
    net = network((64, 128, EMBEDDING, 10), seed)
    kept, rng = Memory(memory), generator(seed, ["softmax"])
    for x, y in tasks:
        train(net.parameters(), lambda a, b: torch.nn.functional.cross_entropy(net(a), b), *kept.mixed(x, y), rng, EPOCHS)
        kept = kept.keep(x, y, rng)

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.as_tensor(x)).double().softmax(1).numpy()

    return predict


METHODS: dict[str, tuple[Callable[..., Any], int]] = {
    "softmax, fine-tuned": (softmax, 0),
    "softmax, memory 100": (softmax, 100),
    "ProtoCL, memory 100": (prototypes, 100),
    "softmax, memory 20": (softmax, 20),
    "ProtoCL, memory 20": (prototypes, 20),
}


def digits_table(seeds: Sequence[int]) -> Digits:
    """Every method on the same splits, a quarter held out."""
    need("torch", "torch").set_num_threads(1)  # the networks are so small that a second thread costs more than it brings
    x, y = digits()
    accuracy: dict[str, list[float]] = {name: [] for name in METHODS}
    surprise: dict[str, list[float]] = {name: [] for name in METHODS}
    for seed in seeds:
        order = generator(seed, ["split"]).permutation(len(y))
        held, rest = order[: len(y) // 4], order[len(y) // 4 :]
        tasks = [(x[rows], y[rows]) for rows in (rest[y[rest] // 2 == t] for t in range(5))]
        for name, (method, memory) in METHODS.items():
            predict = method(memory, derive(seed, [name]), tasks)
            p = predict(x[held])
            accuracy[name].append(float(np.mean(p.argmax(axis=1) == y[held])))
            surprise[name].append(float(-np.log(np.maximum(p[np.arange(len(held)), y[held]], 1e-300)).mean()))
    rows: list[tuple[str | float | None, ...]] = [
        (name, float(np.mean(a)), float(np.std(a, ddof=1)), float(np.mean(surprise[name]))) for name, a in accuracy.items()
    ]
    for memory in (100, 20):
        mean, half = _paired(accuracy[f"ProtoCL, memory {memory}"], accuracy[f"softmax, memory {memory}"])
        rows.append((f"ProtoCL less softmax, memory {memory}: mean and half of its 95% interval", mean, half, None))
    columns = ("method", "accuracy on all ten", "deviation", "-log p of the label")
    return Digits(accuracy, Table(f"Digits, 5 x 2 classes, {len(seeds)} seeds", columns, tuple(rows)))


def _paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean difference over seeds, and half of its Student interval."""
    d = np.subtract(a, b)
    quantile = need("scipy.stats", "prob").t.ppf(0.975, len(d) - 1)
    return float(d.mean()), float(quantile * d.std(ddof=1) / np.sqrt(len(d)))


def digits_checks(found: Digits) -> list[Check]:
    """Thresholds set before the run."""
    ours, tuned = (float(np.mean(found.accuracy[name])) for name in ("ProtoCL, memory 100", "softmax, fine-tuned"))
    return [
        Check("digits: ProtoCL with 100 images remembered", ours, "at least .89", ours >= 0.89),
        Check("digits: softmax fine-tuned without memory", tuned, "at most .30", tuned <= 0.3, False),
    ]
