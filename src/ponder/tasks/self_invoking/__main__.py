"""`python -m ponder.tasks.self_invoking OUT.jsonl --seed 0`: make the items of `data/self_invoking.jsonl` out of HumanEval again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ponder.sandbox import find
from ponder.tasks.code import rows
from ponder.tasks.self_invoking.builder import kept, lift
from ponder.tasks.self_invoking.recorder import record


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the tests' inputs.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first problems.")
def main(out: Path, seed: int, limit: int | None) -> None:
    """Write all items that can be made of HumanEval and keep the rules."""
    box = find()
    records = [record(row, box) for row in rows("humaneval")[:limit]]
    drafts = [draft for r in records for draft in lift(r, box, seed=seed)]
    items = kept(drafts, box)
    leave = ("raw_problem", "raw_solution")
    out.write_text("".join(json.dumps({k: v for k, v in asdict(item).items() if k not in leave}) + "\n" for item in items), "utf-8")
    usable = sum(r.usable for r in records)
    click.echo(f"{usable} of {len(records)} problems usable, {len(drafts)} drafts, {len(items)} items kept")


if __name__ == "__main__":
    main()
