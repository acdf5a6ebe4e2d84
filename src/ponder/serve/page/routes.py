"""/: the page where a question is asked. It works as a plain form; with scripts the population is seen to grow."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from markupsafe import Markup

from ponder.core.answer import Answer
from ponder.core.errors import InputError, PonderError
from ponder.core.language import Sampling
from ponder.front import METHOD
from ponder.picture.genealogy import genealogy
from ponder.picture.svg import svg
from ponder.serve.admission import Caller
from ponder.serve.errors import BadRequest, NotFound, Unauthorized, status_of
from ponder.serve.forms import read_form, refuse_other_sites
from ponder.serve.gateway import Gateway, gateway_of
from ponder.serve.job import Ask, Done, Job, Progress, Token
from ponder.serve.page import runs_routes
from ponder.serve.page.events import Snapshots
from ponder.serve.page.guard import COOKIE, caller_of, guarded
from ponder.serve.page.pipeline_view import choices, describe
from ponder.serve.papers.render import render
from ponder.serve.wire.connection import HungUp, Left, while_connected
from ponder.serve.wire.sse import EventStream, data

router = APIRouter(include_in_schema=False)
router.include_router(runs_routes.router)
_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}
LARGEST = 65_536
"""Bytes that a question's form may have."""
_RUNNING: dict[str, Job] = {}
"""Jobs that a stop button can end, by a name that only their browser knows."""


@router.get("/")
def home(request: Request) -> Response:
    """The form, or the question for a key."""
    try:
        caller_of(request)
    except Unauthorized:
        return guarded(render("key.html", 401, problem=""))
    return guarded(render("ask.html", **_form(gateway_of(request))))


@router.get("/page/static/{name:path}")
def static(name: str) -> Response:
    """Scripts and styles."""
    path = (_STATIC / name).resolve()
    if _STATIC.resolve() not in path.parents or not path.is_file() or path.suffix not in _TYPES:
        raise NotFound("there is no such file here")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)


@router.post("/key")
async def key(request: Request) -> Response:
    """Keep a key in the browser; an empty one is forgotten."""
    refuse_other_sites(request)
    given = (await read_form(request)).get("key", "").strip()
    reply = RedirectResponse("/", 303)
    if not given:
        reply.delete_cookie(COOKIE, path="/")
        return reply
    try:
        gateway_of(request).admission.identify(f"Bearer {given}")
    except Unauthorized:
        return guarded(render("key.html", 401, problem="This is none of the gateway's keys."))
    reply.set_cookie(COOKIE, given, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return reply


@router.get("/ui/method")
def method(request: Request, text: str = "") -> Response:
    """A method's text as boxes, or where it is wrong."""
    caller_of(request)
    return guarded(JSONResponse(describe(text[:20_000])))


@router.post("/ask")
async def asked(request: Request) -> Response:
    """The form's answer as a page: every given method on the one question, one after the other."""
    refuse_other_sites(request)
    caller, gateway = caller_of(request), gateway_of(request)
    fields = await read_form(request, LARGEST)
    try:
        jobs = [Job(_ask(fields, text, gateway), gateway) for text in _methods(fields)]

        async def answers() -> list[tuple[str, Answer]]:
            return [(job.target.method, (await _answered(job, gateway, caller)).answer) for job in jobs]

        shown = [_shown(text, answer) for text, answer in await while_connected(request.receive, answers())]
    except HungUp:
        return Left()
    except PonderError as error:
        return guarded(render("ask.html", status_of(error), **{**_form(gateway), **fields, "problem": str(error)}))
    return guarded(render("answer.html", question=fields["question"], answers=shown))


@router.post("/ui/ask")
async def watched(request: Request) -> Response:
    """The same for a script, one method: events while the population grows."""
    refuse_other_sites(request)
    caller, gateway = caller_of(request), gateway_of(request)
    fields = await read_form(request, LARGEST)
    job = Job(_ask(fields, fields.get("method", ""), gateway), gateway)
    return guarded(EventStream(_told(job, gateway, caller), gateway.config.server.keepalive))


@router.post("/ui/stop/{name}")
def stop(request: Request, name: str) -> Response:
    """End the spending of a running question: it answers from what there is."""
    refuse_other_sites(request)
    caller_of(request)
    job = _RUNNING.get(name)
    if job is not None:
        job.cancel()
    return Response(status_code=204)


async def _told(job: Job, gateway: Gateway, caller: Caller) -> AsyncGenerator[bytes, None]:
    name, snapshots = secrets.token_urlsafe(16), Snapshots()
    _RUNNING[name] = job
    try:
        yield data({"kind": "begun", "name": name, "model": job.target.name, "seed": job.seed, "budget": str(job.budget)})
        async with gateway.admitted(job, caller), aclosing(job.events()) as events:
            async for event in events:
                if isinstance(event, Progress):
                    yield data({"kind": "step", **snapshots.step(event.step, job.bill)})
                elif isinstance(event, Token):
                    yield data({"kind": "text", "text": event.text})
                else:
                    yield data({"kind": "done", **snapshots.done(event.answer, job.seed)})
    finally:
        _RUNNING.pop(name, None)


async def _answered(job: Job, gateway: Gateway, caller: Caller) -> Done:
    async with gateway.admitted(job, caller):
        return await job.answer()


def _methods(fields: dict[str, str]) -> list[str]:
    return [text for name in ("method", "method2") if (text := fields.get(name, "").strip())] or [METHOD]


def _ask(fields: dict[str, str], text: str, gateway: Gateway) -> Ask:
    """The form's fields as an Ask; the same seed for every method, so that methods that begin alike draw alike."""
    seed, longest = fields.get("seed", "").strip(), fields.get("max_tokens", "").strip()
    if not fields.get("question", "").strip():
        raise InputError("the question is empty")
    try:
        given = None if not seed else int(seed)
        sampling = Sampling(max_tokens=int(longest)) if longest else Sampling()
    except ValueError as error:
        raise BadRequest(f"seed and longest sample are whole numbers: {error}") from None
    target = gateway.engines.resolve(fields.get("model", ""), text or METHOD)
    return Ask(fields["question"], target, fields.get("budget", ""), given, sampling, keep=True)


def _form(gateway: Gateway) -> dict[str, Any]:
    """What the form offers."""
    families: dict[str, list[Any]] = {}
    for choice in choices():
        families.setdefault(choice.family, []).append(choice)
    models = gateway.engines.models
    return {"families": families, "models": models, "model": next(iter(models)), "method": METHOD, "cap": gateway.config.caps.budget}


def _shown(text: str, answer: Answer) -> dict[str, Any]:
    drawing = ""
    if any(step.population is not None for step in answer.trace.steps):
        drawing = svg(genealogy(answer), styled=False)
    pairs = sorted(zip(answer.population.weights, answer.population.items, strict=True), key=lambda p: -p[0]) if answer.population else []
    return {
        "method": text,
        "answer": answer,
        "drawing": Markup(drawing),
        "candidates": [(float(w), c) for w, c in pairs[:50]],
        "shares": list(answer.shares.items())[:12],
        "bill": str(answer.bill),
    }
