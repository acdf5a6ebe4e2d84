"""The HTTP engine: any server that speaks OpenAI's format (vLLM, SGLang, llama-server, Ollama, OpenAI)."""

from __future__ import annotations

import json
import math
import os
import queue
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import httpx

from ponder.core.budget import Allowance, Price
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Continuation, Reply, Request, Sampling, Scored
from ponder.core.seeds import derive
from ponder.lm.http_calls import Batch, Caller, Refused
from ponder.lm.openai_wire import FIELDS, Dialect, Drawn, Unscorable, draw_body, echo_body, estimate, read_drawn, read_echo
from ponder.lm.scripted import flatten

J = TypeVar("J")
R = TypeVar("R")


class _Job(NamedTuple):
    """n samples of the request at a place of the batch, from its sample number `first` on."""

    place: int
    first: int
    n: int


class HTTP:
    """An engine behind an OpenAI-compatible server.

    Raw prompts go to {url}/completions, chats to {url}/chat/completions. A chat with a prefix ends in an assistant message with
    `continue_final_message: true` and `add_generation_prompt: false`, which vLLM and SGLang understand; other servers answer
    with a turn of their own. If /completions does not exist, raw prompts go to the chat as one user message (a warning says so once;
    `dialect.chat_only` remembers).

    Every field of the sampling is sent as given (an empty stop and a top_k of 0 say nothing and are left out). At temperature 0
    the n completions are equal: one is drawn, and its copies count 0 tokens. Samples that a server did not give, because it does
    not honour n, are asked for one by one, with seeds derived from the request's.

    The bill is the server's usage, of the reply that was used; where it is missing or impossible, tokens are counted from the
    log-probabilities or estimated, and `usage_estimated` counts the replies concerned. A server's price for requests that failed
    or were cancelled on their way is not known and not in it.

    An allowance in tokens is kept by sending only what it affords at its longest; the last request is cut, and says "cancelled".

    Several threads may call at once; they share `concurrency` connections. It works inside a running event loop.

    Args:
        url: the API's root, such as "http://localhost:8000/v1".
        model: the model's name there.
        api_key: sent as a bearer token to that server only; None takes the environment's OPENAI_API_KEY, "" sends none.
        concurrency: how many requests are in flight at most.
        timeout: seconds that one request may take.
        retries: how often a request is repeated after a 408, 429 or 5xx status, a lost connection, a timeout or an unusable reply, with
            exponential backoff and full jitter.
        price: dollars per million tokens.
        logprobs: whether to ask for log-probabilities; a server that refuses is asked without from then on.
        transport: another `httpx` transport, for tests or unusual networks. Waits on it end by its own timeouts only.
        extra: further fields for the body of every request, such as {"min_p": 0.1}.
        sleep: how to wait before a repetition, in seconds.

    Attributes:
        name: "http:<model>".
        dialect: what the server was found to understand.
        usage_estimated: how many replies came without a usage that can be true.

    Raises:
        InputError: for an argument that cannot be used.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        concurrency: int = 32,
        timeout: float = 120.0,
        retries: int = 5,
        price: Price | None = None,
        logprobs: bool = True,
        transport: httpx.BaseTransport | None = None,
        extra: Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        key = (os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key).strip()
        root = _checked(url, model, key, concurrency, timeout, retries, extra or {})
        self.name, self.price, self.concurrency = f"http:{model}", price, concurrency
        self.dialect = Dialect(logprobs=logprobs)
        self.usage_estimated = 0
        self._model, self._extra = model, dict(extra or {})
        self._caller = Caller(root, key, concurrency, timeout, retries, transport, sleep)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="ponder-http")
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"HTTP({self._caller.url!r}, {self._model!r})"

    @property
    def retried(self) -> int:
        """How many requests were repeated."""
        return self._caller.retried

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        """Draw completions for a batch; one reply a request, in order.

        Requests not begun when the allowance is over, and those in flight when its seconds end or the user says stop, get a
        reply without completions. One that fails for good ends the batch.

        Raises:
            InputError: a prompt that does not fit the model's context.
            EngineError: the server refused, or gave no usable reply in all attempts.
        """
        batch = Batch(allowance, self._closed)
        wanted = [1 if sampling.temperature == 0 else r.n for r in requests]
        sizes = [len(flatten(r.prompt, r.prefix)) for r in requests]
        found: list[dict[int, Drawn]] = [{} for _ in requests]
        seconds = [0.0] * len(requests)
        allowed: dict[_Job, int] = {}

        def ready(job: _Job, alone: bool) -> bool:
            allowed[job] = batch.reserve(estimate(sizes[job.place]), job.n, sampling.max_tokens, alone)
            return allowed[job] > 0

        def draw(job: _Job) -> Drawn | None:
            return self._draw(batch, requests[job.place], job, replace(sampling, max_tokens=allowed[job]), sizes[job.place])

        def done(job: _Job, drawn: Drawn | None) -> list[_Job]:
            batch.release(estimate(sizes[job.place]), job.n, allowed[job])
            seconds[job.place] = batch.elapsed
            if drawn is None:
                return []
            found[job.place][job.first] = _cut(drawn) if allowed[job] < sampling.max_tokens else drawn
            return [_Job(job.place, job.first + i, 1) for i in range(len(drawn.completions), job.n)]

        jobs = [_Job(i, 0, n) for i, n in enumerate(wanted)]
        if self.dialect.many is False:
            jobs = [_Job(i, first, 1) for i, n in enumerate(wanted) for first in range(n)]
        self._run(batch, jobs, ready, draw, done)
        if batch.trouble and not any(found) and not (allowance and allowance.stopped):
            raise EngineError(f"no usable reply from {self._caller.url} before the time was over; the last: {batch.trouble}")
        return [_reply(f, r.n, sampling, s) for f, r, s in zip(found, requests, seconds, strict=True)]

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        """Log-probabilities of given continuations of raw prompts, in order, through /completions with echo.

        A token that lies across the border between prompt and continuation counts for the continuation. A server that cannot
        score without generating generates one token in vain, which `prompt_tokens` includes.

        Raises:
            EngineError: for chat prompts, which OpenAI's format cannot score, and for servers that do not echo log-probabilities.
        """
        if any(not isinstance(c.prompt, str) for c in continuations):
            raise EngineError(
                "chat prompts cannot be scored over HTTP; give the prompt as raw text in the model's template, or use another engine"
            )
        batch = Batch(None, self._closed)
        scored: list[Scored] = [Scored(())] * len(continuations)

        def done(place: int, result: Scored | None) -> list[int]:
            if result is not None:
                scored[place] = result
            return []

        self._run(batch, range(len(continuations)), lambda place, alone: True, lambda i: self._score(batch, continuations[i]), done)
        return scored

    def close(self) -> None:
        """End calls in flight, which raise EngineError, and free threads and connections. Calling it twice is harmless."""
        self._closed.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._caller.close()

    def _run(
        self,
        batch: Batch,
        jobs: Iterable[J],
        ready: Callable[[J, bool], bool],
        work: Callable[[J], R],
        done: Callable[[J, R], list[J]],
    ) -> None:
        """Work on all jobs and on those that `done` adds. If one fails, the rest is cancelled and awaited before the error goes on.

        Jobs start in order, each once `ready` agrees, which is told whether nothing is running and must agree then.
        """
        running: dict[Future[R], J] = {}
        finished: queue.SimpleQueue[Future[R]] = queue.SimpleQueue()
        todo = deque(jobs)
        try:
            while todo or running:
                while todo and ready(todo[0], not running):
                    future = self._submit(work, todo[0])
                    running[future] = todo.popleft()
                    future.add_done_callback(finished.put)
                future = finished.get()
                job, result = running.pop(future), future.result()
                if result is None and self._closed.is_set():
                    raise self._gone()
                todo.extend(done(job, result))
        except BaseException as error:
            batch.failed.set()
            # Only what runs is awaited: a cancelled future that no thread takes up never counts as done.
            wait([future for future in running if not future.cancel()])
            if isinstance(error, CancelledError):
                raise self._gone() from None
            raise

    def _submit(self, work: Callable[[J], R], job: J) -> Future[R]:
        try:
            return self._threads.submit(work, job)
        except RuntimeError:
            raise self._gone() from None

    def _gone(self) -> EngineError:
        return EngineError(f"the engine {self.name} is closed")

    def _learn(self, **found: Any) -> None:
        with self._lock:
            self.dialect = replace(self.dialect, **found)

    def _draw(self, batch: Batch, request: Request, job: _Job, sampling: Sampling, size: int) -> Drawn | None:
        """Up to n completions from one usable reply; None if the batch was over first."""
        raw = isinstance(request.prompt, str)
        chat = not raw or self.dialect.chat_only
        seed = derive(request.seed, ("sample", job.first)) if job.first else request.seed
        while True:
            body = draw_body(self._model, request.prompt, request.prefix, job.n, seed, sampling, chat, self.dialect)
            path = "/chat/completions" if chat else "/completions"
            try:
                drawn = self._caller.exchange(batch, path, body | self._extra, lambda data: read_drawn(data, job.n, size))
            except Refused as refused:
                if not chat and refused.status in (404, 405):
                    chat = True
                elif not self._adapts(refused, body):
                    raise
                continue
            if drawn is not None:
                self._note(drawn, job.n, fell_back=raw and chat)
                batch.take(drawn.prompt_tokens + sum(c.tokens for c in drawn.completions))
            return drawn

    def _adapts(self, refused: Refused, body: Mapping[str, Any]) -> bool:
        """Whether the refusal names a field that this server wants otherwise; it is remembered."""
        if refused.status not in (400, 403, 422):
            return False
        if "logprobs" in body and "logprob" in refused.said.lower():
            self._learn(logprobs=False)
        elif "messages" in body and "max_tokens" in body and "max_completion_tokens" in refused.said:
            self._learn(limit="max_completion_tokens")
        else:
            return False
        return True

    def _note(self, drawn: Drawn, n: int, fell_back: bool) -> None:
        """Remember what a usable reply has shown of its server."""
        with self._lock:
            self.usage_estimated += drawn.estimated
            say = fell_back and not self.dialect.chat_only
            many = self.dialect.many
            if n > 1 and many is not True and len(drawn.completions) in (1, n):
                many = len(drawn.completions) == n
            self.dialect = replace(self.dialect, many=many, chat_only=self.dialect.chat_only or fell_back)
        if say:
            warnings.warn(f"{self._caller.url} has no /completions; raw prompts are sent to the chat as a user's message", stacklevel=2)

    def _score(self, batch: Batch, asked: Continuation) -> Scored | None:
        prompt = str(asked.prompt)
        while True:
            body = echo_body(self._model, prompt + asked.text, self.dialect)
            try:
                read = self._caller.exchange(batch, "/completions", body | self._extra, lambda data: read_echo(data, prompt, asked.text))
            except Refused as refused:
                if body["max_tokens"] or refused.status not in (400, 422):
                    raise
                self._learn(echo_tokens=1)
                continue
            except Unscorable as missing:
                raise EngineError(
                    f"{self._caller.url} cannot score a given text: {missing}; vLLM can, and so can the embedded engine"
                ) from None
            if read is None:
                return None
            return Scored(read[0], prompt_tokens=read[1], seconds=batch.elapsed)


def _checked(url: str, model: str, key: str, concurrency: int, timeout: float, retries: int, extra: Mapping[str, Any]) -> httpx.URL:
    """The url, once all arguments are found usable. No message quotes the key."""
    shown = str(url).partition("?")[0].rpartition("@")[2]
    try:
        root = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise InputError(f"the url cannot be read: {shown!r}; it looks like 'http://localhost:8000/v1'") from None
    if root.userinfo or root.query:
        raise InputError(f"the url of {root.host} must not hold a password or a query; give the key as api_key")
    if root.scheme not in ("http", "https") or not root.host or root.fragment:
        raise InputError(f"the url must look like 'http://localhost:8000/v1', not {shown!r}")
    if any(not "!" <= c <= "~" for c in key):
        raise InputError("the api_key holds characters that cannot be sent (it must be printable ASCII without spaces)")
    try:
        json.dumps(dict(extra))
    except (TypeError, ValueError) as error:
        raise InputError(f"extra must hold what JSON can: {error}") from None
    for name, ok, right, given in (
        ("model", bool(model), "a name", model),
        ("concurrency", isinstance(concurrency, int) and concurrency >= 1, "a whole number of at least 1", concurrency),
        ("timeout", 0 < timeout < math.inf, "a number of seconds above 0", timeout),
        ("retries", isinstance(retries, int) and retries >= 0, "a whole number of at least 0", retries),
        ("extra", not FIELDS & set(extra), f"without the engine's own fields ({', '.join(sorted(FIELDS & set(extra)))})", dict(extra)),
    ):
        if not ok:
            raise InputError(f"{name} must be {right}, not {given!r}")
    return root


def _cut(drawn: Drawn) -> Drawn:
    """The same, where a length that the allowance set is the reason why a text ended."""
    ends = tuple(replace(c, finish="cancelled") if c.finish == "length" else c for c in drawn.completions)
    return replace(drawn, completions=ends)


def _reply(found: Mapping[int, Drawn], n: int, sampling: Sampling, seconds: float) -> Reply:
    """The pieces of one request, in the order of their samples."""
    pieces = [found[first] for first in sorted(found)]
    completions = tuple(c for p in pieces for c in p.completions)
    if sampling.temperature == 0 and completions:
        completions += (replace(completions[0], tokens=0),) * (n - 1)
    return Reply(completions, sum(p.prompt_tokens for p in pieces), sum(p.cached_tokens for p in pieces), seconds)
