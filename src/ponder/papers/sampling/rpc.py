"""Reproduction: bridging internal probability and self-consistency (Zhou et al. 2025, arXiv 2502.00511 and 2510.15444)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ponder.bench.plots import coverage_plot
from ponder.bench.stats import Curve
from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.lm.load import DEFAULT, load
from ponder.methods import parse
from ponder.papers.real_model import draw_paths
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.rpc_organism import chain_part
from ponder.papers.sampling.rpc_paths import CHOOSERS, Comparison, SampledPaths, compare
from ponder.papers.sampling.rpc_tree import TreePolicy, consistency_error, tree_policy, vote_error
from ponder.scorers.paths import rpc
from ponder.scorers.weibull import fit_weibull_mixture, weibull
from ponder.tasks import load as load_task

SLUG = "rpc"
TITLE = "Bridging internal probability and self-consistency for LLM reasoning"
CLAIM = (
    "Summing the probabilities of distinct sampled paths per answer (perplexity consistency), after dropping the low component of a "
    "Weibull mixture (RPC), needs half the samples of self-consistency for the same accuracy, and is better calibrated."
)
NS = (8, 16, 32)
REAL_NS = (4, 8, 16, 32, 64)
FEW = 30
SIZES = ((FEW, 100), (200, 60))
UNTESTED = (
    "language models and the authors' sampled paths, the published setting "
    "(ponder.papers.sampling.rpc_paths.load_paths reads those files, compare recomputes the published table)."
)
NOTES = (
    "Of the enumerable policies log-probabilities are joint, as in the theorems; of the trained one they are means over tokens, as in "
    "the published accuracies. The two are not comparable.",
    "A chain of arithmetic has one right path and many wrong ones. Counted once, it loses against answers that many different paths "
    "reach: with mean probabilities perplexity consistency is a count of different paths.",
    "The enumerable policies: Dirichlet(.15) path shares, 10 answers, a path is right with probability .4 and then 1.5 times as likely.",
    "Estimation errors are for the right answer. Where nearly every path is new (200 paths), perplexity consistency estimates "
    "worse than votes do, and still chooses nearly as well.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on policies whose errors are known exactly, and on a policy trained on chains of arithmetic.

    Args:
        quick: 4 subsets a problem instead of 20, fewer Monte Carlo draws, 60 chains instead of 300, and no part on a real model.
        seed: of all draws.
        out: a folder for the figures, accuracy against samples for each policy; none are drawn without it.
    """
    checks = [*identity_checks(200_000 if quick else 1_000_000, seed), fixture_check()]
    tables: list[Table] = []
    figures: list[Path] = []
    for paths, problems in SIZES:
        rng = np.random.default_rng([seed, paths])
        trees = [tree_policy(paths, rng) for _ in range(problems)]
        stored = [t.sample(128, rng) for t in trees]
        checks.append(pipeline_check(paths, stored))
        results = compare(stored, NS, 4 if quick else 20, seed, probability="joint")
        checks += tree_checks(paths, trees, results)
        tables += tree_tables(paths, trees, results)
        if out is not None:
            figures.append(accuracy_figure(paths, results, out))
    trained, trained_tables = chain_part(60, (16, 32, 64), 2, seed) if quick else chain_part(300, (4, 8, 16, 32, 64), 4, seed)
    checks += trained
    tables += trained_tables
    if not quick:
        tables.append(real_table(seed))
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED,
        tables=tuple(tables),
        figures=tuple(figures),
        notes=NOTES,
    )


def accuracy_figure(paths: int, results: Comparison, out: Path) -> Path:
    """Accuracy against samples of the four choosers, with intervals over problems; the SVG's path."""
    curves: dict[str, Curve] = {}
    for name in CHOOSERS:
        points = [results.accuracy(name, n) for n in NS]
        values, low, high = (np.array([getattr(p, end) for p in points]) for end in ("value", "low", "high"))
        curves[name] = Curve(np.array(NS), values, low, high)
    return coverage_plot(curves, out / f"accuracy-{paths}", title=f"Policies of {paths} paths", ylabel="accuracy")[1]


def real_table(seed: int) -> Table:
    """SC, PPL, PC and RPC on the paths of a real small model, mean probabilities. A smoke test: 60 problems gate nothing."""
    paths = draw_paths(load_task("times-tables", limit=60, seed=seed), 64, load(DEFAULT), seed)
    results = compare(paths, REAL_NS, 10, seed, probability="mean")
    rows = tuple(
        (name, n, results.accuracy(name, n).value, results.accuracy(name, n).low, results.accuracy(name, n).high, results.ece[name, n])
        for name in CHOOSERS
        for n in REAL_NS
    )
    return Table(f"{DEFAULT} on 60 times tables, mean token probability", ("chooser", "n", "accuracy", "low", "high", "ECE"), rows)


def identity_checks(draws: int, seed: int) -> list[Check]:
    """The closed form of the estimation error against Monte Carlo, and the case in which it is worse than a vote's."""
    rng = np.random.default_rng([seed, 19])
    checks: list[Check] = []
    for n in (4, 16, 64):
        closed = consistency_error([0.1] * 4, n)
        drawn = simulated_errors([0.1] * 4, n, draws, rng)
        off = abs(float(drawn.mean()) - closed) / (float(drawn.std()) / np.sqrt(draws))
        checks.append(
            Check(
                f"PC error, 4 paths of .1, n={n} (SC {vote_error(0.4, n):.5f})",
                f"{drawn.mean():.3g}",
                f"{closed:.3g} exactly",
                off < 5,
                False,
            )
        )
    ratio = consistency_error([0.001] * 400, 64) / vote_error(0.4, 64)
    checks.append(Check("PC error over SC error, 400 paths of .001, n=64", ratio, "37 to 38: worse than votes", 37 <= ratio <= 38, False))
    return checks


