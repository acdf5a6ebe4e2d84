"""`ponder study`: what settings do, alone and together, in a full factorial grid on one task."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from ponder.bench.effects import Additivity, StudyTable
from ponder.bench.store import RunStore
from ponder.bench.study import Study
from ponder.cli.bench import answered
from ponder.cli.options import console, print_json, progress_console
from ponder.cli.runs import run_options, run_plan
from ponder.core.errors import InputError, MissingExtra
from ponder.search.template import Space


@click.command()
@click.argument("task")
@click.option("--grid", required=True, help="A method with settings in braces: 'sample(16, temperature={0.6,1.0}) | {vote(),argmax()}'.")
@click.option("--limit", type=click.IntRange(2), default=None, help="How many problems of the task; all by default.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out/study"), show_default=True, help="The study's folder."
)
@run_options
def study(task: str, grid: str, limit: int | None, out: Path, as_json: bool, seed: int, **options: Any) -> None:
    """Try every combination of settings on TASK, on the same questions within the same budget.

    The first setting in each brace is the one that others are compared with. Scorers are compared with the control `random`, which
    must be among them. Combinations that begin alike share their samples; the same command goes on after a kill.

    \b
    ponder study chain --model organism:chain --reward organism:chain-reward-3 --limit 200 --max-tokens 64 \\
        --grid "sample(8, temperature={1.0,0.6}) | weigh({random,likelihood,prm}) | {vote(),argmax()}"
    ponder study times-tables --grid "sample(8, style={'cot','plain','reflect'}, temperature={0.8,0.4}) | vote()" --limit 60
    """
    space = Space(grid)
    nested = [c.name for c in space.choices if c.inside is not None]
    if nested:
        raise InputError(f"a study is a full grid, and {nested[0]} is there for one setting of another only; search it, or write it out")
    cells = itertools.product(*(range(len(c.options)) for c in space.choices))
    made = Study({c.name: c.options for c in space.choices}, {cell: space.pipeline(cell) for cell in cells})
    plan = run_plan((task,), made.pipelines, limit=limit, seed=seed, **options)
    store = RunStore(out)
    try:
        store.settle(plan.settings)
        outcome = answered(plan, store)
        if outcome.interrupted:
            progress_console().print("the study was stopped; the same command goes on")
            sys.exit(130)
        if outcome.errors:
            key, text = next(iter(outcome.errors.items()))
            progress_console().print(f"[red]failed[/] {escape(' / '.join(map(str, key)))}: {escape(text)}")
            sys.exit(1)
        table = made.table(store.answers(), plan)
    finally:
        store.close()
    (out / "cells.md").write_text(table.to_markdown(), encoding="utf-8")
    plots = _plots(table, out, plan.tasks[0].name, seed)
    if as_json:
        print_json(_plain(table, seed, plots))
    else:
        _print(table, seed, plots, out)


def _plots(table: StudyTable, out: Path, title: str, seed: int) -> list[Path]:
    from ponder.bench.study_plots import effects_plot

    try:
        return list(effects_plot(table.main_effects(seed), out / "effects", title))
    except MissingExtra as error:
        progress_console().print(f"no plot: {escape(str(error))}")
        return []


def _plain(table: StudyTable, seed: int, plots: list[Path]) -> dict[str, Any]:
    added = _additivity(table, seed)
    return {
        "axes": table.axes,
        "cells": [{"cell": table.label(c), "accuracy": vars(table.accuracy(c)), "tokens": table.tokens[c].mean()} for c in table.cells],
        "front": [table.label(c) for c in table.front()],
        "main_effects": [{**vars(e), "mean": vars(e.mean), "gain": vars(e.gain)} for e in table.main_effects(seed)],
        "interactions": [{**vars(i), "more": vars(i.more)} for i in table.interactions()],
        "additivity": added
        and {
            "chosen": added.chosen,
            "singles": {name: vars(gain) for name, gain in added.singles.items()},
            **{name: vars(getattr(added, name)) for name in ("sum", "together", "gap")},
        },
        "plots": [str(p) for p in plots],
    }


def _additivity(table: StudyTable, seed: int) -> Additivity | None:
    """What adds up; None for too few problems to choose and to measure on."""
    folds = min(5, table.grades.shape[-1] // 2)
    return table.additivity(folds, seed) if folds >= 2 and len(table.axes) > 1 else None


def _print(table: StudyTable, seed: int, plots: list[Path], out: Path) -> None:
    screen = console()
    effects = Table("setting", "level", "accuracy", "over the first", "p", "p, all tests", title="Main effects", title_justify="left")
    for e in table.main_effects(seed):
        first = e.level == table.axes[e.axis][0]
        p = ("", "") if first else (f"{e.p:.4f}", f"{e.p_holm:.4f}")
        effects.add_row(escape(e.axis), escape(e.level), str(e.mean), "" if first else str(e.gain), *p)
    screen.print(effects)
    interactions = table.interactions()[:8]
    if interactions:
        pairs = Table("levels", "more together than alone", title="Interactions, the largest first", title_justify="left")
        for i in interactions:
            pairs.add_row(escape(f"{i.axes[0]}={i.levels[0]}, {i.axes[1]}={i.levels[1]}"), str(i.more))
        screen.print(pairs)
    added = _additivity(table, seed)
    if added is not None:
        screen.print(
            f"best settings, chosen on other problems: alone they gain {added.sum} in all, together {added.together}; gap {added.gap}"
        )
    spent = [table.tokens[c].mean() for c in table.cells]
    screen.print(
        f"{len(table.cells)} combinations, {min(spent):,.0f} to {max(spent):,.0f} tokens a question, {table.grades.shape[-1]} problems"
    )
    for path in plots:
        screen.print(f"plot    {path}")
    screen.print(f"cells   {out / 'cells.md'}")
