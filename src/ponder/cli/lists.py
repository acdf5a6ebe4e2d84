"""`ponder models`, `ponder methods`, `ponder tasks`: what there is."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from ponder.cli.options import console, json_option, print_json, read_price
from ponder.core.algebra import Stage
from ponder.core.errors import InputError, did_you_mean
from ponder.core.problem import Problem
from ponder.core.terms import REGISTRY, arguments
from ponder.lm.load import FORMS
from ponder.methods import METHODS, parse
from ponder.methods.architecture import Architecture
from ponder.methods.forecast import forecast
from ponder.organisms.card import Card
from ponder.organisms.shelf import shelf


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the forms that a model's name can take.

    \b
    ponder models
    ponder ask "What is 7 * 8?" --model http://localhost:8000/v1#qwen3-8b
    """
    if as_json:
        print_json([*map(vars, FORMS), *map(_organism, shelf())])
        return
    table = Table("model", "what it is", "example")
    for form in FORMS:
        table.add_row(escape(form.form), form.about, escape(form.example))
    console().print(table)
    shipped = Table("organism", "what it is", "stated figures")
    for row in map(_organism, shelf()):
        facts = ", ".join(f"{name} {value}" for name, value in row["facts"].items() if isinstance(value, int | float | str))
        shipped.add_row(escape(row["form"]), escape(row["about"]), escape(facts))
    if shipped.row_count:
        console().print(shipped)


def _organism(card: Card) -> dict[str, Any]:
    name = f"organism:{card.name}"
    return {"form": name, "about": card.about, "example": name, "facts": card.facts, "command": card.command}


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def methods(ctx: click.Context, as_json: bool) -> None:
    """List everything that a method can be made of.

    \b
    ponder methods
    ponder methods show rpc
    """
    if ctx.invoked_subcommand:
        return
    rows = [_about(name) for name in sorted(REGISTRY, key=lambda n: (_kind(n) != "method", _kind(n), n))]
    if as_json:
        print_json(rows)
        return
    table = Table("name", "kind", "what it does")
    for row in rows:
        table.add_row(escape(row["signature"]), row["kind"], row["about"].split("\n")[0])
    console().print(table)
    console().print("Join stages with |, pool branches with +:  sample(16) | weigh(likelihood) | vote()")


@methods.command("show")
@click.argument("name")
@json_option
def show_method(name: str, as_json: bool) -> None:
    """Say what NAME does, with its arguments.

    \b
    ponder methods show sample
    """
    if name not in REGISTRY:
        raise InputError(f"nothing is called {name!r}; {did_you_mean(name, REGISTRY, '`ponder methods` lists all names')}")
    row = _about(name)
    if as_json:
        print_json(row)
        return
    out = console()
    out.print(f"[bold]{escape(row['signature'])}[/]  ({row['kind']})\n{escape(row['about'])}")
    for argument in row["arguments"]:
        default = "" if argument["required"] else f" (default {argument['default']})"
        out.print(f"  [bold]{argument['name']}[/]: {escape(argument['help'])}{escape(default)}")
    if row["pipeline"]:
        out.print(f"  is      {escape(row['pipeline'])}")


@methods.command("cost")
@click.argument("method")
@click.option("--question", default="", help="One question, as long as the real ones.")
@click.option("--answer-tokens", type=click.IntRange(1), default=256, show_default=True, help="Length of an answer.")
@click.option("--reply-tokens", type=click.IntRange(1), default=64, show_default=True, help="Length of a critique, a ranking, a verdict.")
@click.option("--price", default="", help="Dollars per million tokens, IN/OUT: '0.15/0.60'.")
@json_option
def cost_method(method: str, question: str, answer_tokens: int, reply_tokens: int, price: str, as_json: bool) -> None:
    """What METHOD, or an architecture in Archon's JSON (a file), costs on one question, before anything is run.

    \b
    ponder methods cost "sample(10) | critique() | rank(5) | fuse()" --answer-tokens 300 --price 0.15/0.60
    """
    pipeline, broken = _method_of(method)
    asked, prices = Problem(question or "x" * 400), read_price(price)
    told = forecast(pipeline, asked, answer_tokens=answer_tokens, reply_tokens=reply_tokens, prices=prices)
    if as_json:
        print_json({"method": str(pipeline), "broken_rules": broken, **asdict(told), "tokens": told.tokens})
        return
    for rule in broken:
        console().print(f"[red]rule[/] {escape(rule)}")
    console().print(f"at most {told}")


@methods.command("archon")
@click.argument("method")
def archon_method(method: str) -> None:
    """METHOD as Archon's JSON; or, of a file of Archon's JSON, the method.

    \b
    ponder methods archon "sample(5, model='a') + sample(5, model='b') | critique() | rank(5) | fuse()" > architecture.json
    ponder methods archon architecture.json
    """
    if method.endswith(".json"):
        pipeline, broken = _method_of(method)
        for rule in broken:
            click.echo(f"rule: {rule}", err=True)
        for setting in Architecture.from_config(Path(method)).unused():
            click.echo(f"not used: {setting}", err=True)
        click.echo(str(pipeline))
    else:
        print_json(Architecture.of(parse(method)).to_config())


def _method_of(text: str) -> tuple[Stage, list[str]]:
    """A method's text or a file of Archon's JSON as a pipeline, and the rules that the architecture breaks."""
    if not text.endswith(".json"):
        return parse(text), []
    architecture = Architecture.from_config(Path(text))
    return architecture.pipeline(), [str(v) for v in architecture.violations()]


def _kind(name: str) -> str:
    return "method" if name in METHODS else REGISTRY[name].kind  # pyright: ignore[reportFunctionMemberAccess]


def _about(name: str) -> dict[str, Any]:
    maker = REGISTRY[name]
    declared = arguments(maker)
    shown = [a.name if a.required else f"{a.name}={a.default!r}" for a in declared]
    return {
        "name": name,
        "kind": _kind(name),
        "signature": f"{name}({', '.join(shown)})",
        "about": inspect.cleandoc(maker.__doc__ or ""),
        "arguments": [
            {"name": a.name, "help": a.help or a.expected, "required": a.required, "default": None if a.required else str(a.default)}
            for a in declared
        ],
        "pipeline": _expanded(name),
    }


def _expanded(name: str) -> str:
    if name not in METHODS:
        return ""
    example = METHODS[name](**{a.name: 16 for a in arguments(METHODS[name]) if a.required})
    return " | ".join(str(stage) for stage in example.flat())


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def tasks(ctx: click.Context, as_json: bool) -> None:
    """List the problem sets.

    \b
    ponder tasks
    ponder tasks show times-tables
    """
    if ctx.invoked_subcommand:
        return
    from ponder.tasks import names

    known = names()
    if as_json:
        print_json(known)
        return
    table = Table("task", "what it is")
    for name, about in known.items():
        table.add_row(escape(name), escape(about))
    console().print(table)


@tasks.command("show")
@click.argument("name")
@json_option
def show_task(name: str, as_json: bool) -> None:
    """Show a task: an example problem, its gold answer and how answers are read.

    \b
    ponder tasks show arithmetic:difficulty=3
    ponder tasks show file:questions.csv,question=q,answer=a
    """
    from ponder.tasks import describe, load

    facts = describe(load(name, limit=20))
    if as_json:
        print_json(facts)
        return
    out = console()
    for key, value in facts.items():
        out.print(f"[bold]{key}[/]: {escape(str(value))}")
