"""A method's text as boxes to draw, or as an error with its place; and the methods to choose from."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from ponder.core.algebra import Pipeline, Stage, Union
from ponder.core.errors import InputError, ParseError
from ponder.core.terms import arguments, render_arguments
from ponder.methods import METHODS, parse
from ponder.scorers import Scorer, likelihood

SAMPLES = 16
"""What a named method's required number is filled with."""
FAMILIES = {
    "sampling": "Whole solutions",
    "resampling": "Until accepted",
    "adaptive": "Self-evaluation",
    "stepwise": "Step by step",
    "gibbs": "Sweeps of particles",
    "trees": "Trees and revisions",
    "linc": "Proofs",
    "start": "Tools",
}
"""What a module of named methods is called in the list, in the list's order; one that is not here comes last, under its own name."""


@dataclass(frozen=True)
class Choice:
    """A named method to choose: its name, a text to begin from, what it does, and the family it belongs to."""

    name: str
    text: str
    about: str
    family: str


def choices(judges: bool = False) -> list[Choice]:
    """All named methods, family by family.

    Args:
        judges: whether there is a reward model; without one, methods that would ask it are begun with the model's own likelihood.
    """
    found = [_choice(name, judges) for name in METHODS]
    families = [*FAMILIES.values(), *sorted({c.family for c in found} - set(FAMILIES.values()))]
    return sorted(found, key=lambda c: families.index(c.family))


def _choice(name: str, judges: bool) -> Choice:
    maker = METHODS[name]
    given: dict[str, Any] = {a.name: SAMPLES for a in arguments(maker) if a.required}
    if not judges:
        given |= {a.name: likelihood() for a in arguments(maker) if isinstance(a.default, Scorer) and str(a.default).startswith("prm")}
    family: str = inspect.unwrap(maker).__module__.rpartition(".")[2]
    return Choice(name, str(maker(**given)), _first_line(maker), FAMILIES.get(family, family))


def describe(text: str) -> dict[str, Any]:
    """What a method's text is, as plain values for JSON.

    Returns:
        With `ok`: the shortest `text` of the method, the same `written_out` in stages, and its `boxes`. Without: the `reason`, and the
        `position` of the first character that is wrong, 0 <= position <= len(text); None where the fault has no place.
    """
    try:
        pipeline = parse(text)
    except ParseError as error:
        return {"ok": False, "reason": error.reason, "position": error.position}
    except InputError as error:
        return {"ok": False, "reason": str(error), "position": None}
    return {"ok": True, "text": str(pipeline), "written_out": " | ".join(map(str, pipeline.flat())), "boxes": _row(pipeline)}


def _row(stage: Stage) -> list[dict[str, Any]]:
    """The boxes of a stage, left to right; a pipeline without a name is opened."""
    if isinstance(stage, Pipeline) and not stage.label:
        return [box for part in stage.stages for box in _row(part)]
    return [_box(stage)]


def _box(stage: Stage) -> dict[str, Any]:
    if isinstance(stage, Pipeline):
        name, _, rest = stage.label.partition("(")
        about = _first_line(METHODS[name]) if name in METHODS else ""
        return _made(stage, name, rest.removesuffix(")"), about, [("", Pipeline(stage.stages))])
    if isinstance(stage, Union):
        return _made(
            stage, "+", "", "All branches run on the same population; what they make is pooled.", [("", b) for b in stage.branches]
        )
    declared = arguments(type(stage))
    inside = [(a.name, value) for a in declared if isinstance(value := getattr(stage, a.name), Stage)]
    facts = render_arguments(tuple(a for a in declared if not isinstance(getattr(stage, a.name), Stage)), vars(stage))
    return _made(stage, type(stage).__name__, facts, _first_line(type(stage)), inside)


def _made(stage: Stage, name: str, facts: str, about: str, inside: list[tuple[str, Stage]]) -> dict[str, Any]:
    return {
        "name": name,
        "facts": facts,
        "about": about,
        "proper": stage.proper,
        "inside": [{"name": label, "boxes": _row(part)} for label, part in inside],
    }


def _first_line(thing: Any) -> str:
    """The first sentence of a docstring."""
    return inspect.cleandoc(thing.__doc__ or "").partition("\n")[0]
