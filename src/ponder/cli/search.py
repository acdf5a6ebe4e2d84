"""`ponder search`: the best pipeline of a template for a task, judged on questions that the search never saw."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ponder.bench.store import RunStore
from ponder.cli.options import console, print_json, progress_console
from ponder.cli.runs import run_options, run_plan
from ponder.core.algebra import Pipeline
from ponder.core.context import Trace
from ponder.core.errors import MissingExtra, need
from ponder.core.seeds import derive, generator
from ponder.front import ask
from ponder.methods import parse
from ponder.picture.genealogy import genealogy
from ponder.picture.svg import svg
from ponder.search.evaluate import COSTS, Interrupted, Runs, Searched
from ponder.search.judging import Judged, holdout, judge
from ponder.search.optimisers import OPTIMISERS
from ponder.search.page import page
from ponder.search.searching import Found, Plan, Trial
from ponder.search.searching import halving as rungs_of
from ponder.search.searching import search as search_space
from ponder.search.template import Space
from ponder.trust.holdout import Holdout, halves


@click.command()
@click.argument("task")
@click.option("--template", required=True, help="A method with choices in braces: 'sample({4,16}) | {vote(),argmax()}'.")
@click.option("--optimiser", type=click.Choice(list(OPTIMISERS)), default="tpe", show_default=True, help="How configurations are proposed.")
@click.option("--evaluations", type=click.IntRange(1), default=40, show_default=True, help="The most configurations to try.")
@click.option("--limit", type=click.IntRange(8), default=None, help="How many problems of the task, held-out ones included.")
@click.option("--holdout", "share", type=click.FloatRange(0.05, 0.9), default=0.5, show_default=True, help="Share that is held out.")
@click.option("--baseline", default=None, help="The method to beat; by default the first options of all choices.")
@click.option("--within", type=click.FloatRange(0, min_open=True), default=None, help="The most that a question may cost on the mean.")
@click.option("--cost", type=click.Choice(COSTS), default="tokens", show_default=True, help="What is counted as cost.")
@click.option("--front", is_flag=True, help="Search for the whole front of accuracy against cost.")
@click.option("--halving/--no-halving", default=True, help="Give up early what is not among the best third on few questions.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out/search"), show_default=True, help="The search's folder."
)
@run_options
def search(
    task: str, template: str, optimiser: str, evaluations: int, limit: int | None, share: float, baseline: str | None,
    within: float | None, cost: str, front: bool, halving: bool, out: Path, as_json: bool, seed: int, **options: Any,
) -> None:  # fmt: skip
    """Search the pipelines of a template for the one that answers TASK best.

    Questions are split in two: the search sees one part, its winner is judged on the other through a reusable holdout, and the difference
    (the optimism gap) is printed. Answers and samples are kept in the folder: the same command goes on after a kill, another template in
    the same folder uses what was drawn, and asks the same holdout again.

    \b
    ponder search chain --model organism:chain --reward organism:chain-reward-3 --limit 200 \\
        --template "sample({4,8,16}) | {weigh({prm,random}), None} | {vote(), argmax()}" --within 900
    ponder search times-tables --template "sample({1,4,16}, temperature={0.4,0.8}) | vote()" --limit 60 --front
    """
    space = Space(template)
    if optimiser == "tpe":
        need("optuna", "search")
    against = space[0].pipeline if baseline is None else parse(baseline)
    runs_plan = run_plan((task,), (against,), limit=limit, seed=seed, **options)
    (loaded,) = runs_plan.tasks
    seen, held = halves([p.id for p in loaded.problems], share, str(seed))
    order = generator(seed, ("search", "questions")).permutation(seen)
    plan = Plan(len(order), optimiser, evaluations, within, front, rungs_of(len(order)) if halving and not front else (), seed=seed)
    store = RunStore(out)
    store.settle(runs_plan.settings)
    fresh = [loaded.problems[i] for i in held]
    asked = holdout(len(fresh), out / "holdout.sqlite", tuple(p.id for p in fresh))  # other questions than before are refused here
    runs = Runs(runs_plan, [loaded.problems[i] for i in order], store, cost)
    try:
        found = _search(space, runs, plan)
        judged = _judged(found, space, against, runs, fresh, asked) if found.best else None
        drawn = _drawn(found, space, runs, seed) if found.best else ""
    except Interrupted as error:
        progress_console().print(str(error))
        sys.exit(130)
    finally:
        asked.ledger.close()
        store.close()
    where = _page(out, template, found, judged, cost, str(against), drawn)
    if as_json:
        told = judged.to_dict() if judged else None
        print_json({**found.to_dict(), "template": template, "baseline": str(against), "held_out": told, "page": where and str(where)})
    else:
        _print(found, judged, str(against), cost, where)


def _search(space: Space, runs: Runs, plan: Plan) -> Found:
    """Search with live progress: configurations tried, the best so far."""
    screen = progress_console()
    most = min(len(space), plan.evaluations or len(space))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[facts]}"), TimeElapsedColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("searching", total=most, facts="")
        best, answers, tried = 0.0, 0, 0

        def tell(**more: Any) -> None:
            progress.update(bar, facts=f"best {best:.3f}, {answers:,} answers drawn", **more)

        def on_answer(_: dict[str, Any]) -> None:
            nonlocal answers
            answers += 1
            tell()

        def on_trial(trial: Trial) -> None:
            nonlocal best, tried
            tried += 1
            if trial.complete and trial.allowed:
                best = max(best, trial.score)
            tell(completed=tried)

        runs.on_answer = on_answer
        return search_space(space, Searched(space, runs), plan, on_trial)


def _judged(found: Found, space: Space, against: Pipeline, runs: Runs, fresh: list[Any], asked: Holdout) -> Judged:
    """The winner and the baseline on the search's questions and on held-out ones."""
    assert found.best is not None
    winner = space[found.best.index].pipeline
    (a, _), (b, _) = (runs.ask(winner, part) for part in (runs.problems, fresh))
    (c, _), (d, _) = (runs.ask(against, part) for part in (runs.problems, fresh))
    return judge((a, b), (c, d), asked, f"{winner} against {against}")


