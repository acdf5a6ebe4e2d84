"""Archon's architectures: their JSON read as a pipeline and written from one, and the rules of their layers (Saad-Falcon et al. 2024,
arXiv 2409.15254, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, or_
from pathlib import Path
from typing import Any

from ponder.core.algebra import Pipeline, Stage, Union
from ponder.core.errors import InputError
from ponder.core.text import parse
from ponder.methods.archon_component import KNOWN, OURS, SINGLE, Component, component, components, loaded
from ponder.stages import critique, fuse, rank, sample, unit_tests, verify

TESTS = 5
"""How many tests are asked for where a configuration does not say."""


@dataclass(frozen=True)
class Violation:
    """A rule that an architecture breaks.

    Attributes:
        layer: which layer, from 1.
        rule: what is asked of it, and what it has.
    """

    layer: int
    rule: str

    def __str__(self) -> str:
        return f"layer {self.layer}: {self.rule}"


@dataclass(frozen=True)
class Architecture:
    """Layers of components. Components of a layer work on what the layer before left; their results are pooled.

    Attributes:
        name: what it is called.
        layers: from the first to the last.
    """

    name: str
    layers: tuple[tuple[Component, ...], ...]

    def __post_init__(self) -> None:
        if not self.layers or not all(self.layers):
            raise InputError(f"the architecture {self.name!r} needs at least one layer, and a component in each")

    @classmethod
    def from_config(cls, config: str | Path | Mapping[str, Any]) -> Architecture:
        """Read Archon's JSON.

        Args:
            config: the text, a path to a file of it, or the object that it holds.

        Raises:
            InputError: it is no such JSON, with what is wrong; unknown types of components, numbers below 1.
        """
        data = config if isinstance(config, Mapping) else loaded(config)
        layers = data.get("layers") if isinstance(data, Mapping) else None
        if not isinstance(layers, list):
            raise InputError(f"an architecture is an object with 'layers', a list of lists of components, not {data!r:.80}")
        return cls(str(data.get("name", "")), tuple(tuple(map(component, components(layer))) for layer in layers))

    @classmethod
    def of(cls, method: Stage, name: str = "") -> Architecture:
        """The architecture of a pipeline; stages that Archon has none for become components of type "ponder"."""
        layers: list[tuple[Component, ...]] = []
        for stage in method.flat():
            written = [_written(branch) for branch in (stage.branches if isinstance(stage, Union) else (stage,))]
            if any(len(parts) > 1 for parts in written) and len(written) > 1:
                written = [[Component(OURS, {"stage": str(stage)})]]
            depth = max(map(len, written))
            layers += [tuple(parts[i] for parts in written) for i in range(depth)]
        return cls(name or str(method), tuple(layers))

    def to_config(self, model_type: str = "OpenAI_API") -> dict[str, Any]:
        """The JSON object. Components that Archon has none for make it a custom one."""
        layers = [[{"type": c.kind, "model_type": model_type, **c.settings} for c in layer] for layer in self.layers]
        custom = {"custom": True} if any(c.kind == OURS for layer in self.layers for c in layer) else {}
        return {"name": self.name, **custom, "layers": layers}

    def pipeline(self) -> Pipeline:
        """The same as a pipeline. Tests are written where they are run, since no stage answers with them in view.

        Raises:
            InputError: a component cannot be one of ours, or the architecture has nothing but unit tests to write.
        """
        stages: list[Stage] = []
        tests: Component | None = None
        for layer in self.layers:
            tests = next((c for c in layer if c.kind == "unit_test_generator"), tests)
            branches = [_STAGES[c.kind](c, tests) for c in layer if c.kind != "unit_test_generator"]
            if branches:
                stages.append(reduce(add, branches))
        if not stages:
            raise InputError(f"the architecture {self.name!r} writes tests and nothing else")
        found = reduce(or_, stages)
        return found if isinstance(found, Pipeline) else Pipeline((found,))

    def violations(self, models: Collection[str] | None = None) -> list[Violation]:
        """The rules that it breaks; an empty list if it breaks none.

        Args:
            models: the names of the models that there are; None checks no names.
        """
        found: list[Violation] = []
        kinds = [[c.kind for c in layer] for layer in self.layers]
        generating = next((i for i, layer in enumerate(kinds) if "generator" in layer), None)
        if generating is None or any(kind != "unit_test_generator" for layer in kinds[:generating] for kind in layer):
            found.append(Violation(1, f"generators must come first, or after a unit test generator alone; it begins with {kinds[0][0]}"))
        for i, layer in enumerate(self.layers):
            found += [Violation(i + 1, rule) for rule in self._broken(i, layer, kinds, generating)]
            for c in layer:
                if models is not None and c.kind != OURS and c.model and c.model not in models:
                    found.append(Violation(i + 1, f"no model is called {c.model!r}; there are {', '.join(models)}"))
        left = [c.outputs for c in self.layers[-1]]
        if kinds[-1] != [OURS] and (None in left or sum(n or 0 for n in left) != 1):
            many = "several" if None in left else str(sum(n or 0 for n in left))
            found.append(Violation(len(self.layers), f"the last layer must leave one candidate, and it may leave {many}"))
        return found

    def _broken(self, i: int, layer: Sequence[Component], kinds: list[list[str]], generating: int | None) -> list[str]:
        rules: list[str] = []
        own, before, after = kinds[i], kinds[:i], kinds[i + 1 :]
        if len(set(own)) > 1:
            rules.append(f"components of a layer must be of one type, not {', '.join(dict.fromkeys(own))}")
        rules += [f"a layer has one {kind}, not {own.count(kind)}" for kind in SINGLE if own.count(kind) > 1]
        if "generator" in own and generating is not None and i > generating:
            rules.append(f"generators see no candidates and must all be in layer {generating + 1}")
        if "critic" in own and not any(k in ("ranker", "fuser") for later in after for k in later):
            rules.append("a critic needs a ranker or a fuser after it that reads what it says")
        if any(c.kind == "ranker" and c.get("use_critiques", False) for c in layer) and not _criticised(before):
            rules.append("a ranker that uses critiques needs a critic before it, without a fuser between")
        if "unit_test_evaluator" in own and not any("unit_test_generator" in earlier for earlier in before):
            rules.append("a unit test evaluator needs a unit test generator before it")
        if "unit_test_generator" in own and not any("unit_test_evaluator" in later for later in after):
            rules.append("a unit test generator needs an evaluator after it")
        rules += [f"PairRM is no engine here; rank by a scorer in its place ({c.model})" for c in layer if "PairRM" in c.model]
        return rules

    def unused(self) -> list[str]:
        """Settings that the pipeline does not go by, with their layers: what stops early, how prompts are worded or batched."""
        stops = {"unit_test_evaluator": {"first_k", "first_pass"}}
        return [
            f"layer {i}: {name} of the {c.kind}"
            for i, layer in enumerate(self.layers, 1)
            for c in layer
            for name in c.settings
            if name not in KNOWN or name in stops.get(c.kind, ())
        ]

    def completions(self) -> int:
        """The most replies that it draws: generators and fusers `samples` each, a critic, a ranker and a test generator 1, a verifier 2 and
        an evaluator 1 for every candidate that it is given. Components of type "ponder" are left out; `forecast` counts all, and tokens."""
        total, candidates = 0, 0
        for layer in self.layers:
            left = 0
            for c in layer:
                neutral = c.kind == "verifier" and c.get("prompt") == "neutral"
                each = {"verifier": 1 if neutral else 2, "unit_test_evaluator": 1}.get(c.kind, 0)
                fixed = c.outputs if c.kind in ("generator", "fuser") else c.kind in ("critic", "unit_test_generator")
                total += int(fixed or 0) + each * candidates + (c.kind == "ranker" and candidates > 1)
                left += candidates if c.outputs is None else c.outputs if c.kind in ("generator", "fuser") else min(candidates, c.outputs)
            candidates = left
        return total


def _criticised(before: Sequence[Sequence[str]]) -> bool:
    for layer in reversed(before):
        if "critic" in layer:
            return True
        if "fuser" in layer:
            return False
    return False


def _common(c: Component) -> dict[str, Any]:
    return {"model": c.model, "temperature": c.get("temperature"), "max_tokens": c.get("max_tokens")}


_STAGES: dict[str, Callable[[Component, Component | None], Stage]] = {
    "generator": lambda c, _: sample(c.get("samples", 1), **_common(c)),
    "critic": lambda c, _: critique(**_common(c)),
    "ranker": lambda c, _: rank(
        c.get("top_k", 1000), orders=c.get("orders", 1), critiques=bool(c.get("use_critiques", False)), **_common(c)
    ),
    "fuser": lambda c, _: fuse(c.get("samples", 1), critiques=bool(c.get("use_critiques", True)), **_common(c)),
    "verifier": lambda c, _: verify(c.get("prompt", "reasons"), c.get("first_k"), **_common(c)),
    "unit_test_evaluator": lambda c, tests: unit_tests(
        TESTS if tests is None else tests.get("unit_test_cap", TESTS), c.get("top_k", 1), by="model", **_common(c)
    ),
    OURS: lambda c, _: parse(str(c.get("stage", ""))).simplest(),
}


def _written(stage: Stage) -> list[Component]:
    """The components of a stage, one a layer."""
    match stage:
        case sample(n=int(n), style=None, temperature=float() | int() | None, top_p=None):
            return [_of("generator", stage, samples=n)]
        case critique(each=False):
            return [_of("critic", stage, samples=1)]
        case rank(by="list"):
            return [_of("ranker", stage, top_k=stage.k, use_critiques=stage.critiques, orders=stage.orders)]
        case fuse():
            return [_of("fuser", stage, samples=stage.n, use_critiques=stage.critiques)]
        case verify():
            return [_of("verifier", stage, samples=1, first_k=stage.first, prompt=stage.prompt)]
        case unit_tests(by="model"):
            tests = _of("unit_test_generator", stage, samples=1, unit_test_cap=stage.n)
            return [tests, _of("unit_test_evaluator", stage, samples=1, top_k=stage.k)]
        case _:
            return [Component(OURS, {"stage": str(stage)})]


def _of(kind: str, stage: Any, **settings: Any) -> Component:
    given = {"model": stage.model, "temperature": stage.temperature, "max_tokens": stage.max_tokens, **settings}
    return Component(kind, {k: v for k, v in given.items() if v is not None})
