"""The interpreter that has the tests: they call the tested code through stubs, and what they conclude never passes by the code."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable
from typing import Any

from ponder.sandbox.inside import wire


def run(incoming: int, outgoing: int) -> None:
    """Run the setup and each test that comes first; send one verdict for each, with the nonce that came with them."""
    request = wire.read(incoming)

    def ask(message: dict[str, Any]) -> Any:
        wire.write(outgoing, {"nonce": request["nonce"], **message})
        return wire.read(incoming)

    names = _names(request["defined"], ask)
    before = _error_of(request["setup"], names)
    for i, test in enumerate(request["tests"]):
        error = before or _error_of(test, names)
        ask({"test": i, "passed": error is None, "error": error or ""})


def _error_of(source: str, names: dict[str, Any]) -> str | None:
    try:
        exec(compile(source, "<test>", "exec", dont_inherit=True), names)  # noqa: S102 - this is what the sandbox is for
    except BaseException as error:
        said = str(error)
        return f"{type(error).__name__}: {said}"[:500] if said else type(error).__name__
    return None


def _names(defined: dict[str, Any], ask: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """What the tests see of the code: stubs of its functions, its plain values, and its standard modules, imported anew."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for name, what in defined.items():
        if "call" in what:
            names[name] = _stub(name, ask)
        elif "value" in what:
            names[name] = wire.unpack(what["value"])
        elif what["module"].partition(".")[0] in sys.stdlib_module_names:
            names[name] = importlib.import_module(what["module"])
    return names


def _stub(name: str, ask: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        reply = ask({"call": {"name": name, "args": wire.pack(args), "kwargs": wire.pack(kwargs)}})
        if "raised" in reply:
            raise _exception(reply["raised"])
        for place, now in reply["changed"]:
            _refill(args[place] if isinstance(place, int) else kwargs[place], wire.unpack(now))
        return wire.unpack(reply["value"])

    call.__name__ = call.__qualname__ = name
    return call


def _refill(container: Any, now: Any) -> None:
    """Make the caller's container hold what the code's copy of it holds."""
    if isinstance(container, list):
        container[:] = now
    else:
        container.clear()
        container.update(now)


def _exception(raised: dict[str, Any]) -> BaseException:
    kind = getattr(builtins, raised["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)) or issubclass(kind, wire.ENDS_LOOPS):
        return RuntimeError(raised["line"])
    try:
        return kind(*wire.unpack(raised["args"]))
    except Exception:
        return RuntimeError(raised["line"])
