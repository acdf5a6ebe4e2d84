"""Reproduction: what plain settings of propose-and-verify pipelines are worth (bag of tricks, Liu et al. 2025, arXiv 2502.07191)."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.bench.run import Plan, run
from ponder.bench.stats import Interval, bootstrap, mean_ends, paired_bootstrap
from ponder.bench.store import RunStore
from ponder.bench.study import Study
from ponder.bench.study_plots import effects_plot
from ponder.core.context import Context
from ponder.core.language import Sampling
from ponder.core.problem import Candidate, Problem
from ponder.core.tree import puct
from ponder.lm.load import DEFAULT, load
from ponder.papers.real_model import is_here
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.bag_budgets import budgeted, check_and_table
from ponder.papers.sampling.bag_samples import POLICIES, Drawn, Floats, drawn, grid, scores
from ponder.scorers import likelihood, minmax
from ponder.stages import argmax, sample, vote
from ponder.stages.dfs import kept
from ponder.tasks import load as load_task

SLUG = "bag-of-tricks"
TITLE = "Bag of Tricks for Inference-time Computation of LLM Reasoning"
CLAIM = (
    "In propose-and-verify pipelines plain settings matter: tuning temperature or top-p is worth points, self-evaluation does hardly "
    "better than chance, reward models help where they were trained and little elsewhere, and tricks do not simply add up."
)
UNTESTED = "models of 7 to 72 billion weights on the paper's eight tasks, and prompts, which organisms do not have."
NOTES = (
    "Policies: the organisms chain, countdown and products, 0.34M weights each, on their own tasks; samples of all settings share seeds.",
    "The outcome model of chains knows the grammar of countdown, not its problems; 'transfer' asks it about countdown solutions.",
    "At equal tokens everything is counted: prompts read again, the reward model's reading, and what its cache saved.",
)
PICKS: tuple[Callable[[Drawn], Floats], ...] = (lambda d: d.single, lambda d: d.voted(), lambda d: d.oracle)
"""One sample, the majority, an oracle's choice."""


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the knobs on trained organisms.

    Args:
        quick: 60 problems of 8 samples at three temperatures and two nuclei, and one budget; else 200 of 16 at six temperatures and five
            nuclei, budgets of 512, 2,048 and 8,192 tokens, and the default model over prompts and temperatures where it is here.
        seed: of problems and draws.
        out: a folder for the figures.
    """
    limit, n = (60, 8) if quick else (200, 16)
    temperatures = (1.0, 0.4, 0.7) if quick else (1.0, 0.2, 0.4, 0.6, 0.8, 1.2)
    at = {name: {t: drawn(name, limit, n, t, 1.0, seed) for t in sorted(temperatures)} for name in POLICIES}
    checks, tables = heat(at)
    more, judged = verifiers(at["chain"][1.0], at["countdown"][1.0], seed)
    table = grid(limit, n, temperatures, (1.0, 0.7) if quick else (1.0, 0.9, 0.8, 0.7, 0.6), seed)
    added = table.additivity(seed=seed)
    stable, equal = check_and_table(budgeted(*((12, (2048,)) if quick else (20, (512, 2048, 8192))), seeds=(seed, seed + 1, seed + 2)))
    real = () if quick or not is_here() else (prompts_table(seed),)
    effects = table.main_effects(seed)
    main = Table(
        f"Main effects on chains, {len(table.cells)} combinations",
        ("setting", "level", "accuracy", "over the first", "p", "p, all tests"),
        tuple((e.axis, e.level, str(e.mean), str(e.gain), e.p, e.p_holm) for e in effects),
    )
    together = Table(
        "Do the best settings add up? Chosen on four fifths of the problems, measured on the rest",
        ("", "gain"),
        (
            *((f"best {name} alone", str(gain)) for name, gain in added.singles.items()),
            ("their sum", str(added.sum)),
            ("together", str(added.together)),
            ("gap", str(added.gap)),
        ),
    )
    largest = Table(
        "The largest interactions",
        ("levels", "more together than alone"),
        tuple((f"{i.axes[0]}={i.levels[0]}, {i.axes[1]}={i.levels[1]}", str(i.more)) for i in table.interactions()[:6]),
    )
    figures: tuple[Path, ...] = ()
    if out is not None:
        title = "What settings do on chains, others averaged over"
        figures = (effects_plot(effects, out / "effects", title)[1], _heat_figure(at, out))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*exact_checks(), *checks, *more, stable),
        untested=UNTESTED,
        tables=(*tables, judged, main, largest, together, equal, *real),
        figures=figures,
        notes=NOTES,
    )


def exact_checks() -> list[Check]:
    """AlphaZero's bonus, the weighted vote's weights, the children that a depth-first search keeps."""
    bonus = puct(0.0, 1, 1.0, 4, 1.25, 19652)
    given = zip("ABB", (1, 0.5, 0.5), strict=True)  # a probability is at most 1: v = (2, 1, 1) halved, which min-max does not see
    three = tuple(Candidate(v, v, logprob=math.log(x), token_ids=(1,), finished=True, finish="stop") for v, x in given)
    weights = np.exp(minmax(likelihood())(three, Context(Problem("?"))))
    both = kept(5, 0.4, exact=False), kept(5, 0.4, exact=True)
    return [
        Check("MCTS bonus at 4 and 1 visits", bonus, "1.25025", round(bonus, 5) == 1.25025, False),
        Check("weighted vote of v = (2, 1, 1)", str(weights.tolist()), "(1, 0, 0)", weights.tolist() == [1, 0, 0], False),
        Check("children kept of 5: released loop, exact", f"{both[0]}, {both[1]}", "4, 3", both == (4, 3), False),
    ]


def heat(at: Mapping[str, Mapping[float, Drawn]]) -> tuple[list[Check], list[Table]]:
    """How accuracy depends on temperature, for a single sample, the majority and an oracle."""
    rows, ranges, lifts, apart = [], {}, {}, {}
    for name, by_heat in at.items():
        single, voted, oracle = ({t: pick(d) for t, d in by_heat.items()} for pick in PICKS)
        rows += [(name, t, *(str(bootstrap(grades[t])) for grades in (single, voted, oracle))) for t in by_heat]
        best, worst = (pick(voted, key=lambda t: voted[t].mean()) for pick in (max, min))
        ranges[name] = paired_bootstrap(voted[best], voted[worst])
        one, all_ = (max(grades, key=lambda t: grades[t].mean()) for grades in (single, oracle))
        lifts[name] = paired_bootstrap(oracle[all_], oracle[one])
        apart[name] = (one, all_)
    wide = sum(r.value >= 0.03 for r in ranges.values())
    lifted = [name for name, lift in lifts.items() if lift.value >= 0.015 and apart[name][1] > apart[name][0]]
    noise = all(r.low <= 0 for r in ranges.values())
    checks = [
        Check("majority over temperatures, best less worst", _told(ranges), "at least .03 on 2 of 3 tasks", wide >= 2),
        Check("temperature matters beyond noise on some task", "no" if noise else "yes", "an interval above 0", not noise),
        Check(
            "best temperature of one sample, of an oracle's choice; what the second gains over the first",
            "; ".join(f"{n}: {a:g}, {b:g}, {lifts[n]}" for n, (a, b) in apart.items()),
            "higher for the oracle, at least .015 on one task",
            bool(lifted),
        ),
    ]
    columns = ("task", "temperature", "one sample", "majority", "oracle")
    return checks, [Table("Accuracy by temperature, top-p 1", columns, tuple(rows))]


def verifiers(chains: Drawn, counts: Drawn, seed: int) -> tuple[list[Check], Table]:
    """Best-of-n by each verifier over the random one, on chains and on countdown; and the chains' outcome model on countdown."""
    rows: list[tuple[str, ...]] = []
    gains: dict[tuple[str, str], Interval] = {}
    for name, samples, told in (
        ("chain", chains, ("self", "outcome", "process", "oracle")),
        ("countdown", counts, ("self", "outcome", "transfer", "oracle")),
    ):
        base = samples.single  # the expectation of the random verifier, without its noise
        drawn_by_chance = samples.chosen(scores(samples, "random", name, seed), argmax())
        rows.append((name, "random", str(bootstrap(drawn_by_chance)), str(paired_bootstrap(drawn_by_chance, base))))
        for verifier in told:
            if verifier == "oracle":
                grades = samples.chosen(samples.grades, argmax())
            elif verifier == "transfer":
                grades = samples.chosen(scores(samples, "outcome", name, seed, "chain-outcome"), argmax())
            else:
                grades = samples.chosen(scores(samples, verifier, name, seed), argmax())
            gains[name, verifier] = paired_bootstrap(grades, base)
            rows.append((name, verifier, str(bootstrap(grades)), str(gains[name, verifier])))
    own, other = gains["chain", "outcome"].value, gains["countdown", "transfer"].value
    ratio = own / other if other > 0 else math.copysign(math.inf, own)
    oracle = [float(np.abs(s.chosen(s.grades, argmax()) - s.oracle).max()) for s in (chains, counts)]
    chance = paired_bootstrap(chains.chosen(scores(chains, "random", "chain", seed), argmax()), chains.single)
    checks = [
        Check("random verifier less one sample, chains", str(chance), "0 in the interval", chance.low <= 0 <= chance.high, False),
        Check("oracle's choice less coverage, at most", max(oracle), "0", max(oracle) == 0, False),
        Check(
            "gain over random on chains: self-evaluation, outcome model",
            f"{gains['chain', 'self'].value:.3f}, {own:.3f}",
            "less for self-evaluation",
            gains["chain", "self"].value < own,
        ),
        Check("outcome model of chains: gain on chains over gain on countdown", ratio, "at least 2 (aim 3)", ratio >= 2),
    ]
    return checks, Table("Best of n by verifier, over one sample", ("task", "verifier", "accuracy", "gain"), tuple(rows))


