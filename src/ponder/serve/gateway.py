"""What all addresses of the gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import Request

from ponder.serve.admission import Admission, Caller, Ticket
from ponder.serve.config import Config
from ponder.serve.engines import Engines
from ponder.serve.job import Job
from ponder.serve.ledger import Ledger
from ponder.serve.upstreams import Upstreams


class Gateway:
    """The engines, the door, and the threads that wait for engines.

    Args:
        config: the configuration.
        engines: the models that are served; by default those of the configuration.
    """

    def __init__(self, config: Config, engines: Engines | None = None) -> None:
        self.config = config
        self.engines = engines or Engines(config.models, config.aliases)
        self.admission = Admission(config, Ledger(config.ledger.file, config.ledger.pending))
        self.upstreams = Upstreams()
        self.pool = ThreadPoolExecutor(config.queue.running, thread_name_prefix="ponder-job")
        self.jobs: set[Job] = set()

    def identify(self, request: Request) -> Caller:
        """Who calls.

        Raises:
            Unauthorized: keys are asked for, and the request has none of them.
        """
        return self.admission.identify(request.headers.get("authorization"))

    @asynccontextmanager
    async def admitted(self, job: Job, caller: Caller) -> AsyncIterator[Ticket]:
        """A slot for a job, within what the caller's quota leaves; whatever happens inside, the job ends and its bill is recorded.

        Raises:
            Draining, QuotaExceeded, Busy: the job cannot run now.
        """
        tokens, money = job.most
        shrink = job.budget.tokens is not None or job.budget.money is not None
        names = {"model": job.target.name, "method": job.target.method, "prompt": job.ask.prompt}
        async with self.admission.admit(caller, tokens=tokens, money=money, shrink=shrink, **names) as ticket:
            job.limit(ticket.tokens if ticket.tokens < tokens else None, ticket.money if ticket.money < money else None)
            self.jobs.add(job)
            try:
                yield ticket
            finally:
                job.cancel()
                ticket.settle(await job.settled(), ticket.status)
                self.jobs.discard(job)

    def reconfigure(self, config: Config) -> None:
        """Take over another configuration: requests that run stay with the engines they have.

        Raises:
            PonderError: something in it cannot be used, and nothing was changed.
        """
        self.engines.reconfigure(config.models, config.aliases)
        self.admission.reconfigure(config)
        self.config = config

    async def drain(self) -> None:
        """Refuse what is new, wait for what runs; after `server.drain` seconds let it answer with what there is."""
        self.admission.draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.server.drain
        while self.admission.queue.in_flight or self.admission.queue.depth:
            if loop.time() >= deadline:
                for job in self.jobs:
                    job.cancel()
            await asyncio.sleep(0.05)
            if loop.time() >= deadline + 5:
                return

    async def close(self) -> None:
        """Free threads, connections, engines and files."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        await self.upstreams.close()
        self.engines.close()
        self.admission.close()


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    return request.app.state.gateway
