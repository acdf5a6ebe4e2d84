"""Servers behind the gateway: one or several behind a name, as an engine, or asked with a caller's own bytes."""

from __future__ import annotations

import json
from typing import Any

import httpx

from ponder.core.language import LM
from ponder.lm.failover import Failover
from ponder.lm.http import HTTP
from ponder.lm.load import load
from ponder.serve.config import Model
from ponder.serve.errors import UpstreamDown

_CONNECT = 5.0
"""Seconds to reach a server."""
_LOOK = 2.0
"""Seconds that a health check may take."""


def engine_of(model: Model) -> LM:
    """The engine of a configured model; loading one may take seconds.

    The environment's OPENAI_API_KEY goes to no upstream: keys are sent only where the configuration says so.

    Raises:
        InputError: its key cannot be read.
        EngineError: it cannot be loaded.
    """
    if model.engine and not model.engine.startswith(("http://", "https://")):
        return load(model.engine, model.price)
    key = model.key or ""
    names = model.upstreams or (model.engine,)
    # Another server is the better second try.
    retries = model.retries if len(names) == 1 else min(model.retries, 1)
    engines = [_server(name, key, model, retries) for name in names]
    if len(engines) == 1:
        return engines[0]
    roots = [name.partition("#")[0] for name in names]
    return Failover(engines, lambda i: well(roots[i], key), model.check)


def well(root: str, key: str = "") -> bool:
    """Whether a server answers at all: its list of models, with any status that is no failure of its own."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx.get(f"{root.rstrip('/')}/models", headers=headers, timeout=_LOOK, follow_redirects=False).status_code < 500
    except httpx.HTTPError:
        return False


def _server(name: str, key: str, model: Model, retries: int) -> HTTP:
    url, _, there = name.partition("#")
    return HTTP(url, there, api_key=key, concurrency=model.concurrency, timeout=model.timeout, retries=retries, price=model.price)


class Upstreams:
    """One client for all servers behind the gateway, and which of them failed last."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self.failed: set[str] = set()

    @property
    def client(self) -> httpx.AsyncClient:
        """Made on first use: its certificates take tens of milliseconds to read."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
            self._client = httpx.AsyncClient(follow_redirects=False, limits=limits)
        return self._client

    async def open(self, model: Model, path: str, raw: bytes, data: dict[str, Any]) -> httpx.Response:
        """The reply of the first server that can be reached, its body not read yet.

        Raises:
            UpstreamDown: none can, or the gateway's key is refused.
        """
        names = sorted(model.upstreams or (model.engine,), key=lambda name: name in self.failed)
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if model.key:
            headers["authorization"] = f"Bearer {model.key}"
        for name in names:
            url, _, there = name.partition("#")
            body = raw if data["model"] == there else json.dumps({**data, "model": there}).encode()
            request = self.client.build_request(
                "POST", url.rstrip("/") + path, content=body, headers=headers, timeout=httpx.Timeout(model.timeout, connect=_CONNECT)
            )
            try:
                response = await self.client.send(request, stream=True)
            except httpx.TransportError:
                self.failed.add(name)
                continue
            if response.status_code in (401, 403):
                await response.aclose()  # its text may quote the key
                raise UpstreamDown("the server behind this model refused the gateway's key")
            if response.status_code in (502, 503, 504) and name != names[-1]:
                self.failed.add(name)
                await response.aclose()
                continue
            self.failed.discard(name)
            return response
        raise UpstreamDown(f"no server behind {data['model']!r} can be reached", retry_after=model.check)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
