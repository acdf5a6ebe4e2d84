"""Reading what critics, rankers, verifiers and testers reply. None is a reply that says nothing that can be read; nothing raises."""

from __future__ import annotations

import re

_NUMBER = r"\[\s{0,3}(\d{1,4})\s{0,3}\]"
_BARE = r"[^\w\[\]-]{0,20}(\d{1,4})[^\w\[\]-]{0,20}"
_SECTION = re.compile(rf"^[^\w\[\]\n]{{0,6}}{_NUMBER}[^\S\n]{{0,3}}[:.)-]?", re.MULTILINE)
_TAG = re.compile(_NUMBER)
_PIECE = re.compile(rf"[^\[\]\d]{{0,200}}{_NUMBER}[^\[\]\d]{{0,200}}|{_BARE}")
_PASSES = re.compile(r"\b(pass|passes|passed|fail|fails|failed)\b", re.IGNORECASE)


def read_sections(text: str, n: int) -> list[str] | None:
    """What is said of each of n numbered things; "" where nothing is. Of several sections of one number the first counts.

    A section begins with its number in brackets at the start of a line. Of a single thing the whole text is said.
    """
    found = [""] * n
    for number, said in _sections(text):
        if 1 <= number <= n and not found[number - 1]:
            found[number - 1] = said
    if n == 1 and not any(found):
        found = [text.strip()]
    return found if any(found) else None


def _sections(text: str) -> list[tuple[int, str]]:
    """The numbers at the starts of lines, each with what stands behind it up to the next."""
    marks = list(_SECTION.finditer(text))
    ends = [m.start() for m in marks[1:]] + [len(text)] * bool(marks)
    return [(int(mark[1]), text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)]


def read_ranking(text: str, n: int) -> list[int] | None:
    """The places (from 0) that a ranking such as "[4] > [2]" names, best first, each once; others are left out.

    The first line that joins two numbers by ">" is read, else the first that names one in brackets. What is no single number, as in
    "[3-5]", and numbers that nothing has are passed over.
    """
    lines = text.splitlines()
    ranked = [[_place(piece) for piece in line.split(">")] for line in lines if ">" in line]
    named = [[int(i) for i in _TAG.findall(line)] for line in lines]
    for line in [row for row in ranked if sum(p is not None for p in row) >= 2] + named:
        places = list(dict.fromkeys(p - 1 for p in line if p is not None and 1 <= p <= n))
        if places:
            return places
    return None


def _place(piece: str) -> int | None:
    found = _PIECE.fullmatch(piece)
    return None if found is None else int(found[1] or found[2])


def read_best(text: str, n: int) -> int | None:
    """The place (from 0) of the last number in brackets that something has; a reply that is a number alone counts too."""
    said = [int(i) - 1 for i in _TAG.findall(text)]
    bare = re.fullmatch(_BARE, text)
    places = [p for p in (said or ([int(bare[1]) - 1] if bare else [])) if 0 <= p < n]
    return places[-1] if places else None


def read_comparison(text: str) -> float | None:
    """1 for [A], 0 for [B], .5 for [tie]; None if the reply has none of them or several."""
    return _only(text, {"a": 1.0, "b": 0.0, "tie": 0.5})


def read_verdict(text: str) -> bool | None:
    """Whether a verdict is [Correct]; None unless it has exactly one of [Correct] and [Incorrect]."""
    found = _only(text, {"correct": 1.0, "incorrect": 0.0})
    return None if found is None else bool(found)


def _only(text: str, meanings: dict[str, float]) -> float | None:
    words = "|".join(meanings)
    said = {tag.lower() for tag in re.findall(rf"\[\s?({words})\s?\]", text, re.IGNORECASE)}
    if not said:
        bare = re.fullmatch(rf"\W{{0,20}}({words})\W{{0,20}}", text, re.IGNORECASE)
        said = {bare[1].lower()} if bare else set[str]()
    return meanings[said.pop()] if len(said) == 1 else None


def read_tests(text: str, n: int) -> list[str]:
    """Up to n numbered statements, in order; a text without numbers is read a statement a line."""
    found = [" ".join(said.split()) for _, said in _sections(text)] or [line.strip() for line in text.splitlines()]
    return list(dict.fromkeys(statement for statement in found if statement))[:n]


def read_passes(text: str, n: int) -> list[bool | None] | None:
    """For each of n statements whether it is said to pass, None where that is not said or said both ways."""
    said = read_sections(text, n)
    if said is None:
        return None
    words = [{word.lower()[0] for word in _PASSES.findall(section)} for section in said]
    found = [next(iter(w)) == "p" if len(w) == 1 else None for w in words]
    return found if any(f is not None for f in found) else None
