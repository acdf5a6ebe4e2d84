"""What `ponder search` finds: optimisers on a recorded table, a searched pipeline of organisms on held-out chains, a search over nothing.

    python benchmarks/search.py [--only optimisers|system|noise] [--quick] [--seed 0] [--out out/search-benchmark]

needs the extras bench and search and prints JSON. In full: ten minutes of one core for the optimisers, three for the system, ten seconds
for noise.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.flops import forward
from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.bench.run import Plan as RunPlan
from ponder.bench.stats import bootstrap
from ponder.bench.store import RunStore
from ponder.core.algebra import Pipeline
from ponder.core.answer import answer
from ponder.core.budget import Meter, Price
from ponder.core.context import Context
from ponder.core.language import LM, RewardModel, Sampling
from ponder.core.problem import Problem
from ponder.core.seeds import derive, generator
from ponder.lm.load import load
from ponder.lm.recorded import MemoryStore, Recorded
from ponder.methods import parse
from ponder.organisms.card import read_tensors
from ponder.organisms.shelf import find
from ponder.papers.report import Check
from ponder.papers.report import Table as Rows
from ponder.search import Plan, Runs, Searched, Space, Table, halving, holdout, judge, search
from ponder.search.figures import front_figure
from ponder.search.race import race
from ponder.tasks import load as load_task
from ponder.trust.holdout import halves

Floats = NDArray[np.float64]
POOL = {"small": "chain-small", "middle": "chain", "large": "chain-large"}
JUDGES = {"steps": "chain-reward-2", "outcome": "chain-outcome"}
TEMPLATE = (
    "sample({2, 8, 16}, model={'small', 'middle', 'large'}) + {sample(4, model='small'), sample(4, model='middle'), "
    "sample(4, model='large'), None} | {weigh({prm(model='steps'), prm(model='outcome'), random}), None} | {vote(), argmax()}"
)
QUICK = (
    "sample({2, 4, 8}, model={'small', 'middle', 'large'}) + {sample(4, model='middle'), None} "
    "| {weigh({prm(model='steps'), random}), None} | {vote(), argmax()}"
)
DRAWS = Sampling(temperature=1.0, max_tokens=64)
OPERATIONS = 1e6
"""A unit of cost: a million floating-point operations."""


@dataclass(frozen=True)
class Recording:
    """What all configurations of a space did on all questions, both of shape (configurations, questions); costs in 10^6 operations."""

    space: Space
    grades: Floats
    costs: Floats


def _engine(name: str) -> LM:
    """An organism that is billed in operations: 2 a parameter and token, read or written."""
    parameters = sum(tensor.size for tensor in read_tensors(find(name)).values())
    each = forward(parameters) / OPERATIONS * 1e6  # prices are for a million tokens
    return load(f"organism:{name}", Price(each, each))


def record(space: Space, limit: int, seed: int, task: str = "chain") -> Recording:
    """Run every configuration on so many chains; samples of equal requests are drawn once."""
    asked = load_task(task, limit=limit, seed=seed)
    models = {name: _engine(organism) for name, organism in POOL.items()}
    judges = {name: load_judge(organism) for name, organism in JUDGES.items()}

    def answers(problem: Problem) -> tuple[list[float], list[float]]:
        store = MemoryStore()
        grades, costs = [], []
        for configuration in space:
            scope = f"{configuration}\x1f"
            context = Context(
                problem,
                Meter(price=next(iter(models.values())).price),
                models={n: Recorded(m, store, f"{scope}{n}\x1f") for n, m in models.items()},
                rewards_by={n: Recorded(j, store, f"{scope}reward {n}\x1f") for n, j in judges.items()},
                sampling=DRAWS,
                root=derive(seed, (task, problem.id)),
            )
            found = answer(configuration.pipeline, context)
            grades.append(0.0 if found.value is None else asked.grade(problem, found.value, found.text))
            costs.append(found.bill.money)
        return grades, costs

    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(answers, asked.problems))
    return Recording(space, np.array([g for g, _ in rows]).T, np.array([c for _, c in rows]).T)


def load_judge(name: str) -> RewardModel:
    """An organism that judges steps, billed like `_engine`."""
    judge_ = _engine(name)
    assert isinstance(judge_, RewardModel)
    return judge_


def optimisers_part(recording: Recording, restarts: int, seed: int) -> tuple[list[Check], Rows]:
    """Tries until 99% of the best score, against random's exact expectation."""
    scores, m = recording.grades.mean(axis=1), len(recording.space)
    raced = race(recording.space, scores, dict.fromkeys(("random", "greedy", "tpe"), restarts), seed, m)
    winners, expected = raced.good, raced.expected
    rows: list[tuple[str, float, float | None, float | None]] = [("random, exactly", expected, None, None)]
    medians: dict[str, float] = {}
    for name, at in raced.needed.items():
        medians[name] = float(np.median(at))
        rows.append((name, float(at.mean()), medians[name], float(np.quantile(at, 0.9))))
    ratio = medians["tpe"] / max(1.0, medians["random"])
    checks = [
        Check(
            f"tries of TPE over random's until 99% of the best ({m} configurations, {winners} good, {restarts} restarts, medians)",
            ratio,
            "at most .7 (gate .9)",
            ratio <= 0.7,
        ),
        Check(
            "random's mean tries over the exact (m + 1) / (good + 1)",
            rows[1][1] / expected,
            "1 within 4 standard errors",
            abs(rows[1][1] / expected - 1) < 4 / np.sqrt(restarts),
            False,
        ),
    ]
    title = f"Tries until 99% of the best score; {m} configurations, (m + 1) / 2 = {(m + 1) / 2:g}"
    return checks, Rows(title, ("optimiser", "mean", "median", "90%"), tuple(rows))


