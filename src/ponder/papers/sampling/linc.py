"""Reproduction: translate to first-order logic, let a prover decide, vote (LINC, Olausson et al. 2023, arXiv 2310.15164)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ponder.bench.share_plot import shares_plot
from ponder.lm.load import load
from ponder.papers.real_model import kept_calls
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.papers.sampling.linc_exact import exact_part
from ponder.papers.sampling.linc_organisms import DEPTHS, METHODS, NAMES, K, accuracy, asked_problems, claims, draw, tables
from ponder.papers.sampling.linc_smollm2 import real_model

SLUG = "linc"
TITLE = "LINC: a neurosymbolic approach for logical reasoning by combining language models with first-order logic provers"
CLAIM = (
    "Let the model only translate to first-order logic, let a prover decide and vote over the translations that run: on ProofWriter GPT-4 "
    "rises from .722 with chain of thought to .983, and depth of deduction no longer matters."
)
UNTESTED = (
    "models that read any English (the organisms know 46 words), FOLIO and ProofWriter themselves, and the replay of the published "
    "completions: none of these is at hand"
)
NOTES = (
    "Organisms have one size (0.2M weights) and learn from theories of depth 0 to 2 in common wordings. Of the test's sentences that can "
    "be said in a rare way 5% are, for all alike.",
    "A made theory asserts each predicate with one sign only, so that forward chaining is complete for first-order entailment.",
    "An uncertain statement is one that a single fact, taken away, keeps from following at its depth.",
    "A translation that drops or changes a statement mostly makes the verdict Uncertain, which flatters that label's recall.",
    "The organism that answers itself is the second recipe (the first stayed at a guess): after eight minutes of one core it is above a "
    "guess at once, and about where the question's sign alone is step by step.",
    "SmolLM2-135M cannot write first-order logic: as a translator it exercises the path, and no claim rests on it. Its own answers, "
    "which are those of a guess, are compared with LINC's on the same problems; a competent answerer would be the harder test.",
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """Measure the claim on made theories with the shipped organisms, or with freshly trained ones.

    Args:
        quick: the shipped organisms, 20 problems of each depth and 100 for the provers. Otherwise organisms are trained again with this
            seed (extra: torch), 60 problems of each depth, 1,000 for the provers, 2,000 theories, and SmolLM2 answers 36.
        seed: of problems and draws.
        out: a folder for the figure and the weights; without it there is no figure.
    """
    exact, exact_tables = exact_part(*((100, 120) if quick else (1000, 2000)), seed)
    problems = asked_problems(20 if quick else 60, seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = None if quick else trained(out or Path(scratch), seed)
        drawn = {name: draw(name, problems, seed, folder) for name in METHODS}
    model = None if quick or out is None else kept_calls(load(), Path(out) / "calls")
    found, depths = claims(drawn, problems, seed)
    plain: tuple[list[Check], list[Table]] = (
        ([], []) if quick else real_model(problems, seed, model, accuracy(drawn["linc"], problems, K, seed).tolist())
    )
    figures: Sequence[Path] = ()
    if out is not None:
        groups = {NAMES[name]: intervals for name, intervals in depths.items()}
        title = f"Trained to depth 2, asked to depth {DEPTHS[-1]}"
        figures = shares_plot(groups, [f"depth {d}" for d in DEPTHS], Path(out) / "linc-depth", title, "accuracy (95% interval)", 1 / 3)[:1]
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        (*exact, *found, *plain[0]),
        untested=UNTESTED,
        tables=(*tables(drawn, problems, depths, seed), *exact_tables, *plain[1]),
        figures=tuple(figures),
        notes=NOTES,
    )


def trained(folder: Path, seed: int) -> Path:
    """The organisms made again, about a quarter of an hour of one core together; those that are in the folder already are kept."""
    from ponder.train.catalog import make
    from ponder.train.recipes import Made

    for name in {which: None for which, _ in METHODS.values()}:
        if not (folder / f"{name}.safetensors").exists():
            make(Made(name, folder, seed, quiet=True))
    return folder
