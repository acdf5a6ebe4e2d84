"""Tests that a model proposes, weighed by agreement: CodeT (Chen et al. 2022, arXiv 2207.10397)."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted
from ponder.core.language import Message, Request
from ponder.core.problem import Candidate
from ponder.core.terms import Range, registered
from ponder.programs.prompts import body
from ponder.sandbox import Limits, find
from ponder.scorers.base import Scorer, log
from ponder.scorers.code_tests import Backend, Seconds, check_of

_ASKED = "Do not write the program. Write {each} different tests of it, one a line, each of the form: assert FUNCTION(ARGUMENTS) == RESULT"
_BUILTINS = (
    "abs", "all", "any", "bool", "dict", "float", "int", "len", "list", "max", "min", "range", "round", "set", "sorted", "str", "sum",
    "tuple",
)  # fmt: skip
_PLAIN = (
    ast.Assert, ast.Compare, ast.cmpop, ast.Call, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp,
    ast.unaryop, ast.BinOp, ast.operator, ast.BoolOp, ast.boolop, ast.keyword,
)  # fmt: skip


@registered
class generated_tests(Scorer):
    """How many candidates agree on how many tests that a model proposes (CodeT, Chen et al. 2022, sec. 2.2).

    Candidates that pass the same tests are one group; the weight is the group's share of the candidates times the share of the tests
    that it passes. A wrong test is outvoted by the programs, a wrong program by the tests. It compares the candidates that it is given
    together: `sample(16) | weigh(generated_tests) | argmax()`. Programs and tests run in the sandbox.
    """

    n: Annotated[int, Range(1, 1000), "how often the model is asked for tests"] = 4
    each: Annotated[int, Range(1, 100), "how many tests are taken of each reply"] = 5
    temperature: Annotated[float, Range(0), "of the tests"] = 0.8
    model: Annotated[str, "which of the run's models writes tests; the first by default"] = ""
    backend: Backend = "auto"
    seconds: Seconds = 5.0

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> NDArray[np.float64]:
        tests = self.proposed(context)
        if not tests:
            context.trace.note("no reply held a test that can be used; the candidates were not weighed by generated tests")
            return np.zeros(len(candidates))
        shares = agreement(self.passes(candidates, tests, context))
        if not shares.any():
            context.trace.note(f"no candidate passes any of {len(tests)} generated tests; they were left out")
            return np.zeros(len(candidates))
        return log(shares)

    def passes(self, candidates: Sequence[Candidate], tests: tuple[str, ...], context: Context) -> NDArray[np.bool_]:
        """Which candidate passes which test in the sandbox, shape (n, tests); equal programs are run once."""
        values = list(dict.fromkeys(c.value for c in candidates if c.value is not None))
        checks = [check_of(context.problem, value, tests) for value in values]
        ran = find(self.backend).check(checks, Limits(seconds=self.seconds)) if checks else []
        none = (False,) * len(tests)
        passed = {v: o.passed or none for v, o in zip(values, ran, strict=True)}
        return np.array([passed.get(c.value or "", none) for c in candidates])

    def proposed(self, context: Context) -> tuple[str, ...]:
        """The different tests of n replies."""
        prompt = (Message("user", f"{body(context.problem)}\n\n{_ASKED.format(each=self.each)}"),)
        sampling = replace(context.sampling, temperature=self.temperature, stop=())
        (reply,) = context.generate([Request(prompt, n=self.n)], sampling, self.model)
        if not reply.completions:
            raise BudgetExhausted("the budget ended while tests were written")
        return tuple(dict.fromkeys(test for c in reply.completions for test in asserts_in(c.text)[: self.each]))


def agreement(passed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of candidates in each one's group, times the share of tests that it passes, shape (n,).

    Args:
        passed: which candidate passes which test, shape (n, tests). Equal rows are a group.
    """
    _, group, sizes = np.unique(passed, axis=0, return_inverse=True, return_counts=True)
    return sizes[group.reshape(-1)] / len(passed) * passed.mean(axis=1)


def asserts_in(text: str) -> list[str]:
    """The lines of a text that assert something of one function: calls of it and of harmless builtins, on literals; each once.

    Nothing else that a model writes is taken for a test, so that a test cannot change what others see.
    """
    found: dict[str, None] = {}
    for line in text.splitlines():
        try:
            tree = ast.parse(line.strip().strip("`"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if len(tree.body) == 1 and _tests_one_function(tree.body[0]):
            found[ast.unparse(tree)] = None
    return list(found)


def _tests_one_function(statement: ast.stmt) -> bool:
    nodes = list(ast.walk(statement))
    if not isinstance(statement, ast.Assert) or not all(isinstance(node, _PLAIN) for node in nodes):
        return False
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    return named == called and len(called.difference(_BUILTINS)) == 1
