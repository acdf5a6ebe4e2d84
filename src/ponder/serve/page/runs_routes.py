"""/runs: past runs of `ponder bench`, their plot, their answers, and each question's samples."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from ponder.serve.errors import NotFound
from ponder.serve.gateway import gateway_of
from ponder.serve.page.guard import caller_of, guarded
from ponder.serve.page.past_runs import PastRuns
from ponder.serve.page.plot import accuracy_against_cost
from ponder.serve.papers.render import render

router = APIRouter(include_in_schema=False)


def _runs(request: Request) -> PastRuns:
    caller_of(request)
    folder = gateway_of(request).config.pages.runs
    return PastRuns(Path(folder) if folder else None)


@router.get("/runs")
def runs(request: Request) -> Response:
    """All runs, the newest first."""
    return guarded(render("runs.html", names=_runs(request).names()))


@router.get("/runs/show")
def run(request: Request, name: str) -> Response:
    """One run: a plot and a table a task."""
    found = _runs(request).run(name)
    tasks = []
    for task in dict.fromkeys(r.task for r in found.rows):
        rows = [r for r in found.rows if r.task == task]
        tasks.append((task, rows, Markup(accuracy_against_cost(rows))))
    return guarded(render("run.html", run=found, tasks=tasks))


@router.get("/runs/answers")
def answers(request: Request, name: str, task: str, method: str) -> Response:
    """One method's answers on one task."""
    rows = list(_runs(request).answers(name, task, method).items())
    return guarded(render("run_answers.html", name=name, task=task, method=method, rows=rows))


@router.get("/runs/answer")
def answer(request: Request, name: str, task: str, method: str, seed: int, problem: str) -> Response:
    """One answer, with the samples it was made from."""
    past, key = _runs(request), (task, method, seed, problem)
    row = past.answers(name, *key).get(key)
    if row is None:
        raise NotFound("this run holds no such answer")
    samples = past.samples(name, key)
    facts = {"name": name, "task": task, "method": method, "seed": seed, "problem": problem}
    return guarded(render("run_answer.html", row=row, samples=samples, **facts))