def system_part(limit: int, seeds: Sequence[int], evaluations: int, out: Path) -> tuple[list[Check], list[Rows], list[Path]]:
    """What `ponder search` finds within the cost of 8 samples of the large organism, against the best single model and the best vote.

    Winner, vote and model are all chosen on one half of the chains, and compared on the other.
    """
    over_single, over_vote, gaps, rows = [], [], [], []
    figures: list[Path] = []
    models, judges = {n: _engine(o) for n, o in POOL.items()}, {n: load_judge(o) for n, o in JUDGES.items()}
    eight = parse("sample(8, model='large') | vote()")
    singles = [parse(f"sample(1, model={m!r})") for m in POOL]
    votes = [parse(f"sample({n}, model={m!r}) | vote()") for m in POOL for n in (2, 4, 8, 16)]
    space = Space(TEMPLATE)
    for seed in seeds:
        task = load_task("chain", limit=limit, seed=seed)
        seen, held = halves([p.id for p in task.problems], salt=str(seed))
        asked, fresh = ([task.problems[i] for i in part] for part in (seen, held))
        run_plan = RunPlan((task,), (eight,), models, (seed,), DRAWS, rewards=judges)
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(folder)
            runs = Runs(run_plan, asked, store, "money")
            most = 1.05 * float(runs.ask(eight, asked)[1].mean())
            plan = Plan(len(asked), "tpe", evaluations, within=most, rungs=halving(len(asked)), seed=seed)
            found = search(space, Searched(space, runs), plan)
            assert found.best is not None
            winner = space[found.best.index].pipeline
            vote = _best([v for v in votes if runs.ask(v, asked[:20])[1].mean() <= most], runs)
            single = _best(singles, runs)
            (a, ca), (b, cb), (c, cc) = (runs.ask(m, fresh) for m in (winner, vote, single))
            before = runs.ask(winner, asked)[0]
            store.close()
        over_vote.append(a - b)
        over_single.append(a - c)
        gaps.append(float(before.mean() - a.mean()))
        for name, method, grades, cost in (("searched", winner, a, ca), ("best vote", vote, b, cb), ("best model", single, c, cc)):
            rows.append((seed, f"{name}: {method}", str(bootstrap(grades)), float(cost.mean())))
        if seed == seeds[0]:
            figures.append(front_figure(found, out / "search-front", "10^6 operations")[1])
    gain, vote_gain = bootstrap(np.concatenate(over_single)), bootstrap(np.concatenate(over_vote))
    n = len(np.concatenate(over_vote))
    checks = [
        Check(f"searched over the best single model, {n} held-out chains", str(gain), "at least +.08 (gate .04)", gain.value >= 0.08),
        Check("searched over the best vote at equal cost, held out", str(vote_gain), "at least +.01 (gate 0)", vote_gain.value >= 0.01),
        Check("  the lower end of that interval", vote_gain.low, "above 0", vote_gain.low > 0),
        Check("optimism of the winners, mean", float(np.mean(gaps)), "reported", True, False),
    ]
    return checks, [Rows("Held-out accuracy and cost", ("seed", "what", "accuracy", "10^6 operations"), tuple(rows))], figures


