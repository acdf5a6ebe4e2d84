"""The command line. Exit codes: 0 answered, 3 abstained, 2 bad input, 1 failed, 130 interrupted."""

from __future__ import annotations

import sys
from typing import Any

import click

import ponder
from ponder.core.errors import InputError, MissingExtra, PonderError

ABSTAINED = 3


class Commands(click.Group):
    """Loads a command's module when it is called for, and turns ponder's errors into one line and an exit code."""

    homes = {  # noqa: RUF012
        "ask": "ask",
        "bench": "bench",
        "search": "search",
        "tune": "tune",
        "study": "study",
        "worth": "worth",
        "pull": "pull",
        "models": "lists",
        "methods": "lists",
        "tasks": "lists",
        "papers": "papers",
        "serve": "serve",
        "digest": "digest",
        "keys": "keys",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.homes:
            return None
        module = __import__(f"ponder.cli.{self.homes[cmd_name]}", fromlist=[cmd_name])
        return getattr(module, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.homes, n=1)
            if close:
                raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{close[0]}'?", ctx) from error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PonderError as error:
            click.echo(f"ponder: {error}", err=True)
            sys.exit(2 if isinstance(error, InputError | MissingExtra) else 1)
        except BrokenPipeError:
            sys.exit(1)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(ponder.__version__, prog_name="ponder")
def main() -> None:
    """Spend inference compute where it pays.

    \b
    ponder ask "What is 7 * 8?" --method "sample(16) | vote()" --budget "600 tokens"
    ponder bench times-tables --method "sample(1)" --method "rpc(16)" --limit 30 --out runs/tables
    ponder methods show vote
    ponder papers

    Shell completion: eval "$(_PONDER_COMPLETE=bash_source ponder)" (or zsh_source, fish_source).

    Exit codes: 0 answered, 3 abstained, 2 bad input, 1 failed, 130 interrupted.
    """
