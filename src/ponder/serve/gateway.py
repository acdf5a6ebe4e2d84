"""What all addresses of the gateway share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fastapi import Request

from ponder.serve.engines import Engines

WORKERS = 64


class Gateway:
    """The engines and the threads that wait for them.

    Args:
        engines: the models that are served.
    """

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="ponder-job")
        self.draining = False

    def close(self) -> None:
        """Free the threads and the engines."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.engines.close()


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    return request.app.state.gateway
