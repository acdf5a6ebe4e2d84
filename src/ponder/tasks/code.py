"""Tasks about programs: HumanEval, MBPP, CRUXEval, and labelled solutions of HumanEval. What a model wrote runs in the sandbox only.

The files in `data/` are extracts of the published sets; `data/LICENSES.md` says whose they are and under which licence.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

from ponder.core.code_reading import read_literal
from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.sandbox import Raised, find
from ponder.scorers.code_tests import outcomes
from ponder.tasks.base import Maker, Task, subset

Row = dict[str, Any]

_HUMANEVAL_STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(")
_MBPP_STOPS = ("\nclass ", "\nassert ", "\nif ", "\nprint(", '\n"""')
_STYLES = ("plain", "cot", "continue")


@cache
def rows(name: str) -> tuple[Row, ...]:
    """The rows of a file in `data/`."""
    text = resources.files("ponder.tasks").joinpath("data", f"{name}.jsonl").read_text(encoding="utf-8")
    return tuple(json.loads(line) for line in text.splitlines())


def passes(problem: Problem, value: str | None, text: str = "") -> float:
    """The grader of programs: 1 if the answer passes all the problem's tests, in the sandbox."""
    (outcome,) = outcomes(problem, [value])
    return float(outcome is not None and outcome.all_passed)


