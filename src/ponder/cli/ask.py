"""`ponder ask`: one question, one answer, one bill."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ponder.cli import ABSTAINED
from ponder.cli.options import (
    budget_option,
    console,
    json_option,
    models_option,
    price_option,
    print_json,
    progress_console,
    read_price,
    read_separator,
    sampling_options,
    step_options,
)
from ponder.core.answer import Answer
from ponder.core.budget import Budget, Meter
from ponder.core.context import Trace, TraceStep
from ponder.core.errors import InputError, PonderError
from ponder.core.problem import Problem
from ponder.core.reading import READERS
from ponder.front import METHOD
from ponder.front import ask as ask_ponder
from ponder.lm.load import check, load
from ponder.methods import parse
from ponder.picture.genealogy import Genealogy, genealogy
from ponder.picture.page import page
from ponder.picture.svg import svg
from ponder.picture.terminal import tree


@click.command()
@click.argument("question")
@click.option("--method", default=METHOD, show_default=True, help="A pipeline; `ponder methods` lists what can be in it.")
@models_option
@budget_option
@sampling_options
@step_options
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Root of all draws; the same seed gives the same draws, as far as the engine repeats itself.",
)
@click.option("--reads", type=click.Choice(list(READERS)), default="auto", show_default=True, help="How an answer is read off a text.")
@click.option("--choice", "choices", multiple=True, help="An option of a multiple-choice question; repeat for each.")
@click.option("--example", "examples", multiple=True, help="A worked example 'QUESTION => ANSWER' for few-shot prompts; may be repeated.")
@click.option("--show", is_flag=True, help="Draw the search as a tree: weights, resamplings, the winning branch.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Write the search to this file, .svg or .html."
)
@price_option
@json_option
def ask(
    question: str,
    method: str,
    models: tuple[str, ...],
    budget: str,
    seed: int,
    reads: str,
    choices: tuple[str, ...],
    examples: tuple[str, ...],
    price: str,
    as_json: bool,
    show: bool,
    picture: Path | None,
    reward: tuple[str, ...],
    separator: str | None,
    max_steps: int,
    **sampling: Any,
) -> None:
    """Answer QUESTION ("-" reads it from standard input).

    \b
    ponder ask "What is 7 * 8?"
    ponder ask "What is 7 * 8?" --method "rpc(16)" --budget "600 tokens" --json
    ponder ask "What is 12 * 7?" --example "What is 3 * 4? => 3 * 4 = 12" --example "What is 6 * 5? => 6 * 5 = 30"
    ponder ask "Is 91 a prime?" --method "sample(8) | vote() | abstain(0.6)" --reads boolean
    ponder ask "Tom has 3 boxes of 4." --method "particle_filter(8, likelihood)" --separator "\\n" --show --picture out/search.html
    ponder ask "3 + 4 * 5?" -m organism:chain -m organism:chain-small --method "sample(4) + sample(4, model='organism:chain-small')"
    ponder ask "Why is the sky blue?" --model http://localhost:8000/v1#qwen3-8b --method "best_of_n(4, judge)" --reads text

    Ctrl-C ends the spending; the answer comes from what was drawn until then. Exit code 0: answered, 3: abstained.
    """
    pipeline = parse(method)
    if picture is not None and picture.suffix not in (".svg", ".html"):
        raise InputError(f"a picture is an .svg or an .html file, not {picture.name!r}")
    for name in (*models, *reward):
        check(name)
    limits, cost = Budget.parse(budget), read_price(price)
    shots = tuple(_example(text) for text in examples)
    problem = Problem(
        sys.stdin.read() if question == "-" else question,
        choices=choices,
        examples=shots,
        reads="choice" if choices and reads == "auto" else reads,
        style="few-shot" if shots else "plain",
    )
    meter = Meter(limits, cost)
    trace = Trace(keep=show or picture is not None)
    with _watched(meter, trace, quiet=as_json):
        engines = {name: load(name, cost) for name in models}
        engine = engines[models[0]]
        meter = meter if engine.price is None or cost else Meter(limits, engine.price)
        answer = ask_ponder(
            problem,
            method=pipeline,
            model=engines,
            seed=seed,
            meter=meter,
            trace=trace,
            reward=reward,
            separator=read_separator(separator),
            max_steps=max_steps,
            **sampling,
        )
    search = genealogy(answer) if trace.keep and trace.steps else None
    if picture is not None and search is not None:
        _draw(picture, problem.question, answer, search)
    if as_json:
        drawn = {"tree": search.to_dict()} if show and search is not None else {}
        print_json({**answer.to_dict(), "seed": seed, "model": engine.name, "budget": str(limits), **drawn})
    else:
        if show and search is not None:
            console().print(tree(search))
        _print(answer)
        if picture is not None:
            click.echo(f"picture {picture}")
    if answer.abstained:
        sys.exit(ABSTAINED)


def _draw(path: Path, question: str, answer: Answer, search: Genealogy) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(svg(search) if path.suffix == ".svg" else page(question, answer, search), encoding="utf-8")
    except OSError as error:
        raise PonderError(f"the picture could not be written to {path}: {error}") from error


def _example(text: str) -> tuple[str, str]:
    question, arrow, solution = text.partition("=>")
    if not arrow or not question.strip() or not solution.strip():
        raise InputError(f"an example is written 'QUESTION => ANSWER', not {text!r}")
    return question.strip(), solution.strip()


@contextmanager
def _watched(meter: Meter, trace: Trace, quiet: bool) -> Iterator[None]:
    """A line of progress on standard error, and Ctrl-C as the end of the budget (a second one ends the program)."""

    def interrupted(*_: object) -> None:
        if meter.interrupted:
            raise KeyboardInterrupt
        meter.stop()

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupted) if in_main else None
    screen = progress_console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as progress:
            told = progress.add_task("pondering (Ctrl-C: answer from what there is)")

            def tell(step: TraceStep) -> None:
                facts = f"round {step.round + 1}, {step.size} candidates (ess {step.ess:.1f}), {step.tokens:,} tokens"
                progress.update(told, description=f"{escape(step.stage[:40])}: {facts} (Ctrl-C: answer from what there is)")

            trace.listener = tell
            yield
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)


def _print(answer: Answer) -> None:
    out = console()
    if answer.abstained:
        out.print(f"[bold yellow]no answer[/]: {escape(answer.reason)}")
    else:
        out.print(f"[bold green]{escape(str(answer.value))}[/]  (confidence {answer.confidence:.2f})")
        text = answer.text.strip()
        if text and text != answer.value:
            out.print(f"[dim]{escape(text if len(text) < 1500 else text[:1500] + ' ...')}[/]")
    others = [f"{escape(v)}: {share:.2f}" for v, share in list(answer.shares.items())[:6]]
    if len(others) > 1:
        out.print("shares  " + ", ".join(others) + (", ..." if len(answer.shares) > 6 else ""))
    out.print(f"bill    {answer.bill}")
    for note in answer.trace.notes:
        out.print(f"[yellow]note[/]    {escape(note)}")
