"""Terms: small immutable values that have a name, checked arguments and a text form.

A stage, a scorer, a resampler, a condition is a `Term`: a frozen dataclass whose fields are its arguments. Declaring the
class is all there is to do: arguments are checked by the field's type, `str()` prints what `ponder.method` parses, equality
and hash are by value, and the help text of each argument is the string in its annotation:

    @registered
    class top(Decider):
        k: Annotated[int, Range(1), "how many candidates to keep"]
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

from ponder.core.errors import InputError


@dataclass(frozen=True)
class Range:
    """The values an argument may take: low <= value <= high."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        return f"between {self.low:.12g} and {self.high:.12g}"


@dataclass(frozen=True)
class OneOf:
    """The texts an argument may be."""

    options: tuple[str, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.options))


_EXPECTED: dict[Any, str] = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}


@dataclass(frozen=True)
class Argument:
    """One argument of a term or a named method, as a user sees it."""

    name: str
    type: Any
    default: Any
    help: str
    limits: tuple[Range | OneOf, ...]
    optional: bool
    terms: tuple[type[Term], ...] = ()
    """Terms that may stand in its place, as a schedule may for a number."""

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def check(self, value: Any, owner: str) -> Any:
        """`value` as the argument's type, or an InputError that names the argument."""
        if value is None and self.optional:
            return None
        checked = self._coerce(value)
        if isinstance(checked, self.terms):
            return checked
        if checked is None:
            raise InputError(f"{owner}: {self.name} must be {self.expected}, not {_shown(value)}")
        for limit in self.limits:
            inside = checked in limit.options if isinstance(limit, OneOf) else limit.low <= checked <= limit.high
            if not inside:
                raise InputError(f"{owner}: {self.name} must be {limit}, not {_shown(value)}")
        return checked

    @property
    def expected(self) -> str:
        if inspect.isclass(self.type) and issubclass(self.type, Term):
            return f"a {self.type.kind}"
        return " or ".join([_EXPECTED[self.type], *(f"a {t.kind}" for t in self.terms)])

    def _coerce(self, value: Any) -> Any:
        if self.type is bool or isinstance(value, bool):
            return value if self.type is bool and isinstance(value, bool) else None
        if self.type is float and isinstance(value, int | float):
            try:
                number = float(value)
            except OverflowError:
                return None
            return number if math.isfinite(number) else None
        if inspect.isclass(value) and issubclass(value, Term):
            value = value()  # a bare name stands for the term with its defaults: weigh(likelihood)
        if isinstance(value, Term):
            value = value.simplest()
        return value if isinstance(value, (self.type, *self.terms)) else None


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Term) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _argument(name: str, annotation: Any, default: Any) -> Argument:
    help_text, limits = "", []
    if typing.get_origin(annotation) is Annotated:
        annotation, *extras = typing.get_args(annotation)
        help_text = next((e for e in extras if isinstance(e, str)), "")
        limits = [e for e in extras if isinstance(e, Range | OneOf)]
    optional, terms = False, ()
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        members = typing.get_args(annotation)
        optional = type(None) in members
        annotation, *others = [m for m in members if m is not type(None)]
        terms = tuple(others)
    return Argument(name, annotation, default, help_text, tuple(limits), optional, terms)


@dataclass_transform(frozen_default=True)
class Term:
    """Base of everything that can be written in a method's text. Subclasses become frozen dataclasses by themselves."""

    kind: ClassVar[str] = "term"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, repr=False)(cls)

    def __post_init__(self) -> None:
        for argument in arguments(type(self)):
            value = argument.check(getattr(self, argument.name), type(self).__name__)
            object.__setattr__(self, argument.name, value)
        self.validate()

    def validate(self) -> None:
        """Checks that involve several arguments; raises InputError."""

    def simplest(self) -> Term:
        """The same value in its smallest form."""
        return self

    def __str__(self) -> str:
        name, inner = type(self).__name__, render_arguments(arguments(type(self)), vars(self))
        return f"{name}({inner})" if inner or self.kind in ("stage", "condition") else name

    def __repr__(self) -> str:
        return str(self)


def render_arguments(declared: tuple[Argument, ...], values: dict[str, Any]) -> str:
    """The argument list that parses back to `values`: defaults left out, options after the first argument by name."""
    shown: list[str] = []
    for i, argument in enumerate(declared):
        value = values[argument.name]
        if argument.required or value != _default(argument):
            text = str(value) if isinstance(value, Term) else repr(value)
            shown.append(text if argument.required or i == 0 else f"{argument.name}={text}")
    return ", ".join(shown)


def _default(argument: Argument) -> Any:
    return None if argument.default is None else argument.check(argument.default, argument.name)


@functools.cache
def arguments(maker: Callable[..., Any]) -> tuple[Argument, ...]:
    """The arguments of a term class or of a named method, in order."""
    if inspect.isclass(maker):
        hints = typing.get_type_hints(maker, include_extras=True)
        missing = dataclasses.MISSING
        return tuple(
            _argument(f.name, hints[f.name], inspect.Parameter.empty if f.default is missing else f.default)
            for f in dataclasses.fields(typing.cast(Any, maker))
        )
    target = inspect.unwrap(maker)
    hints = typing.get_type_hints(target, include_extras=True)
    return tuple(_argument(p.name, hints[p.name], p.default) for p in inspect.signature(target).parameters.values())


REGISTRY: dict[str, Callable[..., Term]] = {}
"""Everything that may be named in a method's text."""

C = TypeVar("C", bound=Callable[..., Term])


def registered(maker: C) -> C:
    """Make a term class or a named method known to the text form, under its own name."""
    name = maker.__name__
    if name in REGISTRY and REGISTRY[name] is not maker:
        raise InputError(f"the name {name!r} is taken by {REGISTRY[name]!r}")
    REGISTRY[name] = maker
    return maker


def call(maker: Callable[..., Term], name: str, args: list[Any], kwargs: dict[str, Any]) -> Term:
    """Call a registered maker with parsed arguments; wrong arguments give an InputError that lists the right ones."""
    declared = arguments(maker)
    known = [a.name for a in declared]
    if len(args) > len(known):
        raise InputError(f"{name} takes {len(known)} argument{'s' * (len(known) != 1)}, {len(args)} were given")
    bound = dict(zip(known, args, strict=False))
    for key, value in kwargs.items():
        if key not in known:
            raise InputError(f"{name} has no argument {key!r}; it has {', '.join(known) or 'none'}")
        if key in bound:
            raise InputError(f"{name} was given {key} twice")
        bound[key] = value
    for argument in declared:
        if argument.required and argument.name not in bound:
            raise InputError(f"{name} needs {argument.name}: {argument.help or argument.expected}")
    return maker(**bound)
