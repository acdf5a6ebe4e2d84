"""`ponder tune`: the settings with which an engine writes the most tokens a second on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ponder.bench.idealized import RuntimeModel
from ponder.cli.options import console, json_option, print_json, progress_console
from ponder.core.errors import EngineError, InputError, need
from ponder.core.language import LM, Sampling
from ponder.lm import paces, tuned
from ponder.lm.load import DEFAULT, check
from ponder.lm.server_process import filled, running
from ponder.lm.throughput import ThroughputSample, cells, measure, profile_generation, workload
from ponder.search.optimisers import OPTIMISERS
from ponder.search.serving import Landscape, ServingSpace, Settings, again, ratio, save
from ponder.search.serving import tune as tune_space

CORES = os.cpu_count() or 1
EMBEDDED = {
    "threads": sorted({0, 1, max(1, CORES // 2), CORES}),
    "group": [16, 4, 64],
    "sequences": [256, 16],
    "batched_tokens": [2048, 256],
}
"""Levels of the embedded engine's settings; the first of each are its own."""


@click.command()
@click.argument("model", default=DEFAULT)
@click.option("--factor", "factors", multiple=True, help="NAME=LEVEL,LEVEL,...: what is varied; the first levels are the default cell.")
@click.option(
    "--start", default="", help="A command that starts the server; {NAME} stands for a factor: 'vllm serve M --max-num-seqs {slots}'."
)
@click.option("--optimiser", type=click.Choice(list(OPTIMISERS)), default="tpe", show_default=True, help="How settings are proposed.")
@click.option("--evaluations", type=click.IntRange(1), default=16, show_default=True, help="The most settings to measure.")
@click.option("--requests", type=click.IntRange(1), default=32, show_default=True, help="Prompts of the workload.")
@click.option("--prompt", type=click.IntRange(1), default=64, show_default=True, help="Tokens of a prompt, about.")
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Samples of each prompt.")
@click.option("--max-tokens", type=click.IntRange(1), default=24, show_default=True, help="Tokens of a completion.")
@click.option("--repeats", type=click.IntRange(2), default=3, show_default=True, help="How often each setting is timed.")
@click.option("--profile", is_flag=True, help="Profile single queries too, so that bills tell idealized seconds.")
@click.option("--keep/--no-keep", default=True, show_default=True, help="Use the best setting from now on (embedded models).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the workload and the optimiser.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out/tune"), show_default=True, help="Where results go."
)
@json_option
def tune(
    model: str, factors: tuple[str, ...], start: str, optimiser: str, evaluations: int, requests: int, prompt: int, samples: int,
    max_tokens: int, repeats: int, profile: bool, keep: bool, seed: int, out: Path, as_json: bool,
) -> None:  # fmt: skip
    """Measure MODEL's throughput over its settings and find the best.

    Settings that fail (out of memory, a server that does not start) are cells with a reason. The best three and the default are measured
    again before a gain is told, and the default every ten cells, which shows how the machine drifts.

    \b
    ponder tune
    ponder tune smollm2 --factor threads=0,1,2 --factor group=16,4 --evaluations 6 --profile
    ponder tune http://localhost:8000/v1#qwen3-8b --factor concurrency=32,1,4,8,16,64
    ponder tune http://localhost:8080/v1#m --start "llama-server -m m.gguf --port 8080 -np {slots}" --factor slots=1,2,4,8
    """
    check(model)
    levels = dict(_factor(text) for text in factors) or _default_factors(model)
    unknown = [name for name in levels if start and f"{{{name}" not in start and name != "concurrency"]
    if unknown:
        raise InputError(f"the command of --start does not mention {', '.join(f'{{{n}}}' for n in unknown)}")
    if optimiser == "tpe":
        need("optuna", "search")
    space = ServingSpace(levels)
    make = _maker(model, levels, bool(start))
    batch = [replace(r, n=samples) for r in workload(requests, prompt, seed)]
    sampling = Sampling(temperature=1.0, max_tokens=max_tokens)

    def timed(settings: Settings) -> ThroughputSample:
        with ExitStack() as stack:
            try:
                if start:
                    stack.enter_context(running(filled(start, settings), model.partition("#")[0]))
            except EngineError as error:
                return ThroughputSample(failed=f"{type(error).__name__}: {error}")
            return measure(lambda: make(settings), batch, sampling, repeats)

    landscape = _measured(space, timed, optimiser, evaluations, seed)
    best = again(landscape, timed)
    save(landscape, out / "landscape.json")
    winner = best.best()
    gain = ratio(best.samples[winner], best.samples[best.default], seed=seed)
    where = (
        tuned.keep(_name(model), space[winner].values)
        if keep and gain.low > 1 and not start and model.partition(":")[0] != "http"
        else None
    )
    pace = _profiled(make, space[winner].values, seed) if profile else None
    told = {
        "best": space[winner].values, "default": space[landscape.default].values, "best_over_default": gain.value,
        "interval": [gain.low, gain.high], "drift": list(landscape.drift), "kept": where and str(where), "pace": pace,
        "cells": json.loads(landscape.to_json())["cells"], "failures": {str(space[i]): why for i, why in landscape.failures().items()},
    }  # fmt: skip
    if as_json:
        print_json(told)
        return
    _print(landscape, best, winner, str(gain), gain.low > 1, out)
    if where:
        console().print(f"kept    {where}: {model} is loaded so from now on")
    if pace:
        console().print(f"pace    {pace}")


