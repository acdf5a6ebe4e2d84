"""Reproduction: ProcBench, multi-step reasoning and following procedure (Fujisawa et al. 2024, arXiv 2410.03117)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from ponder.bench.stats import Interval, bootstrap
from ponder.bench.steps import (
    Graded,
    Summary,
    against_steps,
    by_class,
    by_task,
    expected_after_errors,
    grade,
    grade_texts,
    steps_plot,
)
from ponder.core.errors import need
from ponder.core.language import LM, Request, Sampling
from ponder.core.problem import Problem
from ponder.core.seeds import derive
from ponder.core.steps import Steps
from ponder.lm.load import DEFAULT
from ponder.lm.load import load as load_model
from ponder.papers.benchmarks.nets import load_net, shipped
from ponder.papers.benchmarks.procbench_organism import measured
from ponder.papers.real_model import kept_calls
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.programs.prompts import write_prompt
from ponder.tasks import load
from ponder.tasks.procbench.compact import NUMBERS
from ponder.tasks.procbench.editing import Rotate, Sort
from ponder.tasks.procbench.lists import Compose, FindCyclic

SLUG = "procbench"
TITLE = "ProcBench: Benchmark for Multi-Step Reasoning and Following Procedure"
CLAIM = (
    "Following a procedure that is fully spelled out gets harder for every model as its steps increase: prefix accuracy and sequential "
    "match fall with the number of steps, and sequential match, which forgives nothing, falls faster."
)
TRAINED = 8
"""The longest runs that the organism learnt from."""
EXPECTED_SHORT, EXPECTED_LONG, FALLS, FEWEST = 0.9, 0.5, -0.8, 0.7
"""Set before the run: the prefix accuracy of short runs and of long ones, the rank correlation of steps and prefix accuracy, and the
prefix accuracy of short runs below which the organism follows too little for its fall to mean anything."""
REAL_TASKS, REAL_LENGTHS = (15, 19, 21), {2: 96, 4: 160, 8: 320, 16: 768}
"""What the real model is asked, and the tokens that it may write for each number of steps."""
PART = 12
"""Problems that the real model is asked side by side; a killed run loses at most so many answers."""
DRAWS = 20_000
GOLDEN = (
    (Sort("mrrdajhv"), "mrrdajhv arrdmjhv adrrmjhv adhrmjrv adhjmrrv"),
    (Rotate("mrrdajhv", ((2, 5), (1, 7), (1, 4))), "mrrdajhv mrardjhv mhrardjv mahrrdjv"),
    (
        Compose("gnjjzmqlw", (("ql", "q"), ("bv", "j"), ("jz", "o"), ("jj", "x"), ("om", "j"))),
        "gnjjzmqlw gnjjzmqw gnjomqw gnjjqw gnxqw",
    ),
    (FindCyclic("4r7wjmal", "l", 5), "l5 44 r3 72 w1 j"),
)
UNTESTED = "the published models' scores, and answers that a second model extracts; here answers are strict JSON"
NOTES = (
    f"The organism writes compact instances of the tasks {', '.join(map(str, NUMBERS))} whose states have at most 28 characters, and was "
    f"trained on runs of 2 to {TRAINED} steps: beyond, it extrapolates, so its fall there is not only an accumulation of errors.",
    f"The verdict is 'does not reproduce' if the prefix accuracy of short runs is below {FEWEST}: the organism is then too weak to show a "
    "fall, whatever the other figures are. Its training is limited to about six minutes of one core.",
    "The labels of all 5,520 prompts of the default task are checked by a second interpreter, which reads the prompts alone: "
    "tests/tasks/test_procbench_round_trip.py.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure how a small net's runs of procedures fall off with their length.

    Args:
        quick: one net with 3 instances of every procedure and length, and no part on a real model; in full all shipped nets with 20.
        seed: of all instances.
        out: a folder for the figure, prefix accuracy and sequential match against steps, and in full runs for the model's calls, which a
            rerun replays.
    """
    nets = shipped("procedures")[: 1 if quick else None]
    graded = [g for i, path in enumerate(nets) for g in measured(load_net(path), 3 if quick else 20, seed + i)]
    checks = [*exact_checks(1 if quick else 10, seed), *organism_checks(graded)]
    tables = [summary_table(f"organism, {len(nets)} of one recipe, by length", by_class(graded, seed), "length")]
    tables.append(summary_table("organism, by task, runs it was trained on", by_task([g for g in graded if g.k <= TRAINED], seed), "task"))
    tables.append(summary_table("organism, by task, longer runs", by_task([g for g in graded if g.k > TRAINED], seed), "task"))
    if not quick:
        lm = load_model(DEFAULT)
        checks_of_real, table = real_part(lm if out is None else kept_calls(lm, out / "calls"), seed)
        checks.append(checks_of_real)
        tables.append(table)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        verdict="does not reproduce" if fails(graded) else None,
        untested=UNTESTED + (f"; {DEFAULT}, which the full run measures" if quick else ""),
        tables=tuple(tables),
        figures=() if out is None else (figure(graded, out),),
        notes=NOTES,
    )


