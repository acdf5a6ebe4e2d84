"""Reproduction: cheaply estimating inference efficiency metrics (Narayanan et al. 2023, arXiv 2305.02440)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ponder.bench.flops import transformer
from ponder.bench.idealized import Cells, RuntimeModel
from ponder.bench.plots import COLOURS, finish, new_figure, save
from ponder.lm.embedded import Embedded, Scheduling
from ponder.lm.load import DEFAULT
from ponder.lm.organism import Writer
from ponder.lm.paces import keep
from ponder.lm.throughput import TimedCell, cells, profile_generation
from ponder.papers.real_model import is_here, without_it
from ponder.papers.report import Check, Report, Table, reproduction
from ponder.pull import fetch

SLUG = "idealized-runtime"
TITLE = "Cheaply Evaluating Inference Efficiency Metrics for Autoregressive Transformer APIs"
CLAIM = (
    "The time of a query on stated hardware is a prompt term plus a constant a generated token (R^2 of 1.000 for 8 of 9 models), so that "
    "millions of queries can be priced from token counts after a few measurements."
)
ALPHA = {1: 0.023, 128: 0.024, 256: 0.025, 512: 0.042, 1024: 0.077, 1536: 0.114, 1920: 0.142}
SECOND = (0.044, 0.045, 0.046, 0.063, 0.098, 0.135, 0.163)
LAST = (1.345, 1.348, 1.351, 1.366, 1.402, 1.441, 1.467)
HELM = {
    "runtime_for_prompt_tokens": {"16": 0.024, "32": 0.023, "64": 0.023, "320": 0.030, "1024": 0.076, "1920": 0.142},
    "runtime_per_output_token": 0.021,
}
ORACLE = {
    (16, 1): 0.024, (17, 1): 0.012219, (32, 1): 0.023, (33, 1): 0.011859, (300, 10): 0.217125, (1024, 64): 1.399, (3840, 1): 0.284,
}  # fmt: skip
"""What HELM's rule gives for GPT-J."""
NOTES = (
    "Timed is the processor time of the engine on one thread: on a machine that others use it stands for the wall-clock time of a quiet "
    "one. Wall-clock times of the same queries are given beside it. Of repeated times the fastest counts: other work only adds to it.",
    "Prompts are random words, so that no prefix is found in a cache; completions that ended early were drawn again.",
    "Held-out cells are those whose prompt or output size was not fitted.",
)
UNTESTED = (
    "the ten services of the paper and their 2022 prices; that the estimate ranks thread settings, which a shared machine cannot show."
)


@reproduction
def reproduce(quick: bool, seed: int, out: Path | None = None) -> Report:
    """The published tables, and the embedded engine's own.

    Args:
        quick: 9 cells twice instead of 42 four times; nothing of it is kept as the engine's pace.
        seed: of prompts and draws.
        out: a folder for the figure, seconds against output tokens.
    """
    checks, tables, figures = exact_checks(), [], []
    small, ranks, table = organisms_part(3 if quick else 10, seed)
    checks += [small, ranks]
    tables.append(table)
    here = is_here() or not quick
    if here:
        prompts, outputs = ((1, 32, 64), (1, 4, 12)) if quick else ((1, 16, 64, 128, 256, 512), (1, 2, 4, 8, 16, 32, 64))
        fitted = ((1, 64), (1, 12)) if quick else ((1, 64, 256), (1, 8, 32))
        engine = Embedded(fetch(DEFAULT), name=f"embedded:{DEFAULT}", scheduling=Scheduling(threads=1))
        try:
            profile, wall = both_clocks(engine, prompts, outputs, 2 if quick else 4, seed)
            if not quick:
                keep(engine.name, RuntimeModel.fit(cells(profile, lambda cell: cell.fastest), hardware=hardware()).pace)
            measured, table, figures = engine_part(profile, wall, fitted, out)
            loaded, load_table = contention(engine, cells(profile), seed)
        finally:
            engine.close()
        checks += [*measured, *loaded]
        tables += [*table, load_table]
    return Report(
        SLUG,
        TITLE,
        CLAIM,
        tuple(checks),
        untested=UNTESTED if here else without_it(UNTESTED),
        tables=tuple(tables),
        figures=tuple(figures),
        notes=NOTES,
    )


