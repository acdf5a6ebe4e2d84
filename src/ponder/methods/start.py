"""Methods that reason with a tool. (The stage that begins particles is called `start`; these carry names of their own.)"""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.terms import OneOf, Range
from ponder.methods.named import named
from ponder.programs.hints import HINTS
from ponder.stages import hinted, vote
from ponder.stages.hints import PLACES

Samples = Annotated[int, Range(1, 100_000), "how many completions to write; the most frequent answer wins"]


@named
def hint_infer(
    n: Samples = 1,
    rounds: Annotated[int, Range(1, 100), "the most hints in a completion: sequential compute"] = 1,
    where: Annotated[str, OneOf(tuple(PLACES)), "before the stop, behind a word of doubt, or both"] = "end",
    hints: Annotated[str, OneOf(tuple(HINTS)), "the library of hints"] = "math",
) -> Stage:
    """A model that does not use tools by itself is reminded that it may (Li et al. 2025, arXiv 2503.04625, section 3.1)."""
    return hinted(n, rounds=rounds, where=where, hints=hints) | vote()


@named
def tool_reasoning(n: Samples = 1) -> Stage:
    """A model that uses tools by itself, as START does after training (Li et al. 2025, arXiv 2503.04625, section 3.3)."""
    return hinted(n, where="none") | vote()
