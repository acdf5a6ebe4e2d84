"""Timing an engine: single queries for a pace, whole workloads for a throughput. Any engine, with a monotonic clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import EngineError, InputError, PonderError
from ponder.core.language import LM, Request, Sampling
from ponder.core.seeds import derive, generator

Clock = Callable[[], float]
_LIST = """time year people way day man thing woman life child world school state family student group country problem hand part place
case week company system program question work government number night point home water room mother area money story fact month lot"""
WORDS = tuple(_LIST.split())
"""Words that are one token each in most vocabularies."""
UNSTABLE = 0.2
"""Repeats that differ by more than this share of their mean are not to be trusted."""


@dataclass(frozen=True)
class TimedCell:
    """One size of query, timed several times.

    Attributes:
        prompt, output: tokens, as the engine counted them.
        seconds: of every repetition.
    """

    prompt: int
    output: int
    seconds: tuple[float, ...]

    @property
    def fastest(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))


def profile_generation(
    engine: LM,
    prompt_sizes: Sequence[int],
    output_sizes: Sequence[int],
    warmup: int = 2,
    iterations: int = 5,
    seed: int = 0,
    clock: Clock = time.perf_counter,
    on_query: Callable[[int, int], None] | None = None,
    write: Callable[[int, np.random.Generator], str] | None = None,
) -> list[TimedCell]:
    """Seconds of single queries of every prompt and output size, in random order, so that a drift of the machine hits all sizes.

    No prompt comes twice, so that nothing is found in a cache. A completion that ends early is asked again with another prompt, up to 5
    times, and the last is counted as what it was.

    Args:
        prompt_sizes: tokens of the prompts; what an engine adds (a beginning-of-text token) comes on top, and the cells tell it.
        output_sizes: tokens to generate; a fit needs 1 among them.
        warmup: queries of the largest size that are not counted.
        iterations: repetitions of every size.
        seed: of prompts, draws and order.
        clock: seconds, monotonic.
        on_query: called with the number of queries done and of all.
        write: a prompt of so many tokens; random words by default.

    Raises:
        InputError: sizes or counts that are no whole numbers of at least 1.
    """
    if min((*prompt_sizes, *output_sizes, iterations), default=0) < 1 or warmup < 0:
        raise InputError(f"sizes and iterations must be at least 1, not {prompt_sizes!r}, {output_sizes!r}, {iterations}")
    queries = [(p, o) for p in prompt_sizes for o in output_sizes for _ in range(iterations)]
    order = [(max(prompt_sizes), max(output_sizes))] * warmup + [
        queries[i] for i in generator(seed, ("profile",)).permutation(len(queries))
    ]
    found: dict[tuple[int, int], list[float]] = {}
    for number, (p, o) in enumerate(order):
        counted, seconds = _timed(engine, p, o, derive(seed, ("profile", number)), clock, write or random_words)
        if number >= warmup:
            found.setdefault(counted, []).append(seconds)
        if on_query is not None:
            on_query(number + 1, len(order))
    return [TimedCell(p, o, tuple(seconds)) for (p, o), seconds in sorted(found.items())]


def random_words(n: int, rng: np.random.Generator) -> str:
    """A text of n words, each of which is one token in most vocabularies."""
    return " " + " ".join(rng.choice(WORDS, n))


def _timed(
    engine: LM, prompt: int, output: int, seed: int, clock: Clock, write: Callable[[int, np.random.Generator], str]
) -> tuple[tuple[int, int], float]:
    for attempt in range(5):
        request = Request(write(prompt, generator(seed, ("words", attempt))), seed=derive(seed, (attempt,)))
        began = clock()
        reply = engine.generate([request], Sampling(temperature=1.0, max_tokens=output))[0]
        seconds = clock() - began
        if reply.tokens_out == output:
            break
    if not reply.tokens_out:
        raise EngineError(f"{engine.name} generates nothing after random words: a profile needs output tokens")
    return (reply.prompt_tokens, reply.tokens_out), seconds


def cells(profile: Sequence[TimedCell], of: Callable[[TimedCell], float] = lambda cell: cell.median) -> dict[tuple[int, int], float]:
    """A profile as (prompt, output) -> seconds, for `ponder.bench.idealized.RuntimeModel.fit`."""
    return {(c.prompt, c.output): of(c) for c in profile}


@dataclass(frozen=True)
class ThroughputSample:
    """What an engine did with a workload, several times.

    Attributes:
        tokens: generated, each time.
        seconds: each time.
        failed: why nothing was measured; "" if it was.
    """

    tokens: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    failed: str = ""

    @property
    def rates(self) -> tuple[float, ...]:
        """Generated tokens a second, each time."""
        return tuple(n / s for n, s in zip(self.tokens, self.seconds, strict=True))

    @property
    def mean(self) -> float:
        """Tokens a second; 0 where it failed."""
        return 0.0 if self.failed else float(np.mean(self.rates))

    @property
    def error(self) -> float:
        """Standard error of the mean; NaN for fewer than 2 repeats."""
        return float(np.std(self.rates, ddof=1) / math.sqrt(len(self.rates))) if len(self.rates) > 1 else math.nan

    @property
    def unstable(self) -> bool:
        """Whether repeats differ by more than 20% of their mean."""
        return not self.failed and max(self.rates) - min(self.rates) > UNSTABLE * self.mean


def measure(
    make: Callable[[], LM],
    workload: Sequence[Request],
    sampling: Sampling,
    repeats: int = 3,
    warmup: int = 1,
    clock: Clock = time.perf_counter,
) -> ThroughputSample:
    """Throughput of an engine on a workload. What goes wrong is a failed sample with its reason, never an exception.

    Args:
        make: makes the engine, which is closed afterwards.
        workload: handed over as one batch.
        sampling: fix `max_tokens`; a model that rambles looks fast.
        repeats: how often it is timed; each time with other seeds.
        warmup: batches of 4 requests before that.
    """
    if not workload or repeats < 1:
        raise InputError("a throughput needs a workload and at least 1 repeat")
    tokens, seconds = [], []
    try:
        engine = make()
        try:
            for _ in range(warmup):
                engine.generate(list(workload[:4]), sampling)
            for repeat in range(repeats):
                batch = [Request(r.prompt, r.n, derive(r.seed, (repeat,)), r.prefix) for r in workload]
                began = clock()
                replies = engine.generate(batch, sampling)
                seconds.append(clock() - began)
                tokens.append(sum(r.tokens_out for r in replies))
        finally:
            engine.close()
    except (PonderError, MemoryError, OSError, RuntimeError, ValueError) as error:
        return ThroughputSample(failed=f"{type(error).__name__}: {(str(error) or 'no reason given').splitlines()[0]}")
    if not all(tokens):
        return ThroughputSample(failed="no tokens were generated")
    return ThroughputSample(tuple(tokens), tuple(seconds))


def workload(n: int, prompt: int = 64, seed: int = 0) -> list[Request]:
    """n prompts of random words, about so many tokens each."""
    rng = generator(seed, ("workload",))
    return [Request(random_words(prompt, rng), seed=derive(seed, ("workload", i))) for i in range(n)]


def settings_text(values: Mapping[str, object]) -> str:
    """Settings in one line: "threads=2, group=16"."""
    return ", ".join(f"{k}={v}" for k, v in values.items())
