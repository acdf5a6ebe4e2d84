"""Reproduction: Mind your step (by step) (Liu et al. 2024, arXiv 2410.21333)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ponder.bench.conditions import COT, DIRECT, Condition, Outcomes, PairedReport, ThinkGate, compare_conditions, joined, paired, under
from ponder.bench.ranking import auroc
from ponder.bench.share_plot import shares_plot
from ponder.bench.stats import Interval, bootstrap, wilson
from ponder.core.language import LM
from ponder.core.seeds import generator
from ponder.lm.load import DEFAULT, load
from ponder.papers.benchmarks.mind_your_step_organism import organism_part
from ponder.papers.real_model import is_here, kept_calls, without_it
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.tasks import Task
from ponder.tasks import load as load_task
from ponder.tasks.mind_your_step.exceptions import memoriser, rule_follower, run_passes, vehicles
from ponder.tasks.mind_your_step.glasses import equal_fill, spill_angle
from ponder.tasks.mind_your_step.grammar import chunk_overlap
from ponder.tasks.mind_your_step.readout import above_median, implicit, verbal

SLUG = "mind-your-step"
TITLE = "Mind your step (by step): chain of thought can reduce performance on tasks where thinking makes humans worse"
CLAIM = (
    "On some tasks where talking it through hurts people, chain of thought hurts models too: learning artificial grammars, recognising "
    "faces, classifying with exceptions. What a model shows without words it can lose when it has to say it."
)
OTHERS = ("faces", "vehicle-exceptions", "inconsistency", "tilted-glasses", "feature-preference")
GRAMMAR = "artificial-grammar"
EACH = 24
"""Items of each other task."""
THINKING, GUESSED = "verbal, thinking", "verbal, thinking, unread as guesses"
LEAST_AUC, LEAST_LOSS = 0.65, 0.10
UNTESTED = (
    "the paper's headline, direct answers against chain of thought of models that can do the tasks (GPT-4o and o1-preview, -36 points); "
    "photographs of faces (the task `faces` is a drawn stand-in); a model that learns over many passes."
)
NOTES = (
    "A model of 135 million weights is below the effect's range: asked in words it is at chance with and without thinking, so a drop from "
    "thinking cannot be seen. What it shows is implicit against verbal knowledge of the same grammars.",
    "The implicit readout is the mean log-probability of a string as one more line below those shown. The share of its pairs of "
    "neighbouring letters that occur in those shown is a baseline without a model, and a strong one.",
    "The gates are on strings written as they are. The readout with spaces between letters was added after a first run had been seen: the "
    "model's tokens hold several letters, and it has no gate.",
    "An organism reads strings as pairs of letters and answers at once or after writing up to eight pairs: the same weights, told apart by "
    "a token. Its rules are learnt from an inducer that counts in haste and slips; its answers are learnt from the truth in both modes.",
    "Answers that cannot be read count as wrong in the table of conditions, and are left out of its difference over read answers. The gate "
    "counts them as guesses, because as errors they would pass it by themselves.",
)


@dataclass(frozen=True)
class Grammars:
    """What a model made of artificial grammars; arrays of shape (items,).

    Attributes:
        task: the items.
        member: the truth.
        implicit, spaced, verbal, overlap: readouts: string likelihood, the same with spaces between letters, yes against no, share of known
            letter pairs. Those that were not asked for are None.
        aurocs: of the implicit readout within each grammar, those of the items and more.
        direct, cot: what was answered.
    """

    task: Task
    member: np.ndarray
    implicit: np.ndarray
    spaced: np.ndarray | None
    verbal: np.ndarray | None
    overlap: np.ndarray
    direct: Outcomes
    cot: Outcomes
    aurocs: list[float]

    @property
    def readouts(self) -> dict[str, np.ndarray]:
        """Readouts that were asked for, by name."""
        named = {
            "letter pairs, no model": self.overlap,
            "implicit": self.implicit,
            "implicit, letters spaced": self.spaced,
            "verbal, yes against no": self.verbal,
        }
        return {name: readout for name, readout in named.items() if readout is not None}


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Exact checks of the tasks, organisms in two modes, and implicit against verbal knowledge of SmolLM2 if its file is here.

    Args:
        quick: one organism on 10 grammars instead of all on 100; of the model 1 grammar instead of 12 for the implicit readout and of 4
            for all others, shorter chains of thought, neither spaced letters nor yes against no, and none of the other tasks.
        seed: of tasks and draws.
        out: a folder for the figure, accuracy by how it is asked, and in full runs for the model's calls, which a rerun replays.
    """
    found_by_organisms, tables = organism_part(quick, seed)
    checks = [passes_check(seed), glasses_check(seed), *found_by_organisms]
    figures: tuple[Path, ...] = ()
    untested = UNTESTED
    if not quick or is_here():
        lm = load(DEFAULT) if quick or out is None else kept_calls(load(DEFAULT), out / "calls")
        found = ask_grammars(lm, *((1, 1, 64) if quick else (12, 4, COT.max_tokens)), seed, whole=not quick)
        checks += grammar_checks(found)
        others = () if quick else OTHERS
        tasks = {name: load_task(name, limit=EACH, seed=seed) for name in others}
        reports = {name: compare_conditions(task, lm, seed=seed) for name, task in tasks.items()}
        chances = {name: task.guess for name, task in {GRAMMAR: found.task, **tasks}.items()}
        tables += [readout_table(found), condition_table({GRAMMAR: paired(found.direct, found.cot)} | reports, chances)]
        if out is not None:
            shares = {name: [share] for name, share in accuracies(found).items()}
            title = f"Artificial grammars: what {DEFAULT} knows, and what it says"
            figures = (shares_plot(shares, ["accuracy"], out / "accuracy", title, line=0.5)[1],)
    else:
        checks.append(baseline_check(seed))
        untested = without_it(UNTESTED)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=untested,
        tables=tuple(tables),
        figures=figures,
        notes=NOTES,
    )


