"""The families of the Alice-in-Wonderland problem (Nezhurina et al. 2024, arXiv 2406.02061): texts and closed forms.

A family is one text with numbers in it. `n` and `m` are the two numbers of a short one, in the paper's order: `m` counts those of the
sex that is asked about. The numbers of variations are the paper's where it has them; V5 and V6 keep its answers with numbers of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError

Numbers = Mapping[str, int]


@dataclass(frozen=True)
class Variation:
    """Numbers for a text, and whether its two clauses change places: what should not matter.

    Attributes:
        name: "V1" and so on, or "R1" and so on for drawn ones.
        numbers: by the names of the family's closed form.
        swapped: whether the clause of `m` comes before that of `n`.
    """

    name: str
    numbers: Numbers
    swapped: bool = False


@dataclass(frozen=True)
class Family:
    """One kind of problem.

    Attributes:
        about: what it asks.
        closed_form: the answer in the names of its numbers.
        write: the text of a variation.
        solve: the answer, a number; an expression where letters stand for numbers.
        control: whether it is answered without the relational step.
    """

    about: str
    closed_form: str
    write: Callable[[Variation], str]
    solve: Callable[[Numbers], int | str]
    control: bool = False


def counted(n: int | str, noun: str) -> str:
    """ "1 brother", "3 brothers", "N brothers"; the last word bends."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _siblings(who: str, n: str, m: str, asked: str, remark: str = "", letters: bool = False) -> Callable[[Variation], str]:
    """ "Alice has 3 brothers and she also has 6 sisters. How many ...?"; `n` and `m` are the nouns, `letters` stand for the numbers."""
    pronoun = {"Alice": "she", "Bob": "he"}[who]

    def write(v: Variation) -> str:
        pairs = [(n, "n"), (m, "m")][:: -1 if v.swapped else 1]
        first, second = (counted(key.upper() if letters else v.numbers[key], noun) for noun, key in pairs)
        return f"{who} has {first} and {pronoun} also has {second}.{remark} {asked}"

    return write


def _together(first: str, second: str, asked: str) -> Callable[[Variation], str]:
    """A text on Alice and Bob, sister and brother; `first` is what `n` counts and `second` what `m` counts."""

    def write(v: Variation) -> str:
        clauses = [f"Alice has {counted(v.numbers['n'], first)}", f"Bob has {counted(v.numbers['m'], second)}"]
        return f"Alice and Bob are sister and brother. {' and '.join(clauses[:: -1 if v.swapped else 1])}. {asked}"

    return write


def _circles(v: Variation) -> str:
    clauses = [f"Alice has {counted(v.numbers['n'], 'female colleague')}", f"Bob has {counted(v.numbers['m'], 'female colleague')}"]
    return (
        f"{' and '.join(clauses[:: -1 if v.swapped else 1])}. Alice and her colleagues all work with each other, and so do Bob and his. "
        "The two circles have only Matilda in common, who is a colleague of Alice and of Bob; all others work in one circle only. "
        "How many female colleagues does Matilda have?"
    )


def _cousins(v: Variation) -> str:
    x = v.numbers
    brothers = f" and {counted(x['B'], 'brother')}" if x["B"] else ""
    aunt = f"Her mother has one sister, who has no children and has {x['X']} nephews and nieces in total."
    uncle = f"Her father has one brother, who has {x['Y']} nephews and nieces in total and also {counted(x['K'], 'son')}."
    return f"Alice has {counted(x['S'], 'sister')}{brothers}. {' '.join([aunt, uncle][:: -1 if v.swapped else 1])} {_ASK['cousins']}"


_ASK = {
    "main": "How many sisters does Alice's brother have?",
    "bob": "How many brothers does Bob's sister have?",
    "cousins": "How many cousins does Alice's sister have?",
}
_MAIN = ("brother", "sister", _ASK["main"])


def _plus_one(x: Numbers) -> int:
    return x["m"] + 1


def _cousin_count(x: Numbers) -> int:
    children = 1 + x["S"] + x["B"]
    if x["X"] < children or x["Y"] < children:
        raise InputError(
            f"aiw_plus: the aunt and the uncle have all {children} children of the family for nephews and nieces: X and Y must be at least "
            f"that, not {x['X']} and {x['Y']}"
        )
    return x["X"] + x["Y"] - 2 * children + x["K"]


