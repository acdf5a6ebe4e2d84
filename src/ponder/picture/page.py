"""An answer and its search as one page that needs nothing else."""

from __future__ import annotations

import html

from ponder.core.answer import Answer
from ponder.picture.genealogy import Genealogy
from ponder.picture.svg import svg

_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #8886;padding:.3rem .6rem;text-align:left;vertical-align:top}
td{white-space:pre-wrap;overflow-wrap:anywhere}.num{text-align:right;white-space:nowrap}.drawing{overflow-x:auto}code{overflow-wrap:anywhere}
"""
MOST = 50
"""Candidates that the table lists."""


def page(question: str, answer: Answer, search: Genealogy) -> str:
    """The answer, its bill, the drawing and a table of the last candidates, heaviest first. All text is escaped."""
    e = html.escape
    value = e(str(answer.value)) if answer.value is not None else f"no answer: {e(answer.reason)}"
    notes = "".join(f"<li>{e(n)}</li>" for n in (*(str(r) for r in search.resamplings), *answer.trace.notes))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{e(question[:80])}</title><style>{_STYLE}</style></head><body><h1>{e(question)}</h1>"
        f"<p><strong>{value}</strong> (confidence {answer.confidence:.2f})</p><p><code>{e(answer.method)}</code></p>"
        f"<p>{e(str(answer.bill))}</p>"
        f'<div class="drawing">{svg(search)}</div>{f"<ul>{notes}</ul>" if notes else ""}{_table(answer)}</body></html>\n'
    )


def _table(answer: Answer) -> str:
    if answer.population is None:
        return ""
    pairs = sorted(zip(answer.population.weights, answer.population.items, strict=True), key=lambda p: -p[0])
    rows = "".join(
        f'<tr><td class="num">{weight:.3f}</td><td>{html.escape(c.value or "")}</td><td>{html.escape(c.text)}</td>'
        f'<td class="num">{c.tokens}</td></tr>'
        for weight, c in pairs[:MOST]
    )
    more = f"<p>{len(pairs) - MOST} lighter candidates are not listed.</p>" if len(pairs) > MOST else ""
    return f"<h2>Candidates</h2><table><tr><th>weight</th><th>answer</th><th>text</th><th>tokens</th></tr>{rows}</table>{more}"
