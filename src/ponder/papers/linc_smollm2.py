"""SmolLM2 as a translator of whole problems: what kinds of failures there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ponder.core.language import LM
from ponder.front import ask
from ponder.lm.load import load
from ponder.papers.report import Check, Table
from ponder.tasks.logic import Made, problem_of

K = 4


def plumbing(problems: Sequence[Made], seed: int, lm: LM | None = None) -> tuple[list[Check], list[Table]]:
    """Translate a few problems, with and without repairs; no claim, only that every sample is accounted for.

    Args:
        problems: a few; a prompt has about a thousand tokens.
        seed: of the draws.
        lm: another model than SmolLM2.
    """
    lm = lm or load()
    rows: list[tuple[str, int, int, int, str]] = []
    drawn = 0
    for repairs in (0, 1):
        notes, usable, samples, right = Counter[str](), 0, 0, 0
        for i, m in enumerate(problems):
            asked = problem_of(m.premises, m.conclusion, str(i))
            answer = ask(asked, method=f"linc({K}, repairs={repairs}, max_tokens=500)", model=lm, seed=seed)
            items = [] if answer.population is None else [c for c in answer.population.items if c.finish]
            samples += len(items)
            usable += sum(c.value is not None for c in items)
            right += answer.value == asked.read(m.question.label)
            notes.update(note.rpartition("(")[2].rstrip(")") for note in answer.trace.notes if "cannot be used" in note)
        drawn += samples
        rows.append((f"{repairs} repairs", samples, usable, right, "; ".join(f"{n} x {kinds}" for kinds, n in notes.most_common(6))))
    wanted = 2 * K * len(problems)
    checks = [Check(f"{lm.name}: translations accounted for", f"{drawn} of {wanted}", "all", drawn == wanted, False)]
    columns = ("", "translations", "usable", f"right of {len(problems)}", "failures, problem by problem")
    return checks, [Table(f"{lm.name} translates {len(problems)} whole problems, {K} times each", columns, tuple(rows))]