def exact_checks(per_length: int, seed: int) -> list[Check]:
    """Golden runs, the identities of the metrics, right answers read back, and the closed form of a policy that never recovers."""
    golden = [" ".join("".join(map(str, s)) if isinstance(s, list) else str(s) for s in p.states()) == run for p, run in GOLDEN]
    checks = [Check("golden runs of the official code", f"{sum(golden)} of {len(golden)}", "all", all(golden), False)]
    task = load(f"procbench:per_length={per_length}", seed=seed)
    back = grade_texts(task, [f"Done.\n```json\n{task.gold(p)}\n```" for p in task.problems])
    whole = sum(g.sm == g.fm == g.pa == 1 for g in back)
    checks.append(Check("right answers read back with SM = FM = PA = 1", f"{whole} of {len(back)}", "all", whole == len(back), False))
    checks.append(identity_check())
    checks += [closed_form_check(0.05, k, seed) for k in (5, 13, 25)]
    return checks


def identity_check() -> Check:
    """Prefix accuracy after dropping a state, adding a wrong one, and saying the final one twice, for every length."""
    off = 0.0
    for k in range(2, 26):
        states = tuple(f"s{j}" for j in range(1, k + 1))
        right, before = Steps(states[:-1], states[-1]), states[:-1]
        given = {(k - 2) / k: before[:-1], (k - 1) / (k + 1): (*before, "x"), k / (k + 1): (*before, states[-1])}
        off = max([off, *(abs(grade(right, Steps(steps, right.final)).pa - pa) for pa, steps in given.items())])
    return Check("PA: a state dropped, a wrong one added, the final one twice", off, "(k-2)/k, (k-1)/(k+1), k/(k+1)", off < 1e-12, False)


def closed_form_check(rate: float, k: int, seed: int) -> Check:
    """Simulated runs that err at each step with one probability and never recover, through the metrics, against the closed form."""
    rng = np.random.default_rng([seed, 14, k])
    wrong = rng.random((DRAWS, k)) < rate
    first = np.where(wrong.any(axis=1), wrong.argmax(axis=1), k)
    states = tuple(f"s{j}" for j in range(k))
    right = Steps(states[:-1], states[-1])
    runs = [(*states[:at], *("?" for _ in states[at:])) for at in range(k + 1)]
    of_first = [grade(right, Steps(run[:-1], run[-1])) for run in runs]
    sm, pa = expected_after_errors(rate, k)
    expected = {"sm": sm, "pa": pa}
    drawn = {metric: np.array([getattr(g, metric) for g in of_first])[first] for metric in expected}
    off = max(abs(values.mean() - expected[m]) / (values.std() / DRAWS**0.5) for m, values in drawn.items())
    measured_text = ", ".join(f"{m.upper()} {values.mean():.4f}" for m, values in drawn.items())
    closed = ", ".join(f"{m.upper()} {value:.4f}" for m, value in expected.items())
    return Check(f"error rate {rate}, {k} steps, {DRAWS} runs", measured_text, f"{closed}, within 3 standard errors", off < 3, False)


