"""`ponder papers`: the catalog, and its reproductions."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from ponder.cli.options import console, json_option, print_json, progress_console
from ponder.papers.catalog import Paper, find, record, verdicts
from ponder.papers.catalog import papers as catalog
from ponder.papers.report import Report


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def papers(ctx: click.Context, as_json: bool) -> None:
    """List all papers with their latest measured verdict.

    \b
    ponder papers
    ponder papers show rpc
    ponder papers run large-language-monkeys --quick
    ponder papers check --quick
    """
    if ctx.invoked_subcommand:
        return
    measured = verdicts()
    if as_json:
        print_json([{**_facts(p), "state": p.state} for p in catalog()])
        return
    table = Table("no", "slug", "title", "wing", "state")
    for paper in catalog():
        verdict = measured.get(paper.slug)
        table.add_row(
            str(paper.number), paper.slug, escape(paper.title), paper.wing, f"{paper.state} ({verdict.date})" if verdict else paper.state
        )
    console().print(table)


def _facts(paper: Paper) -> dict[str, object]:
    return {name: getattr(paper, name) for name in ("number", "slug", "title", "authors", "year", "arxiv", "wing", "claim", "code")}


@papers.command()
@click.argument("slug")
@json_option
def show(slug: str, as_json: bool) -> None:
    """Show one paper: its claim, where it lives in the code, the latest verdict.

    \b
    ponder papers show rpc
    ponder papers show 44
    """
    paper = find(slug)
    if as_json:
        print_json({**_facts(paper), "state": paper.state})
        return
    for name, value in {**_facts(paper), "state": paper.state}.items():
        if value:
            console().print(f"[bold]{name}[/]: {escape(str(value))}")


quick_option = click.option("--quick", is_flag=True, help="The short form, about a minute.")
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Root of all draws.")
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/papers"),
    show_default=True,
    help="Where reports and figures go.",
)


@papers.command("run")
@click.argument("slug")
@quick_option
@seed_option
@out_option
@json_option
def run_paper(slug: str, quick: bool, seed: int, out: Path, as_json: bool) -> None:
    """Run a paper's reproduction and report what was measured.

    \b
    ponder papers run large-language-monkeys --quick
    ponder papers run rpc --seed 3 --json
    """
    report = _run(find(slug), quick, seed, out)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo(report.to_text())
        click.echo(f"report: {out / report.slug / 'report.html'}")


@papers.command()
@click.argument("slugs", nargs=-1)
@quick_option
@seed_option
@out_option
@json_option
def check(slugs: tuple[str, ...], quick: bool, seed: int, out: Path, as_json: bool) -> None:
    """Run the reproductions of all papers that are built (or of SLUGS) and list the verdicts.

    \b
    ponder papers check --quick
    ponder papers check rpc large-language-monkeys
    """
    chosen = [find(slug) for slug in slugs] or [paper for paper in catalog() if paper.code]
    reports = [_run(paper, quick, seed, out) for paper in chosen]
    if as_json:
        print_json([report.to_dict() for report in reports])
        return
    for report in reports:
        passed = sum(c.passed for c in report.checks)
        click.echo(f"{report.slug:<32} {report.verdict}  ({passed} of {len(report.checks)} checks, {report.seconds:.0f} s)")


def _run(paper: Paper, quick: bool, seed: int, out: Path) -> Report:
    folder = out / paper.slug
    folder.mkdir(parents=True, exist_ok=True)
    with progress_console().status(f"reproducing {paper.slug}"):
        report = paper.reproduce(quick, seed, folder)
    (folder / "report.html").write_text(report.to_html(), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(report.to_dict(), indent=2), encoding="utf-8")
    record(report)
    return report
