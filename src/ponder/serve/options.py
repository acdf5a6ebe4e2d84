"""A table of a TOML file as a frozen dataclass: types checked, unknown names refused with the nearest known one."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ponder.core.errors import InputError, did_you_mean

T = TypeVar("T")


def option(default: Any, says: str, least: float | None = None) -> Any:
    """A field of a configuration table.

    Args:
        default: its value where the file says nothing; a class makes one of its own.
        says: one sentence for the reference page.
        least: the smallest number it may be.
    """
    facts = {"says": says, "least": least}
    if isinstance(default, type | types.FunctionType):
        return dataclasses.field(default_factory=default, metadata=facts)
    return dataclasses.field(default=default, metadata=facts)


def read(table: type[T], data: Any, where: str = "") -> T:
    """A table from what `tomllib` gave.

    Args:
        table: a dataclass whose fields are `option`s; a field that is a dataclass, or a dict of them, is a table inside.
        where: the table's name in the file, for messages.

    Raises:
        InputError: an unknown option, a value of another type or below the least.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where or 'the file'} must be a table, not {data!r}")
    hints = typing.get_type_hints(table)
    fields = {f.name: f for f in dataclasses.fields(table)}  # pyright: ignore[reportArgumentType]
    values: dict[str, Any] = {}
    for name, value in data.items():
        place = f"{where}.{name}" if where else name
        if name not in fields:
            known = f"there are {', '.join(fields)}"
            raise InputError(f"there is no option {place!r}; {did_you_mean(name, fields, known)}")
        values[name] = _value(hints[name], value, place)
        least = fields[name].metadata.get("least")
        if least is not None and values[name] < least:
            raise InputError(f"{place} must be at least {least}, not {value!r}")
    try:
        return table(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}" if where else str(error)) from None


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return read(typing.cast(type, hint), value, place)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{place} must be a table of tables, not {value!r}")
        return {name: _value(inside[1], entry, f"{place}.{name}") for name, entry in value.items()}
    if origin is tuple:
        if isinstance(value, list) and all(type(v) is inside[0] for v in value):
            return tuple(value)
        raise InputError(f"{place} must be a list of {NAMES[inside[0]]}s, not {value!r}")
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        raise InputError(f"{place} must be a {NAMES[hint]}, not {value!r}")
    return value


NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
