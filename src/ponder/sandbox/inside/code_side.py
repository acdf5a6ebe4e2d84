"""The interpreter that has the tested code. All it says is data to the other side: nothing here needs to be safe from the code."""

from __future__ import annotations

import builtins
import contextlib
import sys
import types
from typing import Any

from ponder.sandbox.inside import wire


def run(incoming: int, outgoing: int) -> None:
    """Run the program that comes first, say what it defines, then answer calls until the channel closes."""
    request = wire.read(incoming)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        exec(compile(request["code"], "<code>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - this is what the sandbox is for
        reply = {"defined": _defined(module.__dict__, request["names"])}
    except BaseException as error:
        reply = {"raised": _raised(error)}
    _answer(outgoing, reply)
    while True:
        try:
            call = wire.read(incoming)
        except EOFError:
            return
        _answer(outgoing, _called(module.__dict__, call))


def _answer(outgoing: int, reply: dict[str, Any]) -> None:
    with contextlib.suppress(Exception):  # the code may have closed or replaced it
        sys.stdout.flush()
    try:
        wire.write(outgoing, reply)
    except (wire.NotPlain, MemoryError) as error:
        wire.write(outgoing, {"raised": _raised(error)})


def _defined(names: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """For each wanted name that the code defines: {"call": None}, {"module": its name} or {"value": packed}."""
    found: dict[str, Any] = {}
    for name in wanted:
        if name not in names:
            continue
        value = names[name]
        if isinstance(value, types.ModuleType):
            found[name] = {"module": str(value.__name__)}
        elif callable(value):
            found[name] = {"call": None}
        else:
            try:
                found[name] = {"value": wire.pack(value)}
            except wire.NotPlain:
                continue
    return found


def _called(names: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """What a call gave, and the new contents of each list, dict or set among its arguments that it changed."""
    try:
        args, kwargs = wire.unpack(call["args"]), wire.unpack(call["kwargs"])
        if call["name"] not in names:
            raise NameError(f"name {call['name']!r} is not defined")
        given = {**dict(enumerate(args)), **kwargs}
        before = {place: wire.pack(value) for place, value in given.items() if isinstance(value, list | dict | set)}
        value = wire.pack(names[call["name"]](*args, **kwargs))
        changed = [[place, now] for place, was in before.items() if (now := wire.pack(given[place])) != was]
        return {"value": value, "changed": changed}
    except BaseException as error:
        return {"raised": _raised(error)}


def _raised(error: BaseException) -> dict[str, Any]:
    """An exception as data: its nearest builtin class, its arguments if they are plain, and one line about it."""
    name = type(error).__name__
    try:
        said = str(error)
    except BaseException:
        said = ""
    line = f"{name}: {said}"[:500] if said else name
    kind = next((c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c), "RuntimeError")
    try:
        args = wire.pack(tuple(error.args))
    except BaseException:
        args = wire.pack((said[:500],))
    return {"kind": "RuntimeError" if kind in ("Exception", "BaseException") else kind, "args": args, "line": line}
