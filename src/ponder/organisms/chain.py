"""Chained arithmetic: a number, then up to eight operations, worked strictly from left to right.

A prompt is `086+11*09+10-04____________>`: three digits, eight places for an operator and two digits (unused ones filled with `_`), and
`>`. The response gives the running value after each operation, `097;873;883;879`, and a line break ends it. Lengths are fixed, so any
problems make one batch, and a step is four tokens. Every running value is in 0..999.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.errors import InputError
from ponder.organisms import characters
from ponder.organisms.characters import ALPHABET, END, GO, OPERATORS, PAD, SEPARATOR, Ints

__all__ = ["ALPHABET", "LENGTH", "PROMPT", "SLOTS", "STEP", "Problems", "canonical", "encode", "problems", "prompts", "questions"]
__all__ += ["READS", "decode", "responses", "solve", "step_correct", "values"]

SLOTS = 8
STEP = 4
PROMPT = 3 + 3 * SLOTS + 1
LENGTH = PROMPT + STEP * SLOTS

READS = (
    "a chain such as 'What is 86 + 11 * 9 + 10?': a number from 0 to 99, then 1 to 8 times + or - a number from 0 to 99 or * a number "
    "from 2 to 9, worked from left to right, every result from 0 to 999"
)
_CANONICAL = re.compile(rf"(?=.{{{PROMPT}}}\Z)(\d{{3}})((?:[-+*]\d\d){{1,{SLOTS}}})_*>", re.ASCII)
_FRIENDLY = re.compile(r"\d+(?:\s*[-+*]\s*\d+)+", re.ASCII)
_OTHER = re.compile(r"[\d+*/^=()%<>_]|(?<![^\W\d_])-|-(?![^\W\d_])")


@dataclass(frozen=True)
class Problems:
    """Chains as arrays, one row each. Places of operations that a chain does not have hold arbitrary legal entries.

    Attributes:
        first: the number a chain starts from, shape (n,).
        kinds: operators as places in "+-*", shape (n, 8).
        operands: shape (n, 8).
        values: the running value after each operation, shape (n, 8).
        lengths: how many operations a chain has, 1 to 8, shape (n,).
    """

    first: Ints
    kinds: Ints
    operands: Ints
    values: Ints
    lengths: Ints

    def __len__(self) -> int:
        return len(self.first)

    @property
    def live(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Which places hold an operation of the chain, shape (n, 8)."""
        return np.arange(SLOTS) < self.lengths[:, None]

    @property
    def answers(self) -> Ints:
        """The last value of each chain, shape (n,)."""
        return self.values[np.arange(len(self)), self.lengths - 1]


def problems(n: int, rng: np.random.Generator, lengths: Ints | int | None = None) -> Problems:
    """n random chains. An operation that would leave 0..999 is drawn as another one: a product too large becomes a difference, a
    difference below 0 a sum, a sum above 999 a difference.

    Args:
        rng: where the draws come from.
        lengths: operations of each chain, 1 to 8; by default 8 with probability 0.6, else uniform from 1 to 8.

    Raises:
        InputError: for lengths outside 1..8.
    """
    if lengths is None:
        lengths = np.where(rng.random(n) < 0.6, SLOTS, rng.integers(1, SLOTS + 1, n))
    lengths = np.broadcast_to(np.asarray(lengths, dtype=np.int64), (n,)).copy()
    if n and not (lengths.min() >= 1 and lengths.max() <= SLOTS):
        raise InputError(f"a chain has 1 to {SLOTS} operations, not {lengths.min()} to {lengths.max()}")
    first = rng.integers(0, 100, n)
    kinds = rng.integers(0, len(OPERATORS), (n, SLOTS))
    operands = np.where(kinds == 2, rng.integers(2, 10, (n, SLOTS)), rng.integers(0, 100, (n, SLOTS)))
    values = np.empty((n, SLOTS), dtype=np.int64)
    value = first
    for i in range(SLOTS):
        kind, operand = kinds[:, i], operands[:, i]
        kind[(kind == 2) & (value * operand > 999)] = 1
        kind[(kind == 1) & (value < operand)] = 0
        kind[(kind == 0) & (value + operand > 999)] = 1
        value = values[:, i] = characters.apply(kind, value, operand)
    return Problems(first, kinds, operands, values, lengths)


