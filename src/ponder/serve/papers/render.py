"""Pages and mails from the templates of the page, the papers and the digest. Every value is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from markupsafe import Markup, escape

from ponder.papers.report import shown
from ponder.serve.papers.search import BEGIN, END

_SERVE = Path(__file__).parents[1]
_TEMPLATES = ("page", "papers", "digest")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _marked(text: str) -> Markup:
    """Escaped text with the words that a search found marked."""
    return Markup(str(escape(text)).replace(BEGIN, "<mark>").replace(END, "</mark>"))


_PAGES = Environment(loader=ChoiceLoader([FileSystemLoader(_SERVE / room / "templates") for room in _TEMPLATES]), autoescape=True)
_PAGES.filters.update(marked=_marked, shown=shown)


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, with headers that let it load nothing from elsewhere and run no inline script."""
    return HTMLResponse(render_text(template, **values), status, HEADERS)


def render_text(template: str, **values: Any) -> str:
    """What a template says."""
    return _PAGES.get_template(template).render(**values)
