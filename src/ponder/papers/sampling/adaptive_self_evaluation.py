"""Reproduction: adaptive inference-time compute by self-evaluation (Manvi et al. 2024, arXiv 2410.02725)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ponder.bench.ranking import auroc, auroc_within
from ponder.bench.stats import Interval, bootstrap, expected_calibration_error, paired_bootstrap
from ponder.bench.stopping import expected_quality, expected_samples, pruned_tokens, replay, tune_threshold
from ponder.front import ask
from ponder.lm.load import DEFAULT, load
from ponder.methods.adaptive import adaptive_best_of_n, pruned_best_of_n
from ponder.organisms import chain
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.adaptive_parts import (
    Evaluated,
    adaptive,
    at_mean,
    best_of,
    by_prompt,
    exact_values,
    pruned,
    wins_or_ties,
)
from ponder.papers.sampling.organism_paths import Paths, begun, draw, halves, judge, organism
from ponder.scorers import prm
from ponder.tasks import load as load_task

SLUG = "adaptive-self-evaluation"
TITLE = "Adaptive inference-time compute: language models can predict if they can do better, even mid-generation"
CLAIM = (
    "A model trained to say, in one pass, whether a fresh start would do better can stop sampling when nothing is to be gained, give up "
    "hopeless samples half-way and choose the best one: 74% of the gain of 16 samples with 1.2 samples on average, and half or more of "
    "the samples pruned early with little loss."
)
POLICY, EVALUATOR = "chain", "chain-selfeval"
N, REPEATS = 16, 20
CLOSED = ((0.5, 2.0, 0.75), (0.8, 4.859, 0.8959), (0.9, 8.147, 0.9309), (0.95, 11.197, 0.9394))
MEANS = (1.2, 2.0, 4.0, 6.0, 9.0)
NOTES = (
    "The value is the probability of winning or tying against a fresh sample of the same model: on a hopeless question it is near 1 for "
    "a wrong answer too. It is no confidence in being right.",
    "The evaluator is no head that was taught to answer: it is a later checkpoint of the policy's own training run, whose likelihood of "
    "what was written is calibrated to wins and ties. Heads taught on 20,000 samples told nothing within a question.",
    "Thresholds are tuned on questions of their own. Stopping, best-of-k and pruning are replayed on the same stored samples, in 20 "
    "random orders a question; a mean of k between whole numbers is the mixture of the two nearest k.",
    "Without ties and with an exact value, 1.2 samples can keep 19% of the gain at most: savings as published come from saturated and "
    "hopeless questions and from the schedule.",
)


@dataclass(frozen=True)
class Size:
    """How much is drawn: questions to tune on, questions to test on, seeds, questions asked through the front door."""

    tuned: int
    tested: int
    seeds: int
    asked: int


QUICK, FULL = Size(60, 180, 1, 30), Size(100, 500, 3, 100)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on the chain organism and its self-evaluator.

    Args:
        quick: 180 questions and one seed instead of 500 and three, and no untrained real model.
        seed: of all draws.
        out: a folder for the figure, accuracy against mean samples; none is drawn without it.
    """
    size = QUICK if quick else FULL
    checks = exact_checks(seed)
    tuned, tested = collect(size, seed)
    reading, tables = reading_part(tested)
    stopping, sweep, curve = stopping_part(tuned, tested, seed)
    pruning, cut = pruning_part(tuned, tested, seed)
    asked, door = front_part(size, tuned, tested, seed)
    tables = [*tables, sweep, schedule_part(size, tested, seed), cut, door]
    if not quick:
        tables.append(untrained_part(seed))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*checks, *reading, *stopping, *pruning, *asked),
        untested="language models with preferences of people as their reward, and the published models and data",
        tables=tuple(tables),
        figures=() if out is None else (figure(curve, out),),
        notes=NOTES,
    )


def exact_checks(seed: int) -> list[Check]:
    """Closed forms against simulation, and the ledger of tokens."""
    values = np.random.default_rng([seed, 15]).random((100_000, N))
    checks: list[Check] = []
    for threshold, samples, quality in CLOSED:
        stopped = replay(values, threshold)
        drawn, best = float(stopped.samples.mean()), float(stopped.of(values).mean())
        off = abs(drawn - samples) < 0.06 and abs(best - quality) < 0.005
        stated = abs(expected_samples(threshold, N) - samples) < 6e-4 and abs(expected_quality(threshold, N) - quality) < 6e-5
        name = f"exact value, threshold {threshold}: samples and quality, 1e5 questions"
        checks.append(Check(name, f"{drawn:.3f}, {best:.4f}", f"{samples} +- .06, {quality} +- .005", off and stated, False))
    for keep, tokens in ((0.5, 2560), (0.25, 1792)):
        spent = pruned_tokens(N, 64, keep, 256)
        checks.append(Check(f"tokens of 16 samples of 256, {keep:g} kept at 64", spent, str(tokens), spent == tokens, False))
    return checks


