"""`ponder worth`: how many samples are worth drawing when the checker errs."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from ponder.bench.limits import TwoType
from ponder.bench.worth import Worth, of_rates, of_samples, read_verdicts
from ponder.cli.options import console, json_option, print_json
from ponder.core.errors import InputError


@click.command()
@click.argument("verdicts", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("--success", default="", help="How often a sample is right; one rate for each type of question: '0.87,0.13'.")
@click.option("--shares", default="", help="Share of each type of question, of sum 1: '0.58,0.42'. Equal shares by default.")
@click.option("--soundness", type=click.FloatRange(0, 1), default=None, help="Share of wrong samples that the checker rejects.")
@click.option("--completeness", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Share of right samples that it accepts.")
@click.option("--wrong-cost", type=click.FloatRange(0), default=1.0, show_default=True, help="Loss by a wrong answer; a right one gains 1.")
@click.option("--attempt-cost", type=click.FloatRange(0), default=0.0, show_default=True, help="What an attempt costs, in that unit.")
@click.option("--most", type=click.IntRange(1), default=None, help="The most attempts; 200, or all samples of the file.")
@click.option("--plot", type=click.Path(path_type=Path), default=None, help="Draw the curves here, as .png and .svg (extra: bench).")
@json_option
def worth(
    verdicts: Path | None, success: str, shares: str, soundness: float | None, completeness: float, wrong_cost: float, attempt_cost: float,
    most: int | None, plot: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """How many samples are worth drawing, if the first one that a checker accepts is taken.

    A checker that errs sets a ceiling that no number of samples lifts, and where wrong answers cost something the best number is
    finite, sometimes 0. Give the rates, or the VERDICTS of the checker and of a stronger one: EvalPlus' eval_results.json, a JSON file
    {"base": [[true, false], ...], "strong": [[true, false], ...]} with a row a question, or the folder of a run of single samples.

    \b
    ponder worth --success 0.87,0.13 --shares 0.58,0.42 --soundness 0.75 --wrong-cost 1
    ponder worth --success 0.4 --soundness 0.98 --wrong-cost 4 --attempt-cost 0.01
    ponder worth eval_results.json --wrong-cost 2 --plot reward
    ponder bench humaneval:tests=shown --method "sample(1) | weigh(tests) | argmax()" --seeds 16 --out runs/one
    ponder worth runs/one
    """
    found = _measured(verdicts, success, wrong_cost, attempt_cost, most) if verdicts else None
    if found is None:
        if not success or soundness is None:
            raise InputError("give a file of verdicts, or --success and --soundness: ponder worth --success 0.4 --soundness 0.98")
        rates = _numbers("--success", success)
        priors = _numbers("--shares", shares) if shares else (1 / len(rates),) * len(rates)
        found = of_rates(TwoType(priors, rates, completeness, soundness), wrong_cost, attempt_cost, most or 200)
    files = _plot(found, plot) if plot else ()
    if as_json:
        print_json({**found.to_dict(), "plots": [str(f) for f in files]})
        return
    screen = console()
    table = Table("at most", "right", "wrong", "no answer", "reward")
    for k in _shown(found):
        right, wrong, reward = (float(v[k - 1]) for v in (found.right, found.wrong, found.reward))
        table.add_row(f"{k}{' *' if k == found.best else ''}", *(f"{v:.3f}" for v in (right, wrong, max(0.0, 1 - right - wrong), reward)))
    screen.print(table)
    screen.print(found.advice, highlight=False)
    if found.dropped:
        screen.print(f"{found.dropped} problems were left out: the checker rejects right samples of theirs")
    for file in files:
        screen.print(f"plot    {file}")


def _measured(path: Path, success: str, wrong_cost: float, attempt_cost: float, most: int | None) -> Worth:
    if success:
        raise InputError("give a file of verdicts or rates (--success), not both")
    base, strong, _ = read_verdicts(path)
    return of_samples(base, strong, wrong_cost, attempt_cost, most)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} takes numbers with commas between them, as 0.87,0.13, not {text!r}") from error


def _shown(found: Worth) -> list[int]:
    """1, 2, 4, 8, ..., the best and the last."""
    last = int(found.ks[-1])
    powers = {2**i for i in range(last.bit_length())}
    return sorted({*powers, last, *([found.best] if found.best else [])})


def _plot(found: Worth, path: Path) -> tuple[Path, Path]:
    from ponder.bench.plots import coverage_plot

    stem = path.with_suffix("") if path.suffix in (".png", ".svg") else path
    title = f"First accepted sample; a wrong one costs {found.wrong_cost:g}"
    return coverage_plot(found.curves(), stem, title=title, ylabel="share of questions, and reward")