def _factor(text: str) -> tuple[str, list[Any]]:
    name, equals, levels = text.partition("=")
    values = [_level(v.strip()) for v in levels.split(",") if v.strip()]
    if not equals or not name.strip().isidentifier() or not values:
        raise InputError(f"a factor is written NAME=LEVEL,LEVEL, as in threads=1,2, not {text!r}")
    return name.strip(), values


def _level(text: str) -> Any:
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _default_factors(model: str) -> dict[str, list[Any]]:
    if model.startswith("http"):
        return {"concurrency": [32, 1, 2, 4, 8, 16, 64]}
    if model == DEFAULT or model.endswith(".gguf"):
        return EMBEDDED
    raise InputError(f"say what to vary of {model}: --factor NAME=LEVEL,LEVEL")


def _name(model: str) -> str:
    return f"embedded:{model if model == DEFAULT else Path(model).name}"


def _maker(model: str, levels: dict[str, list[Any]], started: bool) -> Callable[[Settings], LM]:
    """What makes an engine of a setting; settings that the engine does not have are refused before anything is measured."""
    if model.startswith("http"):
        url, _, name = model.partition("#")
        if not started:
            _known(model, levels, ("concurrency",))

        def server(settings: Settings) -> LM:
            from ponder.lm.http import HTTP

            return HTTP(url, name, **{k: v for k, v in settings.items() if k == "concurrency"})

        return server
    if model == DEFAULT or model.endswith(".gguf"):
        _known(model, levels, ("threads", "batched_tokens", "sequences", "group", "split"))

        def embedded(settings: Settings) -> LM:
            from ponder.lm.embedded import Embedded, Scheduling
            from ponder.pull import fetch

            path = fetch(DEFAULT) if model == DEFAULT else Path(model)
            return Embedded(path, name=_name(model), scheduling=Scheduling(**settings))

        return embedded
    if model.startswith("transformers:"):
        _known(model, levels, ("batch", "dtype", "device"))

        def torch(settings: Settings) -> LM:
            from ponder.lm.transformers import Transformers

            return Transformers(model.partition(":")[2], **settings)

        return torch
    raise InputError(f"{model} has no settings to tune; embedded models, transformers: and servers have")


def _known(model: str, levels: dict[str, list[Any]], known: tuple[str, ...]) -> None:
    strange = [name for name in levels if name not in known]
    if strange:
        raise InputError(f"{model} has no setting {strange[0]!r}; it has {', '.join(known)}")


def _measured(space: ServingSpace, timed: Callable[[Settings], ThroughputSample], optimiser: str, evaluations: int, seed: int) -> Landscape:
    screen = progress_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[facts]}"), TimeElapsedColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("measuring", total=min(len(space), evaluations), facts="")
        best = 0.0

        def on_cell(_: int, sample: ThroughputSample) -> None:
            nonlocal best
            best = max(best, sample.mean)
            progress.update(bar, advance=1, facts=f"best {best:,.1f} tokens/s")

        return tune_space(space, timed, optimiser, evaluations, seed=seed, on_cell=on_cell)


def _profiled(make: Callable[[Settings], LM], settings: Settings, seed: int) -> str:
    engine = make(settings)
    try:
        model = RuntimeModel.fit(cells(profile_generation(engine, (1, 32, 128), (1, 4, 16), iterations=3, seed=seed)))
        return f"{paces.keep(engine.name, model.pace)} (R^2 {model.r2:.3f}, {model.pace.beta * 1e3:.3g} ms a token)"
    finally:
        engine.close()


def _print(landscape: Landscape, best: Landscape, winner: int, gain: str, better: bool, out: Path) -> None:
    table = Table("setting", "tokens/s", "s.e.", "")
    for i, s in sorted(landscape.samples.items(), key=lambda pair: -pair[1].mean):
        mark = "default" if i == landscape.default else "unstable" if s.unstable else ""
        table.add_row(escape(str(landscape.space[i])), f"{s.mean:,.1f}" if not s.failed else "-", f"{s.error:.1f}", s.failed or mark)
    screen = console()
    screen.print(table)
    drift = [d for d in landscape.drift if d]
    if len(drift) > 1:
        spread = (max(drift) - min(drift)) / max(drift)
        screen.print(
            f"default cell, measured {len(drift)} times: {spread:.0%} apart"
            + (" [yellow](above 10%: the machine drifts)[/]" * (spread > 0.1))
        )
    told = f"[bold green]{escape(str(best.space[winner]))}[/]" if better else "nothing is surely better than the default"
    screen.print(f"{told}; best over default, measured afresh: {escape(gain)}")
    screen.print(f"stored  {out / 'landscape.json'}")
