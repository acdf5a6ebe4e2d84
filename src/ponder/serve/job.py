"""One question on its way: what is asked, the thread that answers it, and the events on the way."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ponder.core.answer import Answer
from ponder.core.budget import Bill, Budget, Meter
from ponder.core.context import Trace, TraceStep
from ponder.core.language import LM, Completion, Message, Request, Sampling
from ponder.front import as_problem
from ponder.front import ask as ask_ponder

if TYPE_CHECKING:
    from ponder.serve.gateway import Gateway


@dataclass(frozen=True)
class Ask:
    """What a caller wants to know, and how.

    Attributes:
        question: a text, or chat turns that end in the question.
        model: a name that the gateway knows, with or without ":METHOD"; an alias.
        method: a pipeline's text, where the model's name holds none; "" is a plain completion.
        budget: what may be spent, as in "4k tokens, 30s"; "" is no limit of the caller's.
        seed: root of all draws; None draws one, which the answer tells.
        sampling: how completions are drawn.
        n: how many completions; only a plain completion gives more than one.
        raw: whether a text is to be continued as it stands, without a chat's turns around it.
        reads: how an answer is read off a text, a name in `ponder.core.reading.READERS`.
        keep: whether the trace keeps populations, so that the search can be drawn.
        caller: who asks, as the ledger names them.
    """

    question: str | tuple[Message, ...]
    model: str
    method: str = ""
    budget: str = ""
    seed: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    n: int = 1
    raw: bool = False
    reads: str = "auto"
    keep: bool = False
    caller: str = ""


@dataclass(frozen=True)
class Token:
    """A further piece of the answer's text; of the completion number `index`, where there are several."""

    text: str
    index: int = 0


@dataclass(frozen=True)
class Progress:
    """What a stage made of the population; `step.population` is there if the Ask keeps it."""

    step: TraceStep


@dataclass(frozen=True)
class Done:
    """The end: the answer, and of a plain completion all that was drawn."""

    answer: Answer
    completions: tuple[Completion, ...] = ()


Event = Token | Progress | Done


class Job:
    """One Ask being answered in a worker thread; the event loop is never blocked.

    Args:
        ask: what is asked; everything in it is checked here.
        gateway: whose engines and threads are used.

    Raises:
        UnknownModel, BadRequest, InputError: something asked cannot be done; nothing was spent.
    """

    def __init__(self, ask: Ask, gateway: Gateway) -> None:
        self.ask = ask
        self.seed = secrets.randbelow(2**31) if ask.seed is None else ask.seed
        self.target = gateway.engines.resolve(ask.model, ask.method)
        self.budget = Budget.parse(ask.budget)
        self.trace = Trace(keep=ask.keep)
        as_problem(ask.question, ask.reads)
        self._gateway = gateway
        self._meter: Meter | None = None
        self._cancelled = False
        self._work: asyncio.Future[Done] | None = None

    @property
    def bill(self) -> Bill:
        """What was spent so far."""
        return self._meter.bill if self._meter else Bill()

    def cancel(self) -> None:
        """End the spending: at most what is in flight is spent, the answer comes from what there is."""
        self._cancelled = True
        if self._meter is not None:
            self._meter.stop()

    async def events(self) -> AsyncIterator[Event]:
        """Pieces of text where the method and the engine allow, progress, and `Done` last. Leaving early cancels.

        Raises:
            PonderError: the engine failed, or the question cannot be asked of it.
        """
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Event | None] = asyncio.Queue()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(inbox.put_nowait, event)

        self.trace.listener = lambda step: tell(Progress(step))
        work = self._start()
        work.add_done_callback(lambda _: inbox.put_nowait(None))
        try:
            while (event := await inbox.get()) is not None:
                yield event
            yield work.result()
        finally:
            self.cancel()

    async def answer(self) -> Done:
        """The answer, without events on the way. A cancelled wait cancels the job."""
        try:
            return await asyncio.shield(self._start())
        finally:
            self.cancel()

    async def settled(self) -> Bill:
        """Wait until nothing more is spent; what was. Never raises."""
        if self._work is not None:
            with suppress(Exception):
                await asyncio.shield(self._work)
        return self.bill

    def _start(self) -> asyncio.Future[Done]:
        self._work = asyncio.get_running_loop().run_in_executor(self._gateway.pool, self._run)
        return self._work

    def _run(self) -> Done:
        engine = self._gateway.engines.engine(self.target.name)
        self._meter = meter = Meter(self.budget, engine.price)
        if self._cancelled:
            meter.stop()
        return self._complete(engine, meter) if self.target.pipeline is None else Done(self._ponder(engine, meter))

    def _ponder(self, engine: LM, meter: Meter) -> Answer:
        ask, sampling = self.ask, self.ask.sampling
        return ask_ponder(
            ask.question,
            method=self.target.pipeline or "",
            model={self.target.name: engine},
            seed=self.seed,
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop=sampling.stop,
            style="continue" if ask.raw else None,
            reads=ask.reads,
            meter=meter,
            trace=self.trace,
        )

    def _complete(self, engine: LM, meter: Meter) -> Done:
        question = self.ask.question
        prompt = question if self.ask.raw or not isinstance(question, str) else (Message("user", question),)
        (reply,) = engine.generate([Request(prompt, self.ask.n, self.seed)], self.ask.sampling, meter.allowance())
        meter.charge(Bill(reply.prompt_tokens, reply.tokens_out, reply.cached_tokens, 1, reply.seconds), engine.price)
        text = reply.completions[0].text if reply.completions else ""
        return Done(Answer(text, text, 1.0, meter.bill, trace=self.trace), reply.completions)
