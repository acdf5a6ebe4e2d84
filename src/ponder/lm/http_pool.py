"""A connection pool whose waits end at a deadline, or as soon as somebody says stop.

A plain timeout limits each read; a server that trickles bytes never exceeds it, and a thread that reads cannot be told to stop.
Here a thread says with `waiting` until when it waits at all, and every network operation that it makes obeys.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from ponder.core.errors import InputError

_SLICE = 0.1
"""Seconds until a waiting thread looks again whether it is to stop."""
_CONNECT = 10.0
"""Seconds to reach a server; this wait alone cannot be interrupted."""
_KEEPALIVE = 15.0

TROUBLE = (
    httpx.TransportError,
    httpx.DecodingError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)
"""What a request may fail with on its way."""


class _Patience(threading.local):
    until: float = math.inf
    halted: Callable[[], bool] = staticmethod(lambda: False)


_patience = _Patience()


@contextmanager
def waiting(until: float, halted: Callable[[], bool]) -> Iterator[None]:
    """Limit this thread's network operations.

    Args:
        until: the `time.monotonic()` at which they fail with a timeout.
        halted: asked every tenth of a second; True makes them fail at once.
    """
    _patience.until, _patience.halted = until, halted
    try:
        yield
    finally:
        del _patience.until, _patience.halted


def _left(error: type[Exception]) -> float:
    left = _patience.until - time.monotonic()
    if left <= 0 or _patience.halted():
        raise error("the wait was ended")
    return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            left = _left(httpcore.ReadTimeout)
            try:
                return self._inner.read(max_bytes, min(_SLICE, left))
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, min(_left(httpcore.WriteTimeout), timeout or _CONNECT))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, min(_left(httpcore.ConnectTimeout), _CONNECT)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = min(_left(httpcore.ConnectTimeout), _CONNECT)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


class Pool(httpx.BaseTransport):
    """An httpx transport over one pool of `size` connections to `url`'s server, through the environment's proxy if it names one."""

    def __init__(self, url: httpx.URL, size: int) -> None:
        options: dict[str, Any] = {
            "max_connections": size,
            "max_keepalive_connections": size,
            "keepalive_expiry": _KEEPALIVE,
            "network_backend": _Backend(),
            # Reading the certificates takes tens of milliseconds; a local server needs none.
            "ssl_context": httpx.create_ssl_context() if url.scheme == "https" else None,
        }
        proxy = _proxy(url)
        if proxy is None:
            self.connections = httpcore.ConnectionPool(**options)
        else:
            auth = (proxy.username, proxy.password) if proxy.username else None
            bare = str(proxy.copy_with(username=None, password=None))
            self.connections = httpcore.HTTPProxy(bare, proxy_auth=auth, **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        response = self.connections.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        try:
            content = response.read()
        finally:
            response.close()
        return httpx.Response(response.status, headers=response.headers, content=content)

    def close(self) -> None:
        self.connections.close()


def _proxy(url: httpx.URL) -> httpx.URL | None:
    proxies = urllib.request.getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or urllib.request.proxy_bypass(url.host):
        return None
    proxy = httpx.URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in ("http", "https"):
        raise InputError(f"the environment names a proxy of kind {proxy.scheme!r} for {url.host}; http and https proxies are supported")
    return proxy
