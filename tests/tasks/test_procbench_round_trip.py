"""All 5,520 prompts of the default task, followed by the second interpreter, give the labels."""

from __future__ import annotations

import pytest
from tests.tasks.procbench_interpreter import SOLVERS, follow

from ponder.tasks.procbench import PROCEDURES, draw, label


def test_there_are_as_many_interpreters_as_procedures() -> None:
    assert len(SOLVERS) == len(PROCEDURES) == 23


@pytest.mark.parametrize("number", PROCEDURES)
def test_the_prompt_alone_gives_the_label(number: int) -> None:
    for k in range(2, 26):
        for index in range(10):
            procedure = draw(number, k, 0, index)
            right = label(procedure)
            intermediate, final = follow(procedure.prompt())
            assert (intermediate, final) == (list(right.intermediate), right.final), procedure.question()
            assert len(intermediate) == k - 1
            assert type(final) is type(right.final)