def _drawn(found: Found, space: Space, runs: Runs, seed: int) -> str:
    """The winner's search on the first question that it got right, drawn from what is kept."""
    assert found.best is not None
    winner, task = space[found.best.index].pipeline, runs.plan.tasks[0]
    grades, _ = runs.ask(winner, runs.problems)
    problem = runs.problems[int(np.argmax(grades >= 1))]
    plan, trace = runs.plan, Trace(keep=True)
    answer = ask(
        problem, method=winner, model=dict(plan.models), reward=dict(plan.rewards), store=runs.store, trace=trace, budget=plan.budget,
        seed=derive(seed, (task.name, problem.id)), style=plan.style, temperature=plan.sampling.temperature,
        max_tokens=plan.sampling.max_tokens, top_p=plan.sampling.top_p, top_k=plan.sampling.top_k, stop=plan.sampling.stop,
        separator=plan.program.separator, max_steps=plan.program.max_steps,
    )  # fmt: skip
    return svg(genealogy(answer), styled=False) if trace.steps else ""


def _page(out: Path, template: str, found: Found, judged: Judged | None, cost: str, against: str, drawn: str) -> Path | None:
    from ponder.search.figures import front_figure, history_figure, importance_figure

    try:
        figures = [
            front_figure(found, out / "front", cost)[1],
            history_figure(found, out / "history")[1],
            importance_figure(found, out / "importance")[1],
        ]
    except MissingExtra as error:
        progress_console().print(f"no figures: {escape(str(error))}")
        figures = []
    where = out / "search.html"
    where.write_text(page(template, found, judged, figures, cost, against, drawn), encoding="utf-8")
    return where


def _print(found: Found, judged: Judged | None, against: str, cost: str, where: Path | None) -> None:
    screen = console()
    table = Table("method", "accuracy", cost, "questions", "")
    shown = sorted((t for t in found.trials if t.complete), key=lambda t: (not t.allowed, -t.score, t.cost))[:10]
    front = {t.index for t in found.front}
    for t in shown:
        mark = ("winner " if t == found.best else "") + ("*" if t.index in front else "") + ("" if t.allowed else " over the limit")
        table.add_row(escape(t.method), f"{t.score:.3f}", f"{t.cost:,.4g}", str(t.questions), mark)
    screen.print(table)
    screen.print(f"{len(found.trials)} of {found.size} configurations tried, {found.asked:,} questions asked; *: on the front")
    screen.print(
        "importance " + ", ".join(f"{n} {v:.2f}" for n, v in sorted(found.importance().items(), key=lambda p: -p[1])), markup=False
    )
    if found.best is None:
        screen.print("[bold yellow]no configuration is within the limit[/]")
    elif judged is not None:
        screen.print(f"[bold green]{escape(found.best.method)}[/]  {found.best.score:.3f} on the search's questions")
        screen.print(f"{judged} (baseline {against})", markup=False)
        screen.print(f"the holdout may disagree {judged.remaining} more times")
    screen.print(f"page    {where}")
