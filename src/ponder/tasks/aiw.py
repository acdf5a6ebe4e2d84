"""Alice in Wonderland (Nezhurina et al. 2024, arXiv 2406.02061): one trivial problem in variations that should not matter.

`ponder.bench.fluctuation` measures what a model makes of the variations.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np

from ponder.core.errors import InputError
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.tasks.aiw_families import FAMILIES, Variation, checked, drawn_variation, paper_variations
from ponder.tasks.base import Maker, Task, closest

PROMPTS = {
    "plain": "",
    "standard": 'Work out the answer, and finish with one line of the form "### Answer: " followed by the number.',
    "thinking": (
        "First think it through with care, step by step, and check each step of the way a second time. "
        'Then finish with one line of the form "### Answer: " followed by the number.'
    ),
    "restricted": 'Write nothing but one line of the form "### Answer: " followed by the number: no explanation, no other text.',
    "scientist": (
        "You are a scientist who is known for sound and careful reasoning. "
        'Work out the answer, and finish with one line of the form "### Answer: " followed by the number.'
    ),
    "confidence": (
        'Work out the answer, and write one line of the form "### Answer: " followed by the number. '
        'Then say how sure you are in a line of the form "### Confidence: " followed by a percentage.'
    ),
}
"""Response types of the paper, in our words; what a prompt says behind the problem."""

MOST = 60
"""The most drawn variations of a family."""
_DRAWS = 1000

Pattern = Literal["official", "strict"]


def parse_answer(text: str, pattern: Pattern = "official") -> str | None:
    """The number that a response gives, as its digits; None if it gives none.

    Args:
        text: the response.
        pattern: "official" takes the first number anywhere behind the first "answer:", else behind the first "has", which may be a number
            that the response only repeats from the problem. "strict" takes the number that stands directly behind the last "answer:".
    """
    flat = re.sub(r"[\r\n]", " ", text).lower()
    if pattern == "strict":
        found = re.findall(r"answer:[\s*_`\"'(\[$]*(\d+)(?![.,]?\d)", flat)
        return found[-1] if found else None
    if pattern != "official":
        raise InputError(f"a pattern is 'official' or 'strict', not {pattern!r}")
    hit = re.search(r"answer:.*?(\d+)", flat) or re.search(r"has.*?(\d+)", flat)
    return hit[1] if hit else None


def parse_expression(text: str) -> str | None:
    """ "M+1" if a response gives it, in either order; None otherwise."""
    flat = re.sub(r"[\s*_`$]", "", text).lower()
    return "M+1" if re.search(r"(?<![-+\w])(?:m\+1|1\+m)(?![-+*/\d])", flat) else None


def parse_confidence(text: str) -> float | None:
    """The confidence that a response to the prompt type "confidence" states, in [0, 1]; None if it states none."""
    found = re.findall(r"confidence:[\s*_`]*(\d+(?:\.\d+)?)[\s*_`]*%", text.lower())
    return min(1.0, float(found[-1]) / 100) if found else None


def problem_of(family: str, variation: Variation, prompt: str = "standard", distractor: str = "") -> Problem:
    """One problem of a family.

    Args:
        family: a name in `FAMILIES`.
        variation: its numbers and the order of its clauses.
        prompt: a name in `PROMPTS`.
        distractor: a sentence that has nothing to do with the question, put before it; "" for none.

    Returns:
        The problem. Its `data` says family, variation, prompt type, whether it is a control, and the numbers that its text holds.

    Raises:
        InputError: an unknown name, or numbers that the family cannot have.
    """
    if family not in FAMILIES:
        raise InputError(f"aiw: no family is called {family!r}; {closest(family, list(FAMILIES))}")
    if prompt not in PROMPTS:
        raise InputError(f"aiw: no prompt type is called {prompt!r}; {closest(prompt, list(PROMPTS))}")
    checked(family, variation.numbers)
    question = FAMILIES[family].write(variation)
    if distractor:
        question = f"{distractor} {question}"
    data = {
        "family": family,
        "variation": variation.name,
        "prompt": prompt,
        "control": FAMILIES[family].control,
        "numbers": re.findall(r"\d+", question),
    }
    text = f"{question}\n{PROMPTS[prompt]}".strip().replace("the number", "the expression" if family == "param" else "the number")
    return Problem(text, id=f"{family}-{variation.name}", reads="text" if family == "param" else "number", data=data)


def base_prompt(problem: Problem) -> str:
    """The two-line form for models that were not tuned to chat."""
    return f"### Problem: {problem.question.partition(chr(10))[0]}\n### Answer: "


def _distractor(rng: np.random.Generator) -> str:
    """A fact about Alice or Bob with a number from 10 to 19, which no answer to a small problem is likely to be."""
    facts = ("Alice has {} red pencils.", "Bob has read {} books this year.", "There are {} trees in the garden of Alice's school.")
    return facts[int(rng.integers(len(facts)))].format(int(rng.integers(10, 20)))


def _variations(family: str, kind: str, n: int, high: int, seed: int) -> list[Variation]:
    if kind in ("paper", "paper6"):
        return paper_variations(family, 6 if kind == "paper6" else 4)
    if kind != "fresh":
        raise InputError(f"aiw: variations is 'paper', 'paper6' or 'fresh', not {kind!r}")
    if family == "param":
        return paper_variations(family)
    if not 1 <= n <= MOST or not 2 <= high <= 99:
        raise InputError(f"aiw: n must be between 1 and {MOST} and high between 2 and 99, not n={n}, high={high}")
    rng = generator(seed, ("tasks", "aiw", family))
    found: dict[str, Variation] = {}
    for _ in range(_DRAWS):
        drawn = drawn_variation(family, f"R{len(found) + 1}", high, rng)
        found.setdefault(FAMILIES[family].write(drawn), drawn)
        if len(found) == n:
            return list(found.values())
    raise InputError(f"aiw: there are only {len(found)} different variations of {family!r} with numbers up to {high}, and n={n} were asked")


def _aiw(rest: str, options: dict[str, Any], limit: int | None, seed: int) -> Task:
    families = list(FAMILIES) if options["family"] == "all" else list(dict.fromkeys(options["family"].split("+")))
    unknown = next((f for f in families if f not in FAMILIES), None)
    if unknown is not None:
        raise InputError(f"aiw: no family is called {unknown!r}; {closest(unknown, [*FAMILIES, 'all'])}")
    problems: list[Problem] = []
    answers: dict[str, str] = {}
    rng = generator(seed, ("tasks", "aiw", "distractors"))
    for family in families:
        for variation in _variations(family, options["variations"], options["n"], options["high"], seed):
            problem = problem_of(family, variation, options["prompt"], _distractor(rng) if options["distractor"] else "")
            problems.append(problem)
            answers[problem.id] = str(FAMILIES[family].solve(variation.numbers))
    parser: Any = options["parser"]
    if parser != "number":
        parse_answer("", parser)

    def grade(problem: Problem, value: str | None, text: str) -> float:
        if problem.data["family"] == "param":
            value = parse_expression(text or value or "")
        elif text and parser != "number":
            value = parse_answer(text, parser)
        return float(value == answers[problem.id])

    kept = tuple(problems[:limit])
    return Task("", AIW.about, kept, {p.id: answers[p.id] for p in kept}, grader=grade)


AIW = Maker(
    "Alice in Wonderland: how many sisters does Alice's brother have, in variations that should not matter, and controls",
    _aiw,
    {
        "family": ("aiw", f"one of {', '.join(FAMILIES)}; several with + between them; or all"),
        "prompt": ("standard", f"one of {', '.join(PROMPTS)}"),
        "variations": ("paper", "paper (V1 to V4), paper6 (to V6) or fresh: numbers and orders drawn by the seed"),
        "n": (20, "how many drawn variations of each family"),
        "high": (8, "the largest drawn number"),
        "distractor": (0, "1 puts a sentence with a number before each problem that has nothing to do with it"),
        "parser": (
            "official",
            "official, the paper's; strict: only a number directly behind the last 'answer:' counts; number: as other tasks read one",
        ),
    },
)