def organism_checks(graded: Sequence[Graded]) -> list[Check]:
    """The gates of the claim on the organism's runs."""
    pa, sm = ({s.name: getattr(s, metric).value for s in by_class(graded)} for metric in ("pa", "sm"))
    rank = rank_correlation(graded)
    ratios = sm["long"] / max(sm["short"], 1e-9), pa["long"] / max(pa["short"], 1e-9)
    names = "short to long"
    below = all(g.sm <= g.pa <= 1 for g in graded)
    return [
        Check("PA of short runs", pa["short"], f"at least {EXPECTED_SHORT}", pa["short"] >= EXPECTED_SHORT),
        Check("PA of long runs", pa["long"], f"at most {EXPECTED_LONG}", pa["long"] <= EXPECTED_LONG),
        Check("rank correlation of steps and mean PA", rank, f"at most {FALLS}", rank <= FALLS),
        Check(f"what is left of SM and of PA, {names}", f"{ratios[0]:.3f}, {ratios[1]:.3f}", "SM less", ratios[0] < ratios[1]),
        Check("SM <= PA <= 1 for every run", str(below), "True", below, False),
    ]


def fails(graded: Sequence[Graded]) -> bool:
    """Whether the organism's runs do not fall with their steps, or are not followed well enough when they are short."""
    return rank_correlation(graded) > FALLS or by_class(graded)[0].pa.value < FEWEST


def rank_correlation(graded: Sequence[Graded]) -> float:
    """Spearman's rank correlation of the number of steps and mean prefix accuracy; 0 if the means are all the same."""
    curve = against_steps(graded, "pa")
    if np.ptp(curve.values) == 0:
        return 0.0
    return float(need("scipy.stats", "bench").spearmanr(curve.ks, curve.values).statistic)


def real_part(lm: LM, seed: int) -> tuple[Check, Table]:
    """A real small model on three easy tasks; only the ordering in the number of steps is tested."""
    rows, means = [], []
    for k in REAL_LENGTHS:
        graded = real_runs(lm, k, seed)
        pa = bootstrap([g.pa for g in graded], seed=seed)
        sm, fm, first = (float(np.mean(values)) for values in zip(*((g.sm, g.fm, not g.zero_pml) for g in graded), strict=True))
        rows.append((k, len(graded), _shown(pa), sm, fm, first, sum(not g.read for g in graded)))
        means.append(pa.value)
    ordered = all(a >= b for a, b in pairwise(means)) and means[0] > means[-1]
    text = ", ".join(f"{k}: {m:.3f}" for k, m in zip(REAL_LENGTHS, means, strict=True))
    title = f"{DEFAULT}, greedy, on the tasks {', '.join(map(str, REAL_TASKS))}"
    columns = ("k", "n", "PA", "SM", "FM", "first state right", "unreadable")
    return Check(f"{DEFAULT}: mean PA by steps", text, "falls", ordered), Table(title, columns, tuple(rows))


def real_runs(lm: LM, k: int, seed: int) -> list[Graded]:
    """The real model's greedy answers to 20 problems of k steps of each of `REAL_TASKS`."""
    task = load(f"procbench:tasks={','.join(map(str, REAL_TASKS))},lengths={k},per_length=20", seed=seed)
    sampling = Sampling(temperature=0.0, max_tokens=REAL_LENGTHS[k])

    def asked(problem: Problem) -> Request:
        return Request(write_prompt(problem)[0], seed=derive(seed, ("procbench", problem.id)))

    replies = [
        reply
        for at in range(0, len(task.problems), PART)
        for reply in lm.generate([asked(p) for p in task.problems[at : at + PART]], sampling)
    ]
    return grade_texts(task, [reply.completions[0].text for reply in replies])


def summary_table(title: str, summaries: Sequence[Summary], by: str) -> Table:
    """Means of the metrics with their intervals."""
    rows = tuple((s.name, s.n, _shown(s.sm), _shown(s.fm), _shown(s.pa), s.zero_pml, s.parse_failures) for s in summaries)
    return Table(title, (by, "n", "SM", "FM", "PA", "first state wrong", "unreadable"), rows)


def _shown(interval: Interval) -> str:
    return str(interval)


def figure(graded: Sequence[Graded], out: Path) -> Path:
    """Prefix accuracy and sequential match against steps; the SVG's path."""
    curves = {"prefix accuracy": against_steps(graded, "pa"), "sequential match": against_steps(graded, "sm")}
    title = f"Eight procedures; dashed: the longest runs trained on, {TRAINED} steps"
    return steps_plot(curves, out / "accuracy-by-steps", title=title, line=TRAINED)[1]
