"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ponder.core.errors import need
from ponder.serve.ledger import Line

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

router = APIRouter()


class Metrics:
    """Counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        client: Any = need("prometheus_client", "serve")
        self._client = client
        self.registry = client.CollectorRegistry()
        kept: dict[str, Any] = {"registry": self.registry}
        self._requests = client.Counter(
            "ponder_requests", "Requests that ran, by status and method's first stage.", ["status", "method"], **kept
        )
        self._tokens = client.Counter("ponder_tokens", "Tokens billed, by direction (in, out, cached).", ["direction"], **kept)
        self._money = client.Counter("ponder_money_dollars", "Dollars billed.", **kept)
        self._refused = client.Counter("ponder_refused", "Requests turned away: unauthorized, quota, busy, left.", ["reason"], **kept)
        self._latency = client.Histogram("ponder_request_seconds", "Seconds from admission to the end.", buckets=_BUCKETS, **kept)
        self._wait = client.Histogram("ponder_queue_wait_seconds", "Seconds in the queue.", buckets=_BUCKETS, **kept)
        self._depth = client.Gauge("ponder_queue_depth", "Requests that wait.", **kept)
        self._flight = client.Gauge("ponder_requests_in_flight", "Requests that run.", **kept)
        self._pending = client.Gauge("ponder_ledger_pending", "Ledger lines not written yet.", **kept)

    def watch(self, depth: Callable[[], float], flight: Callable[[], float], pending: Callable[[], float]) -> None:
        """Where the gauges look when they are read."""
        self._depth.set_function(depth)
        self._flight.set_function(flight)
        self._pending.set_function(pending)

    def refused(self, reason: str) -> None:
        """One request turned away."""
        self._refused.labels(reason).inc()

    def waited(self, seconds: float) -> None:
        """One wait in the queue ended."""
        self._wait.observe(seconds)

    def answered(self, line: Line) -> None:
        """One request ended. Only the name of the method's first stage is a label: callers must not be able to make new ones."""
        self._requests.labels(str(line.status), _family(line.method)).inc()
        self._latency.observe(line.seconds)
        for direction, tokens in (("in", line.bill.tokens_in), ("out", line.bill.tokens_out), ("cached", line.bill.cached)):
            self._tokens.labels(direction).inc(tokens)
        self._money.inc(line.bill.money)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return self._client.generate_latest(self.registry)


def _family(method: str) -> str:
    """A known name at the start of a method's text, "plain" without one, "other" for anything else."""
    from ponder.core.terms import REGISTRY

    name = method.partition("(")[0].strip()
    return name if name in REGISTRY else "other" if name else "plain"


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    counted: Metrics = request.app.state.gateway.admission.metrics
    return Response(counted.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
