"""`ponder bench`: methods on tasks, stored as they come, with a table and a plot at the end."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ponder.bench.held import held_rows
from ponder.bench.run import Outcome, Plan, run
from ponder.bench.store import Key, RunStore
from ponder.bench.summary import Row, summarise
from ponder.cli.options import console, print_json, progress_console
from ponder.cli.runs import run_options, run_plan
from ponder.core.errors import MissingExtra
from ponder.methods import parse


@click.command()
@click.argument("tasks", nargs=-1, required=True)
@click.option(
    "--method", "methods", multiple=True, default=("sample(16) | vote()",), show_default=True, help="A pipeline; may be repeated."
)
@click.option("--limit", type=click.IntRange(1), default=None, help="How many problems of each task; all by default.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out/bench"), show_default=True, help="The run's folder."
)
@click.option(
    "--holdout",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Keep a half of the problems back: a folder of ledgers, the same for every run that tunes on these tasks.",
)
@click.option("--holdout-budget", type=click.IntRange(1), default=100, show_default=True, help="How often a holdout may disagree.")
@click.option("--plot/--no-plot", default=True, help="Draw accuracy against tokens (extra: bench).")
@run_options
def bench(
    tasks: tuple[str, ...], methods: tuple[str, ...], limit: int | None, out: Path, holdout: Path | None, holdout_budget: int, plot: bool,
    as_json: bool, models: tuple[str, ...], **options: Any,
) -> None:  # fmt: skip
    """Run methods on TASKS and compare accuracy and cost.

    \b
    ponder bench times-tables --method "sample(1)" --method "sample(16) | vote()" --method "rpc(16)" --limit 30 --out runs/tables
    ponder bench gsm8k arc-challenge --model http://localhost:8000/v1#qwen3-8b --limit 200 --seeds 3 --budget "8k tokens"
    ponder bench file:questions.csv,question=q,answer=a --method "adaptive_consistency()"

    Every answer is stored the moment it exists. The same command goes on after a kill, in the middle of a search if need be;
    methods that begin alike share their samples. With --holdout, accuracy is that of the training half, and what to report is the
    estimate that the other half vouches for, however many methods were tried. Exit code 0: all answered, 1: some questions failed,
    130: interrupted.
    """
    pipelines = [parse(text) for text in methods]
    plan = run_plan(tasks, pipelines, models=models, limit=limit, **options)
    loaded = plan.tasks
    store = RunStore(out)
    store.settle(plan.settings)
    outcome = answered(plan, store, show_accuracy=holdout is None)
    names = [str(m) for m in pipelines]
    answers = {k: v for k, v in store.answers().items() if k in set(plan.keys)}
    if holdout is None:
        rows = summarise(answers, names, [t.name for t in loaded])
    else:
        asked = {t.name: [p.id for p in t.problems] for t in loaded}
        about = json.dumps(plan.settings, sort_keys=True)
        rows = held_rows(answers, names, asked, holdout, about=about, budget=holdout_budget)
    plots = _plots(rows, out) if plot else []
    store.close()
    if as_json:
        print_json(
            {
                "model": plan.settings["models"][models[0]],
                "rows": [r.to_dict() for r in rows],
                "guess": {t.name: t.guess for t in loaded},
                "plots": [str(p) for p in plots],
                "errors": {" / ".join(map(str, key)): text for key, text in outcome.errors.items()},
                "interrupted": outcome.interrupted,
            }
        )
    else:
        _print(rows, {t.name: t.guess for t in loaded}, outcome, plots, out)
    if outcome.interrupted:
        sys.exit(130)
    if outcome.errors:
        sys.exit(1)


def answered(plan: Plan, store: RunStore, show_accuracy: bool = True) -> Outcome:
    """Run with live progress: answers, accuracy so far if it may be shown, tokens a second, time left."""
    total, known = len(plan.keys), len(set(plan.keys) & store.keys())
    screen = progress_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    counts = {"done": 0, "correct": 0.0, "tokens": 0}
    began, lock = time.monotonic(), threading.Lock()
    if known:
        screen.print(f"resuming: {known} of {total} answers are there already")
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("answering", total=total, completed=known, facts="")

        def on_answer(key: Key, row: dict[str, Any]) -> None:
            with lock:
                counts["done"] += 1
                counts["correct"] += row["correct"]
                counts["tokens"] += row["bill"]["tokens"]
                rate = counts["tokens"] / max(1e-9, time.monotonic() - began)
                right = f"{counts['correct'] / counts['done']:.0%} right, " if show_accuracy else ""
                facts = f"{right}{rate:,.0f} tokens/s"
            progress.update(bar, advance=1, facts=facts)

        return run(plan, store, on_answer)


def _plots(rows: list[Row], out: Path) -> list[Path]:
    from ponder.bench.plots import Point, accuracy_against_tokens

    try:
        drawn: list[Path] = []
        for task in dict.fromkeys(r.task for r in rows):
            stem = out / f"accuracy-{''.join(c if c.isalnum() or c in '-_' else '-' for c in task)[:80]}"
            points = [
                Point(r.method, r.tokens, r.accuracy.value, r.accuracy.low, r.accuracy.high)
                for r in rows
                if r.task == task and r.tokens > 0
            ]
            if points:
                drawn += accuracy_against_tokens(points, stem, task)
        return drawn
    except MissingExtra as error:
        progress_console().print(f"no plot: {escape(str(error))}")
        return []


def _print(rows: list[Row], guess: dict[str, float], outcome: Outcome, plots: list[Path], out: Path) -> None:
    held = any(r.held for r in rows)
    vouched = ("holdout", "told by", "budget left") if held else ()
    table = Table("task", "method", "accuracy", "95% interval", *vouched, "random", "oracle", "ECE", "tokens", "seconds", "front")
    for r in rows:
        interval = f"{r.accuracy.low:.3f} to {r.accuracy.high:.3f}"
        money = f" (${r.money:.4g})" if r.money else ""
        table.add_row(
            escape(r.task), escape(r.method), f"{r.accuracy.value:.3f}", interval, *(_vouched(r) if held else ()),
            f"{r.random:.3f}", f"{r.oracle:.3f}",
            f"{r.calibration_error:.3f}", f"{r.tokens:,.0f}{money}", f"{r.seconds:.2f}", "*" if r.front else "",
        )  # fmt: skip
    screen = console()
    screen.print(table)
    screen.print(
        f"{max((r.problems for r in rows), default=0)} problems; tokens and seconds are means a question; "
        "random: a sample picked blindly; oracle: coverage; *: on the Pareto front"
    )
    if held:
        screen.print("accuracy and all other figures are of the training half; report the holdout's estimate")
    for task, accuracy in guess.items():
        if accuracy:
            screen.print(f"uniform guess on {escape(task)}: {accuracy:.3f}")
    for key, text in list(outcome.errors.items())[:5]:
        screen.print(f"[red]failed[/] {escape(' / '.join(map(str, key)))}: {escape(text)}")
    if len(outcome.errors) > 5:
        screen.print(f"[red]and {len(outcome.errors) - 5} more; run the same command to ask them again[/]")
    for path in plots:
        screen.print(f"plot    {path}")
    screen.print(f"stored  {out}")


def _vouched(row: Row) -> tuple[str, str, str]:
    """What the holdout says of a row; dashes for a method that it was not or could not be asked about."""
    if row.held is None:
        return "-", "-", "-"
    return f"{row.held.value:.3f}", row.held.source, str(row.held.remaining)
