"""Numbers in prose: finding them, telling an operand from a result, and one exact text for equal values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

LONGEST = 1000
"""Characters a number may have; longer runs of digits are no answers."""

_VULGAR = {ord(c): " " + unicodedata.normalize("NFKC", c).replace("⁄", "/") for c in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_SIGNS = {ord(c): "-" for c in "−–‒—"} | {ord("×"): "*", ord("·"): "*", ord("⋅"): "*", ord("÷"): "/", ord("≈"): "="}
_LATEX = (
    (re.compile(r"\\[dt]?frac\s*\{\s*([-+]?\d+(?:\.\d+)?)\s*\}\s*\{\s*(\d+(?:\.\d+)?)\s*\}"), r" \1/\2"),
    (re.compile(r"\\[dt]?frac(\d)(\d)"), r" \1/\2"),
    (re.compile(r"\\(?:times|cdot)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\approx\b"), "="),
    (re.compile(r"\\([%$])"), r"\1"),
    (re.compile(r"\{,\}|(?<=\d)\\[,!](?=\d{3})"), ","),
    (re.compile(r"\\[()\[\],;!: ]|\\(?:text|mathrm|mathbf|textbf|mbox|left|right)\b|`"), ""),
)
_STARS = re.compile(r"(?<=[\w)])\*{1,2}(?=[\d(])|(?<=\s)\*(?=\s)|(\*+)")
_TIMES = re.compile(r"(?<=\d)(\s?)x(\s?)(?=\d)")
_MINUS = re.compile(r"=\s{0,5}-\s{1,5}(?=[\d.$€£])")
_TOKEN = re.compile(
    r"(?<![^\W_])(?<!\d[.,])(?:"
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2}(?!\d)|\d{1,2}/\d{1,2}/\d{2,4}(?!\d))"
    r"|(?P<sign>[-+]?)[$€£]?(?P<sign2>-?)(?P<n>(?>\d{1,3}(?:,\d{3}(?!\d))++(?:\.\d++)?|\d++(?:\.\d++)?|\.\d++))"
    r"(?:(?P<e>[eE][-+]?\d{1,3})(?!\w))?"
    r"(?:\s?\*\s?10\s?\^\s?\{?\s?(?P<ten>[-+]?\d{1,3})\s?\}?(?!\d))?"
    r"(?:[ \t](?P<num>\d{1,3})/(?P<den>\d{1,3})(?![\d/.])|\s{0,3}/\s{0,3}(?P<d>\d++(?:\.\d++)?)(?!/\d))?"
    r"(?P<pct>\s?%|\s?percent\b)?(?:\s{1,3}(?P<scale>thousand|million|billion|trillion)\b)?"
    r"(?P<junk>(?:[:.,]\d|[^\W\d_]++\d|[xyzn](?!\w))[\w.:,]*+)?"
    r")",
    re.IGNORECASE,
)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_OPERATOR = re.compile(r"\s*[-+/*^]\s*|[^.,;:=?!\n]{0,40}?(?:[*^]|\s[-+/]\s|(?<!\w)[-+/](?!\w)|\+)[^.,;:=?!\n]{0,40}")
_SYMBOLIC = re.compile(r"\\(?:[dt]?frac|sqrt|pi|sin|cos|tan|log|ln|infty)\b|[π√∞]")
_SENTENCE_END = re.compile(r"[.!?](?=\s+\D|\s*$)")


@dataclass(frozen=True)
class _Number:
    value: str | None
    start: int
    end: int
    operand: bool = False


def plain(text: str) -> str:
    """The text with its figures in one notation: ASCII signs, fractions with a slash, no emphasis, no LaTeX delimiters."""
    text = text.translate(_VULGAR).translate(_SIGNS)
    if "\\" in text or "`" in text or "{,}" in text:
        for pattern, by in _LATEX:
            text = pattern.sub(by, text)
    if "*" in text:
        text = _STARS.sub(lambda m: "" if m[1] else m[0], text)
    return _MINUS.sub("= -", _TIMES.sub(r"\1*\2", text))


def numbers(text: str) -> list[str]:
    """All numbers of a text in canonical form ("1,234.50" is "2469/2"), in order; dates, times and ratios are none."""
    return [number.value for number in _numbers(plain(text)) if number.value is not None]


def _numbers(text: str) -> list[_Number]:
    """The numbers of a plain text, and whether each is an operand of an expression that is not worked out."""
    found = list(_found(text))
    joined = [
        bool(_OPERATOR.fullmatch(text, a.end, b.start)) or (not text[a.end : b.start].strip() and text[b.start : b.start + 1] in "+-/")
        for a, b in pairwise(found)
    ]
    edges = [False, *joined, False]
    return [_Number(n.value, n.start, n.end, edges[i] or edges[i + 1]) for i, n in enumerate(found)]


def _found(text: str) -> Iterator[_Number]:
    for match in _TOKEN.finditer(text):
        yield _Number(None if match["date"] or match["junk"] else _canonical(match), match.start(), match.end())


def _canonical(match: re.Match[str]) -> str | None:
    parts = match["n"], match["d"] or ""
    if max(map(len, parts)) > LONGEST:
        return None
    try:
        value = Fraction(match["n"].replace(",", "") + (match["e"] or ""))
        if match["num"]:
            value += Fraction(int(match["num"]), int(match["den"]))
        if match["d"]:
            value /= Fraction(match["d"])
        if match["ten"]:
            value *= Fraction(10) ** int(match["ten"])
        if match["scale"]:
            value *= _SCALES[match["scale"].lower()]
        if match["pct"]:
            value /= 100
        text = str(-value if "-" in (match["sign"], match["sign2"]) else value)
    except (ValueError, ZeroDivisionError):
        return None
    return text if len(text) <= LONGEST else None


def stated_number(content: str) -> str | None:
    """The number that a marked answer states; "" if it holds figures but states none; None if it holds no figure."""
    text = plain(content)
    end = _SENTENCE_END.search(text)
    sentence = text[: end.start()] if end else text
    if not re.search(r"\d", sentence):
        return "" if _SYMBOLIC.search(sentence) else None
    if _SYMBOLIC.search(sentence):
        return ""
    found = _numbers(sentence)
    if not found:
        return ""
    first = found[0]
    begins = not re.search(r"\w", sentence[: first.start])
    if begins and not first.operand and not sentence[first.end :].lstrip().startswith("="):
        return first.value or ""
    if "=" in sentence:
        return after_equals(sentence)
    return "" if first.operand and begins else next((n.value for n in found if not n.operand and n.value), "")


def after_equals(line: str) -> str:
    """The result of a line's last equation; of "12 = 3 * 4" the left side; "" if there is none."""
    *_, left, right = plain(line).split("=")
    found = _numbers(right)
    if found and not found[0].operand:
        return found[0].value or ""
    before = _numbers(left)
    return (before[0].value or "") if found and len(before) == 1 else ""