def passes_check(seed: int) -> Check:
    """Two learners whose passes are known: by plates, and by the rule alone."""
    rng = generator(seed, ("papers", SLUG, "passes"))
    lists = [vehicles(rng) for _ in range(240)]
    plates = {run_passes(listed, memoriser, rng).count for listed in lists}
    rule = [run_passes(listed, rule_follower, rng) for listed in lists]
    said = f"{sorted(plates)} / {sorted({r.count for r in rule})} at {sorted({a for r in rule for a in r.accuracy})}"
    return Check(
        "passes over 240 lists: remembering plates / the rule alone", said, "[2] / [15] at [0.8]", said == "[2] / [15] at [0.8]", False
    )


def glasses_check(seed: int) -> Check:
    """Glasses filled by the formula spill at one angle."""
    rng, worst = generator(seed, ("papers", SLUG, "glasses")), 0.0
    for _ in range(1000):
        width, other, fill = rng.uniform(4, 8), rng.uniform(4, 8), rng.uniform(8, 10)
        worst = max(worst, abs(spill_angle(10, width, fill) - spill_angle(10, other, equal_fill(10, width, fill, other))))
    return Check("1000 pairs of glasses: largest difference of spill angles", worst, "below 1e-9", worst < 1e-9, False)


def ask_grammars(lm: LM, grammars: int, asked: int, max_tokens: int, seed: int, whole: bool = True) -> Grammars:
    """The implicit readout of a model on so many grammars, and all else on the first `asked` of them, grammar by grammar.

    Args:
        whole: the readouts with spaced letters and of yes against no too.
    """
    every = load_task(f"artificial-grammar:grammars={grammars}", seed=seed)
    task = load_task(f"artificial-grammar:grammars={asked}", seed=seed)
    parts, thinking = split(task), Condition("cot", max_tokens)
    readout = np.concatenate([implicit(lm, part.problems) for part in split(every)])
    return Grammars(
        task,
        members(task),
        readout[: len(task.problems)],
        np.concatenate([implicit(lm, p.problems, spaced=True) for p in parts]) if whole else None,
        np.concatenate([verbal(lm, p.problems) for p in parts]) if whole else None,
        overlaps(task),
        joined([under(p, lm, DIRECT, seed) for p in parts]),
        joined([under(p, lm, thinking, seed) for p in parts]),
        by_grammar(readout, every),
    )


def split(task: Task) -> list[Task]:
    """A task of artificial grammars as one of each grammar."""
    numbers = list(dict.fromkeys(p.data["grammar"] for p in task.problems))
    return [replace(task, problems=tuple(p for p in task.problems if p.data["grammar"] == n)) for n in numbers]


def members(task: Task) -> np.ndarray:
    """Which strings belong to their grammar."""
    return np.array([task.gold(p) == "yes" for p in task.problems])