def collect(size: Size, seed: int) -> tuple[Evaluated, Evaluated]:
    """Samples with their values: of questions to tune on, and of those to test on."""
    count = (size.tuned + size.tested) * size.seeds
    rng = np.random.default_rng([seed, 1])
    chains = chain.problems(count, rng, rng.integers(4, chain.SLOTS + 1, count))
    paths = draw(POLICY, chains, N, seed)
    cuts = halves(chains)
    values = judge(EVALUATOR, paths.prompts, paths.texts)
    every = Evaluated(paths, values, judge(EVALUATOR, paths.prompts, begun(paths, cuts)), cuts)
    tuned = size.tuned * size.seeds
    return every.at(np.arange(tuned)), every.at(np.arange(tuned, count))


def reading_part(tested: Evaluated) -> tuple[list[Check], list[Table]]:
    """How well the values tell, of finished and of half-finished responses."""
    right, wins = tested.right, wins_or_ties(tested.right)
    rows, found = [], {}
    for name, values in (
        ("finished", tested.whole),
        ("half-finished", tested.half),
        ("mean log-probability, finished", tested.paths.mean_logprobs(tested.paths.chains.lengths * chain.STEP)),
        ("exact value, finished", exact_values(right)),
    ):
        found[name] = auroc(values, wins)
        ece = None if name.startswith("mean") else expected_calibration_error(values.ravel(), wins.ravel())
        rows.append((name, found[name], ece, auroc(values, right), auroc_within(values, right)))
    columns = ("read at", "AUROC, wins or ties", "ECE, wins or ties", "AUROC, right", "AUROC, right, within a question")
    share = float(right.mean())
    title = f"What {EVALUATOR} tells of {POLICY}: {len(right)} questions x {N} samples, {share:.3f} right"
    checks = [
        Check("AUROC of the value, finished", found["finished"], "at least .8", found["finished"] >= 0.8),
        Check("AUROC of the value, half-finished", found["half-finished"], "at least .65", found["half-finished"] >= 0.65),
    ]
    return checks, [Table(title, columns, tuple(rows))]


def stopping_part(tuned: Evaluated, tested: Evaluated, seed: int) -> tuple[list[Check], Table, list[tuple[float, Interval, float]]]:
    """Adaptive sampling against fixed best-of-k at the same mean number of samples."""
    curve = best_of(tested.whole, tested.right, REPEATS, seed)
    first, most = float(curve[:, 0].mean()), float(curve[:, -1].mean())
    rows, points, checks = [], [], []
    for mean in MEANS:
        threshold = tune_threshold(tuned.whole, mean)
        got = adaptive(tested.whole, tested.right, threshold, REPEATS, seed + 1)
        samples, accuracy = float(got.samples.mean()), bootstrap(got.credit)
        fixed = at_mean(curve, samples)
        lead = paired_bootstrap(got.credit, fixed)
        gain = (accuracy.value - first) / (most - first)
        rows.append((mean, threshold, samples, str(accuracy), float(fixed.mean()), gain, str(lead)))
        points.append((samples, accuracy, float(fixed.mean())))
        if mean == 6.0:
            kept_enough = gain >= 0.7 and samples <= 6.3
            checks.append(Check("share of the gain of 16 samples, tuned to 6 on average", gain, "at least .7", kept_enough))
            checks.append(_beats("adaptive less fixed best-of-k at equal mean samples, 6", lead))
        if mean == 4.0:
            checks.append(_beats("adaptive less fixed best-of-k at equal mean samples, 4", lead))
    columns = ("tuned to", "threshold", "mean samples", "accuracy", "best of as many", "share of the gain", "adaptive less fixed")
    title = f"Adaptive sampling at temperature 1; one sample {first:.3f}, best of 16 {most:.3f}"
    return checks, Table(title, columns, tuple(rows)), points


