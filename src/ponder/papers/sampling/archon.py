"""Reproduction: layers of components, chosen by search (Archon, Saad-Falcon et al. 2024, arXiv 2409.15254)."""

from __future__ import annotations

from pathlib import Path

from ponder.core.answer import answer
from ponder.core.context import Context
from ponder.core.language import Sampling
from ponder.lm.load import DEFAULT, load
from ponder.methods import parse
from ponder.methods.architecture import Architecture
from ponder.methods.archon_space import space
from ponder.methods.forecast import forecast
from ponder.papers.real_model import is_here
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.archon_system import checks_of, figures_of, tables_of, trained
from ponder.programs.layer_replies import read_ranking, read_verdict
from ponder.search.race import race
from ponder.tasks import load as load_task

SLUG = "archon"
TITLE = "Archon: An Architecture Search Framework for Inference-Time Techniques"
CLAIM = (
    "Layers of generators, critics, rankers, fusers and verifiers, chosen by search under a budget of calls, beat single models and "
    "ensembles of them."
)
UNTESTED = "frontier models on MT-Bench, Arena-Hard, MixEval, MATH and CodeContests, where the paper gains 15.1 points on average."
NOTES = (
    "Pool: the organisms chain-large, chain-revise, chain and chain-small on chains of eight operations.",
    "The panel: fuser chain-revise, trained to write a better attempt with up to four in view; ranker and critic by the outcome model "
    "chain-outcome; a verifier that accepts 85% of right answers and 25% of wrong ones; unit tests by parity and the last operation.",
    "The ensembles draw as many replies as the winner can draw at most, judges' replies counted; its tokens are in the table.",
)
ADVERSARIAL = {"[3-5]": None, "[2] > [2] > [9]": [1], "none": None, "[4] > [2]": [3, 1]}
VERDICTS = {"[Correct]": True, "[Correct] [Incorrect]": None, "it is correct": None, "[Incorrect]": False}


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Search architectures of trained organisms and measure the winner on held-out questions.

    Args:
        quick: 64 architectures on 24 questions, 40 held out, one seed; else 384 on 48, 200 held out, two seeds, and the default model
            as every component where it is here.
        seed: of questions, draws and optimisers.
        out: a folder for the figures.
    """
    run = trained(quick, seed)
    raced = race(run.space, run.table, {"tpe": 10 if quick else 100, "random": 200, "greedy": 200}, seed, 40 if quick else 60)
    smoke = () if quick or not is_here() else (smoke_table(seed),)
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*exact_checks(), *checks_of(run, raced)),
        untested=UNTESTED,
        tables=(*tables_of(run, raced), *smoke),
        figures=() if out is None else figures_of(run, raced, out),
        notes=NOTES,
    )


def exact_checks() -> list[Check]:
    """The size of the space, the call counts, and what is read in hostile replies."""
    size = len(space())
    method = parse("sample(7) | critique() | rank(5) | verify('reasons') | fuse(2) | unit_tests(3, k=1, by='model')")
    question = load_task("times-tables", limit=1).problems[0]
    formula, rehearsed = Architecture.of(method).completions(), forecast(method, question).completions
    read = {text: read_ranking(text, 5) for text in ADVERSARIAL} == ADVERSARIAL
    told = {text: read_verdict(text) for text in VERDICTS} == VERDICTS
    by_hand = 7 + 1 + 1 + 2 * 5 + 2 + 1 + 2
    return [
        Check("architectures in the paper's space", size, "3192", size == 3192, False),
        Check(
            "replies drawn by an architecture: formula, rehearsal",
            f"{formula}, {rehearsed}",
            f"{by_hand}",
            formula == rehearsed == by_hand,
            False,
        ),
        Check("hostile rankings and verdicts", f"{read}, {told}", "read as documented", read and told, False),
    ]


def smoke_table(seed: int) -> Table:
    """The default model as every component: whether its replies can be read; its judgement is not tested."""
    rows: dict[str, list[int]] = {}
    model = load(DEFAULT)
    for i, problem in enumerate(load_task("times-tables", limit=8, seed=seed).problems):
        context = Context(problem, models={"m": model}, sampling=Sampling(max_tokens=96), root=i)
        answer(parse("sample(4) | critique() | rank(3) | verify() | fuse()"), context)
        for stage, (unread, asked) in context.trace.unread.items():
            counts = rows.setdefault(stage, [0, 0])
            counts[0] += asked - unread
            counts[1] += asked
    model.close()
    told = tuple((stage, f"{read} of {asked}") for stage, (read, asked) in rows.items())
    return Table(f"{DEFAULT} as every component, 8 questions: replies that could be read", ("stage", "read"), told)
