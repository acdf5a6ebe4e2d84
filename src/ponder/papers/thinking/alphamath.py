"""Reproduction: AlphaMath almost zero, process supervision without process (Chen et al. 2024, arXiv 2405.03553)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.stats import paired_bootstrap
from ponder.core.errors import need
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.thinking.alphamath_exact import exact_checks
from ponder.papers.thinking.alphamath_loop import METHODS, Measured, Size, held_out, measured, training_questions, warm_start

SLUG = "alphamath"
TITLE = "AlphaMath almost zero: process supervision without process"
CLAIM = (
    "Tree search on questions with known answers gives right and wrong solutions and a value for every step; policy and value trained on "
    "them, round by round, solve more without any written solution, and at test time the value leads a cheap beam that beats a vote."
)
QUICK = Size(questions=120, tested=40, rounds=1, trees=1, simulations=16, epochs=2, judged=60)
FULL = Size(questions=800, tested=150)
UNTESTED = "a pretrained language model with a Python tool; three rounds on 15,000 questions; the published accuracies."
NOTES = (
    "The policy is the organism chain-small with two more layers and a value head that says 0, on chains of 4 to 8 operations without "
    "a tool: errors are slips of arithmetic, where the paper's calculator leaves errors of logic. A chain has one right solution.",
    "Each round goes on from the weights of the one before and learns from its own trees (the paper does not say which it does).",
    "SBS, MCTS and votes are ponder's own methods, asked as a user asks; the value head is the reward model.",
    "The training solve rate rises with the number of trees even where nothing is learnt; it is not evidence by itself.",
)
CONTROLS = {"no value loss (beta = 0)": {"value_weight": 0.0}, "value of right solutions only": {"negatives": 0}}


@dataclass
class Loop:
    """What a run of the loop gave: the test after each round (0 is the warm start), reports, and controls after one round."""

    after: list[Measured] = field(default_factory=list[Measured])
    reports: Sequence[Any] = ()
    controls: dict[str, Measured] = field(default_factory=dict[str, Measured])


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Check the search exactly, run the loop, and measure it after every round.

    Args:
        quick: one round on few questions, too small for the claim's effects: it shows that all parts run. The gates are the same.
        seed: of questions, trees, training and draws.
        out: not used; there are no figures.
    """
    size = QUICK if quick else FULL
    loop = run_loop(size, seed, controls=not quick)
    exact, gates = exact_checks(seed), gate_checks(loop)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*exact, *gates),
        verdict="does not reproduce" if fails(loop) else None,
        untested=UNTESTED,
        tables=(accuracy_table(loop), difference_table(loop), round_table(loop)),
        notes=NOTES,
    )


def run_loop(size: Size, seed: int, controls: bool) -> Loop:
    """Rounds of search and training from the warm start, measured after each; with `controls` also one round of each ablation."""
    alpha = need("ponder.train.alpha", "torch")
    test = held_out(size.tested, seed)
    questions, checker = training_questions(size.questions, test, seed)
    loop = Loop()

    def evaluate(net: Any, number: int) -> dict[str, float]:
        loop.after.append(measured(net, test, size, seed))
        return {}

    def settings(**own: Any) -> dict[str, Any]:
        common = {"trees": size.trees, "simulations": size.simulations, "epochs": size.epochs}
        return {"rounds": size.rounds, **common, "seed": seed, "quiet": True, **own}

    policy = warm_start(seed)
    evaluate(policy, 0)
    _, loop.reports = alpha.alpha_loop(policy, questions, checker, **settings(evaluate=evaluate))
    for name, own in CONTROLS.items() if controls else ():
        net, _ = alpha.alpha_loop(warm_start(seed), questions, checker, **settings(rounds=1, **own))
        loop.controls[name] = measured(net, test, size, seed, {"SBS(1,5)": METHODS["SBS(1,5)"]})
    if controls:
        guessed = {"SBS(1,5)": "step_beam_search(1, 5, scorer=random())"}
        loop.controls["random value in the last round's beam"] = measured(policy, test, size, seed, guessed)
    return loop


