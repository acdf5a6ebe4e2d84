"""Reading an answer off a text, in a canonical form, so that equal answers are equal texts.

`12`, `**12**`, `#### 12`, `12, because ...`, `The answer is 12.` and a boxed 12 are one answer. A reader returns None when the
text gives no answer: such a candidate never wins a vote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

_NUMBER = r"[-+−–]?\s?(?:\$|€|£)?\s?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+−–]?\.\d+"
_VALUE = re.compile(rf"(?<![\w.])(?P<n>{_NUMBER})(?:\s*/\s*(?P<d>\d+(?:\.\d+)?))?\s*(?P<pct>\\?%)?")
_MARKERS = re.compile(
    r"####"
    r"|\b(?:the|my|our|so the)?\s*(?:final|correct|right)?\s*(?:answer|result|solution)\s*(?:(?:to [^.:=\n]{1,80}?)?\s(?:is|are|equals|=)|\s*[:=])\s*:?",
    re.IGNORECASE,
)
_DECOR = re.compile(r"\\[(\[)\]]|[*`$_~]{1,3}|\\(?:text|mathrm|mathbf|textbf)\b|\\[,;!]|^\s*>|[{}]")
_FRAC = re.compile(r"\\[dt]?frac\s*\{\s*([-+]?\d+(?:\.\d+)?)\s*\}\s*\{\s*(\d+(?:\.\d+)?)\s*\}")

Reader = Callable[[str, tuple[str, ...]], str | None]


def boxed(text: str) -> str | None:
    """The content of the last \\boxed{...}, braces balanced; None if there is none."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    open_at = text.index("{", start)
    depth = 0
    for i in range(open_at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[open_at + 1 : i].strip()
    return None


def marked(text: str) -> str | None:
    """What follows the last explicit answer mark (a box, ####, "the answer is"), to the end of its line."""
    inside = boxed(text)
    if inside is not None:
        return inside
    marks = list(_MARKERS.finditer(text))
    for mark in reversed(marks):
        after = text[mark.end() :].lstrip(" *_`:\t\n")
        line = after.split("\n", 1)[0].strip()
        if line:
            return line
    return None


def _as_number(match: re.Match[str]) -> str | None:
    raw = re.sub(r"[\s,$€£]", "", match["n"]).replace("−", "-").replace("–", "-")
    try:
        value = Fraction(raw)
        if match["d"] is not None:
            value /= Fraction(match["d"])
    except (ValueError, ZeroDivisionError):
        return None
    if match["pct"]:
        value /= 100
    return str(value)


def numbers(text: str) -> list[str]:
    """All numbers of a text in canonical form ("1,234.50" is "2469/2"), in order."""
    plain = _DECOR.sub("", _FRAC.sub(r"\1/\2", text)) if "\\" in text or "*" in text or "`" in text or "$" in text or "_" in text else text
    found = (_as_number(m) for m in _VALUE.finditer(plain[:100_000]))
    return [value for value in found if value is not None]


def read_number(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The first number after an answer mark; else the result of the first equation or the leading number; else the last one."""
    mark = marked(text)
    if mark is not None:
        return (_last_of_equation(mark) or [None])[0]
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return None
    leading = re.match(rf"\W*(?:{_NUMBER})\W*(?:,|\.|;|because|since|$|\n)", lines[0], re.IGNORECASE)
    if leading and numbers(lines[0]):
        return numbers(lines[0])[0]
    found = numbers(text)
    return found[-1] if found else None


def _last_of_equation(line: str) -> list[str]:
    """Numbers of an answer line, from behind its last equals sign: in "3 * 4 = 12 apples" the answer is 12."""
    return numbers(line.rsplit("=", 1)[1]) or numbers(line) if "=" in line else numbers(line)


def read_choice(text: str, choices: tuple[str, ...]) -> str | None:
    """The letter of the chosen option: after a mark, in brackets, at the start, or the only option whose text appears."""
    letters = "ABCDEFGHIJ"[: max(len(choices), 2)] if choices else "ABCDEFGHIJ"
    for part in (marked(text), text):
        if part is None:
            continue
        clean = _DECOR.sub("", part).strip()
        hit = re.match(rf"\(?([{letters}{letters.lower()}])(?:[).:,\s]|$)(?!\w*'\w)", clean) or re.search(rf"\(([{letters}])\)", clean)
        if hit and not (hit[1] == "A" and re.match(r"A\s+[a-z]", clean)):
            return hit[1].upper()
        spoken = re.search(rf"\b(?:option|choice|answer)\s*:?\s*\(?([{letters}])\b", clean)
        if spoken:
            return spoken[1]
        named = [i for i, c in enumerate(choices) if c.strip() and re.search(rf"(?<!\w){re.escape(c.strip().lower())}(?!\w)", clean.lower())]
        longest = [i for i in named if not any(i != j and choices[i].lower() in choices[j].lower() for j in named)]
        if len(longest) == 1:
            return letters[longest[0]]
    return None


def read_boolean(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """"yes" or "no" (true and false count): after a mark, else the first one in the text."""
    for part in (marked(text), text):
        hit = re.search(r"\b(yes|no|true|false)\b", part or "", re.IGNORECASE)
        if hit:
            return "yes" if hit[1].lower() in ("yes", "true") else "no"
    return None


def read_text(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The marked answer, else the whole text; case, spaces, decoration and final punctuation do not count."""
    chosen = marked(text)
    clean = re.sub(r"\s+", " ", _DECOR.sub("", text if chosen is None else chosen)).strip().strip(".!,;: \"'").casefold()
    return clean or None


def read_math(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The boxed or marked expression without decoration; a plain number in canonical form. `vote(equal="math")` compares the rest."""
    chosen = marked(text)
    if chosen is None:
        return read_number(text)
    bare = re.fullmatch(rf"\s*(?:{_NUMBER})(?:\s*/\s*\d+)?\s*\.?\s*", _FRAC.sub(r"\1/\2", chosen.strip("$ ")))
    return numbers(chosen)[0] if bare and numbers(chosen) else chosen.strip("$ .").replace(" ", "") or None


def read_auto(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """A choice if there are options; a number if the answer holds one; yes or no; else the text."""
    if choices:
        return read_choice(text, choices)
    return read_number(text) or read_boolean(text) or read_text(text)


READERS: dict[str, Reader] = {
    "auto": read_auto,
    "number": read_number,
    "choice": read_choice,
    "boolean": read_boolean,
    "math": read_math,
    "text": read_text,
}
"""Answer readers by name. A reader takes the text and the problem's choices."""
