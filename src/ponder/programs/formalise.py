"""Asking for first-order logic instead of an answer, and reading the formulas that come back."""

from __future__ import annotations

import re

from ponder.core.errors import InputError
from ponder.core.language import Message
from ponder.core.problem import Problem
from ponder.logic.formula import FolSyntaxError, Formula, check_signature
from ponder.logic.syntax import parse

STOP = "</EVALUATE>"
"""Ends a formalisation."""

_LANGUAGE = (
    "Write formulas with `all x.`, `exists x.`, `->`, `<->`, `&`, `|`, `^` (exclusive or) and `-` (not). Predicates and names begin with a "
    "capital letter, variables are single small letters, and a predicate always has the same number of arguments."
)
_WHOLE = (
    "Translate each premise and the conclusion into first-order logic, so that a theorem prover can decide whether the conclusion follows. "
    f"{_LANGUAGE} Repeat each sentence in a line that begins with TEXT: and put its formula in the next line, after FOL:. The conclusion "
    f"comes last. End with {STOP}."
)
_SHOTS = (
    (
        (
            ("Every whale is a mammal.", "all x. (Whale(x) -> Mammal(x))"),
            ("No mammal has gills.", "all x. (Mammal(x) -> -HasGills(x))"),
            ("Moby is a whale or a shark, but not both.", "Whale(Moby) ^ Shark(Moby)"),
            ("Moby is not a shark.", "-Shark(Moby)"),
        ),
        ("Moby has gills.", "HasGills(Moby)"),
    ),
    (
        (
            ("If someone tunes a piano, they own a fork.", "all x. (exists y. (Piano(y) & Tunes(x, y)) -> OwnsFork(x))"),
            ("Ida or Jon owns a fork.", "OwnsFork(Ida) | OwnsFork(Jon)"),
        ),
        ("Ida tunes some piano.", "exists y. (Piano(y) & Tunes(Ida, y))"),
    ),
)
_ONE = f"Translate the sentence into one formula of first-order logic. {_LANGUAGE} Answer with the formula alone."
_AGAIN = "A prover cannot use this: {}\nWrite the whole block again, from the first TEXT: to {}."


class FormalisationError(InputError):
    """A text is no formalisation: it holds no formulas, or they cannot be used together.

    Attributes:
        kind: "empty", "syntax" or "signature".
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def statements(problem: Problem) -> tuple[tuple[str, ...], str]:
    """The premises and the conclusion of a problem, as sentences.

    They are `data["premises"]` and `data["conclusion"]` where a task gives them; else the lines of the passages, and the question.
    """
    if "premises" in problem.data and "conclusion" in problem.data:
        return tuple(map(str, problem.data["premises"])), str(problem.data["conclusion"])
    lines = [line.strip() for passage in problem.context for line in passage.splitlines()]
    return tuple(filter(None, lines)), problem.question


def whole_prompt(problem: Problem) -> tuple[Message, ...]:
    """A chat that asks for all formulas of a problem at once, after two worked examples."""
    premises, conclusion = statements(problem)
    shots = [_block([p for p, _ in shown], claim[0]) + formalisation([*shown, claim]) + STOP for shown, claim in _SHOTS]
    return (Message("user", "\n\n".join([_WHOLE, *shots, _block(premises, conclusion)])),)


def sentence_prompt(sentence: str) -> tuple[Message, ...]:
    """A chat that asks for the formula of one sentence."""
    return (Message("user", f"{_ONE}\n\nSentence: {sentence}"),)


def again_prompt(problem: Problem, text: str, error: str) -> tuple[Message, ...]:
    """A chat that shows what was wrong with a formalisation and asks for another one."""
    return (*whole_prompt(problem), Message("assistant", text), Message("user", _AGAIN.format(error, STOP)))


def _block(premises: list[str] | tuple[str, ...], conclusion: str) -> str:
    return "\n".join(["<PREMISES>", *premises, "</PREMISES>", "<CONCLUSION>", conclusion, "</CONCLUSION>", "<EVALUATE>", ""])


def formalisation(pairs: list[tuple[str, str]]) -> str:
    """Sentences with their formulas as a text; the conclusion is the last."""
    return "".join(f"TEXT:\t{sentence}\nFOL:\t{formula}\n" for sentence, formula in pairs)


def formulas_of(text: str) -> list[Formula]:
    """The formulas of a formalisation, the conclusion last; how many there should be is not checked, as in LINC.

    Names are made words first, inside brackets: what separates their parts is replaced and quotation marks are dropped. Either dialect
    may be written.

    Raises:
        FormalisationError: no line holds a formula, one cannot be read, or a symbol is used in two ways.
    """
    lines = [line.partition("FOL:")[2].strip() for line in text.splitlines() if "FOL:" in line]
    if not lines:
        raise FormalisationError("empty", "no line has a formula behind FOL:")
    found: list[Formula] = []
    for line in lines:
        try:
            found.append(parse(_tidy(line), "unicode" if re.search("[∀∃¬∧∨⊕→↔]", line) else "ascii"))
        except FolSyntaxError as error:
            raise FormalisationError("syntax", str(error)) from error
    try:
        check_signature(found)
    except InputError as error:
        raise FormalisationError("signature", str(error)) from error
    return found


_ARGUMENTS = re.compile(r"(\w)\(([^()&|<>^]*)\)")


def _tidy(line: str) -> str:
    return _ARGUMENTS.sub(lambda m: f"{m[1]}({', '.join(map(_name, m[2].split(',')))})", line)


def _name(argument: str) -> str:
    return re.sub(r"(?<=\w)[-\s]+(?=\w)", "_", re.sub(r"[\"'’`]", "", argument.strip())).replace(".", "Dot")
