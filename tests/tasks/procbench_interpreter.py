"""A second interpreter of ProcBench's procedures: it reads a prompt's text, knows nothing of the instances, and works otherwise.

Where the executor walks, this one searches, counts and slices; it shares no code with `ponder.tasks.procbench`.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def follow(prompt: str) -> tuple[list[Any], Any]:
    """Intermediate states and final state that a prompt asks for."""
    rules, _, question = prompt.partition("\n[Question]\n")
    (solver,) = [s for start, s in SOLVERS.items() if rules.startswith(start)]
    fields = {
        m[1]: m[2].strip()
        for m in re.finditer(r"^([A-Z]\w*(?: \w+)?):((?:(?!\n[A-Z]\w*:)[\s\S])*?)(?=\n[A-Z]\w*(?: \w+)?:|\Z)", question, re.M)
    }
    *intermediate, final = solver(fields)
    return intermediate, final


def _items(text: str) -> list[str]:
    inside = text.removeprefix("[").removesuffix("]")
    return inside.split(", ") if inside else []


def _numbers(text: str) -> list[tuple[int, ...]]:
    return [tuple(int(n) for n in group.split(",")) for group in re.findall(r"\(([\d, ]+)\)", text)]


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(a, b) for a, b in re.findall(r"\((\w+), (\w+)\)", text)]


def sort(f: dict[str, str]) -> list[Any]:
    s, out = f["String"], []
    for done, right in enumerate(sorted(s)):
        at = s.index(right, done)
        if at != done:
            middle = s[done + 1 : at]
            s = s[:done] + right + middle + s[done] + s[at + 1 :]
            out.append(s)
    return out


def gather(f: dict[str, str]) -> list[Any]:
    strings, parts = _items(f["Strings"]), []
    for n, i, length in _numbers(f["Triples"]):
        parts.append("".join(c for j, c in enumerate(strings[n]) if i <= j < i + length))
    return ["".join(parts[: i + 1]) for i in range(len(parts))]


def count(f: dict[str, str]) -> list[Any]:
    rows = []
    for s in _items(f["Strings"]):
        figures = re.sub("[a-z]", "", s)
        n2 = 0
        for figure in figures:
            n2 = 10 * n2 + "0123456789".index(figure)
        rows.append([s, str(len(s) - len(figures)), str(n2), str((len(s) - len(figures)) * n2)])
    return [*rows, sum(int(row[3]) for row in rows)]


def search(f: dict[str, str]) -> list[Any]:
    strings, needles = _items(f["Strings"]), _items(f["Substrings"])
    table = [[len(s.split(n)) - 1 for s in strings] for n in needles]
    return [[sum(row[j] for row in table[: i + 1]) for j in range(len(strings))] for i in range(len(needles))]


def copy(f: dict[str, str]) -> list[Any]:
    strings, indices = _items(f["Strings"]), [int(i) for i in _items(f["Indices"])]
    out = [strings[indices[0]]]
    for i in indices[1:]:
        out.append(f"{out[-1]}{strings[i]}")
    return out


def substitute(f: dict[str, str]) -> list[Any]:
    table, now, out = dict(_pairs(f["Pairs"])), list(f["String"]), []
    for i in range(len(now)):
        now[i] = table[now[i]]
        out.append("".join(now))
    return out


def encode(f: dict[str, str]) -> list[Any]:
    codes = [f"{m[0][0]}_{len(m[0])}" for m in re.finditer("0+|1+", f["String"])]
    return [codes[:i] for i in range(1, len(codes) + 1)]


def split1(f: dict[str, str]) -> list[Any]:
    s, cuts, out = f["String"], set(), []
    for p in map(int, _items(f["Positions"])):
        cuts.add(p)
        out.append("".join("|" * (i in cuts) + c for i, c in enumerate(s)).split("|"))
    return out


def split2(f: dict[str, str]) -> list[Any]:
    now, out = f["String"], []
    for i, j in _numbers(f["Pairs"]):
        bars = [-1, *(k for k, c in enumerate(now) if c == "|")]
        at = bars[i] + 1 + j
        now = now[:at] + "|" + now[at:]
        out.append(now.split("|"))
    return out


def compose(f: dict[str, str]) -> list[Any]:
    rules = {(a, b): c for a, b, c in re.findall(r"(\w), (\w) -> (\w)", f["Rules"])}
    now, out = _items(f["Characters"]), []
    while True:
        at = [i for i in range(1, len(now)) if (now[i - 1], now[i]) in rules]
        if not at:
            return out
        now = [*now[: at[-1] - 1], rules[now[at[-1] - 1], now[at[-1]]], *now[at[-1] + 1 :]]
        out.append(now)


def decompose(f: dict[str, str]) -> list[Any]:
    rules = dict(re.findall(r"(\w) -> (\w\w)", f["Rules"]))
    left, now, out = "[" + "".join(rules) + "]", f["String"], []
    while re.search(left, now):
        now = re.sub(left, lambda m: rules[m[0]], now, count=1)
        out.append(now)
    return out


def rhythm(f: dict[str, str]) -> list[Any]:
    first, second, out = deque(_items(f["Digits"])), deque(_items(f["Letters"])), [""]
    for _ in range(int(f["Steps"])):
        out.append(out[-1] + first[0] + second[0])
        first.rotate(-1)
        second.rotate(-1)
    return out[1:]


def compare(f: dict[str, str]) -> list[Any]:
    target, prefixes = f["Target"], []
    for candidate in _items(f["Candidates"]):
        length = max(n for n in range(len(target) + 1) if candidate.startswith(target[:n]))
        prefixes.append(target[:length])
        if length == len(target):
            break
    return [*prefixes[:-1], prefixes]


def count2(f: dict[str, str]) -> list[Any]:
    words = f["Words"].split()
    counts = [Counter("".join(words[:i]).lower()) for i in range(1, len(words) + 1)]
    return [[c[letter] for letter in ALPHABET] for c in counts]


def decode(f: dict[str, str]) -> list[Any]:
    pieces = f["Pieces"].split()
    return [re.sub(r"(\d)x(\d+)", lambda m: m[1] * int(m[2]), "".join(pieces[:1] + [" " + p for p in pieces[1:i]])).replace(" ", "")
            for i in range(1, len(pieces) + 1)]  # fmt: skip


def push_pop(f: dict[str, str]) -> list[Any]:
    now, out = deque(f["String"]), []
    for action in _items(f["Actions"]):
        kind, side, char = re.fullmatch(r"(push|pop)_(left|right)(?:\((\w)\))?", action).groups()  # type: ignore[union-attr]
        if kind == "push":
            (now.appendleft if side == "left" else now.append)(char)
        elif now:
            (now.popleft if side == "left" else now.pop)()
        out.append("".join(now))
    return out


def rotate(f: dict[str, str]) -> list[Any]:
    now, out = f["String"], []
    for m, n in _numbers(f["Pairs"]):
        place = {i: i for i in range(len(now))} | {i + 1: i for i in range(m, n - 1)} | {m: n - 1}
        now = "".join(now[place[i]] for i in range(len(now)))
        out.append(now)
    return out


def fill_word(f: dict[str, str]) -> list[Any]:
    now, out = f["Sentence"].split(" "), []
    for number, word in _pairs(f["Pairs"]):
        now[now.index(f"[{number}]")] = word
        out.append(" ".join(now))
    return out


def delete_char(f: dict[str, str]) -> list[Any]:
    now, out = f["String"], []
    for c in _items(f["Characters"]):
        before, _, after = now.partition(c)
        now = before + after
        out.append(now)
    return out


def delete_word(f: dict[str, str]) -> list[Any]:
    now, out = f" {f['Sentence']} ", []
    for word in _items(f["Words"]):
        now = now.replace(f" {word} ", " ", 1)
        out.append(now.strip())
    return out


def cumulate(f: dict[str, str]) -> list[Any]:
    a, out = int(f["Number"]), []
    for kind, n in (op.split() for op in _items(f["Operations"])):
        # The number that a line of slope n, or a shift by n, takes a to.
        a = int(n) * a if kind == "Multiply" else sum([a, int(n)])
        out.append(a)
    return out


def move_cyclic(f: dict[str, str]) -> list[Any]:
    row, out = deque(f["Row"]), []
    for way, n in _pairs(f["Moves"]):
        row.rotate(int(n) if way == "right" else -int(n))
        out.append("".join(row))
    return out


def find_cyclic(f: dict[str, str]) -> list[Any]:
    letter, counter = _items(f["Start"])
    row = deque(f["Row"])
    while row[0] != letter:
        row.rotate(-1)
    out: list[Any] = []
    for left in range(int(counter) - 1, -1, -1):
        row.rotate(-1)
        out.append([row[0], str(left)] if left else row[0])
    return out


SOLVERS: dict[str, Callable[[dict[str, str]], list[Any]]] = {
    "Sort the characters": sort,
    "Build a string from parts": gather,
    "Go through strings in order": count,
    "Count short substrings": search,
    "Join strings of a list": copy,
    "Replace the characters": substitute,
    "Encode a string of bits": encode,
    "Cut a string into segments. Go through the positions": split1,
    "Cut a string into segments. Go through the pairs": split2,
    "Rewrite a list of characters": compose,
    "Rewrite a string by rules": decompose,
    "Interleave two sequences": rhythm,
    "Compare a target": compare,
    "Count the letters of words": count2,
    "Write out a sequence of bits": decode,
    "Carry out actions": push_pop,
    "Rotate parts of a string": rotate,
    "Fill the gaps": fill_word,
    "Delete characters": delete_char,
    "Delete words": delete_word,
    "Calculate with a running number": cumulate,
    "A row of places": move_cyclic,
    "Step along a row": find_cyclic,
}
