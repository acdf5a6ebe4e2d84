"""What goes out: usage, the field `ponder`, why a text ended."""

from __future__ import annotations

import math
from typing import Any

from ponder.core.answer import Answer
from ponder.serve.job import Done, Job


def usage_of(answer: Answer) -> dict[str, Any]:
    """Everything that was spent, by candidates that lost as well, in OpenAI's shape."""
    bill = answer.bill
    return {
        "prompt_tokens": bill.tokens_in,
        "completion_tokens": bill.tokens_out,
        "total_tokens": bill.tokens,
        "prompt_tokens_details": {"cached_tokens": bill.cached},
    }


def own_of(done: Done, job: Job) -> dict[str, Any]:
    """The field `ponder` of a reply."""
    answer, plain = done.answer, {"model": job.target.name, "seed": job.seed, "bill": done.answer.bill.to_dict()}
    if job.target.pipeline is None:
        return plain
    said = {k: v for k, v in answer.to_dict().items() if k in ("value", "confidence", "abstained", "reason", "shares", "method", "notes")}
    return {**plain, **said, "budget": str(job.budget)}


def texts_of(done: Done, job: Job) -> list[tuple[str | None, str, str | None]]:
    """Text, finish_reason and refusal of each choice; an abstention is a refusal with its reason, without a text."""
    if job.target.pipeline is None:
        return [(c.text, "stop" if c.finish == "stop" else "length", None) for c in done.completions] or [("", "length", None)]
    answer = done.answer
    items = answer.population.items if answer.population else ()
    if answer.abstained and job.streams and items:
        return [(items[0].text, _finish(items[0].finish), None)]
    if answer.abstained:
        return [(None, "stop", answer.reason or "no answer")]
    return [(answer.text, _finish(next((c.finish for c in items if c.text == answer.text), "stop")), None)]


def progress_of(step: Any) -> dict[str, Any]:
    """A stage's line, for a comment."""
    ess = step.ess if math.isfinite(step.ess) else None
    return {"stage": step.stage, "round": step.round, "size": step.size, "ess": ess, "tokens": step.tokens}


def _finish(finish: str) -> str:
    return "length" if finish in ("length", "cancelled") else "stop"
