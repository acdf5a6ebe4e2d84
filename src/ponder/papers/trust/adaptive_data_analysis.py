"""Reproduction: statistical validity in adaptive data analysis, and the reusable holdout (Dwork et al. 2015, arXiv 1411.2664)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.core.language import Request, Sampling
from ponder.core.seeds import derive, generator
from ponder.lm.load import load
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.trust.adaptive_attacks import KS, Curves, Noise, feature_selection, majority_attack, noise_prompts, tuned_subsets
from ponder.programs.prompts import write_prompt
from ponder.tasks import load as load_task
from ponder.trust.holdout import MultiplicativeWeights, attack_accuracy, transfer_error

SLUG = "adaptive-data-analysis"
TITLE = "Preserving Statistical Validity in Adaptive Data Analysis"
CLAIM = (
    "When questions depend on earlier answers, answering through a differentially private mechanism keeps the answers true of the "
    "population, where raw averages overfit after about as many questions as there are samples; a holdout asked through it can be reused."
)
SIGMAS = (0.0, 0.02, 0.045, 0.1)
PROMPTS, QUESTIONS = 300, 500
UNTESTED = "the theorems themselves, and their exponents in the number of questions: only mechanisms and attacks are run."
NOTES = (
    "Below its threshold the mechanism returns the training half's value: at k = 10 its report is worse than the naive one.",
    "The published simulation (preset science2015) has Gaussian noise, a fresh threshold each question and no budget: no guarantee.",
    "The theorem's bound is far from tight at these sizes: it is vacuous where the measured gap is a few hundredths.",
    "The noise of a holdout is a 24th of its threshold by default. It was a 12th first, with which 9 of 60 ledgers let the vote pass.",
    "Noise prompts: the key of the benchmark is a coin, so no method is better than 1/2. In the quick run their answers are coins as well.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The majority attack against its closed form, the feature selection of 2015, multiplicative weights, and a tuned benchmark.

    Args:
        quick: 1000 rows instead of 4000 and 2000; coins instead of an organism's answers; 2 reshuffles of real data instead of 20.
        seed: of everything.
        out: a folder for the figure; none is drawn without it.
    """
    n, repetitions = (1000, 10) if quick else (2000, 20)
    attack_checks, attack_table = attacks(1000 if quick else 4000, seed)
    curves = {(how, s): feature_selection(n, repetitions, s, how, seed) for s in (False, True) for how in ("naive", "science2015")}
    curves["theorem", False] = feature_selection(n, repetitions, False, "theorem", seed)
    answers = coins(seed) if quick else organism_answers(seed)
    noise = tuned_benchmark(answers, seed)
    others = [tuned_benchmark(answers, derive(seed, ["other key", i])) for i in range(20 if quick else 100)]
    weights_checks, weights_table = weights(seed)
    subsets = tuned_subsets(2 if quick else 20, 50 if quick else 200, seed)
    naive, reusable = curves["naive", False].at(200), curves["science2015", False].at(200)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (
            *attack_checks,
            *selection_checks(naive, reusable, curves["naive", True].at(20), curves["science2015", True].at(20)),
            *benchmark_checks(noise),
            *weights_checks,
        ),
        untested=UNTESTED,
        tables=(
            attack_table,
            *(selection_table(n, repetitions, s, {how: c for (how, signal), c in curves.items() if signal == s}) for s in (False, True)),
            benchmark_table(noise, others),
            weights_table,
            subsets_table(*subsets),
            Table(
                "The bound beside the gap: worst case for all questions with probability .95",
                ("rows", "questions", "bound", "measured gap, naive", "measured gap, reusable"),
                ((n, n + len(KS), transfer_error(n, n + len(KS)), naive[1] - naive[2], reusable[1] - reusable[2]),),
            ),
        ),
        figures=(selection_figure(n, curves, out),) if out is not None else (),
        notes=NOTES,
    )