def encode(chains: Problems) -> Ints:
    """Prompts and responses as tokens, shape (n, 60): 28 of the prompt, 32 of the response, whose unused end is filled with `_`."""
    n, live = len(chains), chains.live[..., None]
    tokens = np.full((n, LENGTH), PAD, dtype=np.int64)
    tokens[:, :3] = characters.digits(chains.first, 3)
    slots = np.concatenate([characters.operators(chains.kinds)[..., None], characters.digits(chains.operands, 2)], -1)
    tokens[:, 3 : PROMPT - 1] = np.where(live, slots, PAD).reshape(n, 3 * SLOTS)
    tokens[:, PROMPT - 1] = GO
    ends = np.where(np.arange(1, SLOTS + 1) == chains.lengths[:, None], END, SEPARATOR)
    steps = np.concatenate([characters.digits(chains.values, 3), ends[..., None]], -1)
    tokens[:, PROMPT:] = np.where(live, steps, PAD).reshape(n, STEP * SLOTS)
    return tokens


def decode(responses: Ints) -> Ints:
    """The running values that response tokens write, shape (..., 32) -> (..., 8); -1 where a step is malformed or missing."""
    steps = responses.reshape(*responses.shape[:-1], SLOTS, STEP)
    return characters.numbers(steps[..., : STEP - 1])


def prompts(chains: Problems) -> list[str]:
    """The canonical prompts."""
    return characters.texts(encode(chains)[:, :PROMPT])


def responses(chains: Problems) -> list[str]:
    """The right responses, without the line break that ends them."""
    return [text.partition("\n")[0] for text in characters.texts(encode(chains)[:, PROMPT:])]


def questions(chains: Problems) -> list[str]:
    """The chains as people write them: "86 + 11 * 9 + 10"."""
    found: list[str] = []
    for i, length in enumerate(chains.lengths):
        pairs = zip(chains.kinds[i, :length], chains.operands[i, :length], strict=True)
        found.append(str(chains.first[i]) + "".join(f" {OPERATORS[k]} {b}" for k, b in pairs))
    return found


def canonical(question: str) -> str:
    """The canonical prompt of a question.

    Args:
        question: a canonical prompt, or a text with one chain in it: "What is 86 + 11 * 9 + 10?", "86+11*9+10".

    Raises:
        InputError: saying what this organism reads, if the text holds no such chain.
    """
    text = question.strip().replace("×", "*").replace("−", "-")
    match = _CANONICAL.fullmatch(text)
    if match:
        chain = match[1] + match[2]
    else:
        found = _FRIENDLY.search(text)
        around = "" if found is None else text[: found.start()] + " " + re.sub(r"\A\s*=\s*\??", "", text[found.end() :])
        if found is None or _OTHER.search(around):
            raise InputError(f"this organism reads {READS}; given was {question[:80]!r}")
        chain = found[0]
    first, *rest = re.findall(r"\d+|[-+*]", chain)
    operations = [(o, int(b)) for o, b in zip(rest[::2], rest[1::2], strict=True) if len(b) < 10]
    wrong = _wrong(int(first[-10:]), operations, len(rest) // 2)
    if wrong:
        raise InputError(f"this organism reads {READS}; in {question[:80]!r} {wrong}")
    return _written(int(first), operations)


def _wrong(first: int, operations: Sequence[tuple[str, int]], count: int) -> str:
    """What keeps a chain from being one that the organism was trained on; "" if nothing does."""
    if not 0 <= first <= 99:
        return f"the first number is {first}"
    if not 1 <= count <= SLOTS:
        return f"there are {count} operations"
    if len(operations) < count:
        return "a number has too many digits"
    value = first
    for operator, b in operations:
        if b > 99 or (operator == "*" and not 2 <= b <= 9):
            return f"there is {operator} {b}"
        value = characters.calculate(operator, value, b)
        if not 0 <= value <= 999:
            return f"a result is {value}"
    return ""


def _written(first: int, operations: Sequence[tuple[str, int]]) -> str:
    return f"{first:03d}" + "".join(f"{o}{b:02d}" for o, b in operations).ljust(3 * SLOTS, "_") + ">"


def solve(prompt: str) -> tuple[int, ...]:
    """The right running values of a canonical prompt or a question that `canonical` reads."""
    text = canonical(prompt)
    value = int(text[:3])
    found: list[int] = []
    for operator, b in re.findall(r"([-+*])(\d\d)", text):
        value = characters.calculate(operator, value, int(b))
        found.append(value)
    return tuple(found)


def values(text: str) -> tuple[int, ...]:
    """The running values that a response writes, -1 for a step that is not three digits."""
    steps = text.partition("\n")[0].removesuffix(";").split(";")
    return tuple(int(s) if re.fullmatch(r"\d{3}", s, re.ASCII) else -1 for s in steps)


def step_correct(prompt: str, steps: Sequence[str]) -> tuple[bool, ...]:
    """For each step, with or without its separator, whether it writes the chain's true running value at its place."""
    right = solve(prompt)
    written = [values(step)[0] if step.count(";") <= 1 else -1 for step in steps]
    return tuple(i < len(right) and value == right[i] for i, value in enumerate(written))
