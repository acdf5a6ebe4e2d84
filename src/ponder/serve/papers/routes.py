"""/papers: the list with its search, a page a paper, the run button, the feed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from ponder.core.errors import InputError
from ponder.papers.catalog import WINGS, Paper, find
from ponder.serve.digest import routes as digest
from ponder.serve.digest.changes import newest, notice
from ponder.serve.errors import NotFound
from ponder.serve.forms import refuse_other_sites
from ponder.serve.papers.entries import STATES, Entry, entries, names_of, only
from ponder.serve.papers.feed import atom
from ponder.serve.papers.render import render
from ponder.serve.papers.reports import MEDIA, figure_path, read_report
from ponder.serve.papers.room import PapersRoom, close_room, room_of
from ponder.serve.papers.search import Hit

_STATIC = Path(__file__).parent / "static"
_TYPES = {"papers.js": "text/javascript", "papers.css": "text/css"}
_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox", "X-Content-Type-Options": "nosniff"}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    close_room(app)


router = APIRouter(lifespan=_lifespan, include_in_schema=False)
router.include_router(digest.router)  # before /papers/{slug}, which would take its addresses


@router.get("/papers")
def listed(request: Request, q: str = "", wing: str = "", verdict: str = "") -> HTMLResponse:
    """The list; `q` searches it, `wing` and `verdict` narrow it."""
    choices = {"q": q, "wing": wing, "verdict": verdict, "wings": WINGS, "states": STATES}
    return render("papers.html", rows=_found(room_of(request), q, wing, verdict), **choices)


@router.get("/papers/results")
def results(request: Request, q: str = "", wing: str = "", verdict: str = "") -> HTMLResponse:
    """The list alone, for the script that searches while one types."""
    return render("_results.html", rows=_found(room_of(request), q, wing, verdict), q=q)


@router.get("/papers/feed.atom")
def feed(request: Request) -> Response:
    """What changed, for feed readers."""
    room = digest.room_of(request)
    notice(room.store, entries())
    return Response(atom(newest(room.store), room.site(request)), media_type="application/atom+xml")


@router.get("/papers/static/{name}")
def static(name: str) -> FileResponse:
    """The script and the style."""
    if name not in _TYPES:
        raise NotFound("there is no such file here")
    return FileResponse(_STATIC / name, media_type=_TYPES[name], headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"})


@router.get("/papers/{slug}")
def one(request: Request, slug: str) -> Response:
    """A paper's page."""
    room = room_of(request)
    paper = _paper(slug)
    if paper.slug != slug:
        return RedirectResponse(f"/papers/{paper.slug}", 307)
    entry = next(e for e in entries() if e.paper is paper)
    report = read_report(room.reports, slug)
    return render("paper.html", entry=entry, report=report, names=names_of(paper.arxiv), **_run_of(room, entry))


@router.post("/papers/{slug}/run")
def run(request: Request, slug: str) -> RedirectResponse:
    """Queue a paper's quick reproduction."""
    refuse_other_sites(request)
    room = room_of(request)
    paper = _paper(slug)
    if not room.settings.run or not paper.built:
        raise NotFound("this server runs no reproductions" if paper.built else f"{paper.slug} is not built")
    room.runs.submit(paper.slug)
    return RedirectResponse(f"/papers/{paper.slug}#run", 303)


@router.get("/papers/{slug}/run")
def progress(request: Request, slug: str) -> HTMLResponse:
    """How the latest run stands, for the script that watches it."""
    paper = _paper(slug)
    return render("_run.html", **_run_of(room_of(request), next(e for e in entries() if e.paper is paper)))


@router.get("/papers/{slug}/figures/{name}")
def figure(request: Request, slug: str, name: str) -> FileResponse:
    """A figure of the kept report. It stands alone: nothing in it may load or run anything."""
    path = figure_path(room_of(request).reports, _paper(slug).slug, name)
    if path is None:
        raise NotFound(f"there is no figure {name!r}")
    return FileResponse(path, media_type=MEDIA[path.suffix], headers=_ALONE)


def _paper(slug: str) -> Paper:
    try:
        return find(slug)
    except InputError as error:
        raise NotFound(str(error)) from error


def _found(room: PapersRoom, q: str, wing: str, verdict: str) -> Sequence[tuple[Entry, Hit]]:
    """Entries with what to show of them: in the order of the search, or the list's own where nothing is searched for."""
    listed = only(entries(), wing, verdict)
    if not q.strip():
        return [(e, Hit(e.paper.slug, "", e.paper.title, e.paper.claim)) for e in listed]
    by_slug = {e.paper.slug: e for e in listed}
    return [(by_slug[hit.slug], hit) for hit in room.index.search(q) if hit.slug in by_slug]


def _run_of(room: PapersRoom, entry: Entry) -> dict[str, Any]:
    """What the template of a run shows: the run, how long it went on, and how long the last quick one took, if known."""
    slug = entry.paper.slug
    latest = room.runs.latest(slug)
    usual = entry.measured.seconds if entry.measured and entry.measured.quick else 0.0
    seconds = latest.seconds(time.time()) if latest else 0.0
    may = room.settings.run and entry.paper.built
    return {"slug": slug, "run": latest, "ahead": room.runs.ahead(slug), "seconds": seconds, "usual": usual, "may_run": may}
