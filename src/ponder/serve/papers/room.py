"""What the addresses of the papers share: the index, the queue of runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request

from ponder.papers.catalog import papers
from ponder.pull import home
from ponder.serve.papers.encoder import load_encoder
from ponder.serve.papers.runs import Runs
from ponder.serve.papers.search import Index
from ponder.serve.rooms import kept


@dataclass(frozen=True)
class PapersSettings:
    """How the papers are served.

    Attributes:
        run: whether the page has a button that runs a paper's quick reproduction here.
        queue: how many reproductions may wait or run.
        seconds: how long one may take.
        reports: the folder of the reports; by default `reports` in PONDER_HOME. `out/papers` shows what `ponder papers run` left.
        encoder: the folder of a sentence encoder for the search by meaning; "" for none.
    """

    run: bool = True
    queue: int = 8
    seconds: float = 1800.0
    reports: str = ""
    encoder: str = ""


class PapersRoom:
    """Made once an application, on the first request."""

    def __init__(self, settings: PapersSettings) -> None:
        self.settings = settings
        self.reports = Path(settings.reports) if settings.reports else home() / "reports"
        self.index = Index(papers(), load_encoder(settings.encoder) if settings.encoder else None)
        self.runs = Runs(self.reports, settings.queue, settings.seconds)


def room_of(request: Request) -> PapersRoom:
    """The room of the application that a request came to. `app.state.papers_settings` says how, where it is set."""
    return kept(request, "papers", lambda: PapersRoom(getattr(request.app.state, "papers_settings", PapersSettings())))


def close_room(app: FastAPI) -> None:
    """Stop what runs."""
    room = getattr(app.state, "papers", None)
    if room:
        room.runs.close()
