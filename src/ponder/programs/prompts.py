"""From a problem to the prompt a model reads, by style."""

from __future__ import annotations

from string import ascii_uppercase

from ponder.core.errors import InputError
from ponder.core.language import Message, Prompt
from ponder.core.problem import Problem

STYLES = {
    "plain": "the question as the user's turn of a chat",
    "cot": "the question with a request to think step by step and to end in 'The answer is ...' (zero-shot chain of thought)",
    "reflect": "as cot, with a request to check the solution and to correct it before the answer is given",
    "reread": "as cot, with the question written twice (re-reading)",
    "continue": "the question as plain text, for a base model to continue: a program that is begun",
    "few-shot": "the problem's worked examples as Q/A text, then the question, for the model to continue",
}

_THINKS = {
    "cot": "Think step by step.",
    "reflect": "Think step by step. Then check every step, and correct what is wrong.",
    "reread": "Think step by step.",
}
_HINTS = {
    "number": "The answer is a number.",
    "choice": "Answer with the letter of the right option.",
    "boolean": "Answer yes or no.",
    "math": "Put the final answer in \\boxed{}.",
    "code": "Write the whole program, with its imports, in one ```python block.",
    "literal": "Answer with a Python literal.",
}


def write_prompt(problem: Problem, style: str | None = None) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt for a problem and the texts that end a completion of it.

    Args:
        problem: what is asked.
        style: a name in `STYLES`; the problem's own by default.

    Raises:
        InputError: for an unknown style, or few-shot without examples.
    """
    chosen = style or problem.style
    if chosen not in STYLES:
        raise InputError(f"no prompt style is called {chosen!r}; there are {', '.join(STYLES)}")
    if chosen == "few-shot":
        return _few_shot(problem)
    if chosen == "continue":
        return body(problem), problem.stop
    earlier = () if isinstance(problem.prompt, str) else problem.prompt[:-1]
    parts = [body(problem)]
    if chosen == "reread":
        parts.append(f"Read the question again: {body(problem)}")
    if problem.reads in _HINTS and (chosen in _THINKS or problem.reads != "number"):
        parts.append(_HINTS[problem.reads])
    if chosen in _THINKS:
        end = "Write the program last." if problem.reads == "code" else "End with a line of the form: The answer is X."
        parts.append(f"{_THINKS[chosen]} {end}")
    return (*earlier, Message("user", "\n\n".join(parts))), problem.stop


def body(problem: Problem) -> str:
    """The question with its passages before and its options after it."""
    options = [f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, problem.choices, strict=False)]
    return "\n".join([*(f"{passage}\n" for passage in problem.context), problem.question, *options])


def _few_shot(problem: Problem) -> tuple[str, tuple[str, ...]]:
    if not problem.examples:
        raise InputError(f"the few-shot style needs worked examples, and the problem {problem.id or problem.question[:40]!r} has none")
    shots = "".join(f"Q: {question}\nA: {solution}\n\n" for question, solution in problem.examples)
    one_line = all("\n" not in solution for _, solution in problem.examples)
    return f"{shots}Q: {body(problem)}\nA:", (*problem.stop, "\n" if one_line else "\nQ:")
