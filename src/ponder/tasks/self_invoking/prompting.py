"""Asking for an item: a chat whose answer is begun with the base problem, so that the model goes on from there."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.language import LM, Message, Request, Sampling
from ponder.core.seeds import derive
from ponder.tasks.self_invoking.records import Item

_SYSTEM = "You write correct and complete Python programs."
_ASKS = (
    "Complete the file below, which states two problems. Write both functions. The second one builds on the first: solve it with one or "
    "more calls of the first. Answer with the whole file."
)
_STEPS = "Let us think step by step, then write the file."
STOP = "\n```"


def question(item: Item, steps: bool = False, shot: bool = False) -> str:
    """What is asked for, in one text.

    Args:
        item: what is asked.
        steps: ask for thought first.
        shot: show one of the tests.
    """
    parts = [_ASKS, f"```python\n{item.raw_problem.strip()}\n{item.new_problem.strip()}\n```"]
    if shot:
        parts.append(f"For example, this holds:\n\n```python\n{item.tests[1][0]}\n```")
    return "\n\n".join([*parts, *([_STEPS] if steps else [])])


def request(item: Item, n: int = 1, seed: int = 0, steps: bool = False, shot: bool = False) -> Request:
    """n continuations of the item's begun answer, as a request to an engine."""
    begun = f"```python\n{item.raw_problem.strip()}\n"
    chat = (Message("system", _SYSTEM), Message("user", question(item, steps, shot)))
    return Request(chat, n, seed, begun if not steps else f"{_STEPS}\n\n{begun}")


def continuations(
    lm: LM, items: Sequence[Item], n: int = 1, sampling: Sampling | None = None, seed: int = 0, steps: bool = False, shot: bool = False
) -> list[list[str]]:
    """n continuations of each item's begun answer; greedy and at most 1024 tokens by default."""
    asked = sampling or Sampling(temperature=0, max_tokens=1024)
    asked = Sampling(asked.temperature, asked.max_tokens, asked.top_p, asked.top_k, (*asked.stop, STOP))
    requests = [request(item, n, derive(seed, ("self-invoking", item.id)), steps, shot) for item in items]
    return [[c.text for c in reply.completions] for reply in lm.generate(requests, asked)]
