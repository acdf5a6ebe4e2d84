"""False positives without a language model: mutants of HumanEval's solutions, the shipped tests against those and 200 more inputs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.bench.limits import false_positives
from ponder.bench.mutants import mutate
from ponder.bench.program_inputs import Arguments, inputs_of_tests, more_inputs, same_value
from ponder.core.errors import EngineError, MissingExtra
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.papers.report import Check, Table
from ponder.papers.sampling.flaws_parts import Checked, bucket_part, rate_table, reward_part
from ponder.sandbox import Limits, Raised, Sandbox, find
from ponder.scorers.code_tests import check_of
from ponder.tasks.base import subset
from ponder.tasks.code import humaneval_problem, rows

RATES = (0.2, 0.4, 0.6, 0.8, 0.9)
MIDDLE = 0.6
OPERATORS = ("comparison", "constant", "arithmetic", "branch", "result")
LIMITS = Limits(seconds=2.0)
WORKERS = 2
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Subject:
    """A HumanEval problem with its solution, and the inputs that the strong checker adds to its tests.

    Attributes:
        problem: with the shipped tests.
        source: the canonical solution with its prompt.
        calls: new inputs, (function, arguments) each, for which the solution raises nothing.
        values: what the solution gives for them.
    """

    problem: Problem
    source: str
    calls: tuple[tuple[str, Arguments], ...]
    values: tuple[Any, ...]


def mutants_part(
    problems: int | None, n: int, inputs: int, seed: int, operators: Sequence[str] = OPERATORS
) -> tuple[list[Check], list[Table]]:
    """Five models that are right at graded rates, and one for each single operator.

    Args:
        problems: how many of HumanEval's; all if None.
        n: samples of each.
        inputs: how many new ones the strong checker has.
        seed: of all draws.
        operators: those that have a model of their own, all at one rate.
    """
    box = sandbox()
    chosen, left_out = subjects(box, problems, inputs, seed)
    models = {f"right at rate {rate:g}": (rate, None) for rate in RATES}
    single = {f"only {name}": (MIDDLE, (name,)) for name in operators}
    drawn = {name: samples(chosen, *how, n, seed, name) for name, how in (models | single).items()}
    found = judged(box, chosen, drawn)
    graded = {name: found[name] for name in models}
    middle = f"right at rate {MIDDLE:g}"
    _, rewarding, rewards = reward_part(found[middle], f"mutants, {middle}", seed)
    rising, buckets = bucket_part(found[middle], f"mutants, {middle}")
    shape = f"{len(chosen)} HumanEval problems x {n} samples, {len(left_out)} problems left out ({', '.join(left_out) or 'none'})"
    tables = [rate_table(graded, f"Mutants: {shape}"), rewards, buckets]
    if single:
        alone = {name: found[name] for name in single}
        tables.append(rate_table(alone, f"Mutants of one operator, right at rate {MIDDLE:g}; correlation {correlation(alone):.2f}"))
    return [*mutant_checks(graded), *rewarding, *rising], tables


def correlation(found: dict[str, Checked]) -> float:
    """Pearson's, of the accuracy of one sample with the ceiling, over models; 0 where either does not vary."""
    reports = [false_positives(c.weak, c.strong) for c in found.values()]
    table = np.array([(r.accuracy, r.ceiling or 0.0) for r in reports])
    return float(np.corrcoef(table.T)[0, 1]) if table.std(axis=0).all() else 0.0


def mutant_checks(found: dict[str, Checked]) -> list[Check]:
    """False positives exist, they put a ceiling below 1, and it is lower for weaker models."""
    reports = [false_positives(c.weak, c.strong) for c in found.values()]
    hit = np.any([(c.weak & ~c.strong).any(axis=1) for c in found.values()], axis=0)
    highest = max(r.ceiling or 0.0 for r in reports)
    shown = ", ".join(f"{r.accuracy:.3f}: {r.ceiling or 0:.4f}" for r in reports)
    together = correlation(found)
    return [
        Check("mutants: share of problems with one that passes the tests only", float(hit.mean()), "above 0", bool(hit.any())),
        Check("mutants: accuracy of one sample: ceiling, weakest model first", shown, "every ceiling below 1", highest < 1),
        Check("mutants: correlation of accuracy and ceiling over 5 models", together, "at least .6 (.8 expected)", together >= 0.6),
    ]


