"""`python -m ponder.train NAME --out DIR`: make an organism."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ponder.core.errors import PonderError
from ponder.train.catalog import ALSO, RECIPES, make

NAMES = "\n".join(f"  {name}" + (f", with {ALSO[name]}" if name in ALSO else "") for name in RECIPES)


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=f"\b\nOrganisms:\n{NAMES}")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the weights go; run again, it goes on where it was.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the weights and the problems.")
@click.option("--steps", type=click.IntRange(min=1), help="Updates, instead of the recipe's own number.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(name: str, out: Path, seed: int, steps: int | None, quiet: bool) -> None:
    """Make the organism NAME and write its weights to a folder, for example: python -m ponder.train chain --out organisms --seed 2"""
    try:
        from ponder.core.errors import need
        from ponder.train.recipes import Made

        # More threads cost more than they bring at this size, and one thread adds in one order: the same bits every time.
        need("torch", "torch").set_num_threads(1)
        for path in make(Made(name, out, seed, steps, quiet)):
            click.echo(str(path))
    except PonderError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