def _beats(name: str, lead: Interval) -> Check:
    return Check(name, str(lead), "above 0", lead.low > 0)


def schedule_part(size: Size, tested: Evaluated, seed: int) -> Table:
    """The same with temperatures that rise from greedy; thresholds as for temperature 1 are tuned on every other question."""
    temperatures = [1 - 2.0**-k for k in range(N)]
    chosen = np.arange(min(len(tested.right), size.tested))
    part = tested.at(chosen)
    drawn = [draw(POLICY, part.paths.chains, 1, seed + 100 + k, t) for k, t in enumerate(temperatures)]
    texts = tuple(tuple(p.texts[i][0] for p in drawn) for i in range(len(chosen)))
    paths = Paths(part.paths.chains, part.paths.prompts, texts, np.concatenate([p.token_logprobs for p in drawn], axis=1))
    values, right = judge(EVALUATOR, paths.prompts, texts), paths.right
    tune, test = chosen[::2], chosen[1::2]
    curve = best_of(part.whole[test], part.right[test], REPEATS, seed)
    first, most = float(curve[:, 0].mean()), float(curve[:, -1].mean())
    rows = []
    for mean in MEANS:
        rising = adaptive(values[test], right[test], tune_threshold(values[tune], mean), 0, seed)
        fixed = adaptive(part.whole[test], part.right[test], tune_threshold(part.whole[tune], mean), REPEATS, seed)
        for name, got in (("rising", rising), ("1", fixed)):
            accuracy = bootstrap(got.credit)
            rows.append((mean, name, float(got.samples.mean()), str(accuracy), (accuracy.value - first) / (most - first)))
    columns = ("tuned to", "temperature", "mean samples", "accuracy", "share of the gain")
    return Table(f"Rising temperature 0, .5, .75, ... against 1, {len(test)} questions", columns, tuple(rows))


def pruning_part(tuned: Evaluated, tested: Evaluated, seed: int) -> tuple[list[Check], Table]:
    """Giving up samples half-way, by value, by likelihood, at random, and by what the question alone tells."""
    lengths = tested.paths.chains.lengths
    flat = np.repeat(by_prompt(tuned.paths, tested.paths)[:, None], N, axis=1)
    means = tested.paths.mean_logprobs(tested.cuts * chain.STEP)
    full = pruned(tested.whole, tested.whole, tested.right, 1.0, REPEATS, seed)
    rows, checks = [], []
    for keep in (0.5, 0.25, 0.125):
        ways = {"value": tested.half, "mean log-probability": means, "the question alone": flat, "random": np.zeros(flat.shape)}
        got = {name: pruned(by, tested.whole, tested.right, keep, REPEATS, seed + i) for i, (name, by) in enumerate(ways.items())}
        tokens = float(np.mean((tested.cuts + keep * (lengths - tested.cuts)) / lengths))
        loss = paired_bootstrap(full, got["value"])
        leads = {name: paired_bootstrap(got["value"], credit) for name, credit in got.items()}
        control = paired_bootstrap(got["the question alone"], got["random"])
        rows += [(keep, name, tokens, str(bootstrap(credit)), str(paired_bootstrap(full, credit))) for name, credit in got.items()]
        if keep == 0.5:
            checks.append(Check("accuracy lost by pruning half of the samples half-way", str(loss), "at most .025", loss.value <= 0.025))
            checks += [_beats(f"pruning by value less by {name}, half kept", leads[name]) for name in ("random", "mean log-probability")]
            passed = control.low <= 0 <= control.high
            checks.append(Check("control: pruning by the question alone less at random", str(control), "0 inside", passed))
    checks.append(prompt_stopping(tuned, tested, seed))
    columns = ("kept", "by", "share of the tokens", "accuracy", "lost against best of 16")
    return checks, Table(f"Pruning half-way, then the best by value; best of 16 {full.mean():.3f}", columns, tuple(rows))


def prompt_stopping(tuned: Evaluated, tested: Evaluated, seed: int) -> Check:
    """Control: what the question alone tells helps to decide where samples go, against as many given to questions at random."""
    worth = by_prompt(tuned.paths, tested.paths)
    curve = best_of(tested.whole, tested.right, REPEATS, seed)
    open_ = worth < np.median(worth)
    share = float(open_.mean())
    informed = np.where(open_, curve[:, -1], curve[:, 0])
    at_random = share * curve[:, -1] + (1 - share) * curve[:, 0]
    lead = paired_bootstrap(informed, at_random)
    return _beats("control: 16 samples where the question alone says so, less at random questions", lead)


