"""How far the embedded engine's log-probabilities are from exact ones, on the same weights.

    python benchmarks/logprob_error.py MODEL.gguf

needs the extra 'torch', takes a minute or two and prints JSON: absolute errors in nats a token against float32 torch, for given
continuations (`scored`) and for texts that the engine drew itself (`drawn`), with its default arithmetic and with `exact=True`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import PonderError
from ponder.core.language import LM, Continuation, Request, Sampling
from ponder.lm.embedded import Embedded
from ponder.lm.transformers import Transformers

PAIRS = (
    ("The capital of France is", " Paris."),
    ("The capital of Italy is", " Rome, and it is also its largest city."),
    ("Water is made of hydrogen and", " oxygen."),
    ("Once upon a time there was a", " little girl who lived in a small house near the forest."),
    ("The opposite of hot is", " cold."),
    ("Monday, Tuesday, Wednesday,", " Thursday, Friday, Saturday, Sunday."),
    ("She opened the door and", " saw that it had been raining all night."),
    ("Q: What is 2 + 2?\nA:", " 2 + 2 = 4"),
    ("Q: What is 12 * 7?\nA:", " 12 * 7 = 84"),
    ("Q: What is 12 * 7?\nA:", " 12 * 7 = 48"),
    ("1, 2, 3, 4, 5,", " 6, 7, 8, 9, 10"),
    ("If x + 3 = 10, then x =", " 7"),
)


def main(path: Path) -> dict[str, Any]:
    reference = Transformers(path.parent, gguf_file=path.name)
    continuations = [Continuation(p, t) for p, t in PAIRS]
    expected = [s.logprobs for s in reference.logprobs(continuations)]
    figures: dict[str, Any] = {"model": path.name, "continuations": len(PAIRS)}
    for label, exact in (("default", False), ("exact", True)):
        lm = Embedded(path, exact=exact)
        found = [s.logprobs for s in lm.logprobs(continuations)]
        figures[label] = {"scored": errors(expected, found), **{f"drawn_at_{t}": drawn(lm, reference, t) for t in (0.7, 1.0)}}
        lm.close()
    return figures


def drawn(lm: Embedded, reference: LM, temperature: float) -> dict[str, float]:
    """Errors of the log-probabilities that come with drawn texts, of those that read back as the tokens they were drawn as."""
    prompts = [p for p, _ in PAIRS]
    replies = lm.generate([Request(p, n=2, seed=1) for p in prompts], Sampling(temperature=temperature, max_tokens=24))
    pairs = [
        (p, c) for p, r in zip(prompts, replies, strict=True) for c in r.completions if lm.encode(p + c.text) == lm.encode(p) + c.token_ids
    ]
    exact = reference.logprobs([Continuation(p, c.text) for p, c in pairs])
    return errors([s.logprobs for s in exact], [c.logprobs or () for _, c in pairs])


def errors(expected: Sequence[Sequence[float]], found: Sequence[Sequence[float]]) -> dict[str, float]:
    """Over texts that both engines split into as many tokens."""
    same = [(e, f) for e, f in zip(expected, found, strict=True) if len(e) == len(f)]
    away = np.abs(np.concatenate([np.subtract(e, f) for e, f in same]))
    sums = np.array([abs(sum(e) - sum(f)) for e, f in same])
    return {
        "tokens": int(away.size),
        "mean_per_token": round(float(away.mean()), 5),
        "max_per_token": round(float(away.max()), 5),
        "mean_per_text": round(float(sums.mean()), 5),
        "texts_split_otherwise": len(found) - len(same),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/logprob_error.py MODEL.gguf")
    try:
        print(json.dumps(main(Path(sys.argv[1])), indent=1))
    except PonderError as error:
        sys.exit(str(error))
