"""The same particle filter and the same beam search in ponder and in its-hub 1.2.0, on an organism, side by side.

    python -m venv out/peers-venv
    out/peers-venv/bin/pip install 'its-hub[lm]==1.2.0' numpy safetensors threadpoolctl click rich httpx
    out/peers-venv/bin/pip install --no-deps -e .
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 out/peers-venv/bin/python -m benchmarks.peers.its_hub_particles [PROBLEMS] [ROUNDS] [QUIET_MS]

Both have the same policy, the same process reward model (in this process), the same problems and the same algorithm: weights are the odds
of the newest score, multinomial resampling after every step, finished particles weighed again, the heaviest wins; the beam keeps the best
4 of n, each with n / 4 children. its-hub runs in two ways:

- "http": its own client for OpenAI-compatible servers, against `organism_server` in a second process on the loopback.
- "in process": an adapter hands its batches to the very engine object that ponder uses. A user would have to write it.

Rounds are interleaved; engines forget all they have read before each measurement. Seconds are of the wall and, in brackets, of the
processors (client and server together). Tokens are per problem: written by the policy, and read by it (prompt and prefix of each request).
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
import urllib.request
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import its_hub.core.algorithms.particle_gibbs as its_particles
import numpy as np
from its_hub.api import AbstractLanguageModel, AbstractProcessRewardModel, ChatMessages
from its_hub.core.algorithms.beam_search import BeamSearch
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel
from its_hub.core.lms.step_generation import StepGeneration

import ponder
from benchmarks.peers.organism_server import Chats
from ponder.core.language import Message, Solution
from ponder.lm.organism import Organism
from ponder.tasks import load

POLICY, JUDGE, SEED = "chain", "chain-reward-3", 5
SIZES = (4, 16, 64)
BEAM = 4
METHODS = {
    "particle filter": lambda n: f'particle_filter({n}, scheme=multinomial(), finished="again")',
    "beam search": lambda n: (
        f"start({n // BEAM}) | extend() | rescore(prm()) | top({BEAM}) | "
        f"loop(extend({n // BEAM}) | rescore(prm()) | top({BEAM})) | argmax()"
    ),
}
DEFAULTS = {"particle filter": "particle_filter({n})", "beam search": "beam_search({n})"}


class InProcess(AbstractLanguageModel):
    """its-hub's batches handed to an engine as they are."""

    def __init__(self, chats: Chats) -> None:
        self.chats = chats

    async def agenerate(self, messages: Any, stop: str | None = None, **settings: Any) -> Any:
        made = self.chats.answer([{"messages": [m.to_dict() for m in chat], "stop": stop, **settings} for chat in messages])
        return [{"role": "assistant", "content": text} for text, _, _ in made]

    def generate(self, messages: Any, stop: str | None = None, **settings: Any) -> Any:
        return asyncio.run(self.agenerate(messages, stop, **settings))


class Judge(AbstractProcessRewardModel):
    """An organism as its-hub's process reward model: the score of the last step."""

    def __init__(self, engine: Organism) -> None:
        self.engine = engine

    async def ascore(self, prompt_or_messages: Any, response_or_responses: Any) -> Any:
        prompt = (Message("user", ChatMessages.from_prompt_or_messages(prompt_or_messages).to_prompt()),)
        return [r.values[-1] for r in self.engine.rewards([Solution(prompt, steps(t)) for t in response_or_responses])]

    def score(self, prompt_or_messages: Any, response_or_responses: Any) -> Any:
        return asyncio.run(self.ascore(prompt_or_messages, response_or_responses))


def steps(text: str) -> tuple[str, ...]:
    pieces = text.split(";")
    return tuple([p + ";" for p in pieces[:-1]] + [pieces[-1]] * bool(pieces[-1])) or (";",)