def overlaps(task: Task) -> np.ndarray:
    """The baseline without a model."""
    return np.array([chunk_overlap(p.data["string"], p.data["study"]) for p in task.problems])


def accuracies(found: Grammars) -> dict[str, Interval]:
    """Accuracy by how the same strings are asked about; readouts are cut at the median of their grammar. Of thinking that cannot be read a
    guess is right half the time."""
    problems, member = found.task.problems, found.member
    right = {name: above_median(readout, problems) == member for name, readout in found.readouts.items()} | {
        "verbal, direct": found.direct.correct,
        THINKING: found.cot.correct,
    }
    shares = {name: wilson(int(hits.sum()), len(hits)) for name, hits in right.items()}
    return shares | {GUESSED: bootstrap(found.cot.correct + 0.5 * found.cot.unread)}


def by_grammar(readout: np.ndarray, task: Task) -> list[float]:
    """AUROC of a readout within each grammar."""
    grammars, member = np.array([p.data["grammar"] for p in task.problems]), members(task)
    return [auroc(readout[grammars == g], member[grammars == g]) for g in sorted(set(grammars.tolist()))]


def grammar_checks(found: Grammars) -> list[Check]:
    """Implicit knowledge is there, and is lost in words: by the thresholds that were set before."""
    auc, shares = float(np.mean(found.aurocs)), accuracies(found)
    lost = shares["implicit"].value - shares[GUESSED].value
    read = ~found.cot.unread
    readable = f"{found.cot.correct[read].mean():.2f} over the {read.mean():.0%} that can be read" if read.any() else "none can be read"
    spread = f"{bootstrap(found.aurocs)}, each {min(found.aurocs):.2f} to {max(found.aurocs):.2f}"
    return [
        Check(
            f"{DEFAULT}: AUROC of the implicit readout, mean over grammars, {len(found.aurocs)} of them",
            spread if len(found.aurocs) > 1 else f"{auc:.3f}, no interval from one grammar",
            "at least .65; .75 to .85 was foreseen",
            auc >= LEAST_AUC,
        ),
        Check(
            f"{DEFAULT}: accuracy of the implicit readout less that of thinking, what cannot be read counted as guesses",
            f"{lost:.3f} ({shares['implicit']} less {shares[GUESSED]}; thinking is {readable})",
            "at least .10",
            lost >= LEAST_LOSS,
        ),
    ]


def baseline_check(seed: int) -> Check:
    """Without a model: strings can be told apart by what was shown."""
    task = load_task("artificial-grammar", seed=seed)
    auc = auroc(overlaps(task), members(task))
    return Check("AUROC of the share of known letter pairs, no model", auc, "at least .8: the shown strings tell", auc >= 0.8)


def readout_table(found: Grammars) -> Table:
    """Every way to read the same knowledge."""
    shares = accuracies(found)
    rows = []
    for name, share in shares.items():
        each = by_grammar(found.readouts[name], found.task) if name in found.readouts else []
        rows.append((name, str(share), f"{np.mean(each):.3f} ({min(each):.2f} to {max(each):.2f})" if each else None))
    title = f"{DEFAULT} on {len({p.data['grammar'] for p in found.task.problems})} grammars x 44 strings"
    return Table(title, ("asked by", "accuracy", "AUROC, mean over grammars"), tuple(rows))


def condition_table(reports: Mapping[str, PairedReport], chances: Mapping[str, float]) -> Table:
    """Direct answers against thinking on the same items, whether a drop could be seen at all, and what a gate makes of it.

    A drop can be seen only where direct answers are better than guesses.
    """
    gate = ThinkGate.fit(reports)
    rows = tuple(
        (
            name,
            r.n,
            chances[name],
            *(str(a) for a in r.accuracy),
            str(r.delta),
            f"{r.p:.2g}",
            "{:.2f} / {:.2f}".format(*r.unread),
            f"{r.delta_read[0]} (n={r.delta_read[1]})" if r.delta_read else None,
            "{:.0f} / {:.0f}".format(*r.tokens),
            "yes" if r.accuracy[0].low > chances[name] else "no",
            gate.decide(name),
        )
        for name, r in reports.items()
    )
    compared = ("direct", "thinking", "delta", "McNemar p", "unread", "delta, both read", "tokens", "above chance", "gate")
    columns = ("task", "n", "chance", *compared)
    return Table(f"{DEFAULT}: direct answers against thinking, temperature 0", columns, rows)
