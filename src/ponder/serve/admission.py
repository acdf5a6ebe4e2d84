"""The door: who calls, whether they may, when it is their turn, and what is written down afterwards."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ponder.core.budget import Bill
from ponder.core.errors import PonderError
from ponder.serve.config import Config
from ponder.serve.errors import Busy, Draining, GatewayError, Unauthorized, status_of
from ponder.serve.fair_queue import FairQueue, Place
from ponder.serve.keys import KeyStore
from ponder.serve.ledger import Ledger, Line
from ponder.serve.limits import Limits, parse_limits
from ponder.serve.metrics import Metrics
from ponder.serve.quotas import Quotas, Reservation

HUNG_UP = 499
"""The status that the ledger gives to a client that left before its answer."""


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: the key's name; "anybody" where no keys are asked for.
        limits: what they may use.
    """

    name: str
    limits: Limits = ()


class Ticket:
    """One admitted request. What it spent is told by `settle`; leaving the block gives its slot back and writes the ledger.

    Attributes:
        caller: who asks.
        tokens: how many tokens were set aside for it.
        id: the ledger line's.
    """

    def __init__(self, caller: Caller, reservation: Reservation) -> None:
        self.caller, self.tokens, self.money, self.id = caller, reservation.tokens, reservation.money, secrets.token_hex(8)
        self.bill, self.status, self.reservation = Bill(), 0, reservation

    def settle(self, bill: Bill, status: int = 200) -> None:
        """Tell what was spent, by the answer, by an error or by what a client that left had begun. The last word counts."""
        self.bill, self.status = bill, status


class Admission:
    """Keys, quotas, the queue and the ledger together.

    Args:
        config: the configuration; `reconfigure` changes it later.
        ledger: where lines go.
        metrics: what is counted.
        quotas: what was used; a test gives one with a clock of its own.
    """

    def __init__(self, config: Config, ledger: Ledger, metrics: Metrics | None = None, quotas: Quotas | None = None) -> None:
        self.config, self.ledger, self.metrics = config, ledger, metrics or Metrics()
        self.quotas = quotas or Quotas(ledger.spent)
        self.keys = KeyStore(config.keys.file) if config.keys.file else None
        self.queue = FairQueue(config.queue.running, config.queue.waiting)
        self.draining = False
        self._waits: dict[Place, asyncio.Future[None]] = {}
        self._service = 1.0
        self.metrics.watch(lambda: self.queue.depth, lambda: self.queue.in_flight, lambda: self.ledger.pending)

    def reconfigure(self, config: Config) -> None:
        """Take over keys, limits and the queue's size of another configuration; requests that wait or run stay.

        Raises:
            PonderError: the file of its keys cannot be used; nothing has changed.
        """
        if config.keys.file != self.config.keys.file:
            fresh = KeyStore(config.keys.file) if config.keys.file else None
            if self.keys is not None:
                self.keys.close()
            self.keys = fresh
        self.config = config
        self._notify(self.queue.resize(config.queue.running, config.queue.waiting))

    def identify(self, authorization: str | None) -> Caller:
        """Who a request's Authorization header names.

        Raises:
            Unauthorized: keys are asked for, and this is none of them.
        """
        if self.keys is None:
            return Caller("anybody", parse_limits(self.config.keys.limits))
        scheme, _, text = (authorization or "").strip().partition(" ")
        key = self.keys.find(text.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            self.metrics.refused("unauthorized")
            raise Unauthorized("this gateway needs a key of its own: send 'Authorization: Bearer ponder-...'; `ponder keys add` makes one")
        return Caller(key.name, parse_limits(key.limits or self.config.keys.limits))

    @asynccontextmanager
    async def admit(
        self,
        caller: Caller,
        *,
        tokens: int = 0,
        money: float = 0.0,
        shrink: bool = False,
        model: str = "",
        method: str = "",
        prompt: str | None = None,
    ) -> AsyncIterator[Ticket]:
        """A slot for one request, once it is its turn.

        Args:
            tokens, money: the most that it can cost, which is set aside from the caller's quotas.
            shrink: take what is left of the quotas where that is less; `ticket.tokens` says how much, and the budget must obey.
            model, method, prompt: for the ledger; the prompt is written only if the configuration says so.

        Raises:
            Draining: the gateway is going down.
            QuotaExceeded: a quota does not allow it.
            Busy: the queue is full, or the wait was too long.
        """
        if self.draining:
            raise Draining("the gateway is going down; ask again, another one may answer", retry_after=1)
        reservation = self._reserve(caller, tokens, money, shrink)
        try:
            place = await self._turn(caller.name)
        except BaseException:
            self.quotas.cancel(reservation)
            raise
        ticket = Ticket(caller, reservation)
        began, started = time.time(), time.perf_counter()
        try:
            yield ticket
        except BaseException as error:
            ticket.status = _status(error)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._service += 0.05 * (seconds - self._service)
            self.quotas.settle(reservation, ticket.bill)
            self._notify(self.queue.leave(place))
            kept = prompt if self.config.ledger.prompts else None
            line = Line(ticket.id, began, caller.name, model, method, ticket.status or 200, seconds, ticket.bill, prompt=kept)
            self.ledger.record(line)
            self.metrics.answered(line)

    def close(self) -> None:
        """Free the files of keys and ledger."""
        if self.keys is not None:
            self.keys.close()
        self.ledger.close()

    def _reserve(self, caller: Caller, tokens: int, money: float, shrink: bool) -> Reservation:
        try:
            return self.quotas.reserve(caller.name, caller.limits, tokens, money, shrink)
        except GatewayError:
            self.metrics.refused("quota")
            raise

    async def _turn(self, name: str) -> Place:
        """Wait until it is this request's turn. A wait that is cancelled, or too long, leaves the queue."""
        place, changed = self.queue.enter(name)
        began = time.perf_counter()
        if place.state == "waiting":
            self._waits[place] = asyncio.get_running_loop().create_future()
        self._notify(changed)
        try:
            if place in self._waits:
                async with asyncio.timeout(self.config.queue.patience):
                    await self._waits[place]
            if place.state == "evicted":
                raise self._busy("the queue is full")
        except TimeoutError:
            self._notify(self.queue.leave(place))
            raise self._busy(f"no slot came free in {self.config.queue.patience:g} s") from None
        except asyncio.CancelledError:
            self._notify(self.queue.leave(place))
            self.metrics.refused("left")
            raise
        finally:
            self._waits.pop(place, None)
            self.metrics.waited(time.perf_counter() - began)
        return place

    def _notify(self, changed: Iterable[Place]) -> None:
        for place in changed:
            future = self._waits.get(place)
            if future is not None and not future.done():
                future.set_result(None)

    def _busy(self, why: str) -> Busy:
        self.metrics.refused("busy")
        wait = self._service * (self.queue.depth + 1) / self.queue.running
        return Busy(f"{why}: {self.queue.in_flight} requests run and {self.queue.depth} wait; ask again later", retry_after=min(60.0, wait))


def _status(error: BaseException) -> int:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return HUNG_UP
    return status_of(error) if isinstance(error, PonderError) else 500
