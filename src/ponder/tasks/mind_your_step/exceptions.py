"""Vehicles with exceptions: a feature tells the class of eight in ten, and the number plate tells all, once it was seen.

Liu et al. 2024 (arXiv 2410.21333), task 3. Passes over the list go on, the truth told after every vehicle, until one is without error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.core.language import LM, Message, Request, Sampling
from ponder.core.problem import Problem
from ponder.core.reading import READERS
from ponder.core.seeds import derive, generator
from ponder.tasks.base import Maker, Task
from ponder.tasks.mind_your_step.drawn import drawn_task

SIZE, EXCEPTIONS, PASSES = 10, 2, 15
FEATURES = (("engine", "petrol", "electric"), ("colour", "white", "grey"), ("doors", "two", "four"), ("roof", "fixed", "open"))
"""Names with their two values; the first follows the class of all but the exceptions, the others mean nothing."""
KEPT = 30
"""Turns that a chat holds, three passes: more do not fit small models' contexts."""
KIND = "vehicle-exceptions"


@dataclass(frozen=True)
class Vehicle:
    """One vehicle.

    Attributes:
        plate: unique in its list.
        features: 0 or 1 for each of `FEATURES`.
        label: "A" or "B".
    """

    plate: str
    features: tuple[int, ...]
    label: str

    def __str__(self) -> str:
        told = ", ".join(f"{name}: {values[bit]}" for (name, *values), bit in zip(FEATURES, self.features, strict=True))
        return f"plate {self.plate}, {told}"


Seen = Sequence[tuple[Vehicle, str]]
"""Vehicles with the classes that were told, in order."""
Predict = Callable[[Seen, Vehicle], str | None]
"""The class of a vehicle, from what was told before; None for no answer."""


@dataclass(frozen=True)
class Passes:
    """How learning went.

    Attributes:
        count: passes up to the first without error, at most `PASSES`.
        accuracy: of each pass.
        learnt: whether a pass was without error.
    """

    count: int
    accuracy: tuple[float, ...]
    learnt: bool


def vehicles(rng: np.random.Generator) -> tuple[Vehicle, ...]:
    """Ten vehicles, five of each class; the first feature follows the class of eight. Each class holds one exception."""
    labels = [0] * (SIZE // 2) + [1] * (SIZE // 2)
    turned = {int(rng.integers(SIZE // 2)), SIZE // 2 + int(rng.integers(SIZE // 2))}
    numbers = rng.permutation(900)[:SIZE] + 100
    letters = rng.integers(26, size=(SIZE, 2))
    made = [
        Vehicle(
            f"{chr(65 + a)}{chr(65 + b)}{number}",
            (label ^ int(i in turned), *(int(x) for x in rng.integers(2, size=len(FEATURES) - 1))),
            "AB"[label],
        )
        for i, (label, number, (a, b)) in enumerate(zip(labels, numbers, letters, strict=True))
    ]
    return tuple(made[i] for i in rng.permutation(SIZE))


def run_passes(listed: Sequence[Vehicle], predict: Predict, rng: np.random.Generator, most: int = PASSES) -> Passes:
    """Predict all vehicles one by one, each pass in a new order, the truth told after each, until a pass is without error.

    Args:
        listed: the vehicles.
        predict: whatever learns.
        rng: of the orders.
        most: passes after which the run ends.
    """
    seen: list[tuple[Vehicle, str]] = []
    accuracy: list[float] = []
    while len(accuracy) < most and not (accuracy and accuracy[-1] == 1):
        right = 0
        for i in rng.permutation(len(listed)):
            right += predict(tuple(seen), listed[i]) == listed[i].label
            seen.append((listed[i], listed[i].label))
        accuracy.append(right / len(listed))
    return Passes(len(accuracy), tuple(accuracy), accuracy[-1] == 1)


def memoriser(seen: Seen, vehicle: Vehicle) -> str:
    """Remembers plates, and says A for one it has not seen."""
    return next((label for earlier, label in reversed(seen) if earlier.plate == vehicle.plate), "A")


def rule_follower(seen: Seen, vehicle: Vehicle) -> str:
    """Goes by the first feature alone: right for all but the exceptions, for ever."""
    return "AB"[vehicle.features[0]]


def chat(lm: LM, think: bool, seed: int = 0, max_tokens: int | None = None) -> Predict:
    """A model as a learner: a chat in which every vehicle is a question, and the truth is told after each answer.

    Args:
        lm: the engine.
        think: ask for reasoning before the answer. The reasoning stays in the chat for `KEPT` turns.
        seed: of the draws; greedy decoding hardly needs it.
        max_tokens: of an answer; 200 to think and 8 not to, by default.
    """
    wanted = "Reason step by step, then end with: The answer is A, or: The answer is B." if think else "Answer with A or B alone."
    opening = f"Vehicles belong to class A or class B. After each answer you are told the class. {wanted}"
    sampling = Sampling(0.0, max_tokens or (200 if think else 8))
    said: list[str] = []

    def predict(seen: Seen, vehicle: Vehicle) -> str | None:
        del said[len(seen) :]  # a new run begins anew
        first = max(0, len(seen) - KEPT)
        asked = [*(earlier for earlier, _ in seen), vehicle][first:]
        told = [f"It was class {seen[i - 1][1]}.\n" if i > first else f"{opening}\n" for i in range(first, len(seen) + 1)]
        turns: list[Message] = []
        for before, about, answer in zip(told, asked, [*said[first:], None], strict=True):
            turns.append(Message("user", f"{before}Which class is this vehicle? {about}"))
            turns += [] if answer is None else [Message("assistant", answer)]
        reply = lm.generate([Request(tuple(turns), 1, derive(seed, (KIND, len(seen))))], sampling)[0].completions[0].text
        said.append(reply)
        return READERS["choice"](reply, ("A", "B"))

    return predict


def _make(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    def one(number: int) -> tuple[Problem, str]:
        rng = generator(seed, ("tasks", KIND, number))
        listed = vehicles(rng)
        asked = listed[int(rng.integers(SIZE))]
        told = "\n".join(f"{v}: class {v.label}" for v in listed)
        question = f"These vehicles and their classes are known:\n{told}\n\nOne of them comes by again: {asked}.\nWhich class is it?"
        exception = "AB"[asked.features[0]] != asked.label
        return Problem(question, choices=("class A", "class B"), reads="choice", data={"exception": exception}), asked.label

    return drawn_task(VEHICLE_EXCEPTIONS.about, one, kind=KIND, n=options["n"], most=2400, limit=limit, seed=seed, guess=0.5)


VEHICLE_EXCEPTIONS = Maker(
    "the class of a vehicle that is in the shown list; a feature tells eight of ten, the plate all (run_passes learns over many turns)",
    _make,
    {"n": (100, "how many lists of ten vehicles")},
)
