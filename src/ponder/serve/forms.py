"""What a page's own forms send: read with a limit, and refused from other sites."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from ponder.serve.errors import BadRequest, GatewayError
from ponder.serve.wire.connection import read_body

LARGEST = 16_384


class OtherSite(GatewayError):
    """A page of another site sent the form."""

    status, kind, code = 403, "permission_error", "other_site"


async def read_form(request: Request, largest: int = LARGEST) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body; of a field given twice, the first.

    Raises:
        TooLarge: the body is longer than `largest` bytes.
        BadRequest: it is not UTF-8, or has too many fields.
    """
    body = await read_body(request, largest, "form")
    try:
        return {name: values[0] for name, values in parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100).items()}
    except ValueError as error:
        raise BadRequest(f"the form cannot be read: {error}") from error


def refuse_other_sites(request: Request) -> None:
    """Refuse a form that a browser sends from a page of another site, which could otherwise press buttons for its reader.

    Raises:
        OtherSite: the browser says so. A client that is no browser says nothing and passes.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise OtherSite("this form can be sent from this site's own pages only")
