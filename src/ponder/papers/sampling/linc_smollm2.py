"""SmolLM2 on made theories: its own answers, and what kinds of failures its translations have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ponder.core.language import LM
from ponder.front import ask
from ponder.lm.load import load
from ponder.papers.report import Check, Table
from ponder.tasks.logic import Made, problem_of

K = 4
METHODS = {
    "answer at once": f"sample({K}, style='plain', max_tokens=16) | vote()",
    "step by step": f"sample({K}, style='cot', max_tokens=200) | vote()",
    "LINC": f"linc({K}, max_tokens=500)",
    "LINC, one repair": f"linc({K}, repairs=1, max_tokens=500)",
}


def plumbing(problems: Sequence[Made], seed: int, lm: LM | None = None) -> tuple[list[Check], list[Table]]:
    """Ask a few problems by every method; no claim, only that every sample is accounted for.

    Args:
        problems: a few; a prompt to translate has about a thousand tokens.
        seed: of the draws.
        lm: another model than SmolLM2.
    """
    lm = lm or load()
    rows: list[tuple[str, int, int, int, str]] = []
    for name, method in METHODS.items():
        notes, usable, samples, right = Counter[str](), 0, 0, 0
        for i, m in enumerate(problems):
            asked = problem_of(m.premises, m.conclusion, str(i))
            answer = ask(asked, method=method, model=lm, seed=seed)
            items = [] if answer.population is None else [c for c in answer.population.items if c.finish]
            samples += len(items)
            usable += sum(c.value is not None for c in items)
            right += answer.value == asked.read(m.question.label)
            notes.update(note.rpartition("(")[2].rstrip(")") for note in answer.trace.notes if "cannot be used" in note)
        rows.append((name, samples, usable, right, "; ".join(f"{n} x {kinds}" for kinds, n in notes.most_common(6))))
    drawn, wanted = sum(row[1] for row in rows), len(METHODS) * K * len(problems)
    checks = [Check(f"{lm.name}: samples accounted for", f"{drawn} of {wanted}", "all", drawn == wanted, False)]
    columns = ("method", "samples", "usable", f"right of {len(problems)}", "failures, problem by problem")
    return checks, [Table(f"{lm.name}, {len(problems)} problems, {K} samples each", columns, tuple(rows))]
