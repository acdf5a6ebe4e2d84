"""Tokens per second of the organisms' engine on one thread, on a chain of eight operations.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.organism_speed [ORGANISM]

Seconds are those of the processor, so that a busy machine counts less; each figure is the median of several runs.

- "samples": 256 samples of one prompt, drawn to the end.
- "32 questions": 8 samples each of 32 prompts, in one call.
- "particles": 256 particles of one prompt, four tokens a step, resampled at random after each; every step another call.
- "particles, judged": the same, each step judged by the same organism (if it judges).
- "torch": the first case by a plain torch loop over the same weights, for comparison (if torch is installed).
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ponder.core.language import Request, Sampling, Solution
from ponder.lm.organism import Organism
from ponder.organisms import chain
from ponder.organisms.card import read_tensors

RUNS = 7
ROWS = 256


def samples(lm: Organism, prompts: list[str]) -> int:
    return sum(r.tokens_out for r in lm.generate([Request(prompts[0], n=ROWS, seed=1)], Sampling(temperature=1.0, max_tokens=32)))


def questions(lm: Organism, prompts: list[str]) -> int:
    requests = [Request(p, n=ROWS // 32, seed=i) for i, p in enumerate(prompts[:32])]
    return sum(r.tokens_out for r in lm.generate(requests, Sampling(temperature=1.0, max_tokens=32)))


def particles(lm: Organism, prompts: list[str], judged: bool = False) -> int:
    texts, total = [""] * ROWS, 0
    rng = np.random.default_rng(0)
    for step in range(chain.SLOTS):
        requests = [Request(prompts[0], prefix=t, seed=ROWS * step + i) for i, t in enumerate(texts)]
        replies = lm.generate(requests, Sampling(temperature=1.0, max_tokens=4, stop=(";",)))
        total += sum(r.tokens_out for r in replies)
        texts = [t + r.completions[0].text + ";" for t, r in zip(texts, replies, strict=True) if r.completions[0].stopped_by]
        if not texts:
            break
        if judged:
            lm.rewards([Solution(prompts[0], tuple(s + ";" for s in t.split(";")[:-1])) for t in texts])
        texts = [texts[i] for i in rng.integers(0, len(texts), ROWS)]
    return total


def in_torch(lm: Organism) -> Callable[[Organism, list[str]], int]:
    """256 samples of one prompt by a plain loop in torch: keys and values of each row in one tensor, 32 tokens without a look at ends."""
    import torch

    torch.set_num_threads(1)
    c, w = lm.card.config, {k: torch.from_numpy(v.copy()) for k, v in read_tensors(lm.card).items()}
    size = c.d // c.heads
    fused = [torch.cat([w[f"layers.{i}.{n}"] for n in "qkv"]) for i in range(c.layers)]

    def feed(tokens: Any, kv: Any, at: int) -> Any:
        rows, new = tokens.shape
        x = w["embed"][tokens] + w["position"][at : at + new]
        for i in range(c.layers):
            normed = torch.nn.functional.rms_norm(x, (c.d,), w[f"layers.{i}.norm1"], 1e-6)
            q, k, v = (normed @ fused[i].T).view(rows, new, 3, c.heads, size).permute(2, 0, 3, 1, 4)
            kv[i, 0, :, :, at : at + new], kv[i, 1, :, :, at : at + new] = k, v
            keys, values = kv[i, 0, :, :, : at + new], kv[i, 1, :, :, : at + new]
            y = torch.nn.functional.scaled_dot_product_attention(q, keys, values, is_causal=new > 1)
            x = x + y.transpose(1, 2).reshape(rows, new, c.d) @ w[f"layers.{i}.out"].T
            normed = torch.nn.functional.rms_norm(x, (c.d,), w[f"layers.{i}.norm2"], 1e-6)
            x = x + (normed @ w[f"layers.{i}.up"].T).relu().square() @ w[f"layers.{i}.down"].T
        return torch.nn.functional.rms_norm(x[:, -1], (c.d,), w["norm"], 1e-6) @ w["head"].T

    def run(lm: Organism, prompts: list[str]) -> int:
        with torch.inference_mode():
            prompt = torch.tensor([[c.alphabet.index(x) for x in prompts[0]]])
            first = torch.empty(c.layers, 2, 1, c.heads, c.context, size)
            logits = feed(prompt, first, 0).expand(ROWS, -1)
            kv = first.expand(-1, -1, ROWS, -1, -1, -1).contiguous()
            for step in range(32):
                tokens = torch.multinomial(logits.softmax(-1), 1)
                if step < 31:
                    logits = feed(tokens, kv, prompt.shape[1] + step)
        return 32 * ROWS

    return run


def main() -> None:
    lm = Organism(sys.argv[1] if len(sys.argv) > 1 else "chain")
    cases: dict[str, Callable[[Organism, list[str]], int]] = {"samples": samples, "32 questions": questions, "particles": particles}
    if lm.card.reward:
        cases["particles, judged"] = lambda lm, prompts: particles(lm, prompts, judged=True)
    if importlib.util.find_spec("torch"):
        cases["torch"] = in_torch(lm)
    prompts = chain.prompts(chain.problems(32 * (RUNS + 1), np.random.default_rng(0), chain.SLOTS))
    speeds: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(RUNS + 1):  # the first warms up
        for name, case in cases.items():
            began = time.process_time()
            tokens = case(lm, prompts[32 * run :])
            speeds[name].append(tokens / (time.process_time() - began))
    print(f"{lm.name}: tokens per processor second, median of {RUNS} runs, side by side")
    for name, found in speeds.items():
        print(f"{name:20} {statistics.median(found[1:]):8,.0f}   ({min(found[1:]):,.0f} to {max(found[1:]):,.0f})")


if __name__ == "__main__":
    main()