def attacks(n: int, seed: int) -> tuple[list[Check], Table]:
    """Accuracy of the majority attack against its formula, and the noise that keeps the worst answer nearest to the truth."""
    tolerance = 0.015 * max(1.0, np.sqrt(4000 / n) * 0.8)
    checks, rows, worst = [], [], {}
    for sigma in SIGMAS:
        runs = np.array([majority_attack(n, sigma, derive(seed, ["attack", r])) for r in range(3)])
        accuracy, worst[sigma] = (float(v) for v in runs.mean(axis=0))
        formula = attack_accuracy(n, n, sigma)
        near = abs(accuracy - formula) <= tolerance
        checks.append(Check(f"majority attack, noise {sigma}: sample accuracy", accuracy, f"{formula:.4f} +- {tolerance:.3f}", near, False))
        rows.append((sigma, accuracy, formula, worst[sigma]))
    best = min(worst.values())
    checks.append(Check("worst error of all answers, best noise over none", best / worst[0.0], "at most .8", best <= 0.8 * worst[0.0]))
    return checks, Table(
        f"Majority of {n} random signs on {n} rows (truth .5)", ("noise", "sample accuracy", "formula", "worst error"), tuple(rows)
    )


def selection_checks(
    naive: tuple[float, float, float],
    reusable: tuple[float, float, float],
    naive_signal: tuple[float, float, float],
    reusable_signal: tuple[float, float, float],
) -> list[Check]:
    """Thresholds set before the run; triples are accuracies on train, as reported by the holdout, and on fresh data."""
    said = [" / ".join(f"{v:.3f}" for v in triple) for triple in (naive, reusable)]
    gap, left = naive[1] - naive[2], abs(reusable[1] - reusable[2])
    lost = abs(reusable_signal[2] - naive_signal[2])
    return [
        Check("no signal, k = 200, naive: holdout minus fresh", gap, f"at least .10 (train / holdout / fresh {said[0]})", gap >= 0.1),
        Check(
            "no signal, k = 200, Thresholdout: |holdout - fresh|", left, f"at most .04 (train / holdout / fresh {said[1]})", left <= 0.04
        ),
        Check("signal, k = 20: fresh accuracy, Thresholdout against naive", lost, "within .01", lost <= 0.01),
    ]


def selection_table(n: int, repetitions: int, signal: bool, curves: dict[str, Curves]) -> Table:
    """Means at some k."""
    rows = tuple((how, k, *c.at(k)) for how, c in curves.items() for k in (10, 20, 100, 200, 500))
    title = f"Feature selection, {n} rows and features, {'20 with signal' if signal else 'no signal'}, {repetitions} repetitions"
    return Table(title, ("holdout", "features", "train", "reported", "fresh"), rows)


def coins(seed: int) -> NDArray[np.bool_]:
    """Answers of prompts that know nothing."""
    return generator(seed, ["coins"]).random((PROMPTS, QUESTIONS)) < 0.5


def organism_answers(seed: int) -> NDArray[np.bool_]:
    """Yes or no by an organism that multiplies, drawn hot: whether the digits of its product have an odd sum; each draw is one prompt's."""
    lm, task = load("organism:products"), load_task("products", limit=QUESTIONS, seed=seed)
    sampling = Sampling(temperature=1.3, max_tokens=8)
    requests = [Request(write_prompt(p)[0], n=PROMPTS, seed=derive(seed, ["hot", p.id])) for p in task.problems]
    replies = [reply for i in range(0, QUESTIONS, 20) for reply in lm.generate(requests[i : i + 20], sampling)]
    return np.array([[sum(int(d) for d in c.text if d.isdigit()) % 2 == 1 for c in reply.completions] for reply in replies]).T


