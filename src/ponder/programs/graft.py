"""Putting the end of one solution behind the beginnings of others: the language model's part of ancestor sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Completion, Continuation, Prompt, Scored
from ponder.core.problem import Candidate
from ponder.programs.complete import begin, grown


def grafted(
    final: Candidate, state: Candidate, states: Sequence[Candidate], context: Context, model: str = ""
) -> tuple[Sequence[Candidate], NDArray[np.float64]]:
    """The steps of `final` after `state`, put behind each of m candidates; see `ponder.core.context.Program.graft`.

    Steps follow only a candidate that is unfinished and has room for their tokens; no steps "follow" only a finished one. The
    log-probability is the engine's for the text of the steps in one piece. It does not hold that the text ends there, so it is
    exact up to that for a solution that ended by itself, and exact for one whose last step ended with a separator.

    Raises:
        InputError: the run does not draw from the model's own distribution, whose log-probabilities engines tell.
        BudgetExhausted: from the meter.
    """
    prompt, sampling = begin(context)
    if sampling.temperature != 1 or sampling.top_p != 1 or sampling.top_k != 0:
        raise InputError(
            "ancestor sampling weighs steps by the model's own probabilities, so they must be drawn with temperature=1, top_p=1 and "
            f"top_k=0, not {sampling.temperature:g}, {sampling.top_p:g} and {sampling.top_k}"
        )
    steps = [c for c in final.lineage if len(c.steps) > len(state.steps)]
    done = np.array([c.finished for c in states], dtype=bool)
    if not steps:
        return states, np.where(done, 0.0, -np.inf)
    rest = "".join(final.steps[len(state.steps) :])
    room = sampling.max_tokens - (final.tokens - state.tokens)
    whole = all(c.finish == "stop" for c in steps)
    able = [i for i, c in enumerate(states) if whole and not done[i] and c.tokens < room]
    texts = list(dict.fromkeys(states[i].text for i in able))
    before, after = _scores(prompt, texts, rest, context, model) if texts else ({}, {})
    finals, values = list(states), np.full(len(states), -np.inf)
    for i in able:
        head, tail = before[states[i].text], after[states[i].text]
        values[i] = sum(tail.logprobs) - sum(head.logprobs)
        finals[i] = _regrown(states[i], steps, tail.logprobs[len(head.logprobs) :], context)
    return finals, values


def _scores(prompt: Prompt, texts: Sequence[str], rest: str, context: Context, model: str) -> tuple[dict[str, Scored], dict[str, Scored]]:
    """For each text two scores whose difference is the log-probability of `rest` after it.

    A raw prompt is made longer by the text. A chat's last turn cannot be, so there the text is scored with and without `rest`.
    """
    nothing = Scored(())
    if isinstance(prompt, str):
        scored = context.logprobs([Continuation(prompt + text, rest) for text in texts], model)
        return dict.fromkeys(texts, nothing), dict(zip(texts, scored, strict=True))
    begun = [text for text in texts if text]
    asked = [Continuation(prompt, text + rest) for text in texts] + [Continuation(prompt, text) for text in begun]
    scored = context.logprobs(asked, model)
    heads = {"": nothing, **dict(zip(begun, scored[len(texts) :], strict=True))}
    return heads, dict(zip(texts, scored, strict=False))


def _regrown(parent: Candidate, steps: Sequence[Candidate], logprobs: Sequence[float], context: Context) -> Candidate:
    """The candidate that the steps make of a parent; log-probabilities are shared out where the tokens can be told apart."""
    counts = [len(c.token_ids) - len(c.parent.token_ids) if c.parent else 0 for c in steps]
    told = all(counts) and sum(counts) == len(logprobs)
    used = 0
    for step, count in zip(steps, counts, strict=True):
        old = step.parent or Candidate()
        own = tuple(logprobs[used : used + count]) if told else None
        piece = Completion(step.steps[-1], step.tokens - old.tokens, "stop", step.token_ids[len(old.token_ids) :], own)
        text = parent.text + step.text[len(old.text) :]
        child = replace(grown(parent, piece, step.model), text=text, finished=step.finished)
        parent = replace(child, value=context.problem.read(text)) if step.finished else child
        used += count
    return parent