FAMILIES: dict[str, Family] = {
    "aiw": Family("sisters of Alice's brother", "m + 1", _siblings("Alice", *_MAIN), _plus_one),
    "bob": Family("the same with the sexes changed", "m + 1", _siblings("Bob", "sister", "brother", _ASK["bob"]), _plus_one),
    "explicit_bob": Family(
        "the brother has a name",
        "m + 1",
        _siblings("Alice", "brother", "sister", "How many sisters does Bob have?", " Bob is one of Alice's brothers."),
        _plus_one,
    ),
    "female_boost": Family("Alice's sex is said", "m + 1", _siblings("Alice", *_MAIN, " Alice is a girl."), _plus_one),
    "same_parents": Family(
        "half-siblings are ruled out",
        "m + 1",
        _siblings("Alice", *_MAIN, " All of them have the same two parents as Alice, and no child of these parents is left out."),
        _plus_one,
    ),
    "light_family": Family(
        "control: brothers of Alice's sister",
        "n",
        _siblings("Alice", "brother", "sister", "How many brothers does Alice's sister have?"),
        lambda x: x["n"],
        control=True,
    ),
    "light_arithmetic": Family(
        "control: siblings of Alice",
        "n + m",
        _siblings("Alice", "brother", "sister", "How many siblings does Alice have in total?"),
        lambda x: x["n"] + x["m"],
        control=True,
    ),
    "light_attribute": Family(
        "control: Alice's sex",
        "1",
        _siblings("Alice", "brother", "sister", "Is Alice female or male? Answer with the number 1 for female, 0 for male."),
        lambda x: 1,
        control=True,
    ),
    "ext_sisters": Family(
        "two siblings are described, Bob's sisters",
        "n + 1",
        _together("sister", "brother", "How many sisters does Bob have?"),
        lambda x: x["n"] + 1,
    ),
    "ext_brothers": Family(
        "two siblings are described, Alice's brothers",
        "m + 1",
        _together("sister", "brother", "How many brothers does Alice have?"),
        _plus_one,
    ),
    "ext_cross": Family(
        "each is described by the other sex, Alice's sisters",
        "m - 1",
        _together("brother", "sister", "How many sisters does Alice have?"),
        lambda x: x["m"] - 1,
    ),
    "friends": Family(
        "friends instead of siblings",
        "m + 1",
        _siblings(
            "Alice",
            "male friend",
            "female friend",
            "How many female friends does Alice's male friend have?",
            " All of them are friends of each other, and none of them has other friends.",
        ),
        _plus_one,
    ),
    "circles": Family("two circles of colleagues that share Matilda", "n + m - 1", _circles, lambda x: x["n"] + x["m"] - 1),
    "aiw_plus": Family("cousins over an aunt and an uncle", "X + Y - 2 (1 + S + B) + K", _cousins, _cousin_count),
    "param": Family(
        "letters instead of numbers",
        "M + 1",
        _siblings("Alice", "brother", "sister", _ASK["main"] + " Answer with an expression.", letters=True),
        lambda x: "M+1",
    ),
}
"""Families by name, the paper's table."""

_PAIRS = ((3, 6, False), (4, 2, True), (1, 4, True), (4, 1, False), (2, 3, False), (3, 5, True))
_COUSINS = ((2, 6, 5, 2), (3, 6, 4, 1), (3, 7, 5, 1), (4, 6, 5, 1))


def paper_variations(family: str, count: int = 4) -> list[Variation]:
    """V1 to V4, or to V6 with a count of 6; the main family's keys are 7, 3, 5, 2, 4, 6. `aiw_plus` has four, `param` two orders."""
    if family == "aiw_plus":
        return [Variation(f"V{i}", dict(zip("SXYK", row, strict=True)) | {"B": 0}) for i, row in enumerate(_COUSINS, 1)]
    if family == "param":
        return [Variation("V1", {}), Variation("V2", {}, swapped=True)]
    return [Variation(f"V{i}", {"n": n, "m": m}, swapped) for i, (n, m, swapped) in enumerate(_PAIRS[:count], 1)]


def drawn_variation(family: str, name: str, high: int, rng: np.random.Generator) -> Variation:
    """A variation with numbers from 1 to `high` and a random order of its clauses."""
    swapped = bool(rng.integers(2))
    if family != "aiw_plus":
        n, m = (int(i) for i in rng.integers(1, high + 1, 2))
        return Variation(name, {"n": n, "m": m}, swapped)
    s, b, more_x, more_y, k = (int(i) for i in rng.integers([1, 0, 0, 0, 1], high + 1))
    children = 1 + s + b
    return Variation(name, {"S": s, "B": b, "X": children + more_x, "Y": children + more_y, "K": k}, swapped)


def checked(family: str, numbers: Numbers) -> Numbers:
    """The numbers, if the family can have them.

    Raises:
        InputError: a count below 1 (0 brothers are allowed in `aiw_plus`), or nephews that are fewer than the family's children.
    """
    least = {"B": 0}
    wrong = next((k for k, v in numbers.items() if v < least.get(k, 1)), None)
    if wrong is not None:
        raise InputError(f"{family}: {wrong} must be at least {least.get(wrong, 1)}, not {numbers[wrong]}")
    FAMILIES[family].solve(numbers)
    return numbers