def sandbox() -> Sandbox:
    """CPython's, since the values of calls matter; else the one there is."""
    try:
        return find("bubblewrap")
    except (MissingExtra, EngineError):
        return find()


def subjects(box: Sandbox, limit: int | None, inputs: int, seed: int) -> tuple[list[Subject], list[str]]:
    """HumanEval's problems with `inputs` new inputs each (fewer where the solution fails on more), and the ids of those without any."""
    chosen, left_out = [], []
    for row in subset(rows("humaneval"), limit, seed):
        problem = humaneval_problem(row)
        source, name = row["prompt"] + row["canonical_solution"], row["entry_point"]
        known = inputs_of_tests((row["test"],), ("candidate", name))
        new = more_inputs(known, inputs + inputs // 2, generator(seed, ("flaws", "inputs", row["task_id"])))
        calls = [(name, arguments) for arguments in new]
        held = [(c, v) for c, v in zip(calls, _values(box, source, calls), strict=True) if not isinstance(v, Raised)][:inputs]
        if held:
            chosen.append(Subject(problem, source, tuple(c for c, _ in held), tuple(v for _, v in held)))
        else:
            left_out.append(row["task_id"])
    return chosen, left_out


def _values(box: Sandbox, source: str, calls: Sequence[tuple[str, Arguments]], deaths: int = 3) -> list[Any]:
    """What each call gives. Calls that end the run count as raised; after a few of those the rest does."""
    values: list[Any] = []
    while len(values) < len(calls) and deaths:
        values += box.calls(source, calls[len(values) :], LIMITS).values
        if len(values) < len(calls):
            values.append(Raised("the run ended"))
            deaths -= 1
    return values + [Raised("the run ended")] * (len(calls) - len(values))


def samples(chosen: Sequence[Subject], rate: float, operators: Sequence[str] | None, n: int, seed: int, name: str) -> list[list[str]]:
    """n programs a problem: the solution with probability `rate`, else a mutant of 1 to 3 changes, more for weaker models."""
    drawn = []
    for subject in chosen:
        rng = generator(seed, ("flaws", "samples", name, subject.problem.id))
        drawn.append([subject.source if rng.random() < rate else _mutant(subject.source, rate, operators, rng) for _ in range(n)])
    return drawn


def _mutant(source: str, rate: float, operators: Sequence[str] | None, rng: np.random.Generator) -> str:
    for _ in range(1 + int(rng.binomial(2, 1 - rate))):
        source = mutate(source, rng, operators) or mutate(source, rng) or source
    return source


def judged(box: Sandbox, chosen: Sequence[Subject], drawn: dict[str, list[list[str]]]) -> dict[str, Checked]:
    """Every sample under both checkers, each different program of a problem run once."""
    pairs = list(dict.fromkeys((i, text) for per in drawn.values() for i, texts in enumerate(per) for text in texts))
    outcomes = box.check([check_of(chosen[i].problem, text) for i, text in pairs], LIMITS)
    weak = {pair: outcome.all_passed for pair, outcome in zip(pairs, outcomes, strict=True)}
    passed = [pair for pair in pairs if weak[pair]]
    with ThreadPoolExecutor(WORKERS) as pool:
        strong = dict(zip(passed, pool.map(lambda pair: _agrees(box, chosen[pair[0]], pair[1]), passed), strict=True))

    def table(per: list[list[str]], verdicts: dict[tuple[int, str], bool]) -> Bools:
        return np.array([[verdicts.get((i, text), False) for text in texts] for i, texts in enumerate(per)])

    return {name: Checked(table(per, weak), table(per, strong)) for name, per in drawn.items()}


def _agrees(box: Sandbox, subject: Subject, source: str) -> bool:
    if source == subject.source:
        return True
    values = box.calls(source, subject.calls, LIMITS).values
    return len(values) == len(subject.values) and all(same_value(a, b) for a, b in zip(values, subject.values, strict=True))