def front_part(size: Size, tuned: Evaluated, tested: Evaluated, seed: int) -> tuple[list[Check], Table]:
    """The methods as a user calls them, on fresh questions."""
    task = load_task("chain", limit=size.asked, seed=seed + 7)
    scorer = prm(f"organism:{EVALUATOR}")
    threshold = tune_threshold(tuned.whole, 4.0)
    replayed = adaptive(tested.whole, tested.right, threshold, REPEATS, seed)
    methods = {
        "one sample": adaptive_best_of_n(1, None, scorer, temperature=1.0),
        "adaptive, one by one": adaptive_best_of_n(N, threshold, scorer, temperature=1.0),
        "adaptive, batches": adaptive_best_of_n(N, threshold, scorer, temperature=1.0, batched=True),
        "adaptive, rising": adaptive_best_of_n(N, threshold, scorer),
        "half pruned after 16 tokens": pruned_best_of_n(N, 0.5, 16, scorer),
        "best of 16": adaptive_best_of_n(N, None, scorer, temperature=1.0),
    }
    rows, drawn = [], np.zeros(1)
    for name, method in methods.items():
        with ThreadPoolExecutor(32) as pool:
            asked = pool.map(
                lambda p, m=method: ask(
                    p, method=m, model=organism(POLICY), reward=f"organism:{EVALUATOR}", seed=seed, temperature=1.0, max_tokens=32
                ),
                task.problems,
            )
            answers = list(asked)
        credit = np.array([task.grade(p, a.value, a.text) for p, a in zip(task.problems, answers, strict=True)])
        counts = np.array([0 if a.population is None else len(a.population) for a in answers], dtype=float)
        rounds = [max((s.round for s in a.trace.steps), default=0) + 1 for a in answers]
        if name == "adaptive, one by one":
            drawn = counts
        tokens = float(np.mean([a.bill.tokens_out for a in answers]))
        rows.append((name, float(counts.mean()), float(np.mean(rounds)), tokens, str(bootstrap(credit))))
    off = abs(drawn.mean() - replayed.samples.mean())
    noise = 4 * np.hypot(drawn.std() / len(drawn) ** 0.5, replayed.samples.std() / len(replayed.samples) ** 0.5)
    check = Check(
        "mean samples through ask() less those replayed", float(off), f"below {noise:.3g}, 4 standard errors", bool(off < noise), False
    )
    columns = ("method", "samples kept", "rounds", "tokens written", "accuracy")
    return [check], Table(f"The methods through ponder.ask, {len(task.problems)} fresh questions", columns, tuple(rows))


def untrained_part(seed: int) -> Table:
    """A real small model asked without any training: what the value tells before it is taught."""
    task = load_task("times-tables", limit=40, seed=seed)
    lm = load(DEFAULT)
    values, right = [], []
    for problem in task.problems:
        drawn = ask(problem, method="sample(8) | weigh(win_or_tie)", model=lm, seed=seed, max_tokens=24, temperature=1.0).population
        items = [] if drawn is None else list(drawn.items)
        values.append([np.exp(c.scores["win_or_tie"]) for c in items])
        right.append([c.value == task.gold(problem) for c in items])
    scores, truth = np.array(values), np.array(right)
    row = (float(truth.mean()), auroc(scores, wins_or_ties(truth)), auroc(scores, truth), auroc_within(scores, truth))
    columns = ("share right", "AUROC, wins or ties", "AUROC, right", "AUROC, right, within a question")
    return Table(f"{DEFAULT}, untrained, asked in words: {len(truth)} times tables x 8 samples", columns, (row,))


def figure(points: list[tuple[float, Interval, float]], out: Path) -> Path:
    """Accuracy against mean samples, adaptive and fixed; the SVG's path."""
    from ponder.bench.plots import coverage_plot
    from ponder.bench.stats import Curve

    ks = np.array([p[0] for p in points])
    got = Curve(ks, *(np.array([getattr(p[1], end) for p in points]) for end in ("value", "low", "high")))
    fixed = np.array([p[2] for p in points])
    curves = {"adaptive": got, "fixed best-of-k": Curve(ks, fixed, fixed, fixed)}
    return coverage_plot(curves, out / "stopping", title="Accuracy against mean samples", ylabel="accuracy")[1]
