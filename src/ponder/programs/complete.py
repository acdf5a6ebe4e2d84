"""What whole completions and single steps have in common: how a prompt is begun and how a candidate grows."""

from __future__ import annotations

from dataclasses import replace

from ponder.core.context import Context
from ponder.core.language import Completion, Prompt, Sampling
from ponder.core.problem import Candidate
from ponder.programs.prompts import write_prompt


def begin(context: Context, style: str | None = None) -> tuple[Prompt, Sampling]:
    """The prompt of the run's problem, and the run's sampling with the stop strings that the prompt needs."""
    prompt, stop = write_prompt(context.problem, style or context.style)
    return prompt, replace(context.sampling, stop=tuple(dict.fromkeys((*context.sampling.stop, *stop))))


def grown(parent: Candidate, completion: Completion, model: str, text: str | None = None) -> Candidate:
    """The candidate that has a completion behind its parent's text: unfinished, its answer not read yet.

    Args:
        text: what is put behind, if it is not the completion's text as it is.
    """
    text = completion.text if text is None else text
    known = completion.logprobs is not None and not (parent.text and parent.logprob is None)
    new = completion.logprobs or ()
    return Candidate(
        text=parent.text + text,
        tokens=parent.tokens + completion.tokens,
        token_ids=parent.token_ids + completion.token_ids,
        logprob=(parent.logprob or 0.0) + sum(new) if known else None,
        token_logprobs=parent.token_logprobs + new if known else (),
        certainty=_certainty(parent, completion),
        finish=completion.finish,
        steps=(*parent.steps, text),
        model=model,
        root=parent.root,
        parent=parent,
    )


def _certainty(parent: Candidate, completion: Completion) -> float | None:
    """Of the whole text: the mean over all its tokens, if the certainty of both parts is known."""
    if completion.certainty is None or not parent.text:
        return completion.certainty
    if parent.certainty is None:
        return None
    before, after = len(parent.token_ids), len(completion.token_ids)
    return (parent.certainty * before + completion.certainty * after) / (before + after)