def free_number(line: str) -> str:
    """The last number of a line that is no operand; "" if there is none."""
    return next((n.value for n in reversed(_numbers(plain(line))) if n.value is not None and not n.operand), "")


_BEFORE = re.compile(r"[^\w\n]{0,10}")
_AFTER = re.compile(
    r"[ \t)\]$\"']{0,5}(?:\.(?!\d)|;|!|,(?!\s{0,3}(?:and\s)?[-$]?\d)|$|(?:[ \t]?[A-Za-z]{1,20}){0,3},?[ \t](?:because|since)\b)",
    re.MULTILINE,
)


def leading_number(text: str) -> str | None:
    """The number that a text opens with as its answer ("56. It is ...", "12, because ..."); None if it opens otherwise."""
    line = next((line for line in text[:20_000].splitlines() if line.strip()), "")
    opening = plain(line[:2000])
    found = _numbers(opening)
    if not found or found[0].value is None or found[0].operand:
        return None
    first = found[0]
    if not _BEFORE.fullmatch(opening, 0, first.start) or not _AFTER.match(opening, first.end):
        return None
    item = first.value == "1" and opening[first.end :].lstrip()[:1] in (".", ")") and re.search(r"\d", text[text.find(line) + first.end :])
    return None if item else first.value  # "1. First, 3 + 4 = 7 ..." is a numbered list
