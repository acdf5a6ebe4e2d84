"""The models that the gateway serves: by name, loaded once and when they are first asked."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ponder.core.algebra import Stage
from ponder.core.errors import InputError, did_you_mean
from ponder.core.language import LM
from ponder.lm.load import check, load
from ponder.methods import parse
from ponder.serve.errors import BadRequest, UnknownModel


@dataclass(frozen=True)
class Target:
    """What a request's model name stands for.

    Attributes:
        name: the configured model.
        method: the text of the method; "" is a plain completion.
        pipeline: the method, None for a plain completion.
    """

    name: str
    method: str = ""
    pipeline: Stage | None = None


@functools.lru_cache(maxsize=1024)
def method_of(text: str) -> Stage:
    """A method's text as a pipeline; parsed once."""
    return parse(text)


class Engines:
    """Engines by name.

    Args:
        models: the model's source (`ponder.lm.load.FORMS`) or an engine, by the name that callers use.
        aliases: "NAME:METHOD" or "NAME", by a further name.

    Raises:
        InputError: a source has none of the forms, or an alias names no model or no method.
    """

    def __init__(self, models: Mapping[str, str | LM], aliases: Mapping[str, str] | None = None) -> None:
        self._models = dict(models)
        self._aliases: dict[str, Target] = {}
        self._loading = threading.Lock()
        for source in self._models.values():
            if isinstance(source, str):
                check(source)
        for alias, text in (aliases or {}).items():
            target = self._split(text)
            if alias in self._models or target is None:
                raise InputError(
                    f"the alias {alias!r} must stand for one of {', '.join(self._models)}, with or without :METHOD, not {text!r}"
                )
            self._aliases[alias] = target

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self._models)

    @property
    def aliases(self) -> Mapping[str, Target]:
        return self._aliases

    @property
    def names(self) -> tuple[str, ...]:
        """What `model` may be without a method."""
        return (*self._models, *self._aliases)

    def resolve(self, model: str, method: str = "") -> Target:
        """What a model name, and a method beside it, stand for.

        Raises:
            UnknownModel: there is no such model here.
            BadRequest: two methods are given.
            ParseError: the method cannot be read.
        """
        target = self._aliases.get(model) or self._split(model)
        if target is None:
            raise UnknownModel(f"the model {model[:200]!r} does not exist here; {self._hint(model)}", param="model")
        if not method:
            return target
        if target.method:
            raise BadRequest(f"the model name already holds the method {target.method!r}; leave ponder.method out", param="ponder.method")
        return Target(target.name, method, method_of(method))

    def engine(self, name: str) -> LM:
        """The engine of a configured model; loads it, which may take seconds."""
        source = self._models[name]
        if isinstance(source, str):
            with self._loading:
                source = self._models[name]
                if isinstance(source, str):
                    source = self._models[name] = load(source)
        return source

    def close(self) -> None:
        """Free the engines that were loaded."""
        for source in self._models.values():
            if not isinstance(source, str):
                source.close()

    def _split(self, text: str) -> Target | None:
        """A model's name may hold colons itself: the longest configured name that the text begins with counts."""
        if text in self._models:
            return Target(text)
        for name in sorted(self._models, key=len, reverse=True):
            if text.startswith(f"{name}:"):
                method = text[len(name) + 1 :].strip()
                return Target(name, method, method_of(method))
        return None

    def _hint(self, model: str) -> str:
        return did_you_mean(
            model.partition("(")[0], self.names, f"there are {', '.join(self.names)}; a method goes behind, as in NAME:sample(8)|vote()"
        )