@dataclass
class Found:
    """What one way made of one cell, over all rounds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)


@dataclass
class Bench:
    """One policy, one judge, one task, and the server that has the policy too."""

    problems: int
    address: str
    engine: Organism = field(default_factory=lambda: Organism(POLICY))
    judge: Organism = field(default_factory=lambda: Organism(JUDGE))

    def __post_init__(self) -> None:
        self.task = load(f"chain:n={self.problems}", seed=SEED)
        self.chats = Chats(self.engine)

    def ask(self, path: str, value: Any = None) -> dict[str, Any]:
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(urllib.request.Request(self.address + path, data=data)) as reply:
            return json.load(reply)

    def ponder(self, method: str, seed: int) -> tuple[list[str], np.ndarray]:
        texts, bill = [], np.zeros(3)
        for i, problem in enumerate(self.task.problems):
            a = ponder.ask(
                problem, method=method, model=self.engine, reward=Silent(self.judge), temperature=1.0, max_tokens=64, seed=1000 * seed + i
            )
            texts.append(a.text)
            bill += (a.bill.tokens_in, a.bill.cached, a.bill.tokens_out)
        return texts, bill

    async def its_hub(self, name: str, n: int, lm: Any) -> list[str]:
        generation = StepGeneration(20, step_token=";", stop_token="\n", temperature=1.0, include_stop_str_in_output=True)
        judge = Judge(self.judge)
        found = its_particles.ParticleFiltering(generation, judge) if name == "particle filter" else BeamSearch(generation, judge, BEAM)
        return [(await found.ainfer(lm, p.question, n))["content"] for p in self.task.problems]

    def over_http(self, name: str, n: int, seed: int) -> tuple[list[str], np.ndarray, float]:
        async def run() -> list[str]:
            async with OpenAICompatibleLanguageModel(self.address + "/v1", "none", POLICY) as lm:
                return await self.its_hub(name, n, lm)

        self.ask("/reset", 1_000_000 * seed)
        texts = asyncio.run(run())
        stats = self.ask("/stats")
        return texts, np.array([stats["read"], stats["cached"], stats["written"]]), stats["seconds"]

    def in_process(self, name: str, n: int, seed: int) -> tuple[list[str], np.ndarray]:
        self.chats.reset(1_000_000 * seed)
        texts = asyncio.run(self.its_hub(name, n, InProcess(self.chats)))
        tally = self.chats.tally
        return texts, np.array([tally.read, tally.cached, tally.written])

    def sides(self, name: str, n: int, seed: int) -> dict[str, Callable[[], tuple[Any, ...]]]:
        return {
            "ponder": lambda: self.ponder(METHODS[name](n), seed),
            "its-hub, in process": lambda: self.in_process(name, n, seed),
            "its-hub, http": lambda: self.over_http(name, n, seed),
            "ponder, its defaults": lambda: self.ponder(DEFAULTS[name].format(n=n), seed),
        }

    def measure(self, found: Found, run: Callable[[], tuple[Any, ...]]) -> None:
        self.engine.close()
        self.judge.close()
        wall, cpu = time.perf_counter(), time.process_time()
        texts, tokens, *elsewhere = run()
        found.wall.append((time.perf_counter() - wall) / self.problems)
        found.cpu.append((time.process_time() - cpu + sum(elsewhere)) / self.problems)
        for problem, text in zip(self.task.problems, texts, strict=True):
            found.right.append(self.task.grade(problem, problem.read(text), text))
        for kept, value in zip((found.read, found.cached, found.written), tokens / self.problems, strict=True):
            kept.append(value)


class Silent:
    """A reward model whose reading is not billed, so that the bill is the policy's alone."""

    def __init__(self, engine: Organism) -> None:
        self.engine, self.name, self.price = engine, engine.name, None

    def rewards(self, solutions: Sequence[Solution]) -> Any:
        return [type(r)(r.values) for r in self.engine.rewards(solutions)]

    def close(self) -> None:
        self.engine.close()


def main() -> None:
    problems, rounds, quiet = [
        int(given) if given else default for given, default in zip([*sys.argv[1:4], "", "", ""], (20, 5, 0), strict=False)
    ]
    warnings.simplefilter("ignore", DeprecationWarning)
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peers.organism_server", "0", POLICY, str(quiet)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        bench = Bench(problems, f"http://127.0.0.1:{server.stdout.readline().split()[1]}")
        cells: dict[tuple[str, int, str], Found] = defaultdict(Found)
        for seed in range(rounds + 1):  # the first warms up
            for name in METHODS:
                for n in SIZES:
                    for side, run in bench.sides(name, n, seed).items():
                        bench.measure(cells[name, n, side] if seed else Found(), run)
        table(cells)
    finally:
        server.terminate()
    defects()


def table(cells: dict[tuple[str, int, str], Found]) -> None:
    heads = f"{'':16} {'n':>3} {'':21} {'right':>6} {'written':>8} {'read':>8} {'cached':>7}"
    print(heads, f"{'ms':>8} {'range':>16} {'(cpu ms)':>9} {'ratio':>6} (cpu)")
    for (name, n, side), f in cells.items():
        base = cells[name, n, "ponder"]
        wall, cpu = (statistics.median([a / b for a, b in zip(x, y, strict=True)]) for x, y in ((f.wall, base.wall), (f.cpu, base.cpu)))
        spread = f"{1000 * min(f.wall):.1f} to {1000 * max(f.wall):.1f}"
        print(
            f"{name:16} {n:3} {side:21} {np.mean(f.right):6.2f} {np.mean(f.written):8,.0f} {np.mean(f.read):8,.0f} "
            f"{np.sum(f.cached) / np.sum(f.read):7.0%} {1000 * statistics.median(f.wall):8.1f} {spread:>16} "
            f"{1000 * statistics.median(f.cpu):9.1f} {wall:6.1f} ({cpu:.1f})"
        )


def defects() -> None:
    """What its-hub's particle filter does other than it says, shown without a model."""
    generation, judge = StepGeneration(3, step_token=";"), Judge(None)  # pyright: ignore[reportArgumentType]
    asked = its_particles.ParticleFiltering(generation, judge, resampling_method="systematic")
    print(f'\nits-hub: ParticleFiltering(resampling_method="systematic") has the method {asked.resampling_method.value}')
    entropic = its_particles.EntropicParticleFiltering
    own = "ainfer" in vars(entropic)
    print(f"its-hub: EntropicParticleFiltering overrides ainfer: {own} (its infer flattens the result, its ainfer does not)")
    print(f"its-hub: particles kept after the last resampling: {lost(64)} of 64 distinct ones, weights as different as at the start")


def lost(n: int) -> float:
    """How many of n different finished particles outlive the resampling after the last step, on average, for weights all alike."""
    filter_ = its_particles.ParticleFiltering(StepGeneration(3, step_token=";"), Judge(None))  # pyright: ignore[reportArgumentType]
    particles = [its_particles.Particle([str(i)], True, [0.0]) for i in range(n)]
    random.seed(0)
    return round(float(np.mean([len({p.steps[0] for p in filter_._resampling(particles, [1 / n] * n, n)}) for _ in range(200)])), 1)


if __name__ == "__main__":
    main()
