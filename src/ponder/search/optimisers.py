"""Which configuration to try next: random, grid, greedy, and Optuna's tree-structured Parzen estimator.

An optimiser is a generator. It yields the number of a configuration of its space that it has not yielded before, is sent what came of
it, and ends when all have been tried. It is determined by its seed and by what it was sent, so that a search that is run again goes the
same way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ponder.core.errors import need
from ponder.core.seeds import derive, generator
from ponder.search.template import Choice


class Point(Protocol):
    """One configuration: for each choice the number of its option, None where the choice is not there."""

    @property
    def options(self) -> tuple[int | None, ...]: ...


class Points(Protocol):
    """What an optimiser walks in: a `ponder.search.Space` of pipelines, or any grid."""

    choices: tuple[Choice, ...]
    index: dict[tuple[int | None, ...], int]

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Point: ...
    def present(self, choice: int, options: tuple[int | None, ...]) -> bool: ...


@dataclass(frozen=True)
class Told:
    """What came of a configuration.

    Attributes:
        values: what is maximised: the score; for a front the score and minus the cost.
        questions: how many it was tried on.
        complete: False if it was given up before it saw all of them.
    """

    values: tuple[float, ...]
    questions: int = 1
    complete: bool = True


Proposals = Generator[int, Told, None]


def random(space: Points, seed: int = 0, objectives: int = 1) -> Proposals:
    """All configurations in random order: the best of m comes after (m + 1) / 2 tries on the mean."""
    for index in generator(seed, ("search", "random")).permutation(len(space)):
        yield int(index)


def grid(space: Points, seed: int = 0, objectives: int = 1) -> Proposals:
    """All configurations in the order of the template, the last choice fastest."""
    for index in range(len(space)):  # noqa: UP028  a range takes nothing that is sent
        yield index


def hill(space: Points, seed: int = 0, objectives: int = 1) -> Proposals:
    """Steps of one choice to its next or last option, uphill, from the first configuration; at a local optimum from an untried one."""
    known: dict[int, float] = {}
    for start in (0, *random(space, seed)):
        if start in known:
            continue
        at, known[start] = start, (yield start).values[0]
        while True:
            for near in _steps(space, at):
                if near not in known:
                    known[near] = (yield near).values[0]
            best = max((at, *_steps(space, at)), key=lambda i: known[i])
            if known[best] <= known[at]:
                break
            at = best


def _steps(space: Points, index: int) -> list[int]:
    """Configurations that differ by one step of one choice."""
    options = space[index].options
    found = {}
    for choice, option in enumerate(options):
        near = [o for o in _neighbours(space, options, choice) if abs((o[choice] or 0) - (option or 0)) == 1]
        found.update(dict.fromkeys(space.index[o] for o in near if o in space.index))
    return [i for i in found if i != index]


def greedy(space: Points, seed: int = 0, objectives: int = 1) -> Proposals:
    """One choice at a time, all others kept; from the first options of all, then, where nothing improves, from an untried configuration."""
    known: dict[int, float] = {}
    for start in (0, *random(space, seed)):
        if start in known:
            continue
        options, improved = space[start].options, True
        known[start] = (yield start).values[0]
        best = known[start]
        while improved:
            improved = False
            for choice in range(len(space.choices)):
                for near in _neighbours(space, options, choice):
                    index = space.index.get(near)
                    if index is None:  # a grid may have holes
                        continue
                    if index not in known:
                        known[index] = (yield index).values[0]
                    if known[index] > best:
                        options, best, improved = near, known[index], True


def _neighbours(space: Points, options: tuple[int | None, ...], choice: int) -> list[tuple[int | None, ...]]:
    """The same options but for one choice; choices inside its other options begin with their first."""
    if options[choice] is None:
        return []
    found = []
    for option in range(len(space.choices[choice].options)):
        made: tuple[int | None, ...] = ()
        for at, old in enumerate(options):
            new = option if at == choice else old
            made = (*made, (new or 0) if space.present(at, made) else None)
        if made != options:
            found.append(made)
    return found


TRIES = 20
"""Proposals that are thrown away because they were tried, before an untried configuration is drawn at random."""


def tpe(space: Points, seed: int = 0, objectives: int = 1) -> Proposals:
    """Optuna's tree-structured Parzen estimator over all choices together (Bergstra et al. 2011; extra: search).

    Numbers in order are steps of a scale, other options are names. What was given up early counts as Optuna counts pruned trials.
    """
    optuna: Any = need("optuna", "search")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate sampling is marked experimental
        sampler = optuna.samplers.TPESampler(seed=derive(seed, ("search", "tpe")), multivariate=True, group=True)
    study = optuna.create_study(directions=["maximize"] * objectives, sampler=sampler)
    states = optuna.trial.TrialState
    tried: set[int] = set()
    spare = random(space, seed)
    while len(tried) < len(space):
        for _ in range(TRIES):
            trial = study.ask()
            index = space.index.get(_suggested(space, trial))
            if index is not None and index not in tried:
                break
            study.tell(trial, state=states.FAIL)
        else:
            index = next(i for i in spare if i not in tried)
            study.enqueue_trial(_parameters(space, index))
            trial = study.ask()
            _suggested(space, trial)
        tried.add(index)
        told = yield index
        if told.complete or objectives > 1:
            study.tell(trial, list(told.values))
        else:
            trial.report(told.values[0], told.questions)
            study.tell(trial, state=states.PRUNED)


def _suggested(space: Points, trial: Any) -> tuple[int | None, ...]:
    options: tuple[int | None, ...] = ()
    for at, choice in enumerate(space.choices):
        if not space.present(at, options):
            options = (*options, None)
        elif _ordered(choice):
            options = (*options, trial.suggest_int(choice.name, 0, len(choice.options) - 1))
        else:
            options = (*options, trial.suggest_categorical(choice.name, range(len(choice.options))))
    return options


def _parameters(space: Points, index: int) -> dict[str, int]:
    return {c.name: o for c, o in zip(space.choices, space[index].options, strict=True) if o is not None}


def _ordered(choice: Choice) -> bool:
    """Whether the options are more than two numbers that rise or fall."""
    try:
        steps = np.diff([float(o) for o in choice.options])
    except ValueError:
        return False
    return len(steps) > 1 and (bool(np.all(steps > 0)) or bool(np.all(steps < 0)))


OPTIMISERS: dict[str, Callable[[Points, int, int], Proposals]] = {
    "tpe": tpe,
    "random": random,
    "greedy": greedy,
    "hill": hill,
    "grid": grid,
}
"""By name: what makes the proposals for a space, a seed and a number of objectives."""
