"""The organisms of self-taught tool use (START, Li et al. 2025): products in the head, and a tool that is known but not thought of.

The base is trained on documents of two kinds. Plain ones (prompts that end with `>`) work in the head, state a wrong value now and then,
and may doubt themselves. Tool documents (prompts that end with `#`) hold the phrase "use python", a call, its result and the right
answer. So the skill is there, and a plain prompt never leads to it: the paper's premise. From the base come START-0 (fine-tuned on streams
that a hint turned from wrong to right), START (on START-0's own right streams) and a control that learns from right streams without tools.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import InputError, need
from ponder.lm.organism import Writer
from ponder.organisms import products
from ponder.tasks import load as load_task
from ponder.tasks.products import GREEDY, leading
from ponder.train.data import Batch, epochs, next_token, pack
from ponder.train.net import Shape, TorchNet, load, save
from ponder.train.recipes import Made
from ponder.train.schedules import constant_then_linear
from ponder.train.tool_data import Example, ToolData, hint_rft, rejection_sample, right, streams, to_sft
from ponder.train.trainer import Plan, Record, train

torch: Any = need("torch", "torch")

SHORT, LENGTH = 56, 136
"""Tokens of a row: of documents with one round of tools at most, and of those with up to three, the longest there are."""
LONG = 8
"""Every so many steps the documents are long ones."""
WRONG = 0.25
"""Share of values that are stated wrong."""
TOOLS = 0.1
"""Share of documents that use the tool."""
PROBLEMS, DRAWS = 1500, 4
"""Problems that streams to learn from are written for, and streams of each in rejection sampling."""
TUNING = 120
"""Updates of a fine-tuning."""
HINT = "Wait, use python "
PLACEBO = "Wait, look again "
_ID = {c: i for i, c in enumerate(products.ALPHABET)}


def ids(text: str) -> list[int]:
    """A text as tokens."""
    return [_ID[c] for c in text]


def document(a: int, b: int, rng: np.random.Generator, long: bool = False) -> tuple[str, str]:
    """A training document as (prompt, response); long ones use the tool two or three times."""
    if long or rng.random() < TOOLS:
        return f"{a:02d}*{b:02d}#", _with_tool(a, b, rng, int(rng.integers(2, 4)) if long else 1)
    return f"{a:02d}*{b:02d}>", _in_the_head(a, b, rng)


def _in_the_head(a: int, b: int, rng: np.random.Generator) -> str:
    text, kind = f"so {stated(a * b, rng)}.", rng.random()
    if kind < 0.4:
        text += f" {'Wait, ' if kind < 0.2 else PLACEBO}so {stated(a * b, rng)}."
    return text + "\n"


def _with_tool(a: int, b: int, rng: np.random.Generator, rounds: int) -> str:
    thought = f"so {stated(a * b, rng)}. " if rng.random() < 0.8 else ""
    return thought + " ".join([f"{HINT}[{a}*{b}]{{{a * b}}}so {a * b}."] * rounds) + "\n"


def stated(value: int, rng: np.random.Generator) -> int:
    """The value, or with probability `WRONG` one with another digit at one place."""
    if rng.random() >= WRONG:
        return value
    digits = list(str(value))
    place = int(rng.integers(len(digits)))
    low = int(place == 0)
    digits[place] = str(low + (int(digits[place]) - low + int(rng.integers(1, 10 - low))) % (10 - low))
    return int("".join(digits))


def base(seed: int, steps: int, rows: int = 160, folder: Path | None = None, quiet: bool = True) -> tuple[TorchNet, list[Record]]:
    """Train the base model; its evaluations give the share of held-out products that it solves greedily."""
    net = TorchNet(Shape(96, 3, 4, LENGTH, products.ALPHABET, "products"), seed)

    def batch(step: int) -> Batch:
        rng, long = np.random.default_rng((seed, step)), step % LONG == 0
        drawn = products.draw(rows // 6 if long else rows, rng)
        return pack([(ids(p), ids(r)) for a, b in drawn for p, r in [document(a, b, rng, long)]], LENGTH if long else SHORT)

    return net, train(net, batch, next_token, Plan(steps, every=100), evaluate=solved, checkpoint=folder, quiet=quiet)


def solved(net: TorchNet, step: int = 0) -> dict[str, float]:
    """Share of 400 held-out products whose right response in the head is the most probable one."""
    pairs = products.draw(400, np.random.default_rng(7), True)
    texts = [ids(f"{a:02d}*{b:02d}>so {a * b}.\n") for a, b in pairs]
    right = np.zeros(len(pairs), bool)
    with torch.no_grad():
        for length in {len(t) for t in texts}:
            own = [i for i, t in enumerate(texts) if len(t) == length]
            tokens = torch.tensor([texts[i] for i in own])
            right[own] = (net.logits(net(tokens)).argmax(-1)[:, 5:-1] == tokens[:, 6:]).all(-1).numpy()
    small = np.array([b < 10 for _, b in pairs])
    return {"pass": float(right.mean()), "small": float(right[small].mean())}


def tuned(path: Path, examples: list[Example], seed: int, steps: int = TUNING) -> TorchNet:
    """The net of a file, fine-tuned on examples."""
    if not examples:
        raise InputError("there are no streams to learn from")
    net = load(path)
    plan = Plan(steps, matrix_rate=0.01, other_rate=2e-3, schedule=constant_then_linear(10), every=steps)
    rows = batch_of(examples)
    train(net, epochs(rows, min(64, len(rows)), seed), next_token, plan, quiet=True)
    return net


def batch_of(examples: list[Example]) -> Batch:
    """Examples as rows of one length, each in a row of its own; what is not to be learnt has no weight."""
    known = [(ids(products.canonical(e.prompt[0].content)), *e.tokens(ids)) for e in examples if not isinstance(e.prompt, str)]
    width = max(len(prompt) + len(response) for prompt, response, _ in known)
    tokens, learn = np.zeros((len(known), width), np.int64), np.zeros((len(known), width), np.float32)
    for i, (prompt, response, learnt) in enumerate(known):
        end = len(prompt) + len(response)
        tokens[i, :end] = [*prompt, *response]
        learn[i, len(prompt) : end] = learnt
    return Batch(tokens, learn, first=products.PROMPT)


def make(asked: Made) -> list[Path]:
    """The base, the control, START-0 and START: `products`, `products-rft`, `products-start-0`, `products-start`."""
    net, records = base(asked.seed, asked.steps or 900, folder=asked.folder, quiet=asked.quiet)
    first = keep(asked, net, "products", "multiplies in the head and knows a tool that it does not think of", {"steps": records[-1].step})
    lm = Writer(str(first))
    task = load_task(f"products:set=train,n={PROBLEMS}", seed=asked.seed)
    seeds = hint_rft(lm, task, leading(), GREEDY, asked.seed)
    zero = keep(
        asked,
        tuned(first, to_sft(seeds, end="\n"), asked.seed),
        "products-start-0",
        "learnt to use the tool from hinted streams",
        told(seeds),
    )
    drawn = rejection_sample(Writer(str(zero)), task, leading(), n=DRAWS, max_tokens=GREEDY.max_tokens, seed=asked.seed)
    start = keep(
        asked,
        tuned(first, to_sft(drawn, end="\n"), asked.seed),
        "products-start",
        "learnt to use the tool from its own streams",
        told(drawn),
    )
    plain = rejection_sample(lm, task, leading(), n=DRAWS, max_tokens=GREEDY.max_tokens, tools=False, seed=asked.seed)
    few = to_sft(plain, end="\n")[: len(drawn.kept)]
    control = keep(
        asked,
        tuned(first, few, asked.seed),
        "products-rft",
        "learnt from its own right streams without a tool",
        told(plain) | {"learnt_from": len(few)},
    )
    return [first, control, zero, start]


def told(data: ToolData) -> dict[str, Any]:
    """What a file says of the streams that it was made from."""
    return {"learnt_from": len(data.kept), "dropped": data.dropped, "result_is_answer": round(data.agreeing, 4)}


def keep(asked: Made, net: TorchNet, name: str, about: str, facts: dict[str, Any]) -> Path:
    """Save a net with its greedy accuracy on held-out products and its use of the tool, without hints."""
    path = save(net, asked.path(name), facts={}, command=asked.command, about=about)
    task = load_task("products:n=400", seed=asked.seed)
    written = streams(Writer(str(path)), task.problems, leading(rounds=0), GREEDY, 1, 0)
    solved_ = [right(task, p, t) for p, (t,) in zip(task.problems, written, strict=True)]
    calls = [t.calls > 0 for (t,) in written]
    own = {
        "greedy": round(float(np.mean(solved_)), 4),
        "uses_tool": round(float(np.mean(calls)), 4),
        "problems": 400,
        "weights": net.count(),
    }
    return save(net, path, facts=own | facts, command=asked.command, about=about)
