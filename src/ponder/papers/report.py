"""What a reproduction shows: a claim, what was measured against it, and the verdict that follows from the measurements."""

from __future__ import annotations

import base64
import functools
import html
import io
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from ponder.core.errors import InputError

Verdict = Literal["reproduced", "partly", "does not reproduce"]
Cell = str | int | float | None

_MEDIA = {".svg": "image/svg+xml", ".png": "image/png"}
_COLOURS = {"reproduced": "green", "partly": "yellow", "does not reproduce": "red"}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{border-bottom:1px solid #ccc;padding:.3rem .7rem;text-align:left;vertical-align:top}
.verdict{font-weight:700}.no{color:#a11212}.yes{color:#176b1f}img{max-width:100%;height:auto}
"""


@dataclass(frozen=True)
class Check:
    """One measured thing beside what it should be.

    Attributes:
        name: what was measured.
        measured: the figure, a number or a text.
        expected: the threshold or the published figure, in words.
        passed: whether the measurement meets it.
        claim: True if it tests what the paper claims; False if it only tests that the implementation is exact.
    """

    name: str
    measured: Cell
    expected: str
    passed: bool
    claim: bool = True


@dataclass(frozen=True)
class Table:
    """A titled table; every row has one cell a column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        wrong = next((row for row in self.rows if len(row) != len(self.columns)), None)
        if wrong is not None:
            raise InputError(f"table {self.title!r} has {len(self.columns)} columns, and the row {wrong!r} has {len(wrong)} cells")


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """The verdict that the checks give: all passed, none of the claims passed, or something between.

    Raises:
        InputError: if no check tests a claim.
    """
    claims = [c for c in checks if c.claim]
    if not claims:
        raise InputError("a verdict needs at least one check that tests a claim")
    if all(c.passed for c in checks):
        return "reproduced"
    return "partly" if any(c.passed for c in claims) else "does not reproduce"


@dataclass(frozen=True)
class Report:
    """What a reproduction measured. Renders to the terminal, to JSON and to one self-contained HTML page.

    Attributes:
        slug, title, claim: the paper, and its claim in our words.
        checks: what was measured against what.
        verdict: by default what `verdict_of` makes of the checks, at best "partly" if something is untested.
        untested: which part of the claim no check tests; "" if none.
        tables, figures: further results; figures are paths of PNG or SVG files.
        notes: what a reader must know to judge the verdict.
        seed, quick, seconds, command: how it was made, and how to make it again.
    """

    slug: str
    title: str
    claim: str
    checks: tuple[Check, ...]
    verdict: Verdict | None = None
    untested: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    quick: bool = True
    seconds: float = 0.0
    command: str = field(default="")

    def __post_init__(self) -> None:
        if self.verdict is None:
            measured = verdict_of(self.checks)
            object.__setattr__(self, "verdict", "partly" if self.untested and measured == "reproduced" else measured)
        if not self.command:
            quick = " --quick" if self.quick else ""
            object.__setattr__(self, "command", f"ponder papers run {self.slug}{quick} --seed {self.seed}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: numbers that JSON does not have (NaN, infinity) become texts."""
        return {
            "slug": self.slug,
            "title": self.title,
            "claim": self.claim,
            "verdict": self.verdict,
            "untested": self.untested,
            "checks": [
                {"name": c.name, "measured": _plain(c.measured), "expected": c.expected, "passed": bool(c.passed), "claim": c.claim}
                for c in self.checks
            ],
            "tables": [
                {"title": t.title, "columns": list(t.columns), "rows": [[_plain(v) for v in row] for row in t.rows]} for t in self.tables
            ],
            "figures": [f.name for f in self.figures],
            "notes": list(self.notes),
            "seed": self.seed,
            "quick": self.quick,
            "seconds": round(self.seconds, 3),
            "command": self.command,
        }

    def to_text(self, width: int = 110, colour: bool = False) -> str:
        """The report for a terminal of `width` columns; with ANSI colours if asked."""
        console = Console(file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False)
        console.print(self._rich())
        return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]

    def _rich(self) -> Group:
        checks = RichTable(title="Checks", title_justify="left", title_style="bold")
        for column in ("", "what", "measured", "expected"):
            checks.add_column(column, overflow="fold")
        for c in self.checks:
            mark = Text("ok", "green") if c.passed else Text("FAILED", "red")
            checks.add_row(mark, Text(c.name), Text(shown(c.measured)), Text(c.expected))
        parts: list[RenderableType] = [Text(f"{self.title} ({self.slug})", "bold"), Text(self.claim), Text("")]
        parts += [Text.assemble("Verdict: ", (str(self.verdict), f"bold {_COLOURS[str(self.verdict)]}"))]
        parts += [Text(f"Not tested: {self.untested}")] if self.untested else []
        parts += [Text(""), checks]
        for t in self.tables:
            table = RichTable(title=Text(t.title), title_justify="left", title_style="bold")
            for column in t.columns:
                table.add_column(Text(column), overflow="fold")
            for row in t.rows:
                table.add_row(*(Text(shown(v)) for v in row))
            parts.append(table)
        parts += [Text(f"- {note}") for note in self.notes]
        parts += [Text(f"figure: {path}") for path in self.figures]
        parts.append(Text(f"{self.seconds:.1f} s, seed {self.seed}: {self.command}", "dim"))
        return Group(*parts)

    def to_html(self) -> str:
        """One HTML page that needs nothing else: styles and figures inside, all text escaped."""
        e = html.escape
        checks = [(("yes", "ok") if c.passed else ("no", "failed"), c) for c in self.checks]
        rows = "".join(
            f'<tr><td class="{css}">{word}</td><td>{e(c.name)}</td><td>{e(shown(c.measured))}</td><td>{e(c.expected)}</td></tr>'
            for (css, word), c in checks
        )
        notes = "".join(f"<li>{e(n)}</li>" for n in self.notes)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{e(self.title)}</title><style>{_STYLE}</style></head><body>'
            f"<h1>{e(self.title)}</h1><p>{e(self.claim)}</p><p class='verdict'>Verdict: {e(str(self.verdict))}</p>"
            + (f"<p>Not tested: {e(self.untested)}</p>" if self.untested else "")
            + f"<table><caption>Checks</caption><tr><th></th><th>what</th><th>measured</th><th>expected</th></tr>{rows}</table>"
            + "".join(map(_html_table, self.tables))
            + "".join(map(_html_figure, self.figures))
            + (f"<ul>{notes}</ul>" if notes else "")
            + f"<p><code>{e(self.command)}</code> ({self.seconds:.1f} s)</p></body></html>\n"
        )


class Measure(Protocol):
    """Measures a paper's claim."""

    def __call__(self, quick: bool, seed: int, out: Path | None = None) -> Report: ...


def reproduction(measure: Measure) -> Measure:
    """What a reproduction measures, as a report that also says how it was made: its seed, whether it was quick, its seconds."""

    @functools.wraps(measure)
    def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
        began = time.perf_counter()
        report = measure(quick, seed, out)
        return replace(report, seed=seed, quick=quick, seconds=time.perf_counter() - began, command="")

    return reproduce


def shown(value: Cell) -> str:
    """A cell as a reader sees it: four significant digits, and a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Cell) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return int(value) if isinstance(value, int) else (float(value) if math.isfinite(value) else str(value))


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(c)}</th>" for c in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(shown(v))}</td>" for v in row) + "</tr>" for row in table.rows)
    return f"<table><caption>{html.escape(table.title)}</caption><tr>{head}</tr>{rows}</table>"


def _html_figure(path: Path) -> str:
    media = _MEDIA.get(Path(path).suffix.lower())
    if media is None:
        raise InputError(f"figures must be .png or .svg files, not {path}")
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return f'<p><img alt="{html.escape(Path(path).stem)}" src="data:{media};base64,{data}"></p>'
