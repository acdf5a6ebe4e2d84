"""What stands before the page's addresses: the key that the browser keeps, and the headers that keep the browser strict."""

from __future__ import annotations

from fastapi import Request, Response

from ponder.serve.admission import Caller
from ponder.serve.gateway import gateway_of

COOKIE = "ponder_key"
"""Holds the API key of a browser: out of scripts' reach, and sent to this site's own requests alone."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def caller_of(request: Request) -> Caller:
    """Who asks: by the header, else by the key that the browser keeps.

    Raises:
        Unauthorized: keys are asked for, and the request has none of them.
    """
    key = request.cookies.get(COOKIE)
    shown = request.headers.get("authorization") or (f"Bearer {key}" if key else None)
    return gateway_of(request).admission.identify(shown)


def guarded(response: Response) -> Response:
    """The response with the headers of the page."""
    response.headers.update(HEADERS)
    return response
