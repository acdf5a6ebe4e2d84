"""The models that the gateway serves: by name, loaded once and when they are first asked."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ponder.core.algebra import Stage
from ponder.core.errors import InputError, did_you_mean
from ponder.core.language import LM
from ponder.methods import parse
from ponder.serve.config import Alias, Model
from ponder.serve.errors import BadRequest, UnknownModel
from ponder.serve.upstreams import engine_of


@dataclass(frozen=True)
class Target:
    """What a request's model name stands for.

    Attributes:
        name: the configured model.
        method: the text of the method; "" is a plain completion.
        pipeline: the method, None for a plain completion.
        budget: what a request may spend that does not say itself.
    """

    name: str
    method: str = ""
    pipeline: Stage | None = None
    budget: str = ""


@functools.lru_cache(maxsize=1024)
def method_of(text: str) -> Stage:
    """A method's text as a pipeline; parsed once."""
    return parse(text)


class Engines:
    """Engines by name.

    Args:
        models: a model's configuration, or an engine, by the name that callers use.
        aliases: further names.

    Raises:
        InputError: an alias names no model or no method.
    """

    def __init__(self, models: Mapping[str, Model | LM], aliases: Mapping[str, Alias] | None = None) -> None:
        self._loaded: dict[str, LM] = {}
        self._models: dict[str, Model | LM] = {}
        self._loading = threading.Lock()
        self.reconfigure(models, aliases or {})

    def reconfigure(self, models: Mapping[str, Model | LM], aliases: Mapping[str, Alias]) -> None:
        """Other models and aliases. Those that stay the same stay loaded.

        Raises:
            InputError: an alias names no model or no method, and nothing was changed.
        """
        targets: dict[str, Target] = {}
        for name, alias in aliases.items():
            if name in models or alias.model not in models:
                raise InputError(f"the alias {name!r} must have a name of its own and stand for one of {', '.join(models)}")
            targets[name] = Target(alias.model, alias.method, method_of(alias.method) if alias.method else None, alias.budget)
        with self._loading:
            self._loaded = {name: lm for name, lm in self._loaded.items() if models.get(name) == self._models.get(name)}
            self._models, self._aliases = dict(models), targets
            self._longest_first = sorted(models, key=len, reverse=True)

    @property
    def models(self) -> Mapping[str, Model | LM]:
        """What is configured, by name."""
        return self._models

    @property
    def aliases(self) -> Mapping[str, Target]:
        """What each further name stands for."""
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
            raise BadRequest(f"{model[:200]!r} already has the method {target.method!r}; leave ponder.method out", param="ponder.method")
        return Target(target.name, method, method_of(method), target.budget)

    def engine(self, name: str) -> LM:
        """The engine of a configured model; loads it, which may take seconds.

        Raises:
            UnknownModel: a new configuration has taken it away meanwhile.
        """
        known = self._loaded.get(name)
        if known is not None:
            return known
        with self._loading:
            if name not in self._loaded:
                model = self._models.get(name)
                if model is None:
                    raise UnknownModel(f"the model {name!r} was taken away while the request waited", param="model")
                self._loaded[name] = engine_of(model) if isinstance(model, Model) else model
            return self._loaded[name]

    def close(self) -> None:
        """Free the engines that were loaded."""
        for engine in self._loaded.values():
            engine.close()

    def _split(self, text: str) -> Target | None:
        """A model's name may hold colons itself: the longest configured name that the text begins with counts."""
        if text in self._models:
            return Target(text)
        for name in self._longest_first:
            if text.startswith(f"{name}:"):
                method = text[len(name) + 1 :].strip()
                return Target(name, method, method_of(method))
        return None

    def _hint(self, model: str) -> str:
        there = f"there are {', '.join(self.names)}; a method goes behind, as in NAME:sample(8)|vote()"
        return did_you_mean(model.partition("(")[0], self.names, there)
