"""What commands that run methods on tasks share: their options, and the plan that these make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ponder.bench.run import Plan
from ponder.cli.options import (
    budget_option,
    json_option,
    models_option,
    price_option,
    read_price,
    read_separator,
    sampling_options,
    step_options,
)
from ponder.core.algebra import Pipeline
from ponder.core.budget import Budget
from ponder.core.language import Sampling
from ponder.front import as_rewards
from ponder.lm.load import check, load
from ponder.programs.reasoner import Reasoner
from ponder.tasks import load as load_task

F = TypeVar("F", bound=Callable[..., Any])


def run_options(command: F) -> F:
    """--model, --seeds, --seed, --budget, how completions are drawn, --price, --json: what `run_plan` takes, and the output's form."""
    seeding = "The first root seed, and the seed of which problems are drawn."
    for option in reversed(
        (
            models_option,
            click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Repetitions with different draws."),
            click.option("--seed", type=int, default=0, show_default=True, help=seeding),
            budget_option,
            sampling_options,
            step_options,
            price_option,
            json_option,
        )
    ):
        command = option(command)
    return command


def run_plan(
    specs: Sequence[str],
    methods: Sequence[Pipeline],
    models: Sequence[str],
    limit: int | None,
    seeds: int,
    seed: int,
    budget: str,
    price: str,
    reward: Sequence[str],
    separator: str | None,
    max_steps: int,
    style: str | None,
    **sampling: Any,
) -> Plan:
    """The plan that a command's options make; names and figures are checked before any task or model is loaded.

    Raises:
        InputError: something in the options cannot be used.
    """
    for name in (*models, *reward):
        check(name)
    limits, cost, settings = Budget.parse(budget), read_price(price), Sampling(**sampling)
    tasks = [load_task(spec, limit=limit, seed=seed) for spec in specs]
    engines = {name: load(name, cost) for name in models}
    program = Reasoner(read_separator(separator), max_steps)
    return Plan(tasks, methods, engines, range(seed, seed + seeds), settings, style, limits, as_rewards(reward, engines), program)
