"""SmolLM2 on made theories: how often its own answers are right, and what kinds of failures its translations have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ponder.bench.stats import paired_bootstrap, wilson
from ponder.core.language import LM
from ponder.core.seeds import derive
from ponder.front import ask
from ponder.lm.load import load
from ponder.papers.report import Check, Table
from ponder.tasks.logic import Made, problem_of

K, ASKED, TRANSLATED = 4, 36, 3
"""Samples of a problem, problems it answers, and problems it translates: a prompt to translate has about a thousand tokens."""
METHODS = {
    "answer at once": (f"sample({K}, style='plain', max_tokens=16) | vote()", ASKED),
    "step by step": (f"sample({K}, style='cot', max_tokens=200) | vote()", ASKED),
    "LINC": (f"linc({K}, max_tokens=500)", TRANSLATED),
    "LINC, one repair": (f"linc({K}, repairs=1, max_tokens=500)", TRANSLATED),
}


def real_model(
    problems: Sequence[Made], seed: int, lm: LM | None = None, linc: Sequence[float] | None = None
) -> tuple[list[Check], list[Table]]:
    """Ask the first problems by every method; no claim, only that every sample is accounted for.

    Args:
        problems: labels and depths should be as frequent as each other among the first `ASKED`.
        seed: of the draws.
        lm: another model than SmolLM2.
        linc: for each problem how right LINC is with an organism as its translator, for the paired differences.
    """
    lm = lm or load()
    rows: list[tuple[str | int | None, ...]] = []
    drawn = wanted = 0
    for name, (method, most) in METHODS.items():
        notes, usable, samples, right = Counter[str](), 0, 0, list[float]()
        for i, m in enumerate(problems[:most]):
            asked = problem_of(m.premises, m.conclusion, str(i))
            answer = ask(asked, method=method, model=lm, seed=derive(seed, (name, i)))
            items = [] if answer.population is None else [c for c in answer.population.items if c.finish]
            samples += len(items)
            usable += sum(c.value is not None for c in items)
            right.append(float(answer.value == asked.read(m.question.label)))
            notes.update(note.rpartition("(")[2].rstrip(")") for note in answer.trace.notes if "cannot be used" in note)
        n = len(problems[:most])
        kinds = "; ".join(f"{count} x {kind}" for kind, count in notes.most_common(6))
        less = None if linc is None else str(paired_bootstrap(list(linc)[:n], right))
        rows.append((name, n, str(wilson(int(sum(right)), n)), less, samples, usable, kinds))
        drawn, wanted = drawn + samples, wanted + K * n
    checks = [Check(f"{lm.name}: samples accounted for", f"{drawn} of {wanted}", "all", drawn == wanted, False)]
    columns = (
        "method",
        "problems",
        "accuracy (a guess has .333)",
        "LINC with an organism less it",
        "samples",
        "usable",
        "failures, problem by problem",
    )
    return checks, [Table(f"{lm.name}, vote of {K} samples", columns, tuple(rows))]
