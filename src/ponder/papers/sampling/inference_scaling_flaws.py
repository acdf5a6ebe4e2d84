"""Reproduction: the limits of resampling with imperfect verifiers (Stroebl et al. 2024, arXiv 2411.17501)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ponder.bench.limits import TwoType, false_positives, none_found
from ponder.organisms import chain
from ponder.papers.report import Check, Report, reproduction
from ponder.papers.sampling.flaws_mutants import mutants_part
from ponder.papers.sampling.flaws_parts import Checked, bucket_part, figure, fit_part, rate_table, reward_part
from ponder.papers.sampling.flaws_solutions import solutions_part
from ponder.papers.sampling.organism_paths import draw
from ponder.tasks.code import labelled_solutions

SLUG = "inference-scaling-flaws"
TITLE = "Inference scaling flaws: the limits of LLM resampling with imperfect verifiers"
CLAIM = (
    "Resampling until a test passes cannot be more accurate than a passing sample is: false positives set a ceiling that no compute "
    "lifts, lower for weaker models, and once they cost something the best number of attempts is finite, sometimes zero."
)
POLICIES = ("chain-small", "chain", "chain-large")
MIDDLE = "chain"
FIXTURES = ((0.7, 3, 0.524567, 0.517601), (1.0, 2, 0.472381, 0.432472), (2.0, 1, 0.3388, 0.148708), (4.0, 1, 0.1184, -0.418821))
UNTESTED = (
    "samples of language models on such problems in large numbers (200 a problem), and whether programs that were asked to follow a "
    "style follow it less where they are false positives"
)
NOTES = (
    "The weak checker casts out nines: it accepts a number that equals the right one modulo 9. The strong one compares the numbers.",
    "What the paper calls the false positive rate, P(wrong | accepted), is a false discovery rate.",
    "Wrong answers become more frequent with the attempt because easy questions are accepted early and leave; samples do not get worse.",
    "Two types are fitted on the same questions whose curve they are compared with: it is the form that is tested.",
    "Attempt k is reached with the prior's probability. The published notebook weighs it by the posterior again: .5541 instead of "
    ".5246 for the fixture at cost .7.",
    "The labelled programs were chosen half right, half wrong, of 31 open models: their false discovery rate is that of a model that is "
    "right half of the time, and no model's own accuracy can be read off them. A problem's samples are pooled over models.",
    "A mutant is the solution of a HumanEval problem with 1 to 3 small faults. Its strong checker is the shipped tests and new inputs on "
    "which the solution raises nothing. Some of those may lie outside what the problem's text promises, so a mutant may count as wrong "
    "for a difference that nobody asked about.",
    "That ceilings rise with accuracy over mutant models is partly built in, since one rate sets both. Over models of one operator each, "
    "at one rate, it is not.",
    "A mutant model is right at one rate on every problem, so that no problem is hard: a false positive only makes a problem accept "
    "earlier, and the share of wrong ones falls with the attempt. With questions of unequal difficulty, as in the first part, it rises.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on three chain organisms, on labelled programs of language models and on mutants of programs.

    Args:
        quick: 100 questions with 32 samples instead of 400 with 64, and 40 programs with 16 mutated samples instead of 164 with 40.
        seed: of all draws.
        out: a folder for the figure, reward against attempts by cost; none is drawn without it.
    """
    problems, n = (100, 32) if quick else (400, 64)
    found = {policy: checked(policy, problems, n, seed) for policy in POLICIES}
    curves, rewarding, rewards = reward_part(found[MIDDLE], MIDDLE, seed)
    rising, buckets = bucket_part(found[MIDDLE], MIDDLE)
    fitting, fits = fit_part(found[MIDDLE], MIDDLE)
    rates = rate_table(found, f"What endless resampling would reach, {problems} questions x {n} samples")
    real, real_tables = solutions_part(labelled_solutions(), seed)
    mutated, mutated_tables = mutants_part(40, 16, 60, seed, ()) if quick else mutants_part(None, 40, 200, seed)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*fixture_checks(), *ceiling_checks(found), *rewarding, *rising, *fitting, *real, *mutated),
        untested=UNTESTED,
        tables=(rates, rewards, buckets, fits, *real_tables, *mutated_tables),
        figures=() if out is None else (figure(curves, MIDDLE, out / "reward"),),
        notes=NOTES,
    )


def checked(policy: str, problems: int, n: int, seed: int) -> Checked:
    """n samples of each of so many chains of 4 to 8 operations, the same for all policies."""
    rng = np.random.default_rng([seed, 3])
    chains = chain.problems(problems, rng, rng.integers(4, chain.SLOTS + 1, problems))
    paths = draw(policy, chains, n, seed)
    weak = (paths.values >= 0) & (paths.values % 9 == chains.answers[:, None] % 9)
    return Checked(weak, paths.right)


def fixture_checks() -> list[Check]:
    """The chance of an accepted sample within k, and the two types of the card."""
    chances = 1 - none_found(200, [40])[0, [1, 5, 20]]
    off = float(np.abs(chances - [0.2, 0.67646, 0.99108]).max())
    checks = [Check("chance of one of 40 among 1, 5, 20 of 200", str(chances.round(5).tolist()), ".2, .67646, .99108", off < 6e-6, False)]
    model = TwoType((0.58, 0.42), (0.87, 0.13), soundness=0.75)
    for cost, attempts, reward, limit in FIXTURES:
        best, ends = model.optimal_attempts(cost), float(model.reward(np.inf, cost))
        got = float(model.reward(best, cost))
        same = best == attempts and abs(got - reward) < 1e-6 and abs(ends - limit) < 1e-6
        measured = f"{best} attempts, {got:.6f}, limit {ends:.6f}"
        checks.append(Check(f"two types, cost {cost}", measured, f"{attempts}, {reward:.6f}, {limit:.6f}", same, False))
    return checks


def ceiling_checks(found: dict[str, Checked]) -> list[Check]:
    """False positives exist, and the ceiling is lower for weaker policies."""
    reports = {policy: false_positives(c.weak, c.strong) for policy, c in found.items()}
    rate = reports[MIDDLE].false_discovery_rate or 0.0
    ordered = sorted(reports.values(), key=lambda r: r.accuracy)
    ceilings = [r.ceiling or 0.0 for r in ordered]
    text = ", ".join(f"{r.accuracy:.3f}: {c:.3f}" for r, c in zip(ordered, ceilings, strict=True))
    return [
        Check(f"false discovery rate of the weak checker, {MIDDLE}", rate, "above 0", rate > 0),
        Check("accuracy of one sample: ceiling, weakest policy first", text, "ceilings in the same order", ceilings == sorted(ceilings)),
    ]