def exact_checks() -> list[Check]:
    """GPT-J's published times, HELM's rule, operations, cost."""
    table: dict[tuple[int, int], float] = {}
    for (p, first), second, last in zip(ALPHA.items(), SECOND, LAST, strict=True):
        table |= {(p, 1): first, (p, 2): second, (p, 64): last}
    fit, helm = RuntimeModel.fit(table), RuntimeModel.from_helm(HELM)
    rounded = RuntimeModel.fit(table, digits=3)
    off = max(abs(helm.estimate(*query) - t) for query, t in ORACLE.items())
    ours = RuntimeModel.fit({(int(p), o): t + 0.021 * (o - 1) for p, t in HELM["runtime_for_prompt_tokens"].items() for o in (1, 2)})
    monotone = all(ours.estimate(p) <= ours.estimate(p + 1) + 1e-12 for p in range(32, 1920))
    speeds = [
        transformer(4096, 28, 50304, 512) / 0.042 / 1e12,
        transformer(4096, 28, 50304, 1920) / 0.142 / 1e12,
        transformer(12288, 96, 50304, 512) / 0.179 / 8 / 1e12,
    ]
    same = np.allclose(speeds, [144.07, 168.53, 125.58], atol=0.02)
    cost = rounded.cost(512, 64, 1, 4.096)
    return [
        Check("GPT-J on A100: beta to 3 decimals", rounded.pace.beta, ".021", rounded.pace.beta == 0.021),
        Check("GPT-J on A100: R^2", fit.r2, "above .9999", fit.r2 > 0.9999),
        Check("HELM's rule on GPT-J, seven queries: largest difference", off, "0 to 6 decimals", off < 1e-6, False),
        Check("ours is monotone where alpha rises", str(monotone), "True", monotone, False),
        Check(
            "TFLOP/s a GPU: GPT-J at 512 and 1920, davinci at 512",
            ", ".join(f"{s:.2f}" for s in speeds),
            "144.07, 168.53, 125.58",
            same,
            False,
        ),
        Check("cents of a query, 512 + 64 tokens on one A100", cost, "1.365 * 4.096 / 36", abs(cost - 1.365 * 4.096 / 36) < 1e-9, False),
    ]


def both_clocks(
    engine: Embedded, prompts: tuple[int, ...], outputs: tuple[int, ...], iterations: int, seed: int
) -> tuple[list[TimedCell], list[TimedCell]]:
    """Profiles of the same queries by processor time and by the wall clock."""
    stamps: list[tuple[float, float]] = []

    def clock() -> float:
        stamps.append((time.process_time(), time.perf_counter()))
        return stamps[-1][0]

    profile = profile_generation(engine, prompts, outputs, 1, iterations, seed, clock)
    spent = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(stamps[::2], stamps[1::2], strict=True)]
    walls = dict(spent)
    return profile, [TimedCell(c.prompt, c.output, tuple(walls[s] for s in c.seconds)) for c in profile]


def engine_part(
    profile: list[TimedCell], wall: list[TimedCell], fitted: tuple[tuple[int, ...], tuple[int, ...]], out: Path | None
) -> tuple[list[Check], list[Table], list[Path]]:
    """Fit a few cells, predict the others."""
    times, raw = cells(profile, lambda cell: cell.fastest), cells(wall)
    sizes = [p for p in sorted({p for p, _ in times}) if any(abs(p - wanted) <= 2 for wanted in fitted[0])]
    inside = {cell: t for cell, t in times.items() if cell[0] in sizes and cell[1] in fitted[1]}
    held = {cell: t for cell, t in times.items() if cell not in inside}
    model = RuntimeModel.fit(inside, hardware=hardware())
    errors = np.array(list(model.errors(held).values()))
    raw_errors = np.array([abs(model.estimate(*cell) - raw[cell]) / raw[cell] for cell in held])
    checks = [
        Check(f"embedded engine: R^2 of {len(inside)} fitted cells", model.r2, "above .99", model.r2 > 0.99),
        Check(
            f"embedded engine: median relative error on {len(held)} held-out cells",
            float(np.median(errors)),
            "below .05 (fails above .10)",
            bool(np.median(errors) < 0.05),
        ),
    ]
    slopes = _slopes(times)
    rows = [
        ("alpha at " + ", ".join(map(str, sizes)), ", ".join(f"{model.pace.alpha[p]:.4f}" for p in sizes)),
        ("beta, seconds a token", f"{model.pace.beta:.4f}"),
        ("held out: median, mean, largest error", f"{np.median(errors):.1%}, {errors.mean():.1%}, {errors.max():.1%}"),
        ("wall-clock times against the estimate: median difference", f"{np.median(raw_errors):.1%}"),
        ("beta fitted at each prompt size alone", ", ".join(f"{p}: {b:.4f}" for p, b in slopes.items())),
        ("hardware", hardware()),
    ]
    figures = [_figure(times, raw, model, out)] if out is not None else []
    return checks, [Table("SmolLM2 on the embedded engine, one thread", ("what", "measured"), tuple(rows))], figures


def _slopes(times: Cells) -> dict[int, float]:
    """beta at each prompt size: it grows with the context if reading the cache costs anything."""
    found = {}
    for p in sorted({p for p, _ in times}):
        pairs = sorted((o, t) for (q, o), t in times.items() if q == p)
        if len(pairs) > 1:
            found[p] = float(np.polyfit([o for o, _ in pairs], [t for _, t in pairs], 1)[0])
    return found


