"""Gates: cheap answers that stand if they are sure enough, and a fallback for the rest; what they answer, and what that costs.

A certified classifier, an early exit, a cascade, a vote that stops early are all gates. Whoever decides when the gate shuts decides what
the owner pays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gated:
    """What a gate did with n requests.

    Attributes:
        predicted: the cheap answers, shape (n,), of any type that can be compared.
        passed: where the cheap answer stands; elsewhere the gate abstains, shape (n,).
        margin: how far the gate was from shutting, above 0 where it is open, shape (n,).
        cost: what each request cost, where the gate itself knows (samples, layers), shape (n,); else None.
    """

    predicted: NDArray[Any]
    passed: NDArray[np.bool_]
    margin: Floats
    cost: Floats | None = None

    def __post_init__(self) -> None:
        shapes = {np.shape(a) for a in (self.predicted, self.passed, self.margin, *(() if self.cost is None else (self.cost,)))}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise InputError(f"a gate's answers, decisions, margins and costs must have one shape (n,), not {sorted(shapes)}")


Gate = Callable[[Any], Gated]
"""Answers a batch of requests."""


@dataclass(frozen=True)
class Costs:
    """What a request costs whose gate does not say: `cheap` always, `fallback` on top where it abstains. Any unit."""

    cheap: float = 1.0
    fallback: float = 10.0

    def __post_init__(self) -> None:
        if not (0 <= self.cheap < np.inf and 0 <= self.fallback < np.inf):
            raise InputError(f"costs must be numbers of at least 0, not {self}")


@dataclass(frozen=True)
class Served:
    """How a set of requests was served.

    Attributes:
        requests: how many there were.
        accuracy: share of right cheap answers, the gate ignored.
        load: share of requests that the fallback got (the abstention rate).
        certified_accuracy: share of requests whose cheap answer stands and is right.
        system_accuracy: share of right answers with the fallback's in place of abstentions; None without a fallback.
        cost: mean cost a request.
    """

    requests: int
    accuracy: float
    load: float
    certified_accuracy: float
    system_accuracy: float | None
    cost: float


@dataclass(frozen=True)
class Availability:
    """The same requests clean and with the trigger.

    Attributes:
        clean, triggered: how each was served.
    """

    clean: Served
    triggered: Served

    @property
    def amplification(self) -> float:
        """Mean cost of a triggered request over that of a clean one; infinite if clean ones are free."""
        return self.triggered.cost / self.clean.cost if self.clean.cost else np.inf

    def success(self, unattacked: Availability) -> float:
        """What the attack adds to the load of triggered requests over an unattacked gate: the trigger alone is already unusual."""
        return self.triggered.load - unattacked.triggered.load


def serve(
    gate: Gate, requests: Any, answers: ArrayLike, fallback: Callable[[Any], ArrayLike] | None = None, costs: Costs | None = None
) -> Served:
    """Send requests through a gate, and those it abstains on to the fallback.

    Args:
        gate: answers requests.
        requests: a batch, an array or a list, that `gate` and `fallback` take.
        answers: what is right, shape (n,).
        fallback: its answers, shape (n,), for the whole batch; None if there is no need to know them.
        costs: what a request costs if the gate does not say.

    Raises:
        InputError: if there are no requests, or numbers of requests and answers differ.
    """
    right = np.asarray(answers)
    gated = gate(requests)
    if right.ndim != 1 or not len(right) or len(right) != len(gated.passed):
        raise InputError(
            f"{len(gated.passed)} requests were answered, and {right.shape} right answers were given; both must be (n,), n at least 1"
        )
    correct = np.asarray(gated.predicted == right)
    system = None
    if fallback is not None:
        system = float(np.mean(np.where(gated.passed, correct, np.asarray(fallback(requests)) == right)))
    price = costs or Costs()
    cost = gated.cost if gated.cost is not None else price.cheap + price.fallback * ~gated.passed
    return Served(
        len(right),
        float(correct.mean()),
        float(1 - gated.passed.mean()),
        float(np.mean(correct & gated.passed)),
        system,
        float(np.mean(cost)),
    )


def availability(
    gate: Gate,
    requests: Any,
    answers: ArrayLike,
    trigger: Callable[[Any], Any],
    fallback: Callable[[Any], ArrayLike] | None = None,
    costs: Costs | None = None,
) -> Availability:
    """Serve the same requests clean and with the trigger; arguments as in `serve`, `trigger` maps a batch to the triggered one."""
    return Availability(serve(gate, requests, answers, fallback, costs), serve(gate, trigger(requests), answers, fallback, costs))