def prompts_table(seed: int) -> Table:
    """The default model over prompts and temperatures, a study of the library; reported, not gated."""
    model, task = load(DEFAULT), load_task("arithmetic:difficulty=1", limit=12, seed=seed)
    axes = {"style": ("cot", "plain", "reflect"), "temperature": (0.8, 0.4, 1.2)}
    study = Study.of(axes, lambda style, temperature: sample(4, style=style, temperature=temperature) | vote())
    plan = Plan((task,), study.pipelines, {DEFAULT: model}, (seed,), Sampling(max_tokens=64))
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        try:
            run(plan, store)
            table = study.table(store.answers(), plan)
        finally:
            store.close()
            model.close()
    rows = tuple((e.axis, e.level, str(e.mean), str(e.gain), e.p) for e in table.main_effects(seed))
    return Table(f"{DEFAULT}, 12 sums, majority of 4", ("setting", "level", "accuracy", "over the first", "p"), rows)


def _told(intervals: Mapping[str, Interval]) -> str:
    return "; ".join(f"{name} {interval}" for name, interval in intervals.items())


def _heat_figure(at: Mapping[str, Mapping[float, Drawn]], out: Path) -> Path:
    figure, axes = new_figure()
    for i, (name, by_heat) in enumerate(at.items()):
        heats = sorted(by_heat)
        for style, pick in zip((":", "-", "--"), PICKS, strict=True):
            rows = np.array([pick(by_heat[t]) for t in heats])
            if style == "-":
                axes.fill_between(heats, *mean_ends(rows.T, 1000, 0), color=COLOURS[i], alpha=0.15, lw=0)
            axes.plot(heats, rows.mean(axis=1), style, color=COLOURS[i], lw=1.6, label=name if style == "-" else None)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("temperature")
    axes.set_ylabel("accuracy")
    axes.legend(frameon=False)
    finish(axes, "Accuracy of the majority (solid), an oracle (dashed), one sample (dotted)")
    return save(figure, out / "temperature")[1]
