"""The OpenAI wire format, written and read: request bodies, replies checked to the last field, error messages.

Nothing here sends anything. A reply that is not of the right shape raises `Malformed`, never an error of Python's own.
"""

from __future__ import annotations

import email.utils
import itertools
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from ponder.core.language import Completion, FinishReason, Message, Prompt, Sampling

FIELDS = frozenset(
    (
        *("model", "prompt", "messages", "n", "seed", "temperature", "max_tokens", "max_completion_tokens", "top_p", "top_k", "stop"),
        *("logprobs", "echo", "stream", "continue_final_message", "add_generation_prompt"),
    )
)
"""The fields of a request that belong to the engine; nobody else may set them."""

_FINISH: dict[str, FinishReason] = {"length": "length", "max_tokens": "length", "model_length": "length"}
_CHARACTERS_PER_TOKEN = 4
_CONTEXT = (
    "context length",
    "context window",
    "context size",
    "maximum context",
    "context_length",
    "too many tokens",
    "prompt is too long",
)


class Malformed(ValueError):
    """A reply that is not what the format promises."""


class Unscorable(Exception):
    """A reply without the log-probabilities of a given text, in words that end "the server cannot score it: ..."."""


@dataclass(frozen=True)
class Dialect:
    """What a server was found to understand.

    Attributes:
        chat_only: /completions does not exist there; raw prompts go to /chat/completions as one user message.
        logprobs: log-probabilities are asked for.
        limit: the field for max_tokens in chats; newer OpenAI models want another name.
        many: whether n > 1 is honoured; None until a reply has shown it.
        echo_tokens: how many tokens are generated, in vain, to score a given text: 0, or 1 where 0 is refused.
    """

    chat_only: bool = False
    logprobs: bool = True
    limit: str = "max_tokens"
    many: bool | None = None
    echo_tokens: int = 0


@dataclass(frozen=True)
class Drawn:
    """One usable reply to a request for completions, with its bill; `estimated` if the server's usage could not be used."""

    completions: tuple[Completion, ...]
    prompt_tokens: int
    cached_tokens: int
    estimated: bool


def draw_body(
    model: str, prompt: Prompt, prefix: str, n: int, seed: int, sampling: Sampling, chat: bool, dialect: Dialect
) -> dict[str, Any]:
    """What is sent to draw n completions. top_k and stop are left out where they say nothing, as OpenAI refuses the former."""
    body: dict[str, Any] = {"model": model}
    limit = "max_tokens"
    if chat:
        limit = dialect.limit
        turns = (Message("user", prompt),) if isinstance(prompt, str) else prompt
        body["messages"] = [{"role": m.role, "content": m.content} for m in turns]
        if prefix:
            body["messages"].append({"role": "assistant", "content": prefix})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
    else:
        body["prompt"] = f"{prompt}{prefix}"
    body |= {"n": n, "seed": seed, "temperature": sampling.temperature, limit: sampling.max_tokens, "top_p": sampling.top_p}
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if dialect.logprobs:
        body["logprobs"] = True if chat else 1
    return body


def echo_body(model: str, text: str, dialect: Dialect) -> dict[str, Any]:
    """What is sent to have a given text scored."""
    return {"model": model, "prompt": text, "max_tokens": dialect.echo_tokens, "temperature": 1.0, "echo": True, "logprobs": 1}


def read_drawn(data: Any, n: int, characters: int) -> Drawn:
    """The completions of a reply, in the order of their index, at most n of them.

    Tokens add up to the server's usage, surplus choices included. Where that is missing or impossible, they are counted from
    the log-probabilities, else estimated at four characters a token.

    Args:
        data: the decoded reply.
        n: how many choices were asked for.
        characters: the length of the prompt, to estimate its tokens.

    Raises:
        Malformed: no choices, or one without a text.
    """
    read = [_choice(c) for c in _choices(data)]
    counts = [len(c.logprobs) if c.logprobs is not None else estimate(len(c.text)) for c in read]
    told = sum(len(c.logprobs or ()) for c in read)
    total = _usage(data, "completion_tokens", max(told, any(c.text for c in read)))
    prompt = _usage(data, "prompt_tokens", min(1, characters))
    shares = _apportion(sum(counts) if total is None else total, counts[:n])
    return Drawn(
        tuple(replace(c, tokens=tokens) for c, tokens in zip(read, shares, strict=False)),
        estimate(characters) if prompt is None else prompt,
        _cached(data, prompt or 0),
        prompt is None or total is None,
    )


def read_echo(data: Any, prompt: str, text: str) -> tuple[tuple[float, ...], int]:
    """Log-probabilities of the tokens of `text` in an echoed `prompt + text`, and how many tokens were read and generated.

    A token that lies across the border belongs to `text`.

    Raises:
        Unscorable: the server does not give the log-probabilities of a prompt, in words for its user.
        Malformed: a reply of another shape.
    """
    choice = _choices(data)[0]
    echoed = _text(choice)
    if not echoed.startswith(prompt + text):
        raise Unscorable("the server ignores echo=true")
    form = choice.get("logprobs")
    if not isinstance(form, dict) or "token_logprobs" not in form:
        raise Unscorable("the server gives no token_logprobs with echo=true")
    values = form["token_logprobs"]
    if not isinstance(values, list):
        raise Malformed("token_logprobs are no list")
    starts, begin = _starts(len(values), form.get("tokens"), form.get("text_offset"), echoed, prompt)
    end = begin + len(text)
    stops = [*starts[1:], math.inf]
    found = [v for v, a, b in zip(values, starts, stops, strict=True) if a < end and (a >= begin or b > begin)]
    if not found or starts[0] > begin:
        raise Unscorable("the server gives log-probabilities of generated tokens only")
    if found[0] is None:
        raise Unscorable("the first token of all has no log-probability; put a prompt before it")
    return _numbers(found), _usage(data, "total_tokens", len(values)) or len(values)