def simulated_errors(path_probabilities: list[float], n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Squared errors of perplexity consistency in independent repetitions, shape (draws,)."""
    p = np.array(path_probabilities)
    counts = rng.multinomial(n, [*p, max(0.0, 1 - p.sum())], size=draws)[:, :-1]
    return ((counts > 0) @ p - p.sum()) ** 2


def fixture_check() -> Check:
    """Forty likely and twenty-four unlikely paths: the mixture finds the unlikely ones."""
    rng = np.random.default_rng(0)
    x = np.clip(np.concatenate([0.8 * rng.weibull(8, 40), 0.2 * rng.weibull(2, 24)]), 1e-4, 0.999)
    fit, keep = fit_weibull_mixture(x), weibull()(x)
    found = int(np.sum(~keep))
    passed = abs(fit.nll + 15.788) < 0.01 and not keep[40:].any() and 24 <= found <= 28
    return Check(
        "pruning fixture: paths pruned", f"{found}, NLL {fit.nll:.3f}", "26 +- 2 with all 24 unlikely ones, NLL -15.788", passed, False
    )


def tree_errors(trees: list[TreePolicy], n: int) -> tuple[float, float]:
    """Exact estimation errors of SC and PC for the right answer, mean over problems."""
    pairs = [(vote_error(float(t.gold_paths.sum()), n), consistency_error(t.gold_paths, n)) for t in trees]
    votes, consistency = np.mean(pairs, axis=0)
    return float(votes), float(consistency)


PIPELINE = "weigh(likelihood(joint=True)) | prune(weibull) | distinct() | vote()"


def pipeline_check(paths: int, stored: Sequence[SampledPaths]) -> Check:
    """Whether the method's text, run on drawn candidates, says what the library function says."""
    stages, differing = parse(PIPELINE), 0
    for problem in stored:
        rows = zip(problem.answers, problem.completions, problem.logprobs, strict=True)
        drawn = [Candidate(str(t), str(a), 1, logprob=lp, finished=True, finish="stop") for a, t, lp in rows]
        voted = stages(Population(drawn), Context(Problem("which path?")))
        said = {c.value: math.exp(w) for c, w in zip(voted.items, voted.log_weights, strict=True)}
        expected = rpc(problem.answers, problem.completions, problem.logprobs, probability="joint").confidence
        differing += said.keys() != expected.keys() or any(abs(said[str(k)] - v) > 1e-9 for k, v in expected.items())
    return Check(f"{paths} paths: problems on which `{PIPELINE}` and rpc() differ", differing, "0", differing == 0, False)


def tree_checks(paths: int, trees: list[TreePolicy], results: Comparison) -> list[Check]:
    """What the paper claims, on one size of policy."""
    votes, consistency = tree_errors(trees, 16)
    acc = {name: results.accuracy(name, 32).value for name in CHOOSERS}
    half, most = results.accuracy("RPC", 16).value, NS[-1]
    error = Check(f"{paths} paths: PC estimation error at n=16", consistency, f"below SC's {votes:.4f}", consistency < votes)
    return [
        *([error] if paths == FEW else []),  # with many unlikely paths the theorem itself promises nothing
        Check(
            f"{paths} paths: PC accuracy less PPL accuracy at n={most}",
            acc["PC"] - acc["PPL"],
            "at least .03",
            acc["PC"] - acc["PPL"] >= 0.03,
        ),
        Check(
            f"{paths} paths: RPC accuracy at n=16",
            half,
            f"at least SC's at n=32 less .005, {acc['SC'] - 0.005:.3f}",
            half >= acc["SC"] - 0.005,
        ),
        Check(f"{paths} paths: RPC accuracy at n={most}", acc["RPC"], f"at least PC's, {acc['PC']:.3f}", acc["RPC"] >= acc["PC"]),
        Check(
            f"{paths} paths: calibration error of RPC at n={most}",
            results.ece["RPC", most],
            f"at most SC's, {results.ece['SC', most]:.3f}",
            results.ece["RPC", most] <= results.ece["SC", most],
        ),
    ]


def tree_tables(paths: int, trees: list[TreePolicy], results: Comparison) -> list[Table]:
    """Errors, accuracies and calibration by n."""
    columns = ("", *(f"n={n}" for n in NS))
    errors = [tree_errors(trees, n) for n in NS]
    model = float(np.mean([(t.gold_paths.sum() - 1) ** 2 for t in trees]))
    rows = [
        ("estimation error SC", *(f"{e[0]:.4f}" for e in errors)),
        ("estimation error PC", *(f"{e[1]:.4f}" for e in errors)),
        ("model error", *(f"{model:.4f}" for _ in NS)),
        *((f"accuracy {name}", *(str(results.accuracy(name, n)) for n in NS)) for name in CHOOSERS),
        *((f"calibration error {name}", *(f"{results.ece[name, n]:.3f}" for n in NS)) for name in CHOOSERS),
    ]
    return [Table(f"{paths} paths, {len(trees)} problems", columns, tuple(rows))]