def gate_checks(loop: Loop) -> list[Check]:
    """The gates, set before the first run."""
    last, greedy = loop.after[-1], [m.accuracy("greedy") for m in loop.after]
    rise = greedy[-1] - greedy[0]
    solved = [r.solved for r in loop.reports]
    beam, wide, tree, vote = (last.accuracy(name) for name in ("SBS(1,5)", "SBS(3,5)", "MCTS", "maj@5"))
    early = [b - a for a, b in pairwise(greedy[:3])]
    checks = [
        Check("greedy accuracy from the warm start to the last round", rise, "at least +.05", rise >= 0.05),
        Check(
            "greedy accuracy, change in each of the first two rounds", " ".join(f"{x:+.3f}" for x in early), "both above 0", min(early) > 0
        ),
        Check("SBS(1,5) less greedy", beam - greedy[-1], "at least .02", beam - greedy[-1] >= 0.02),
        Check("SBS(3,5) less SBS(1,5)", wide - beam, "at least 0", wide >= beam),
        Check("SBS(1,5) less maj@5", beam - vote, "at least -.02", beam - vote >= -0.02),
        Check("MCTS less greedy", tree - greedy[-1], "at least .04", tree - greedy[-1] >= 0.04),
        Check("AUROC of the value at the end of a solution", last.auroc, "at least .85", last.auroc >= 0.85),
        Check(
            "share of training questions solved, by round", " ".join(f"{x:.3f}" for x in solved), "never falls", sorted(solved) == solved
        ),
    ]
    for name, control in loop.controls.items():
        against = last if "random" in name else loop.after[1]
        lost = against.accuracy("SBS(1,5)") - control.accuracy("SBS(1,5)")
        checks.append(Check(f"SBS(1,5) less that with {name}", lost, "above 0", lost > 0))
    return checks


def fails(loop: Loop) -> bool:
    """Whether the claim fails outright: the beam loses by over 2 points to a vote of as many solutions, or the last round to the first."""
    first, last = loop.after[0], loop.after[-1]
    return last.accuracy("SBS(1,5)") < last.accuracy("maj@5") - 0.02 or last.accuracy("greedy") < first.accuracy("greedy")


def accuracy_table(loop: Loop) -> Table:
    """Accuracy of every method after every round, and the tokens it generated a question in the last."""
    rows = [(name, *(m.accuracy(name) for m in loop.after), round(loop.after[-1].tokens[name])) for name in METHODS]
    rounds = tuple(f"round {i}" for i in range(len(loop.after)))
    auroc = ("AUROC of the value", *(m.auroc for m in loop.after), None)
    return Table("Accuracy on test questions", ("method", *rounds, "tokens"), (*rows, auroc))


def difference_table(loop: Loop) -> Table:
    """Paired differences with bootstrap intervals over questions."""
    first, last = loop.after[0], loop.after[-1]
    pairs = [("greedy, last round less warm start", last.right["greedy"], first.right["greedy"])]
    pairs += [
        (f"{a} less {b}", last.right[a], last.right[b]) for a, b in (("SBS(1,5)", "greedy"), ("SBS(1,5)", "maj@5"), ("MCTS", "greedy"))
    ]
    rows: list[tuple[str, float, float, float]] = []
    for name, a, b in pairs:
        found = paired_bootstrap(np.asarray(a), np.asarray(b))
        rows.append((name, found.value, found.low, found.high))
    return Table("Differences, 95% intervals over questions", ("difference", "value", "low", "high"), tuple(rows))


def round_table(loop: Loop) -> Table:
    """What each round searched and learnt from, and the controls."""
    rows = [(f"round {r.round}", r.solved, r.right, r.wrong, r.loss, None) for r in loop.reports]
    rows += [(name, None, None, None, None, m.accuracy("SBS(1,5)")) for name, m in loop.controls.items()]
    columns = ("", "questions solved", "right solutions", "wrong solutions", "loss", "SBS(1,5)")
    return Table("Rounds and controls", columns, tuple(rows))