def tuned_benchmark(answers: NDArray[np.bool_], seed: int) -> Noise:
    """The noise prompts, with their ledger in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        return noise_prompts(answers, Path(folder), seed)


def benchmark_checks(noise: Noise) -> list[Check]:
    """What is claimed of a vote of noise prompts."""
    naive, reusable = noise.naive - 0.5, abs(noise.reusable - 0.5)
    return [
        Check("tuned benchmark: gain over chance that the raw holdout reports", naive, "at least .10, though there is none", naive >= 0.1),
        Check("tuned benchmark: gain that the holdout of ponder bench reports", reusable, "within .08 of none", reusable <= 0.08),
    ]


def benchmark_table(noise: Noise, others: Sequence[Noise]) -> Table:
    """Both analysts, and the same with other keys and ledgers: how often the report is overfitted all the same."""
    claims = (("raw", [o.naive for o in others]), ("reusable", [o.reusable for o in others]))
    means = {name: (float(np.mean(values)), float(np.mean(np.array(values) > 0.58))) for name, values in claims}
    return Table(
        f"A vote of {PROMPTS} noise prompts on {QUESTIONS} questions whose key is a coin; then {len(others)} other keys and ledgers",
        (
            "holdout",
            "prompts in the vote",
            "reported",
            "on fresh keys",
            "told by",
            "budget left",
            "others: mean",
            "others: share above .58",
        ),
        (
            ("raw", noise.kept[0], noise.naive, noise.naive_fresh, "holdout", None, *means["raw"]),
            ("reusable", noise.kept[1], noise.reusable, noise.reusable_fresh, noise.source, noise.remaining, *means["reusable"]),
        ),
    )


def weights(seed: int) -> tuple[list[Check], Table]:
    """5000 parity questions about rows of 8 bits."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    checks, rows = [], []
    for n in (2000, 20_000):
        rng = generator(seed, ["weights", n])
        truth = rng.dirichlet(np.ones(256))
        engine = MultiplicativeWeights(rng.multinomial(n, truth), seed=seed)
        asked = ((rng.integers(0, 2, (5000, 8)) @ bits.T) % 2).astype(np.float64)
        errors = np.array([engine.ask(q) - q @ truth for q in asked])
        rms = float(np.sqrt(np.mean(errors**2)))
        rows.append((n, engine.updated, engine.updates, float(np.abs(errors).max()), rms))
        checks.append(Check(f"multiplicative weights, {n} rows, 5000 questions: rms error", rms, "at most .03", rms <= 0.03))
        checks.append(
            Check(
                f"multiplicative weights, {n} rows: corrections", engine.updated, f"below {engine.updates}", engine.updated < engine.updates
            )
        )
    return checks, Table("Private multiplicative weights", ("rows", "corrections", "bound", "largest error", "rms error"), tuple(rows))


def subsets_table(naive: NDArray[np.float64], reusable: NDArray[np.float64]) -> Table:
    """Reported best minus sealed accuracy, a holdout each."""
    rows = tuple(
        (name, len(g), float(g.mean()), float(g.std(ddof=1) / np.sqrt(len(g)))) for name, g in (("raw", naive), ("reusable", reusable))
    )
    return Table(
        "Breast cancer, feature subsets tuned on one holdout: report minus sealed accuracy",
        ("holdout", "reshuffles", "mean gap", "its error"),
        rows,
    )


def selection_figure(n: int, curves: dict[tuple[str, bool], Curves], out: Path) -> Path:
    """Accuracy against the number of features, without signal; the SVG's path."""
    figure, axes = new_figure()
    shown = (("naive", "raw holdout"), ("science2015", "reusable holdout"))
    for i, (how, name) in enumerate(shown):
        c = curves[how, False]
        for values, style, what in ((c.train, ":", "train"), (c.reported, "-", "holdout's report"), (c.fresh, "--", "fresh data")):
            axes.plot(KS, values.mean(axis=0), style, color=COLOURS[i], lw=1.8, label=f"{name}: {what}")
    axes.axhline(0.5, color="#888888", lw=1)
    axes.set_xlabel("features in the classifier, k")
    axes.set_ylabel("accuracy")
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    finish(axes, f"Features chosen on random labels, {n} rows and {n} features")
    return save(figure, out / "reusable-holdout")[1]
