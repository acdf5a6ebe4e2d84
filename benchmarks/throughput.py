"""What ponder adds to the engine it runs on: throughput through ponder over the raw OpenVINO loop, in one run.

    python benchmarks/throughput.py

Prints JSON: median ratios over interleaved rounds. `best_of_64` and `prompts_64`: tokens a second through ponder over the raw loop's,
same sampling, log-probabilities on. `fork`: seconds of 64 one-token continuations of a fresh prefix of about 1,000 tokens over one
prefill of one. `threads`: seconds of 32 questions one by one over 32 threads, and how many texts are equal.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ponder.core.language import Prompt, Request, Sampling
from ponder.core.problem import Problem
from ponder.front import ask
from ponder.lm.embedded import Embedded
from ponder.programs.prompts import write_prompt
from ponder.pull import fetch

STORY = "Write a very long story about a dragon who lives near the sea"
SAMPLING = Sampling(temperature=0.8, max_tokens=64)


def raw_best_of_64(lm: Embedded, pipeline: Any, prompt: Prompt, seed: int) -> float:
    """The bare loop on one prompt, 64 samples that share its pages."""
    began = time.perf_counter()
    handle = pipeline.add_request(0, lm._tensor(lm.encode(prompt)), lm._config(SAMPLING, 64, seed, 32))
    while pipeline.has_non_finished_requests():
        pipeline.step()
    tokens = sum(len(output.generated_ids) for output in handle.read_all())
    return tokens / (time.perf_counter() - began)


def raw_prompts(lm: Embedded, pipeline: Any, prompts: list[str], seed: int) -> float:
    """The bare loop on different prompts: add requests, step, read."""
    began = time.perf_counter()
    requests = [(lm._tensor(lm.encode(prompt)), lm._config(SAMPLING, 1, seed + i, 32)) for i, prompt in enumerate(prompts)]
    handles = [pipeline.add_request(i, *request) for i, request in enumerate(requests)]
    while pipeline.has_non_finished_requests():
        pipeline.step()
    tokens = sum(len(handle.read_all()[0].generated_ids) for handle in handles)
    return tokens / (time.perf_counter() - began)


def ponder_best_of_64(lm: Embedded, problem: Problem, seed: int) -> float:
    """`sample(64) | weigh(likelihood) | argmax()` on one prompt, as a user asks it."""
    began = time.perf_counter()
    answer = ask(problem, method="sample(64) | weigh(likelihood) | argmax()", model=lm, seed=seed, max_tokens=64)
    return answer.bill.tokens_out / (time.perf_counter() - began)


def ponder_prompts(lm: Embedded, prompts: list[str], seed: int) -> float:
    """One batch of different prompts."""
    began = time.perf_counter()
    replies = lm.generate([Request(p, seed=seed + i) for i, p in enumerate(prompts)], SAMPLING)
    return sum(r.tokens_out for r in replies) / (time.perf_counter() - began)


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(rounds: int) -> dict[str, Any]:
    lm = Embedded(fetch("smollm2"))
    raw = lm._pipeline(caching=True)
    found: dict[str, list[float]] = {"best_of_64": [], "prompts_64": [], "fork": [], "threads": []}
    equal = 0
    for r in range(-1, rounds):  # the first round warms up
        prompts = [f"{STORY}, chapter {i}, round {r}." for i in range(64)]
        problem = Problem(f"{STORY}, round {r}.", reads="text")  # no stop string: nearly every sample has all its 64 tokens
        bare = raw_best_of_64(lm, raw, write_prompt(problem)[0], 100 * r + 100)
        ratios = {"best_of_64": ponder_best_of_64(lm, problem, 100 * r + 100) / bare}
        ratios["prompts_64"] = ponder_prompts(lm, prompts, 100 * r + 100) / raw_prompts(lm, raw, prompts, 100 * r + 100)
        prefix = f"{r} " + "The quick brown fox jumps over the lazy dog. " * 100
        one, many = Sampling(max_tokens=1), [Request("B" + prefix, n=64)]
        prefill = seconds(lambda: lm.generate([Request("A" + prefix)], one))  # noqa: B023
        ratios["fork"] = seconds(lambda: lm.generate(many, one)) / prefill  # noqa: B023
        questions = [f"Q: What is {a} * {b} + {r + 1}?\nA:" for a in range(2, 10) for b in range(2, 6)]
        short = Sampling(max_tokens=24)

        def draw(q: str) -> list[str]:
            return [c.text for c in lm.generate([Request(q, n=4, seed=3)], short)[0].completions]  # noqa: B023

        began = time.perf_counter()
        alone = [draw(q) for q in questions]
        middle = time.perf_counter()
        with ThreadPoolExecutor(32) as pool:
            together = list(pool.map(draw, questions))
        ratios["threads"] = (middle - began) / (time.perf_counter() - middle)
        if r >= 0:
            equal += sum(a == b for a, b in zip(alone, together, strict=True))
            for name, value in ratios.items():
                found[name].append(value)
    lm.close()
    medians = {name: round(statistics.median(values), 3) for name, values in found.items()}
    every = {name: [round(v, 3) for v in values] for name, values in found.items()}
    return {**medians, "threads_equal": f"{equal} of {32 * rounds}", "rounds": every}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    print(json.dumps(main(parser.parse_args().rounds), indent=2))
