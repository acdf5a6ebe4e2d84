"""What diagrams mean: states and channels of finite sets, in floating point or in exact fractions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError

Numbers = NDArray[Any]
"""float64, or Python objects that are all `Fraction`."""
TOLERANCE = 1e-9


class SupportError(InputError):
    """A cell has probability zero, so a conditional that is needed is not defined.

    Attributes:
        cell: the first such cell, an index a variable.
    """

    def __init__(self, names: Sequence[str], cell: Sequence[int]) -> None:
        self.cell = dict(zip(names, map(int, cell), strict=True))
        shown = ", ".join(f"{name}={value}" for name, value in self.cell.items())
        super().__init__(f"full support is needed, but P({shown}) is 0: gather data there, merge values, or ask for smoothing")


@dataclass(frozen=True, eq=False)
class Channel:
    """A stochastic map, P(cod | dom).

    Attributes:
        array: probabilities; an axis for each name of `cod`, then one for each name of `dom`. Over `cod` they sum to 1.
        cod: names of what comes out.
        dom: names of what goes in.

    Raises:
        InputError: for other numbers of axes, negative probabilities, or sums other than 1.
    """

    array: Numbers
    cod: tuple[str, ...]
    dom: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", numbers(self.array))
        object.__setattr__(self, "cod", tuple(self.cod))
        object.__setattr__(self, "dom", tuple(self.dom))
        arrow = f"({', '.join(self.cod)} | {', '.join(self.dom)})"
        if self.array.ndim != len(self.cod) + len(self.dom):
            raise InputError(f"a channel {arrow} needs {len(self.cod) + len(self.dom)} axes, not shape {self.array.shape}")
        if self.array.size == 0 or np.any(self.array < 0):
            raise InputError(f"a channel {arrow} needs probabilities of at least 0; the smallest is {np.min(self.array, initial=0)}")
        totals = np.asarray(self.array.sum(axis=tuple(range(len(self.cod)))))
        off = np.asarray(np.abs(totals - 1))
        if np.any(off > (0 if self.exact else TOLERANCE)):
            worst = np.unravel_index(int(np.argmax(off)), off.shape)
            where = f" at {self.dom} = {tuple(map(int, worst))}" if self.dom else ""
            raise InputError(f"probabilities of {arrow} must sum to 1 over {self.cod}, not to {totals[worst]}{where}")
        self.array.setflags(write=False)

    @property
    def exact(self) -> bool:
        return self.array.dtype == object

    @property
    def matrix(self) -> Numbers:
        """The column-stochastic matrix, shape (size of cod, size of dom)."""
        rows = int(np.prod(self.array.shape[: len(self.cod)], dtype=np.int64))
        return self.array.reshape(rows, -1)

    def at(self, *values: int) -> State:
        """The distribution over `cod` where `dom` has these values.

        Raises:
            InputError: for too many, too few or impossible values.
        """
        sizes = self.array.shape[len(self.cod) :]
        if len(values) != len(sizes) or not all(0 <= v < size for v, size in zip(values, sizes, strict=True)):
            raise InputError(f"{self.dom} take a value each, below {sizes}; {values} were given")
        return State(self.array[(..., *values)], self.cod)

    def marginal(self, names: str | Sequence[str]) -> Channel:
        """The channel to some of `cod`, in the order asked."""
        kept = names_of(names, self.cod)
        return Channel(contract([(self.array, self.cod + self.dom)], kept + self.dom), kept, self.dom)


@dataclass(frozen=True, eq=False)
class State:
    """A joint distribution of named variables.

    Attributes:
        array: probabilities that sum to 1, an axis a name; floats, or fractions, which stay exact.
        names: of the variables, all different.

    Raises:
        InputError: for repeated names, and as `Channel`.
    """

    array: Numbers
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if len(set(self.names)) != len(self.names):
            raise InputError(f"the variables of a state have different names, not {self.names}")
        object.__setattr__(self, "array", Channel(self.array, self.names).array)

    @classmethod
    def from_columns(cls, columns: Mapping[str, ArrayLike], exact: bool = False) -> tuple[State, dict[str, list[Any]]]:
        """The observed frequencies of categorical columns (a mapping of equally long sequences, or a DataFrame).

        Returns:
            The state, and the value that each index of a variable stands for, sorted.
        """
        values: dict[str, list[Any]] = {}
        codes = []
        for name, column in columns.items():
            found, code = np.unique(np.asarray(column), return_inverse=True)
            values[name] = found.tolist()
            codes.append(code)
        if not codes or len({len(code) for code in codes}) != 1 or not len(codes[0]):
            raise InputError(f"columns must be at least one and equally long; lengths {[len(code) for code in codes]} were given")
        counts = np.zeros([len(v) for v in values.values()], dtype=np.int64)
        np.add.at(counts, tuple(codes), 1)
        table = np.vectorize(lambda c: Fraction(int(c), len(codes[0])), otypes=[object])(counts) if exact else counts / len(codes[0])
        return cls(table, tuple(values)), values

    @property
    def exact(self) -> bool:
        return self.array.dtype == object

    def marginal(self, names: str | Sequence[str]) -> State:
        """The distribution of some of the variables, in the order asked."""
        kept = names_of(names, self.names)
        return State(contract([(self.array, self.names)], kept), kept)

    def disintegrate(self, on: str | Sequence[str]) -> Channel:
        """The conditional distribution of all other variables given `on`.

        Raises:
            SupportError: if a value of `on` has probability zero.
        """
        given = names_of(on, self.names)
        rest = tuple(name for name in self.names if name not in given)
        joint = self.marginal(rest + given).array
        totals = self.marginal(given).full_support().array
        return Channel(joint / totals, rest, given)

    def mutual_information(self, a: str | Sequence[str], b: str | Sequence[str], given: str | Sequence[str] = ()) -> float:
        """I(a; b | given) in nats; exactly 0 for fractions that are independent."""
        left, right, on = (names_of(names, self.names) for names in (a, b, given))
        whole = self.marginal(left + right + on)
        ends = tuple(range(len(left))), tuple(range(len(left), len(left) + len(right)))
        p = whole.array
        sums = [np.asarray(p.sum(axis=axes, keepdims=True)) for axes in (ends[1], ends[0], ends[0] + ends[1])]
        seen = p > 0
        ratio = (p * sums[2])[seen] / (sums[0] * sums[1])[seen]
        return float(np.sum(p[seen].astype(np.float64) * np.log(ratio.astype(np.float64))))

    def full_support(self) -> State:
        """This state, if no cell has probability zero.

        Raises:
            SupportError: naming the first cell that has.
        """
        empty = np.argwhere(self.array == 0)
        if len(empty):
            raise SupportError(self.names, empty[0])
        return self

    def smoothed(self, weight: float | Fraction) -> State:
        """Every cell's probability raised by `weight`, then normalised: additive smoothing, asked for by name."""
        if not weight > 0:
            raise InputError(f"smoothing adds a weight above 0 to every cell, not {weight}")
        raised = self.array + weight
        return State(raised / raised.sum(), self.names)