def _best(methods: Sequence[Pipeline], runs: Runs) -> Pipeline:
    """The method that is best on the search's questions."""
    return max(methods, key=lambda m: float(runs.ask(m, runs.problems)[0].mean()))


def noise_part(searches: int, configurations: int, seed: int, out: Path | None) -> tuple[list[Check], Rows, list[Path]]:
    """Searches among methods that are all the same coin, 200 questions to search on and 200 held out."""
    naive, honest, gaps, told_scores = 0, 0, [], []
    space = Space(f"until(confident(0.9), sample(1), limit={{{', '.join(map(str, range(1, configurations + 1)))}}})")
    for i in range(searches):
        grades = (generator(seed, ("noise", i)).random((configurations, 400)) < 0.5).astype(float)
        found = search(space, Table(grades[:, :200], np.ones((configurations, 200))), Plan(200, "random", seed=seed + i))
        assert found.best is not None
        at = found.best.index
        told = judge((grades[at, :200], grades[at, 200:]), (grades[0, :200], grades[0, 200:]), holdout(200, seed=seed + i))
        naive, honest = naive + told.claims[0], honest + told.claims[1]
        gaps.append(told.gap)
        told_scores.append((told.score, told.held.value))
    checks = [
        Check(
            f"noise, {searches} searches of {configurations} coins: a gain is claimed naively",
            f"{naive / searches:.0%}",
            "most",
            naive > searches / 2,
        ),
        Check("  and on held-out questions", f"{honest / searches:.1%}", "at most 5%", honest <= max(1, 0.05 * searches)),
    ]
    rows = Rows(
        "Searches over coins of .5",
        ("", "mean score of the winner", "claims a gain"),
        (
            ("naive report", float(np.mean([s for s, _ in told_scores])), f"{naive} of {searches}"),
            ("reusable holdout", float(np.mean([h for _, h in told_scores])), f"{honest} of {searches}"),
        ),
    )
    return checks, rows, [_noise_figure(told_scores, out)] if out is not None else []


def _noise_figure(scores: Sequence[tuple[float, float]], out: Path) -> Path:
    figure, axes = new_figure()
    bins = np.linspace(0.4, 0.7, 31).tolist()
    for column, (label, colour) in enumerate((("as the search saw it", COLOURS[1]), ("held out", COLOURS[0]))):
        axes.hist([row[column] for row in scores], bins=bins, color=colour, alpha=0.7, label=label)
    axes.axvline(0.5, color="#888888", ls="--", lw=1)
    axes.set_xlabel("accuracy of the winner among coins of .5")
    axes.set_ylabel("searches")
    axes.legend(frameon=False)
    finish(axes, "A search over nothing")
    return save(figure, out / "search-noise")[1]


def main() -> None:
    """Run the parts, and print every check and table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("optimisers", "system", "noise"), help="one of the parts")
    parser.add_argument("--quick", action="store_true", help="fewer chains, restarts and searches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/search-benchmark"))
    given = parser.parse_args()
    quick, seed, out = given.quick, given.seed, given.out
    checks: list[Check] = []
    tables: list[Rows] = []
    if given.only in (None, "optimisers"):
        found, table = optimisers_part(record(Space(QUICK if quick else TEMPLATE), 60 if quick else 300, seed), 10 if quick else 200, seed)
        checks, tables = [*checks, *found], [*tables, table]
    if given.only in (None, "system"):
        found, more, _ = system_part(80 if quick else 300, range(seed, seed + (1 if quick else 3)), 20 if quick else 30, out)
        checks, tables = [*checks, *found], [*tables, *more]
    if given.only in (None, "noise"):
        found, table, _ = noise_part(60 if quick else 200, 400, seed, out)
        checks, tables = [*checks, *found], [*tables, table]
    told = {
        "checks": [{"name": c.name, "measured": c.measured, "expected": c.expected, "passed": bool(c.passed)} for c in checks],
        "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in tables],
    }
    print(json.dumps(told, indent=1, default=float))


if __name__ == "__main__":
    main()
