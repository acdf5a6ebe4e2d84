"""Problems of reasoning-gym's generators, graded by the generators' own scorers.

Several scorers evaluate the answer as Python. A model's text is admitted to them only if it is plain arithmetic or a plain
literal, so that nothing in it is ever run.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import sys
from typing import Any

from ponder.core.errors import InputError, need
from ponder.core.problem import Problem
from ponder.core.reading import READERS, after_mark, marked
from ponder.tasks.base import Maker, Task, closest, whole

_OWN = ("possible_answer", "example_answer", "example_correct_answer")
"""Where generators without an `answer` keep one that is right."""


def _gym(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    need("reasoning_gym", "tasks")
    from reasoning_gym.factory import DATASETS

    if rest not in DATASETS or rest == "composite":
        known = sorted(set(DATASETS) - {"composite"})
        raise InputError(f"reasoning-gym has no generator {rest!r}; " + (closest(rest, known) if rest else f"there are {', '.join(known)}"))
    partial = _truth("partial", options.pop("partial", "false"))
    n = whole(f"gym:{rest}: n", options.pop("n", "50"))
    if n < 1:
        raise InputError(f"gym:{rest}: n must be at least 1, not {n}")
    n = n if limit is None else min(n, limit)
    kind, config = DATASETS[rest]
    settings = _settings(rest, config, options)
    try:
        data = kind(config=config(seed=seed, size=n, **settings))
        entries = [data[i] for i in range(n)]
    except (AssertionError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"gym:{rest} refuses these options: {error}") from error
    golds = [_gold(rest, data, entry, i) for i, entry in enumerate(entries)]
    reads = _reader(golds)
    problems = tuple(Problem(entry["question"], id=f"{seed}-{i}", reads=reads, style="cot") for i, entry in enumerate(entries))
    by_id = {p.id: (entry, gold) for p, entry, gold in zip(problems, entries, golds, strict=True)}
    guard = _guard(kind)

    def grader(problem: Problem, value: str | None, text: str) -> float:
        entry, gold = by_id[problem.id]
        texts = _answers(problem, value, text, gold)
        score = max((_score(data, entry, t) for t in texts if t == gold or _admitted(t, guard)), default=0.0)
        return score if partial else float(score >= 1.0)

    return Task("", f"reasoning-gym's {rest}", problems, {p.id: gold for p, gold in zip(problems, golds, strict=True)}, 0.0, grader)


def _settings(name: str, config: Any, options: dict[str, str]) -> dict[str, Any]:
    """Options as the generator's configuration wants them: JSON where the text is JSON, else the text."""
    fields = [f.name for f in dataclasses.fields(config) if f.name not in ("seed", "size")]
    values: dict[str, Any] = {}
    for key, text in options.items():
        if key not in fields:
            raise InputError(f"gym:{name} has no option {key!r}; {closest(key, [*fields, 'n', 'partial'])}")
        try:
            values[key] = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
        except ValueError:
            values[key] = text
    return values


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InputError(f"{name} must be true or false, not {text!r}")
    return text.lower() == "true"


def _gold(name: str, data: Any, entry: dict[str, Any], index: int) -> str:
    """The generator's own answer, which its scorer must accept in full.

    Raises:
        InputError: if it does not: then nothing the scorer says can be trusted.
    """
    own = [entry["answer"], *(entry["metadata"].get(key) for key in _OWN)]
    texts = [answer if isinstance(answer, str) else json.dumps(answer) for answer in own if answer is not None]
    for text in texts:
        if _score(data, entry, text) >= 1.0:
            return text
    said = f"its own answer {texts[0][:60]!r} scores {_score(data, entry, texts[0])}" if texts else "it gives no answer of its own"
    raise InputError(f"gym:{name} cannot be graded: on problem {index} {said}, so its scorer cannot be checked")


def _score(data: Any, entry: dict[str, Any], text: str) -> float:
    try:
        return float(data.score_answer(text, entry))
    except Exception:  # scorers raise anything on texts they did not expect; such a text is no answer
        return 0.0


def _reader(golds: list[str]) -> str:
    if all(re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", gold) for gold in golds):
        return "number"
    if all(gold.lower() in ("yes", "no", "true", "false") for gold in golds):
        return "boolean"
    return "text"


def _answers(problem: Problem, value: str | None, text: str, gold: str) -> list[str]:
    """The texts to show to the scorer: for numbers and truth values the value, else what the text marks as its answer, raw."""
    if value is None:
        return []
    if problem.reads != "text":
        return [gold] if value == READERS[problem.reads](gold, ()) else [value]
    raw = text or value
    mark = marked(raw)
    if mark is None:
        return list(dict.fromkeys([raw.strip(), raw.strip().rpartition("\n")[2].strip()]))
    bare = re.sub(r"^[\s*`$]+|[\s*`$]+$", "", mark)
    below = (after_mark(raw) or mark).strip().strip("`*").strip()
    return list(dict.fromkeys([bare, bare.rstrip("."), below]))


def _guard(kind: Any) -> str:
    """What a generator's scorer does with an answer: "symbols" (sympy parses it), "literal" (Python evaluates it), or "" (neither)."""
    source = inspect.getsource(sys.modules[kind.__module__])
    if "sympy" in source and re.search(r"parse_expr\(answer|sympify\(answer", source):
        return "symbols"
    return "literal" if re.search(r"\beval\(answer|\bexec\(answer", source) else ""


_LITERAL = (ast.Expression, ast.List, ast.Tuple, ast.Constant, ast.Load, ast.UnaryOp, ast.USub, ast.UAdd)
_SYMBOLS = (*_LITERAL[:1], *_LITERAL[3:], ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Name, ast.Call)
_FUNCTIONS = frozenset(["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "ln", "sqrt", "Abs", "pi", "E"])


def _admitted(text: str, guard: str) -> bool:
    """Whether a text may be shown to a scorer that evaluates it."""
    if not guard:
        return len(text) <= 100_000
    if len(text) > 2000:
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return guard == "literal"  # what Python cannot parse it cannot run; sympy's own syntax is wider
    return all(_plain(node, guard) for node in ast.walk(tree))


def _plain(node: ast.AST, guard: str) -> bool:
    if guard == "literal":
        return isinstance(node, _LITERAL)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        return isinstance(power, ast.Constant) and isinstance(power.value, int | float) and abs(power.value) <= 64
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
    if isinstance(node, ast.Name):
        return len(node.id) == 1 or node.id in _FUNCTIONS
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    return isinstance(node, _SYMBOLS)


GYM = Maker("any generator of reasoning-gym, graded by its own scorer", _gym, form="gym:GENERATOR[,n=50,partial=true]")
