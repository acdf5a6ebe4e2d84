"""What goes out: usage, the field `ponder`, why a text ended."""

from __future__ import annotations

from typing import Any

from ponder.core.answer import Answer
from ponder.core.context import TraceStep
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
    return {
        **plain,
        "value": answer.value,
        "confidence": answer.confidence,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "shares": answer.shares,
        "method": answer.method,
        "notes": answer.trace.notes,
        "budget": str(job.budget),
    }


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


def progress_of(step: TraceStep) -> dict[str, Any]:
    """A stage's line, for a comment."""
    return {name: value for name, value in step.to_dict().items() if name != "log_evidence"}


def _finish(finish: str) -> str:
    return "length" if finish in ("length", "cancelled") else "stop"
