"""By which names a gateway without keys may be called."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ponder.serve.errors import UnknownHost, body_of, status_of


@functools.lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class KnownHosts:
    """Refuses requests whose Host is neither this machine's own nor one of the names.

    A page of another site can have its own name lead to 127.0.0.1 (DNS rebinding) and would then read a local gateway's answers as its own;
    its requests still carry that name.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            said = Headers(scope=scope).get("host", "")
            host = said[: said.rfind("]") + 1] or said.partition(":")[0]
            if not (is_loopback(host) or host.lower() in self.names):
                error = UnknownHost(f"this gateway is not called {host!r}; name it in server.hosts, or ask for keys")
                await JSONResponse(body_of(error), status_of(error))(scope, receive, send)
                return
        await self.app(scope, receive, send)
