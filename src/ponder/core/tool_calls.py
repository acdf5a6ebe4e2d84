"""Reading the calls of tools that a text holds, in a canonical form, so that equal calls are equal texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

_TRIES = 200
_LONGEST = 100_000
_ARGUMENTS = ("arguments", "parameters", "args", "input")


def read_tool_calls(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The tool calls of a text as one JSON list of objects with "name" and "arguments", keys sorted; None if it has none.

    Calls are JSON objects with a name and arguments, wherever they stand: bare, in fences, in <tool_call> tags, or as an OpenAI message
    with "tool_calls". Arguments may be an object or its JSON text.
    """
    calls = [call for value in _objects(text[:_LONGEST]) for call in _calls(value)]
    return json.dumps(calls, sort_keys=True, ensure_ascii=False, separators=(",", ":")) if calls else None


def names_of(value: str) -> str:
    """The names of canonical calls, in order, without their arguments."""
    return " ".join(call["name"] for call in json.loads(value))


def without(value: str, ignored: frozenset[str]) -> str:
    """Canonical calls without some of their arguments."""
    calls = [{"name": c["name"], "arguments": {k: v for k, v in c["arguments"].items() if k not in ignored}} for c in json.loads(value)]
    return json.dumps(calls, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects of a text, the outermost of each."""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(_TRIES):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield value


def _calls(value: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(value, dict):
        return
    found = cast(dict[str, Any], value)
    if isinstance(found.get("tool_calls"), list):
        for inner in found["tool_calls"]:
            yield from _calls(inner)
        return
    call = cast(dict[str, Any], found["function"]) if isinstance(found.get("function"), dict) else found
    name, arguments = call.get("name"), next((call[key] for key in _ARGUMENTS if key in call), None)
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return
    if isinstance(name, str) and name and isinstance(arguments, dict) and _finite(cast(dict[str, Any], arguments)):
        yield {"name": name, "arguments": arguments}


def _finite(arguments: dict[str, Any]) -> bool:
    """Whether they can be written as JSON: Python reads NaN, which is none."""
    try:
        json.dumps(arguments, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True
