"""One question on its way: what is asked, the thread that answers it, and the events on the way."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ponder.core.algebra import Stage
from ponder.core.answer import Answer
from ponder.core.budget import Bill, Budget, Meter
from ponder.core.context import Trace, TraceStep, bill_of
from ponder.core.language import LM, Completion, Message, Request, Sampling
from ponder.core.terms import Term
from ponder.front import as_problem
from ponder.front import ask as ask_ponder
from ponder.serve.engines import Target
from ponder.serve.errors import BadRequest, at_most
from ponder.stages import sample, vote

if TYPE_CHECKING:
    from ponder.serve.gateway import Gateway


@dataclass(frozen=True)
class Ask:
    """What a caller wants to know, and how.

    Attributes:
        question: a text, or chat turns that end in the question.
        target: the model and the method that answer.
        budget: what may be spent, as in "4k tokens, 30s"; "" is the target's own limit.
        seed: root of all draws; None draws one, which the answer tells.
        sampling: how completions are drawn.
        n: how many completions; only a plain completion gives more than one.
        raw: whether a text is to be continued as it stands, without a chat's turns around it.
        reads: how an answer is read off a text, a name in `ponder.core.reading.READERS`.
        keep: whether the trace keeps populations, so that the search can be drawn.
    """

    question: str | tuple[Message, ...]
    target: Target
    budget: str = ""
    seed: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    n: int = 1
    raw: bool = False
    reads: str = "auto"
    keep: bool = False

    @property
    def prompt(self) -> str:
        """The question itself, without the turns before it."""
        return self.question if isinstance(self.question, str) else self.question[-1].content


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
        BadRequest, InputError: something asked cannot be done; nothing was spent.
    """

    def __init__(self, ask: Ask, gateway: Gateway) -> None:
        self.ask = ask
        self.seed = secrets.randbelow(2**31) if ask.seed is None else ask.seed
        self.target = ask.target
        caps = gateway.config.caps
        self.budget = least(budget_of(ask.budget or self.target.budget), budget_of(caps.budget))
        at_most("max_tokens", ask.sampling.max_tokens, caps.max_tokens)
        at_most("n", ask.n, caps.n)
        if self.target.pipeline is not None and ask.n > 1:
            raise BadRequest("a method gives one answer; how much is drawn for it is said in the method, as in sample(16)", param="n")
        self.trace = Trace(keep=ask.keep)
        as_problem(ask.question, ask.reads)
        self.streams = self.target.pipeline is None or _one_text(self.target.pipeline)
        self._gateway = gateway
        self._listener: Callable[[int, int, str], None] | None = None
        self._meter: Meter | None = None
        self._cancelled = False
        self._work: asyncio.Future[Done] | None = None

    @property
    def most(self) -> tuple[int, float]:
        """The most that it can cost, as far as known before: tokens, and money."""
        tokens = self.budget.tokens or 0
        if self.target.pipeline is None:
            question = self.ask.question
            letters = len(question.encode()) if isinstance(question, str) else sum(len(m.content.encode()) + 32 for m in question)
            bound = letters + 32 + self.ask.n * self.ask.sampling.max_tokens  # a token has a byte at least
            tokens = min(tokens, bound) if self.budget.tokens is not None else bound
        return tokens, self.budget.money or 0.0

    def limit(self, tokens: int | None, money: float | None) -> None:
        """Make the budget smaller before the start; None leaves it."""
        self.budget = least(self.budget, Budget(tokens=tokens, money=money))

    @property
    def bill(self) -> Bill:
        """What was spent so far."""
        return self._meter.bill if self._meter else Bill()

    def cancel(self) -> None:
        """End the spending: at most what is in flight is spent, the answer comes from what there is."""
        self._cancelled = True
        if self._meter is not None:
            self._meter.stop()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Pieces of text where the method and the engine allow, progress, and `Done` last. Leaving early cancels.

        Raises:
            PonderError: the engine failed, or the question cannot be asked of it.
        """
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Event | None] = asyncio.Queue()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(inbox.put_nowait, event)

        self.trace.listener = lambda step: tell(Progress(step))
        if self.streams:
            self._listener = lambda _, index, text: tell(Token(text, index))
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
        loop = asyncio.get_running_loop()
        self._work = loop.run_in_executor(self._gateway.pool, self._run)
        timer = loop.call_later(self._gateway.config.caps.deadline, self.cancel)
        self._work.add_done_callback(lambda _: timer.cancel())
        return self._work

    def _run(self) -> Done:
        engine = self._gateway.engines.engine(self.target.name)
        self._meter = meter = Meter(self.budget, engine.price, self._listener)
        if self._cancelled:
            meter.stop()
        return self._complete(engine, meter) if self.target.pipeline is None else Done(self._ponder(engine, meter))

    def _ponder(self, engine: LM, meter: Meter) -> Answer:
        ask, sampling = self.ask, self.ask.sampling
        return ask_ponder(
            ask.question,
            method=self.target.pipeline or "",
            model={self.target.name: engine, **self._others()},
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

    def _others(self) -> dict[str, LM]:
        """Models that the method's own terms name; only configured ones can be."""
        engines, named = self._gateway.engines, models_in(self.target.pipeline)
        return {name: engines.engine(name) for name in named if name in engines.models}

    def _complete(self, engine: LM, meter: Meter) -> Done:
        question = self.ask.question
        prompt = question if self.ask.raw or not isinstance(question, str) else (Message("user", question),)
        (reply,) = engine.generate([Request(prompt, self.ask.n, self.seed)], self.ask.sampling, meter.allowance())
        meter.charge(bill_of(engine, [reply]), engine.price)
        text = reply.completions[0].text if reply.completions else ""
        return Done(Answer(text, text, 1.0, meter.bill, trace=self.trace), reply.completions)


@functools.lru_cache(maxsize=1024)
def budget_of(text: str) -> Budget:
    """A budget's text, read once: the configuration's comes with every request."""
    return Budget.parse(text)


def least(a: Budget, b: Budget) -> Budget:
    """What both budgets allow."""
    pairs = ((getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(Budget))
    return Budget(*(y if x is None else x if y is None else min(x, y) for x, y in pairs))


def terms_in(value: Any) -> Iterator[Term]:
    """A term and all terms inside it."""
    if isinstance(value, Term):
        yield value
        for field in dataclasses.fields(value):  # pyright: ignore[reportArgumentType]
            yield from terms_in(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from terms_in(item)


def models_in(method: Stage | None) -> set[str]:
    """The models that a method's terms name."""
    return {name for term in terms_in(method) if isinstance(name := getattr(term, "model", ""), str) and name}


def _one_text(method: Stage) -> bool:
    """Whether a method draws one text and answers with it: then its text can be told while it is drawn."""
    first, *rest = method.flat()
    return isinstance(first, sample) and first.n == 1 and all(isinstance(s, vote) for s in rest)