def numbers(values: ArrayLike) -> Numbers:
    """Values as one kind of number: fractions if all are whole numbers or fractions and one is a fraction, else finite float64."""
    array = np.asarray(values)
    if array.dtype == object and all(isinstance(v, int | Fraction) for v in array.flat):
        return np.vectorize(Fraction, otypes=[object])(array) if array.size else array
    try:
        array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"probabilities must be numbers in one array, not {values!r}") from error
    if not np.all(np.isfinite(array)):
        raise InputError("probabilities must be finite; NaN or infinity was given")
    return array


def contract(operands: Sequence[tuple[Numbers, Sequence[Hashable]]], out: Sequence[Hashable]) -> Numbers:
    """Multiply arrays whose axes have labels and sum over the labels that are not in `out`; exact for fractions."""
    labels: dict[Hashable, int] = {}
    parts: list[Any] = []
    for array, axes in operands:
        parts += [array, [labels.setdefault(axis, len(labels)) for axis in axes]]
    if len(labels) > 52:
        raise InputError(f"at most 52 different wires can be contracted at once, not {len(labels)}")
    return np.asarray(np.einsum(*parts, [labels[axis] for axis in out], optimize=True))


def names_of(names: str | Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """One name or several as a tuple of different ones that are all known.

    Raises:
        InputError: for repeated or unknown names.
    """
    chosen = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in chosen if name not in known]
    if unknown or len(set(chosen)) != len(chosen):
        raise InputError(f"names must be different ones of {tuple(known)}; {chosen} were given")
    return chosen
