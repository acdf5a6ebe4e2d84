"""One request over HTTP until there is a usable reply: repetitions, refusals, deadlines."""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from ponder.core.budget import Allowance
from ponder.core.errors import ContextOverflow, EngineError
from ponder.lm.http_pool import TROUBLE, Pool, waiting
from ponder.lm.openai_wire import error_message, is_context_error, retry_after

R = TypeVar("R")

_RETRIED = frozenset((408, 429, 500, 502, 503, 504, 529))
_BACKOFF, _LONGEST_BACKOFF, _LONGEST_RETRY_AFTER = 0.5, 20.0, 60.0
_SLICE = 0.1
_SECRET = 6
"""Shorter keys are placeholders ("none"), and cutting them out would spoil the message."""
_ADVICE = {
    401: "the key was refused: give api_key, or set OPENAI_API_KEY",
    403: "the key may not do this: check api_key and the model's name",
    404: "check the model's name, and that the url ends in the API's root (usually /v1)",
}


class Refused(EngineError):
    """A reply that asking again would not change.

    Attributes:
        status: its HTTP status.
        said: the server's message.
    """

    def __init__(self, text: str, status: int, said: str) -> None:
        super().__init__(text)
        self.status, self.said = status, said


class Batch:
    """One call of the engine: its clock, its allowance, and whether it is to end.

    Attributes:
        failed: set once one of its requests has failed for good.
        trouble: the last failure of an attempt that the end of the allowance did not cause, "" if there was none.
    """

    def __init__(self, allowance: Allowance | None, closed: threading.Event) -> None:
        self.failed = threading.Event()
        self.trouble = ""
        self._allowance = allowance or Allowance()
        self._closed = closed
        self._began = time.monotonic()
        self._taken = self._reserved = 0
        self._spent = False
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        return math.inf if self._allowance.seconds is None else self._allowance.seconds - self.elapsed

    def reserve(self, prompt: int, n: int, longest: int, alone: bool) -> int:
        """How long each of n completions may become, at most `longest`; 0 if that must wait for what is in flight.

        What is in flight is reckoned at its longest, so that the allowance is kept without cutting texts that may turn out short.
        Only the last request that it admits is cut. The first of all is always sent.

        Args:
            prompt: tokens of the prompt, as far as known.
            n: how many completions.
            longest: max_tokens as asked.
            alone: whether nothing of this batch is in flight.
        """
        tokens = self._allowance.tokens
        if tokens is None:
            return longest
        with self._lock:
            fits = (tokens - self._taken - self._reserved - prompt) // n
            if fits < longest and not alone:
                return 0
            if fits < 1 and self._taken:
                self._spent = True
            allowed = max(1, min(longest, fits))
            self._reserved += prompt + n * allowed
            return allowed

    def release(self, prompt: int, n: int, allowed: int) -> None:
        """Give back what `reserve` set aside."""
        with self._lock:
            self._reserved -= prompt + n * allowed

    def take(self, tokens: int) -> None:
        with self._lock:
            self._taken += tokens
            self._allowance.take(tokens)

    def halted(self) -> bool:
        """Whether even what is in flight is to end. Spent tokens do not ask for that: what is in flight is paid for."""
        return self.failed.is_set() or self._closed.is_set() or self._allowance.stopped or self.left <= 0

    def over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.halted() or self._spent or self._allowance.over(self.elapsed)


class Caller:
    """Sends requests to one server, each until there is a usable reply. Safe to use from several threads.

    Args:
        root: the API's root.
        key: the bearer token, "" for none. It is kept out of every message.
        size: how many connections there are at most.
        timeout: seconds that one attempt may take.
        retries: how often a request is repeated.
        transport: another transport than the pool of this package.
        sleep: how to wait before a repetition.

    Attributes:
        retried: how many repetitions there were.
    """

    def __init__(
        self,
        root: httpx.URL,
        key: str,
        size: int,
        timeout: float,
        retries: int,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.url, self.retried = str(root).rstrip("/"), 0
        self._key, self._timeout, self._retries, self._sleep = key, timeout, retries, sleep
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        self._client = httpx.Client(transport=transport or Pool(root, size), headers=headers, follow_redirects=False)
        self._jitter = random.Random(0)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._client.close()

    def exchange(self, batch: Batch, path: str, body: Mapping[str, Any], read: Callable[[Any], R]) -> R | None:
        """What `read` makes of the first usable reply; None if the batch was over first.

        A reply is not usable if it is no JSON or `read` raises a ValueError.

        Raises:
            Refused: the server will not answer this request.
            InputError: the prompt does not fit.
            EngineError: no usable reply in all attempts.
        """
        # ASCII, so that half a surrogate pair in a prompt cannot break the encoding.
        content = json.dumps(body).encode()
        trouble, hint = "", 0.0
        for attempt in range(self._retries + 1):
            if trouble and batch.left > 0:
                batch.trouble = self._clean(trouble)
            if (attempt and not self._pause(batch, attempt, hint)) or batch.over():
                return None
            limit = min(self._timeout, batch.left)
            hint = 0.0
            try:
                with waiting(time.monotonic() + limit, batch.halted):
                    response = self._client.post(self.url + path, content=content, timeout=max(limit, 1e-3))
            except TROUBLE as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            if not response.is_success:
                trouble, hint = self._failure(response), retry_after(response.headers.get("retry-after"))
                continue
            try:
                return read(json.loads(response.content))
            except (ValueError, RecursionError) as error:
                trouble = f"an unusable reply: {error}"
        if batch.halted():
            return None
        raise EngineError(
            f"no usable reply from {self.url}{path} in {self._retries + 1} attempts; the last: {self._clean(trouble)}. "
            "Check that the server runs, or give more retries, a longer timeout or less concurrency"
        )

    def _failure(self, response: httpx.Response) -> str:
        """What a reply that asking again may change says; any other is raised."""
        status, text = response.status_code, self._clean(response.text)
        said = error_message(text)
        if status in _RETRIED and "insufficient_quota" not in text:
            return f"HTTP {status}: {said}"
        if response.is_redirect:
            raise Refused(f"{self.url} redirects, which is not followed (the key must not travel); give the final url", status, said)
        if status in (400, 413, 422) and is_context_error(said):
            raise ContextOverflow(f"the prompt and max_tokens do not fit the model's context: {said}")
        advice = _ADVICE.get(status, "Change what it names")
        raise Refused(f"{self.url} refused the request with HTTP {status}: {said}. {advice}", status, said)

    def _pause(self, batch: Batch, attempt: int, hint: float) -> bool:
        """Wait before a repetition; False if the batch is over, or will be before the wait is."""
        with self._lock:
            draw = self._jitter.random()
        seconds = max(draw * min(_LONGEST_BACKOFF, _BACKOFF * 2 ** (attempt - 1)), min(hint, _LONGEST_RETRY_AFTER))
        if batch.left <= seconds:
            return False
        pieces = max(1, math.ceil(seconds / _SLICE))
        for _ in range(pieces):
            if batch.over():
                return False
            self._sleep(seconds / pieces)
        with self._lock:
            self.retried += 1
        return True

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= _SECRET else text
