"""The fields of a request: honoured, or refused with a reason; none is dropped."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ponder.core.algebra import Stage
from ponder.core.language import Message, Sampling
from ponder.core.terms import Term
from ponder.serve.engines import Engines, Target
from ponder.serve.errors import BadRequest
from ponder.serve.job import Ask, terms_in

MAX_TOKENS = 1024
"""The longest completion where the caller does not say."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "echo": (False,),
    "best_of": (1,),
    "suffix": ("",),
}
"""Fields that a method cannot honour, and the values that ask for nothing."""

SILENT = ("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
"""Fields that change no answer."""


class Own(BaseModel):
    """What ponder is to do, in the field `ponder`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    method: str = Field("", description="A pipeline, as in sample(16) | vote(); where the model's name holds none.")
    budget: str = Field("", description="What may be spent, as in '4k tokens, 30s'.")
    seed: int | None = Field(None, description="Root of all draws; as the field seed.")
    reads: str = Field("auto", description="How an answer is read off a text.")


class StreamOptions(BaseModel):
    """How an answer is streamed."""

    model_config = ConfigDict(extra="forbid", strict=True)
    include_usage: bool = False
    include_obfuscation: bool = False


class Common(BaseModel):
    """What chats and completions share."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str = Field(description="A name of /v1/models, alone or with a method behind: NAME:sample(16)|vote().", min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    n: int | None = Field(None, ge=1)
    ponder: Own | None = None


class Turn(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="allow", strict=True)
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[dict[str, Any]]


class ChatBody(Common):
    """The body of a chat."""

    messages: list[Turn] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)


class CompletionBody(Common):
    """The body of a completion of raw text."""

    prompt: str | list[str]


def valid(kind: type[Any], data: dict[str, Any]) -> Any:
    """A body of its kind, whatever fields it has beside those of its kind.

    Raises:
        BadRequest: naming the first field that cannot be used.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadRequest(f"{place}: {first['msg']}", param=place) from None


def checked(kind: type[Any], data: dict[str, Any]) -> Any:
    """A body of its kind, all of whose fields are honoured or ask for nothing.

    Raises:
        BadRequest: naming the first field that cannot be used.
    """
    body = valid(kind, data)
    for name, value in (body.model_extra or {}).items():
        if name in SILENT or value is None:
            continue
        if not any(value == neutral and isinstance(value, bool) == isinstance(neutral, bool) for neutral in NEUTRAL.get(name, ())):
            why = "cannot be honoured by a method or an engine of this gateway's own" if name in NEUTRAL else "is not known"
            raise BadRequest(f"the field {name[:100]!r} {why}; leave it out", param=name[:100])
    if body.stream_options is not None and not body.stream:
        raise BadRequest("stream_options needs stream", param="stream_options")
    return body


def target_of(body: Common, engines: Engines) -> Target:
    """The model and the method that a body names.

    Raises:
        UnknownModel, BadRequest, ParseError: there is no such model or method, or there are two methods.
    """
    return engines.resolve(body.model, body.ponder.method if body.ponder else "")


def ask_of(body: Common, question: str | tuple[Message, ...], target: Target, raw: bool = False) -> Ask:
    """What a body asks for.

    Args:
        question: what its own kind of body asks.
        target: the model and the method that it names.
        raw: whether a text is continued as it stands.

    Raises:
        BadRequest: two fields say different things, or the method sets one itself.
    """
    own = body.ponder or Own.model_construct()
    seed, sampling = seed_of(body), sampling_of(body, target.pipeline)
    return Ask(question, target, own.budget, seed, sampling, n=body.n or 1, raw=raw, reads=own.reads)


def messages_of(body: ChatBody, method: Stage | None) -> tuple[Message, ...]:
    """The turns as they came; text parts are joined.

    Raises:
        BadRequest: a part that is no text, a turn with more than a role and a content, or a method without a question at the end.
    """
    turns = tuple(Message(turn.role, _text(turn, i)) for i, turn in enumerate(body.messages))
    if method is not None and turns[-1].role != "user":
        raise BadRequest("a method answers the last message, which must be the user's", param="messages")
    return turns


def sampling_of(body: Common, method: Stage | None) -> Sampling:
    """How completions are drawn.

    Raises:
        BadRequest: two fields say different things, or the method sets one itself.
    """
    longest = getattr(body, "max_completion_tokens", None)
    if longest and body.max_tokens and longest != body.max_tokens:
        raise BadRequest("max_tokens and max_completion_tokens differ", param="max_tokens")
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    said = {"temperature": body.temperature, "top_p": body.top_p, "top_k": body.top_k, "max_tokens": longest or body.max_tokens}
    given = {name: value for name, value in said.items() if value is not None}
    for term in terms_in(method):
        for name in given.keys() & _overrides(term):
            own = getattr(term, name)
            if own is not None and own != given[name]:
                raise BadRequest(f"{term} sets {name}={own} itself, and the request says {given[name]}; leave one out", param=name)
    return Sampling(**{"max_tokens": MAX_TOKENS, **given}, stop=stop)


def seed_of(body: Common) -> int | None:
    """The seed.

    Raises:
        BadRequest: two fields say different things.
    """
    own = body.ponder.seed if body.ponder else None
    if own is not None and body.seed is not None and own != body.seed:
        raise BadRequest("seed and ponder.seed differ", param="seed")
    return body.seed if own is None else own


def _overrides(term: Term) -> set[str]:
    """The fields of a stage that are the run's unless it says otherwise; others of the same name mean something else."""
    return {f.name for f in dataclasses.fields(term) if f.default is None} if isinstance(term, Stage) else set()  # pyright: ignore


def _text(turn: Turn, i: int) -> str:
    for name, value in (turn.model_extra or {}).items():
        if value not in (None, [], ""):
            raise BadRequest(f"messages.{i}.{name[:100]} cannot be given to an engine; a turn has a role and a text", param="messages")
    if isinstance(turn.content, str):
        return turn.content
    for part in turn.content:
        if part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise BadRequest(f"messages.{i} has a part of type {str(part.get('type'))[:50]!r}; only text can be read", param="messages")
    return "".join(part["text"] for part in turn.content)