def error_message(content: str) -> str:
    """What an error reply says, as far as it can be read, at most 300 characters."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = content
    for key in ("error", "message", "detail"):
        if isinstance(data, dict) and data.get(key):
            data = data[key]
    text = " ".join((data if isinstance(data, str) else json.dumps(data)).split())
    return text if len(text) <= 300 else text[:297] + "..."


def is_context_error(message: str) -> bool:
    """True if a refusal is about a prompt that does not fit."""
    lower = message.lower()
    return any(words in lower for words in _CONTEXT)


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date; 0 if it does not say."""
    try:
        seconds = float(value or 0)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value or "").timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def _choices(data: Any) -> list[dict[str, Any]]:
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices or not all(isinstance(c, dict) for c in choices):
        raise Malformed("the reply has no choices")
    order = [c.get("index") for c in choices]
    if all(_is_count(i) for i in order) and len(set(order)) == len(order):
        return [c for _, c in sorted(zip(order, choices, strict=True), key=lambda pair: pair[0])]
    return choices


def _choice(choice: dict[str, Any]) -> Completion:
    text = _text(choice)
    finish = choice.get("finish_reason")
    reason = _FINISH.get(finish, "stop") if isinstance(finish, str) else "stop"
    return Completion(text, 0, reason, logprobs=_logprobs(choice, text), stopped_by=_stopped_by(choice))


def _stopped_by(choice: dict[str, Any]) -> str | None:
    """The stop string that ended a choice, where the server tells: `stop_reason` (vLLM) or `matched_stop` (SGLang)."""
    told = [choice[key] for key in ("stop_reason", "matched_stop") if key in choice]
    return None if not told else told[0] if isinstance(told[0], str) else ""


def _text(choice: dict[str, Any]) -> str:
    if "text" in choice:
        text = choice["text"]
    else:
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        text = message.get("content")
        # A model that refuses, or that spent all its tokens on thinking, legitimately has no content.
        if text is None and isinstance(message.get("refusal"), str):
            text = message["refusal"]
        elif text is None and any(isinstance(message.get(k), str) for k in ("reasoning_content", "reasoning")):
            text = ""
    if not isinstance(text, str):
        raise Malformed(f"a choice's text is {type(text).__name__}, not a text")
    return text


def _logprobs(choice: dict[str, Any], text: str) -> tuple[float, ...] | None:
    """Either form, at either address: llama-server answers /completions in the form of chats."""
    form = choice.get("logprobs")
    if form is None:
        return None
    if not isinstance(form, dict):
        raise Malformed("a choice's logprobs are no object")
    values = form.get("token_logprobs")
    if values is None and isinstance(form.get("content"), list):
        values = [entry.get("logprob") if isinstance(entry, dict) else "?" for entry in form["content"]]
    if values is None or (values == [] and text):
        return None
    if not isinstance(values, list):
        raise Malformed("token_logprobs are no list")
    return None if None in values else _numbers(values)


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and not math.isnan(v) for v in values):
        raise Malformed("a log-probability is no number")
    return tuple(float(v) for v in values)


def _starts(size: int, tokens: Any, offsets: Any, echoed: str, prompt: str) -> tuple[list[int], int]:
    """Where each token starts, and where the prompt ends on the same scale.

    Tokens joined from the end are surer than the server's offsets: an unseen beginning-of-text token, and characters that the
    prompt's tokens split, shift those on some servers.
    """
    tail = echoed[len(prompt) :]
    known = isinstance(tokens, list) and len(tokens) == size and all(isinstance(t, str) for t in tokens)
    if known:
        # The last token may be an end-of-text token, which the echoed text does not show.
        for joined in ("".join(tokens), "".join(tokens[:-1])):
            if joined.endswith(tail):
                return list(itertools.accumulate(map(len, tokens[:-1]), initial=0)), len(joined) - len(tail)
    usable = isinstance(offsets, list) and len(offsets) == size and offsets and all(_is_count(o) for o in offsets)
    split = known and "".join(tokens).count("\ufffd") > echoed.count("\ufffd")
    if not usable or split:
        raise Unscorable("the server does not say where its tokens start (text_offset)")
    return offsets, len(prompt)


def _usage(data: dict[str, Any], name: str, least: int) -> int | None:
    """A count of the reply's usage; None if it is missing or cannot be true."""
    usage = data.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if _is_count(value) and value >= least else None


def _cached(data: dict[str, Any], prompt: int) -> int:
    usage = data.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    value = details.get("cached_tokens") if isinstance(details, dict) else None
    return value if _is_count(value) and value <= prompt else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def estimate(characters: int) -> int:
    """Tokens of so many characters, roughly."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def _apportion(total: int, counts: Sequence[int]) -> list[int]:
    """Whole shares that add up to `total`: the counts themselves, and what is over or missing in proportion to them."""
    if sum(counts) == total:
        return list(counts)
    weights = [c + 1e-9 for c in counts]
    ends = [round(total * w / sum(weights)) for w in itertools.accumulate(weights)]
    return [b - a for a, b in itertools.pairwise([0, *ends])]
