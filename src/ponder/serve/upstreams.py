"""From a configured model to its engine: one, or several servers behind one name."""

from __future__ import annotations

import httpx

from ponder.core.language import LM
from ponder.lm.failover import Failover
from ponder.lm.http import HTTP
from ponder.lm.load import load
from ponder.serve.config import Model

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
