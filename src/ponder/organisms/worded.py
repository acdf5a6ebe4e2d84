"""Theories in English for organisms: every word is one letter, and formulas are written in letters that `ponder.logic` reads.

Two kinds of prompts, told apart by the message. A sentence ("Bob is not kind.") is answered by a formula; a whole problem, as the task
`logic` writes it, by the letter of its label. A problem that asks to think step by step is answered by what is known of whom it is about,
facts first, then what follows, and the letter behind it: `NnΓ;NΔ;####A`. Problems are read without the words that only make them English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ponder.core.errors import InputError
from ponder.logic.english import PARTICIPLE, THIRD
from ponder.logic.formula import App, Atom, Binary, Formula, Not, Quantified, Term, Var
from ponder.logic.syntax import text_of
from ponder.logic.theories import ATTRIBUTES, LABELS, NAMES, RELATIONS, Claim, Label

_SMALL = {
    "is": "i", "are": "r", "not": "n", "does": "d", "do": "o", "it": "t", "true": "u", "false": "f", "that": "h",
    "by": "b", "if": "c", "someone": "s", "then": "e", "they": "y", "who": "w", "and": "a",
}  # fmt: skip
_SKIPPED = str.maketrans("", "", "".join(_SMALL[word] for word in ("is", "are", "does", "do", "it", "that", "someone", "they")))
_LETTERS = {
    **dict(zip((n.lower() for n in NAMES), "NOPQRS", strict=True)),
    **dict(zip(ATTRIBUTES, "ΓΔΘΛΞΠΣΦΨΩ", strict=True)),
    **dict(zip(RELATIONS, "ЖИЛЦ", strict=True)),
}
"""Names, attributes and relations, as sentences and formulas write them."""
LETTERS = _SMALL | _LETTERS | {THIRD[r]: s for r, s in zip(RELATIONS, "жилц", strict=True)}
LETTERS |= {PARTICIPLE[r]: s for r, s in zip(RELATIONS, "ъыэю", strict=True)}
"""Every word that is known, in lower case, and its letter."""
ALPHABET = "_>?;#.\nABC∀x()∧→¬," + "".join(LETTERS.values())
PAD = ALPHABET.index("_")
ANSWERS: dict[Label, str] = dict(zip(LABELS, "ABC", strict=True))
"""The letter of a label: its place among the choices of the task's problems."""
MARK = "####"
"""Stands before the answer that follows derived claims."""

READS = "a sentence about Anne, Bob and others (Bob is not kind.), or a problem of the task logic"
STEP = 8
_PROBLEM = re.compile(r"(?s)(?:Facts and rules:\s*)?(.*?)\n\s*Statement: (.*?)\n")
_SENTENCE = re.compile(r"Sentence: (.*)")


def canonical(question: str) -> str:
    """The prompt of a sentence, which may stand behind "Sentence:", or of a problem.

    Raises:
        InputError: a word that is not known.
    """
    found = _PROBLEM.match(question + "\n")
    if found is None:
        named = _SENTENCE.search(question)
        return sentence_prompt(named[1] if named else question)
    premises = [s for s in re.split(r"(?<=\.)\s+", found[1].strip()) if s]
    return problem_prompt(premises, found[2], steps="step by step" in question)


def sentence_prompt(sentence: str) -> str:
    """What a translator reads."""
    return lettered(sentence) + ">"


def problem_prompt(premises: Iterable[str], claim: str, steps: bool = False) -> str:
    """What is read before an answer is given, at once or after steps."""
    return "".join(map(brief, premises)) + asked(claim, steps)


def asked(claim: str, steps: bool = False) -> str:
    """A claim as it is asked behind premises."""
    return f"?{brief(claim)}{';' if steps else '>'}"


def brief(sentence: str) -> str:
    """A sentence as problems have it: `cΓaжNeΔ.` for "If someone is kind and likes Anne then they are big."."""
    return lettered(sentence).translate(_SKIPPED)


def lettered(sentence: str) -> str:
    """A sentence with a letter for each word, and its full stop.

    Raises:
        InputError: a word that is not known.
    """
    words = re.findall(r"\w+", sentence.lower())
    unknown = next((w for w in words if w not in LETTERS), None)
    if unknown is not None or not words:
        raise InputError(f"this organism reads {READS}; it does not know {unknown!r} in {sentence[:80]!r}")
    return "".join(LETTERS[w] for w in words) + "."


def formula_text(formula: Formula) -> str:
    """A formula of the theories in the organisms' letters, in the "unicode" dialect."""
    return text_of(_translated(formula), "unicode").replace(" ", "")


def derived_text(claims: Sequence[Claim], label: Label) -> str:
    """Claims, in order, and the answer behind them."""
    return "".join(f"{claim_letters(c)};" for c in claims) + MARK + ANSWERS[label]


def claim_letters(claim: Claim) -> str:
    """A claim about named things as a few letters: subject, `n` if it does not hold, predicate, object."""
    subject, *others = [_LETTERS[a.lower()] for a in claim.args]
    return "".join([subject, "" if claim.positive else "n", _LETTERS[claim.predicate], *others])


def readable(text: str) -> str:
    """A formula in the organisms' letters with words in their place."""
    words = {letter: word.capitalize() for word, letter in _LETTERS.items()}
    return "".join(words.get(c, c) for c in text)


def _translated(formula: Formula) -> Formula:
    match formula:
        case Atom():
            return Atom(_LETTERS[formula.name.lower()], tuple(map(_term, formula.args)))
        case Not():
            return Not(_translated(formula.body))
        case Binary():
            return Binary(formula.kind, _translated(formula.left), _translated(formula.right))
        case Quantified():
            return Quantified(formula.kind, formula.variable, _translated(formula.body))


def _term(term: Term) -> Term:
    return term if isinstance(term, Var) else App(_LETTERS[term.name.lower()])
