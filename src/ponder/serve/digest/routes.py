"""/papers/digest: subscribe, confirm, unsubscribe.

A link that is followed changes nothing until its page's button is pressed, since mail scanners follow links. A mail program's one-click
unsubscribing (RFC 8058) is that same button: a POST to the same address.
"""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse

from ponder.core.errors import InputError
from ponder.serve.digest.changes import last_id, notice
from ponder.serve.digest.room import room_of
from ponder.serve.errors import GatewayError, NotFound
from ponder.serve.forms import read_form, refuse_other_sites
from ponder.serve.papers.entries import entries
from ponder.serve.papers.render import render

router = APIRouter(prefix="/papers/digest", include_in_schema=False)
_ASKED = "If this address does not get the digest yet, a mail is on its way to it. Follow the link in it to confirm."


class AskedTooOften(GatewayError):
    """Mails were asked for too often."""

    status, kind, code = 429, "rate_limit_error", "asked_too_often"


@router.get("")
def form(request: Request) -> HTMLResponse:
    return render("digest.html", open=room_of(request).open, says="")


@router.post("")
async def subscribe(request: Request, later: BackgroundTasks) -> HTMLResponse:
    """The same reply for every address, at the same speed: the mail goes out after it."""
    refuse_other_sites(request)
    room = room_of(request)
    if not room.open:
        raise NotFound("this server sends no digest")
    address = (await read_form(request)).get("address", "")
    if room.too_often(request.client.host if request.client else ""):
        raise AskedTooOften("the digest was asked for too often; try again in an hour", retry_after=3600)
    try:
        room.subscribers.ask(address)
    except InputError as error:
        return render("digest.html", 400, open=True, says=str(error))
    later.add_task(room.send_due)
    page = render("digest.html", open=True, says=_ASKED)
    page.background = later
    return page


@router.get("/confirm/{token}")
def ask_to_confirm(request: Request, token: str) -> HTMLResponse:
    good = room_of(request).subscribers.read("confirm", token) is not None
    return _button("Get the digest", "Confirm") if good else _stale()


@router.post("/confirm/{token}")
def confirm(request: Request, token: str) -> HTMLResponse:
    room = room_of(request)
    notice(room.store, entries())
    good = room.subscribers.confirm(token, last_id(room.store))
    return render("digest_done.html", title="Subscribed", says="You will get the digest.") if good else _stale()


@router.get("/unsubscribe/{token}")
def ask_to_unsubscribe(request: Request, token: str) -> HTMLResponse:
    good = room_of(request).subscribers.read("unsubscribe", token) is not None
    return _button("Stop the digest", "Unsubscribe") if good else _stale()


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str) -> HTMLResponse:
    """One click: no login, no question, and once more is no error."""
    good = room_of(request).subscribers.unsubscribe(token)
    return render("digest_done.html", title="Unsubscribed", says="You get no more digests; your address is deleted.") if good else _stale()


def _button(title: str, action: str) -> HTMLResponse:
    return render("digest_done.html", title=title, action=action)


def _stale() -> HTMLResponse:
    return render("digest_done.html", 404, title="This link is not good", says="It is too old, was used up, or is not whole.")
