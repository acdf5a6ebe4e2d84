"""Reading a program, or a Python literal, off a text. Texts are parsed, never run."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, cast

_LONGEST = 50_000
"""Characters; a longer text is no answer. Python's parser is bounded in depth, not in time."""
_CUTS = 20
_FILE = "<answer>"
warnings.filterwarnings("ignore", category=SyntaxWarning, module=_FILE)  # what a model's program is warned of is nobody's business
_PYTHON = ("", "python", "py", "python3")
_ACTS = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.While, ast.If,
    ast.With, ast.Try, ast.Import, ast.ImportFrom, ast.Call,
)  # fmt: skip
_SAYS = re.compile(
    r"\b(?:answer|output|result|value|returns?)\b[ \t]*(?:of[ \t][^\n]{1,80}?)?[ \t]*(?:is|will be)?[ \t]*[:=]?[ \t]*|(?:==|=>|->|→)[ \t]*",
    re.IGNORECASE,
)


def read_code(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The program that a text gives, as it was written, without what surrounds it; None if there is none that parses.

    Of several fenced blocks it is the last one that defines something, else the last one. A text without fences is a program up to
    the line where it stops being one. An indented text is the rest of a function, and its indentation stays.
    """
    if len(text) > _LONGEST:
        return None
    blocks, fenced = _blocks(text)
    programs = [p for p in (_program(block) for block in (blocks if fenced else [text])) if p is not None]
    defining = [p for p in programs if re.search(r"^[ \t]*(?:def|class)\b", p, re.MULTILINE)]
    return (defining or programs or [None])[-1]


def _blocks(text: str) -> tuple[list[str], bool]:
    """The fenced blocks of Python or of no named language, and whether there is any fence. The last block may be unclosed."""
    blocks: list[str] = []
    fenced, wanted, margin = False, False, 0
    lines: list[str] | None = None
    for line in text.splitlines():
        bare = line.lstrip(" \t")
        if not bare.startswith(("```", "~~~")):
            if lines is not None:
                lines.append(line[margin:] if not line[:margin].strip() else line)
        elif lines is None:
            fenced, margin, lines = True, len(line) - len(bare), []
            wanted = bare.strip("`~ \t").partition(" ")[0].lower() in _PYTHON
        else:
            blocks += ["\n".join(lines)] if wanted else []
            lines = None
    if lines is not None and wanted:
        blocks.append("\n".join(lines))
    return blocks, fenced


def _program(code: str) -> str | None:
    """The code up to its last line that parses, as a module or as the rest of a function; None if nothing there does anything."""
    lines = code.rstrip().splitlines()
    while lines and not lines[0].strip():
        del lines[0]
    for _ in range(_CUTS):
        if not lines:
            return None
        whole = "\n".join(lines)
        indented = lines[0][:1] in (" ", "\t")
        try:
            tree = ast.parse(f"def _():\n{whole}" if indented else whole, _FILE)
        except SyntaxError as error:
            line = (error.lineno or 1) - 1 - indented
            lines = lines[: max(0, min(line, len(lines) - 1))]
            while lines and not lines[-1].strip():
                del lines[-1]
            continue
        except (ValueError, RecursionError, MemoryError):
            return None
        frame = tree.body[0] if indented else None  # the line put before the rest of a function does nothing
        return whole if any(isinstance(node, _ACTS) and node is not frame for node in ast.walk(tree)) else None
    return None


def read_literal(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """A Python literal (number, text, list, dict, ...) in one spelling: the whole text, or behind the last answer mark or equals sign.

    Sets are written in sorted order, dicts in their own. Types count: 1 and 1.0 and True are three answers.
    """
    if len(text) > _LONGEST:
        return None
    return next((found for part in _parts(text) if (found := _canonical(part)) is not None), None)


def _parts(text: str) -> Iterator[str]:
    yield text
    for mark in list(_SAYS.finditer(text))[-_CUTS:][::-1]:
        yield text[mark.end() :].partition("\n")[0]
        yield text[mark.end() :]
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("```", "~~~"))]
    yield from lines[-1:]


def _canonical(text: str) -> str | None:
    bare = text.strip().rstrip(".")  # of a sentence; "4." is read as 4
    for part in (bare, bare.strip("`*").strip()):
        try:
            return _plain(ast.literal_eval(ast.parse(part, _FILE, "eval")))
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _plain(value: Any) -> str:
    """The one spelling of a literal's value.

    Raises:
        ValueError, TypeError: if it has none: infinities, and what is no plain data.
    """
    if value is None or isinstance(value, bool | str | bytes | int):
        return repr(value)
    if isinstance(value, float | complex):
        number = complex(value)
        if not (math.isfinite(number.real) and math.isfinite(number.imag)):
            raise ValueError("not finite")
        return repr(value)
    if isinstance(value, dict):
        pairs = cast(dict[Any, Any], value).items()
        return f"{{{', '.join(f'{_plain(k)}: {_plain(v)}' for k, v in pairs)}}}"
    if not isinstance(value, list | tuple | set):
        raise TypeError("not a literal")
    inner = [_plain(v) for v in cast(Iterable[Any], value)]
    if isinstance(value, list):
        return f"[{', '.join(inner)}]"
    if isinstance(value, tuple):
        return f"({', '.join(inner)}{',' * (len(inner) == 1)})"
    return f"{{{', '.join(sorted(inner))}}}" if inner else "set()"
