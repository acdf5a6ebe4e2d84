"""What critics, rankers, fusers, verifiers and testers are asked: the prompts of layered methods.

The wordings are ours; what each asks for is that of Archon's components (Saad-Falcon et al. 2024, arXiv 2409.15254).
"""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.language import Message, Prompt
from ponder.core.problem import Candidate, Problem
from ponder.programs.prompts import body

CRITICISE = (
    "Say of each answer what is good and what is wrong about it, in a few sentences. Begin what you say of an answer on a line of its own "
    "with its number in brackets, as in [1]."
)
CRITICISE_ONE = "Say what is good and what is wrong about this answer, in a few sentences."
RANK = "Rank all {n} answers from best to worst. Write the ranking first, on one line, as in [2] > [1]."
PICK = "Compare the answers. End with the number of the best one alone, in brackets, as in [1]."
COMPARE = "Which answer is better? Reply with [A], [B], or [tie] if they are equally good."
FUSE = (
    "Some of these answers may be wrong or incomplete. Weigh them against each other{critiques}, and write the one answer that you would "
    "give instead. Do not mention the answers or their numbers."
)
REASONS = "Give the reasons why this answer is right, step by step."
VERDICT = "Check this answer. Think briefly, then end with [Correct] if it is right, or [Incorrect] if it is not."
VERDICT_AFTER = "Given these reasons, end with [Correct] if the answer is right, or [Incorrect] if it is not."
PROPOSE_TESTS = (
    "Do not answer the question. Write {n} different statements, one a line and numbered as in [1], that a right answer must satisfy and a "
    "wrong one might not."
)
JUDGE_TESTS = (
    "For each numbered statement write, on a line of its own, its number and whether the answer satisfies it: [1] pass or [1] fail."
)
FEEDBACK = "List the errors of this answer. If it has none, reply with: No error"
REWRITE = "Write the whole answer again with these errors mended. Do not mention the earlier answer."

OBSERVE = (
    "Do not answer the question yet. Write {n} different observations that help to answer it, one a line and numbered as in [1]: "
    "properties, special cases, ideas."
)
PLAN = "Write a plan for answering the question that makes use of what was observed, in a few sentences. Do not carry it out."


def ask(problem: Problem, shown: str, wanted: str) -> Prompt:
    """A question, what was answered to it, and what is wanted, as one turn."""
    return (Message("user", "\n\n".join(part for part in (f"Question: {body(problem)}", shown, wanted) if part)),)


def listed(candidates: Sequence[Candidate], critiques: bool = True) -> str:
    """Answers numbered from 1, each with its critique if it has one and they are wanted."""
    parts: list[str] = []
    for i, candidate in enumerate(candidates, 1):
        said = f"\nCritique of [{i}]: {candidate.critique.strip()}" if critiques and candidate.critique else ""
        parts.append(f"[{i}] {candidate.text.strip()}{said}")
    return "\n\n".join(parts)


def alone(candidate: Candidate) -> str:
    """One answer."""
    return f"Proposed answer: {candidate.text.strip()}"


def beside(first: Candidate, second: Candidate) -> str:
    """Two answers, named A and B."""
    return f"[A] {first.text.strip()}\n\n[B] {second.text.strip()}"
