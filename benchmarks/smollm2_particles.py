"""The particle filter on the embedded model, end to end: tokens, seconds, and what forks take from the prefix cache.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.smollm2_particles [PARTICLES] [QUESTIONS]

Three parts:

- "filters": the same filter with several scorers on a few questions, step by step in lines, by `ponder.ask`.
- "forks": one step of n copies of a long beginning, which share the cache, against n different beginnings as long, which cannot.
- "command": the same by the command line, whose bill is read back.

Cached is the share of read tokens that the engine took from its prefix cache, whose grain is a page of 32 tokens.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from ponder.core.errors import PonderError
from ponder.core.language import Message, Request, Sampling
from ponder.front import ask
from ponder.lm.load import DEFAULT, load

QUESTIONS = {
    "What is 17 + 25 - 8?": "34",
    "Tom has 3 boxes with 4 pens each and gives away 5 pens. How many pens has he left?": "7",
    "A train has 6 carriages with 20 seats each. 45 seats are taken. How many are free?": "75",
    "What is 12 * 3 + 4?": "40",
}
SCORERS = ("likelihood()", "self_eval()", "judge()")
BODY = "start({n}) | loop(extend() | weigh({scorer}) | resample(systematic)) | argmax()"
PLAIN = "sample({n}) | argmax()"
SETTINGS = {"style": "cot", "reads": "number", "separator": "\n", "max_steps": 8, "max_tokens": 160}


def filters(n: int, questions: dict[str, str], lm) -> None:
    print(f"{'method':80} {'right':>6} {'read':>8} {'cached':>7} {'written':>8} {'calls':>6} {'seconds':>8}")
    for method in [PLAIN.format(n=n), *(BODY.format(n=n, scorer=s) for s in SCORERS)]:
        right = read = cached = written = calls = 0
        began, notes = time.perf_counter(), set()
        for question, gold in questions.items():
            a = ask(question, method=method, model=lm, **SETTINGS)
            right += a.value == gold
            read, cached, written, calls = (
                read + a.bill.tokens_in,
                cached + a.bill.cached,
                written + a.bill.tokens_out,
                calls + a.bill.calls,
            )
            notes |= set(a.trace.notes)
        seconds = time.perf_counter() - began
        print(f"{method:80} {right:3}/{len(questions):2} {read:8,} {cached / read:7.0%} {written:8,} {calls:6} {seconds:8.1f}", flush=True)
        for note in sorted(notes):
            print(f"    note: {note}")


def forks(n: int, lm) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=8)
    long = " ".join(f"Line {i}: the sum of {i} and {i + 1} is {2 * i + 1}." for i in range(12))
    asked = (Message("user", "Write down sums."),)
    sides = {
        "one beginning, forked": [Request(asked, seed=i, prefix=f"{long} And so on.") for i in range(n)],
        "the same, read before": [Request(asked, seed=100 + i, prefix=f"{long} And so on.") for i in range(n)],
        "each its own beginning": [Request(asked, seed=i, prefix=f"Sheet {i}. {long}") for i in range(n)],
    }
    print(f"\n{'one step of ' + str(n):30} {'read':>8} {'cached':>7} {'seconds':>8}")
    for name, requests in sides.items():
        began = time.perf_counter()
        replies = lm.generate(requests, sampling)
        seconds, read = time.perf_counter() - began, sum(r.prompt_tokens for r in replies)
        print(f"{name:30} {read:8,} {sum(r.cached_tokens for r in replies) / read:7.0%} {seconds:8.2f}", flush=True)


def command(n: int) -> None:
    question = next(iter(QUESTIONS))
    words = ["ask", question, "--method", BODY.format(n=n, scorer="likelihood()"), "--style", "cot", "--reads", "number"]
    words += ["--separator", "\\n", "--max-steps", "8", "--max-tokens", "160", "--json"]
    done = subprocess.run([str(Path(sys.executable).with_name("ponder")), *words], capture_output=True, text=True, check=False)
    print(f"\nponder ask: exit {done.returncode}")
    try:
        told = json.loads(done.stdout)
        print({key: told[key] for key in ("value", "confidence", "bill") if key in told})
    except ValueError:
        print(done.stdout[-500:], done.stderr[-500:])


def main() -> None:
    n, questions = (int(x) for x in [*sys.argv[1:3], *("16", "4")[len(sys.argv) - 1 :]][:2])
    lm = load(DEFAULT)
    try:
        forks(n, lm)
        filters(n, dict(list(QUESTIONS.items())[:questions]), lm)
    except PonderError as error:
        print(f"failed: {error}")
        raise
    finally:
        lm.close()
    command(n)


if __name__ == "__main__":
    main()
