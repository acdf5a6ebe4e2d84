"""A search as one page that needs nothing else: its winner, front, history, the importance of its choices, and all trials."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from ponder.search.judging import Judged
from ponder.search.searching import Found, Trial

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}
.num{text-align:right;white-space:nowrap}.drawing{overflow-x:auto}.drawing svg{max-width:100%;height:auto}code{overflow-wrap:anywhere}
.n{fill:#7a869a}.d{fill:none;stroke:#9aa4b2}.w{fill:#178a5b}.e{fill:none;stroke:#9aa4b2;stroke-opacity:.7}.x{stroke-dasharray:3 3}
.v{stroke:#178a5b;stroke-opacity:1}.tree text{font:11px system-ui,sans-serif;fill:#39424e}.tree .t{fill:#178a5b;font-weight:600}
"""
MOST = 200
"""Trials that the table lists."""


def page(
    template: str,
    found: Found,
    judged: Judged | None,
    figures: Sequence[Path],
    unit: str,
    baseline: str,
    winner: str = "",
    command: str = "",
) -> str:
    """The page. All text is escaped; figures are SVG files and go inside.

    Args:
        judged: the winner on held-out questions, if it was judged.
        unit: of costs.
        baseline: the method that the winner was compared with.
        winner: a drawing of the winner at work, as SVG without a style.
        command: how to make it again.
    """
    e = html.escape
    best = found.best
    head = f"<p><code>{e(best.method)}</code></p><p>{best.score:.3f} at {best.cost:,.4g} {e(unit)} a question" if best else "<p>no winner"
    told = f"<p>{e(str(judged))} (baseline: <code>{e(baseline)}</code>).</p>" if judged else ""
    drawn = f'<h2>The winner at work</h2><div class="drawing tree">{winner}</div>' if winner else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Search: {e(template[:80])}</title><style>{_STYLE}</style></head><body><h1>Search for a method</h1>"
        f"<p><code>{e(template)}</code></p><p>{len(found.trials)} of {found.size} configurations, {found.asked:,} questions asked.</p>"
        f"<h2>Winner</h2>{head}.</p>{told}{drawn}"
        + "".join(f'<div class="drawing">{_inline(path)}</div>' for path in figures)
        + f"<h2>Front</h2>{_table(found.front, unit)}<h2>Trials</h2>{_table(_ranked(found), unit)}"
        + (f"<p><code>{e(command)}</code></p>" if command else "")
        + "</body></html>\n"
    )


def _ranked(found: Found) -> list[Trial]:
    return sorted(found.trials, key=lambda t: (not (t.complete and t.allowed), -t.score, t.cost))[:MOST]


def _table(trials: Sequence[Trial], unit: str) -> str:
    rows = "".join(
        f'<tr><td><code>{html.escape(t.method)}</code></td><td class="num">{t.score:.3f}</td><td class="num">{t.cost:,.4g}</td>'
        f'<td class="num">{t.questions}</td><td>{"" if t.complete else "given up"}{"" if t.allowed else " over the limit"}</td></tr>'
        for t in trials
    )
    return f"<table><tr><th>method</th><th>accuracy</th><th>{html.escape(unit)}</th><th>questions</th><th></th></tr>{rows}</table>"


def _inline(path: Path) -> str:
    """An SVG file as a part of a page; ids are made its own, so that figures do not take each other's parts."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    stem = re.sub(r"\W", "", path.stem)
    return re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{stem}-", text)