ORGANISMS = ("chain", "chain-large")


def organisms_part(iterations: int, seed: int) -> tuple[Check, Check, Table]:
    """Two organisms: held-out cells of each, and whether busy neighbours make the smaller one look slower than the larger.

    Raw times are single wall-clock times of both, in turn; the estimate is the profile's, made before.
    """
    models, errors, rows = {}, [], []
    raw: dict[str, list[float]] = {name: [] for name in ORGANISMS}
    engines = {name: Writer(name) for name in ORGANISMS}
    for name, engine in engines.items():
        profile = profile_generation(engine, (1, 4, 8, 16, 24), (1, 2, 4, 8, 12), 2, iterations, seed, time.process_time, write=_digits)
        times = cells(profile, lambda cell: cell.fastest)
        times = {cell: t for cell, t in times.items() if (cell[0], 1) in times}
        inside = {cell: t for cell, t in times.items() if cell[0] in (1, 8, 24) and cell[1] in (1, 12)}
        models[name] = RuntimeModel.fit(inside)
        held = models[name].errors({cell: t for cell, t in times.items() if cell not in inside})
        errors += held.values()
        rows.append((name, models[name].pace.beta * 1e3, models[name].r2, float(np.median(list(held.values()))), max(held.values())))
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        for turn in range(20):
            for name, engine in engines.items():
                raw[name] += profile_generation(engine, (8,), (8,), 0, 1, seed + turn, write=_digits)[0].seconds
    finally:
        for other in others:
            other.kill()
            other.wait()
    wrong = sum(a > b for a, b in zip(raw["chain"], raw["chain-large"], strict=True))
    right = models["chain"].estimate(8, 8) < models["chain-large"].estimate(8, 8)
    spread = float(np.quantile(raw["chain"], 0.9) / np.quantile(raw["chain"], 0.1))
    median = float(np.median(errors))
    title = f"Organisms; beside busy processes the 90% raw time of chain is {spread:.1f} times the 10% one"
    return (
        Check(f"organisms: median relative error on {len(errors)} held-out cells", median, "below .05 (fails above .10)", median < 0.05),
        Check(
            "organisms: the estimate ranks them, raw times beside busy processes do not always",
            f"{right}; raw order wrong in {wrong} of 20",
            "True",
            right,
        ),
        Table(title, ("organism", "beta, ms a token", "R^2", "held out: median error", "largest"), tuple(rows)),
    )


def _digits(n: int, rng: np.random.Generator) -> str:
    """A text of n characters that the chain organisms read."""
    return "".join(rng.choice(list("123456789+"), n))


def contention(engine: Embedded, times: Mapping[tuple[int, int], float], seed: int, busy: int = 2) -> tuple[list[Check], Table]:
    """The same query while other processes keep the machine busy: its wall-clock time, and its processor time."""
    prompt, output = sorted(times)[len(times) // 2]
    alone = both_clocks(engine, (prompt,), (output,), 5, seed + 1)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        beside = both_clocks(engine, (prompt,), (output,), 5, seed + 2)
    finally:
        for other in others:
            other.kill()
            other.wait()
    cpu, wall = (beside[i][0].median / alone[i][0].median for i in (0, 1))
    check = Check(
        f"{busy} busy processes beside it: wall-clock time of ({prompt}, {output}) over before",
        wall,
        "above 1.3 (raw times move)",
        wall > 1.3,
    )
    rows = (
        ("wall clock", alone[1][0].median, beside[1][0].median, wall),
        ("processor time", alone[0][0].median, beside[0][0].median, cpu),
        ("load average before", os.getloadavg()[0], None, None),
    )
    return [check], Table("A loaded machine", ("clock", "seconds as it was", "with busy processes", "ratio"), rows)


def hardware() -> str:
    """What the profile was measured on."""
    name = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown processor")
    return f"one core of {os.cpu_count()} ({name}), processor time"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _figure(times: Cells, raw: Cells, model: RuntimeModel, out: Path) -> Path:
    figure, axes = new_figure()
    sizes = sorted({p for p, _ in times})
    for i, p in enumerate(sizes):
        outputs = sorted(o for q, o in times if q == p)
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(outputs, [times[p, o] for o in outputs], "o", color=colour, ms=5, label=f"{p} prompt tokens")
        axes.plot(outputs, [model.estimate(p, o) for o in outputs], "-", color=colour, lw=1.2)
        axes.plot(outputs, [raw[p, o] for o in outputs], "x", color=colour, ms=4, alpha=0.5)
    axes.set_xlabel("output tokens")
    axes.set_ylabel("seconds (lines: estimate, crosses: wall clock)")
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8)
    finish(axes, "A prompt term and a constant a token")
    return save(figure, out / "idealized")[1]
