"""Options that several commands share, and how they print."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console

from ponder.core.budget import Price
from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.lm.load import DEFAULT
from ponder.programs.prompts import STYLES
from ponder.programs.reasoner import Reasoner

F = TypeVar("F", bound=Callable[..., Any])

models_option = click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    default=(DEFAULT,),
    show_default=True,
    envvar="PONDER_MODEL",
    show_envvar=True,
    help="A model's name; several for methods that name models, the first is asked by default. `ponder models` lists the forms.",
)
budget_option = click.option(
    "--budget",
    "-b",
    default="",
    help="What may be spent on a question: '600 tokens', '4k tokens, 30s', '10 calls', '$0.02'. No limit by default.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
price_option = click.option("--price", default="", help="Dollars per million tokens, IN/OUT, for the bill: '0.15/0.60'.")


def step_options(command: F) -> F:
    """--reward, --separator, --max-steps: what step-wise methods need."""
    rewarding = "A reward model that `prm` asks, as organism:chain-reward-3; may be repeated. By default the model itself, if it can."
    separating = "What ends a step (\\n is a line break); by default what the model says, else a blank line."
    for option in (
        click.option("--max-steps", type=click.IntRange(1), default=Reasoner.max_steps, show_default=True, help="The most steps."),
        click.option("--separator", default=None, help=separating),
        click.option("--reward", multiple=True, help=rewarding),
    ):
        command = option(command)
    return command


def read_separator(text: str | None) -> str | None:
    """A separator as it is written on a command line: \\n and \\t stand for a line break and a tab."""
    return None if text is None else text.replace("\\n", "\n").replace("\\t", "\t")


def sampling_options(command: F) -> F:
    """--temperature, --max-tokens, --top-p, --top-k, --stop, --style."""
    defaults = Sampling()
    for option in reversed(
        (
            click.option("--temperature", "-t", type=float, default=defaults.temperature, show_default=True, help="0 is greedy."),
            click.option("--max-tokens", type=int, default=defaults.max_tokens, show_default=True, help="The longest completion."),
            click.option("--top-p", type=float, default=defaults.top_p, show_default=True, help="Nucleus mass."),
            click.option("--top-k", type=int, default=defaults.top_k, show_default=True, help="Tokens to choose among; 0 is all."),
            click.option("--stop", multiple=True, help="A text that ends a completion; may be repeated."),
            click.option(
                "--style", type=click.Choice(list(STYLES)), default=None, help="How the prompt is written; by default the task's own."
            ),
        )
    ):
        command = option(command)
    return command


def read_price(text: str) -> Price | None:
    """'0.15/0.60' as a price; None for ''."""
    if not text:
        return None
    try:
        parts = [float(p.strip().lstrip("$")) for p in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != 2 or not all(math.isfinite(p) and p >= 0 for p in parts):
        raise InputError(f"a price is written IN/OUT in dollars per million tokens, as in 0.15/0.60, not {text!r}")
    return Price(*parts)


def print_json(value: Any) -> None:
    """One JSON document on standard output; NaN and infinities become null."""
    click.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


def console() -> Console:
    """Standard output for people; wide enough not to break tables when it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=140, soft_wrap=True)


def progress_console() -> Console:
    """Standard error, where progress goes, so that output can be piped."""
    return Console(stderr=True)
