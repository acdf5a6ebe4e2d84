"""RPC on paths of a trained policy: chained arithmetic, whose log-probabilities are exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ponder.organisms import chain
from ponder.papers.report import Check, Table
from ponder.papers.sampling.organism_paths import draw
from ponder.papers.sampling.rpc_paths import CHOOSERS, Comparison, SampledPaths, compare

POLICY = "chain"
LEVELS = ("hard", "middle", "easy")


def chain_paths(problems: int, n: int, seed: int) -> tuple[list[SampledPaths], list[SampledPaths]]:
    """n paths of each of so many chains of 4 to 8 operations at temperature 1: with mean and with summed token log-probabilities."""
    rng = np.random.default_rng([seed, 47])
    chains = chain.problems(problems, rng, rng.integers(4, chain.SLOTS + 1, problems))
    paths = draw(POLICY, chains, n, seed)
    answers = [tuple(None if v < 0 else int(v) for v in row) for row in paths.values]
    golds = [int(a) for a in chains.answers]

    def stored(logprobs: NDArray[np.float64]) -> list[SampledPaths]:
        rows = zip(answers, paths.texts, logprobs.tolist(), golds, strict=True)
        return [SampledPaths(a, t, tuple(lp), gold) for a, t, lp, gold in rows]

    return stored(paths.mean_logprobs(chains.lengths * chain.STEP)), stored(paths.logprobs)


def chain_part(problems: int, ns: tuple[int, ...], repeats: int, seed: int) -> tuple[list[Check], list[Table]]:
    """Accuracy, calibration and samples needed of SC, PPL, PC and RPC on the paths of a trained policy.

    Args:
        problems: how many chains.
        ns: numbers of paths, the largest last.
        repeats: random subsets for each.
        seed: of all draws.
    """
    means, sums = chain_paths(problems, ns[-1], seed)
    results = compare(means, ns, repeats, seed, probability="mean")
    joint = compare(sums, ns, repeats, seed, probability="joint")
    most, half = ns[-1], ns[-2]
    votes, pruned = results.accuracy("SC", most).value, results.accuracy("RPC", most).value
    at_half = results.accuracy("RPC", half).value
    ece = {name: results.ece[name, most] for name in CHOOSERS}
    needs = samples_needed(means, results, ns)
    fewer = [level for level, (sc, rpc) in needs.items() if rpc <= sc]
    text = ", ".join(f"{level} {rpc:g} for SC's {sc:g}" for level, (sc, rpc) in needs.items())
    whole, part = votes - 0.01, votes - 0.005
    calibrated = ece["RPC"] <= ece["SC"]
    checks = [
        Check(f"{POLICY}: RPC accuracy with {most} paths", pruned, f"at least SC's less .01, {whole:.3f}", pruned >= whole),
        Check(f"{POLICY}: RPC accuracy with {half} paths", at_half, f"at least SC's with {most} less .005, {part:.3f}", at_half >= part),
        Check(f"{POLICY}: calibration error of RPC, {most} paths", ece["RPC"], f"at most SC's, {ece['SC']:.3f}", calibrated),
        Check(f"{POLICY}: paths for SC's best accuracy, by difficulty", text, "RPC no more than SC on at least one level", bool(fewer)),
    ]
    right = np.array([len({t for t, a in zip(p.completions, p.answers, strict=True) if a == p.gold}) for p in means])
    wrong = np.array([len({t for t, a in zip(p.completions, p.answers, strict=True) if a != p.gold}) for p in means])
    columns = ("chooser", "probability", *(f"n={n}" for n in ns), f"ECE, n={most}")
    rows = [
        (name, what, *(str(r.accuracy(name, n)) for n in ns), f"{r.ece[name, most]:.3f}")
        for what, r in (("mean", results), ("joint", joint))
        for name in CHOOSERS
        if what == "mean" or name != "SC"
    ]
    title = (
        f"Paths of {POLICY}, {problems} chains, {repeats} subsets; {right.mean():.1f} different right and {wrong.mean():.1f} different "
        f"wrong paths in {most}"
    )
    return checks, [Table(title, columns, tuple(rows))]


def samples_needed(stored: list[SampledPaths], results: Comparison, ns: tuple[int, ...]) -> dict[str, tuple[float, float]]:
    """For each third of the problems by difficulty, the fewest paths that reach the best accuracy of SC: of SC and of RPC (inf: none)."""
    share = np.array([np.mean([a == p.gold for a in p.answers]) for p in stored])
    needs: dict[str, tuple[float, float]] = {}
    for level, members in zip(LEVELS, np.array_split(np.argsort(share, kind="stable"), len(LEVELS)), strict=True):
        accuracy = {name: [float(results.credit[name, n][members].mean()) for n in ns] for name in ("SC", "RPC")}
        best = max(accuracy["SC"]) - 1e-12
        first = {name: next((float(n) for n, a in zip(ns, values, strict=True) if a >= best), np.inf) for name, values in accuracy.items()}
        needs[level] = first["SC"], first["RPC"]
    return needs