def split_tests(source: str, check: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Test code as (setup, tests), one test an assertion.

    Args:
        source: trusted code; its top level asserts, or the function `check` does, whose argument is called `candidate`.
        check: the name of the function that `check` is called with. A function that does more than assert stays one test.
    """
    tree = ast.parse(source.replace("\r\n", "\n"))
    asserts = [node for node in tree.body if isinstance(node, ast.Assert)]
    if check is None:
        return _code([node for node in tree.body if not isinstance(node, ast.Assert)]), tuple(_code([node]) for node in asserts)
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    if not all(isinstance(node, ast.Assert) for node in body):
        return _code(tree.body), (f"check({check})",)
    telling = [node for node in body if not (isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant))]
    setup = _code([node for node in tree.body if node is not function])
    return setup, tuple(f"candidate = {check}\n{_code([node])}" for node in telling)


def _code(nodes: list[ast.stmt]) -> str:
    return ast.unparse(ast.Module(nodes, []))


def shown_tests(prompt: str, function: str) -> tuple[str, ...]:
    """The examples in a function's docstring as tests: calls after >>> with the line below, and `call == value` (or -> or "returns").

    Only examples whose result is a literal are taken.
    """
    (node,) = [n for n in ast.parse(prompt).body if isinstance(n, ast.FunctionDef) and n.name == function]
    lines = [line.strip() for line in (ast.get_docstring(node) or "").splitlines()]
    pairs = [(line[3:].strip(), below) for line, below in pairwise([*lines, ""]) if line.startswith(">>>")]
    inline = re.compile(rf".*?({re.escape(function)}\(.*\))\s*(?:==|=>|->|➞|=|returns?|should (?:return|be))\s*(.+?)\.?")
    pairs += [(m[1], m[2]) for line in lines if (m := inline.fullmatch(line))]
    return tuple(dict.fromkeys(f"assert {call} == {value}" for call, value in pairs if _is_example(call, value, function)))


def _is_example(call: str, value: str, function: str) -> bool:
    try:
        parsed = ast.parse(call, mode="eval").body
        ast.literal_eval(value)
    except (SyntaxError, ValueError, TypeError):
        return False
    names = {n.id for n in ast.walk(parsed) if isinstance(n, ast.Name)}
    return function in names and all(hasattr(builtins, name) for name in names - {function})


def humaneval_problem(row: Row, style: str = "plain") -> Problem:
    """A row of HumanEval (task_id, prompt, entry_point, test) as a problem; the answer is the whole function or its body."""
    setup, tests = split_tests(row["test"], row["entry_point"])
    before = row["prompt"].partition(f"def {row['entry_point']}(")[0]
    if "def " in before:  # the tests' own copies of the prompt's helpers, which an answer cannot redefine
        setup = f"{before}\n{setup}"
    shown = shown_tests(row["prompt"], row["entry_point"])
    data = {"prefix": row["prompt"], "tests": tests, "setup": setup, "shown": shown, "entry_point": row["entry_point"]}
    # A base model that is given the last line break too begins another block instead of the body.
    asked, stop = (row["prompt"].rstrip(), _HUMANEVAL_STOPS) if style == "continue" else (row["prompt"], ())
    return Problem(asked, row["task_id"], reads="code", style=style, stop=stop, data=data)


def mbpp_problem(row: Row, style: str = "plain") -> Problem:
    """A row of MBPP (task_id, prompt, test) as a problem that shows its tests, as published."""
    setup, tests = split_tests(row["test"])
    shown, data = "\n".join(tests), {"tests": tests, "setup": setup}
    if style == "continue":
        begun = f'"""\n{row["prompt"]}\n{shown}\n"""'
        return Problem(begun, row["task_id"], reads="code", style=style, stop=_MBPP_STOPS, data=data)
    asked = f"{row['prompt']} It has to pass these tests:\n\n{shown}"
    return Problem(asked, row["task_id"], reads="code", style=style, data=data)


def _programs(name: str, about: str, problem: Callable[[Row, str], Problem], gold: str, options: Mapping[str, tuple[Any, str]]) -> Maker:
    def make(rest: str, given: dict[str, Any], limit: int | None, seed: int) -> Task:
        style = _one_of(name, "style", given["style"], _STYLES)
        shown = _one_of(name, "tests", given.get("tests", "all"), ("all", "shown")) == "shown"
        found = [(row, problem(row, style)) for row in rows(name)]
        chosen = subset([(row, p) for row, p in found if not shown or p.data["shown"]], limit, seed)
        whole = {p.id: p for _, p in chosen}

        def grade(problem: Problem, value: str | None, text: str = "") -> float:
            return passes(whole[problem.id], value, text)

        asked = tuple(replace(p, data={**p.data, "tests": p.data["shown"]}) if shown else p for _, p in chosen)
        return Task(name, about, asked, {row["task_id"]: row.get(gold, "") for row, _ in chosen}, grader=grade)

    return Maker(about, make, options)


def _one_of(task: str, option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise InputError(f"{task}: {option} must be one of {', '.join(known)}, not {value!r}")
    return value


def _output_problem(row: Row) -> Problem:
    question = f"```python\n{row['function']}\n```\n\nWhat does f({row['input']}) return?"
    return Problem(question, row["task_id"], reads="literal", style="cot")


def _input_problem(row: Row) -> Problem:
    question = (
        f"```python\n{row['function']}\n```\n\nFind arguments for which f returns {row['output']}. "
        "Write one argument as a literal, several as a tuple."
    )
    return Problem(question, row["task_id"], reads="literal", style="cot", data={"function": row["function"], "output": row["output"]})


def _gives(problem: Problem, value: str | None, text: str = "") -> float:
    """1 if the function returns the wanted output for these arguments; in the sandbox."""
    if value is None:
        return 0.0
    function = ast.parse(problem.data["function"]).body[0]
    single = isinstance(function, ast.FunctionDef) and len(function.args.args) == 1 and function.args.vararg is None
    given = ast.literal_eval(value)
    arguments = given if isinstance(given, tuple) and not single else (given,)
    (found,) = find().calls(problem.data["function"], [("f", arguments)]).values or (Raised("it did not run"),)
    return float(not isinstance(found, Raised) and found == ast.literal_eval(problem.data["output"]))


def _cruxeval(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    predict = _one_of("cruxeval", "predict", options["predict"], ("output", "input"))
    chosen = subset(rows("cruxeval"), limit, seed)
    if predict == "output":
        answers = {row["task_id"]: read_literal(row["output"]) or row["output"] for row in chosen}

        def equal(problem: Problem, value: str | None, text: str = "") -> float:
            return float(value is not None and ast.literal_eval(value) == ast.literal_eval(answers[problem.id]))

        return Task("cruxeval", _CRUXEVAL, tuple(map(_output_problem, chosen)), answers, grader=equal)
    answers = {row["task_id"]: read_literal(row["input"]) or row["input"] for row in chosen}
    return Task("cruxeval", _CRUXEVAL, tuple(map(_input_problem, chosen)), answers, grader=_gives)


_CRUXEVAL = "what a Python function returns, or what it must be given; 800 functions (Gu et al. 2024)"

_HUMANEVAL = "functions to write from their docstrings, 164 problems (Chen et al. 2021)"
_MBPP = "short functions to write from a sentence and three tests, 500 problems (Austin et al. 2021)"

_STYLE = ("plain", 'how the prompt is written: "plain", "cot", or "continue" for a base model')
_TESTS = ("all", 'what the scorer `tests` runs: "all", the grader\'s own, or "shown", the examples that the question gives (128 problems)')

HUMANEVAL = _programs("humaneval", _HUMANEVAL, humaneval_problem, "canonical_solution", {"style": _STYLE, "tests": _TESTS})
MBPP = _programs("mbpp", _MBPP, mbpp_problem, "", {"style": _STYLE})
CRUXEVAL = Maker(_CRUXEVAL, _cruxeval, {"predict": ("output", 'what is asked for: "output" or "input"')})


@dataclass(frozen=True)
class Solution:
    """A program that a model wrote for a HumanEval problem, and whether it is right.

    Attributes:
        id: of the solution.
        task_id: of the HumanEval problem.
        model: which wrote it.
        right: whether it passes HumanEval's tests and the many more of EvalPlus 0.3.1.
        code: the program.
    """

    id: str
    task_id: str
    model: str
    right: bool
    code: str


def labelled_solutions() -> list[Solution]:
    """500 solutions of 118 HumanEval problems by 31 models, half of them right."""
    return [Solution(row["id"], row["task_id"], row["model"], row["passes"], row["solution"]) for row in rows("code_verifier")]
