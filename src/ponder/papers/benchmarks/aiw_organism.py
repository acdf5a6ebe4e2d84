"""The part of the AIW reproduction that needs no language model: an organism that learnt all relations but the one that is asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ponder.bench.fluctuation import repeated
from ponder.bench.stats import wilson
from ponder.core.language import Sampling
from ponder.core.seeds import generator
from ponder.lm.load import load
from ponder.organisms.counting import held_out, right, seen, written
from ponder.organisms.family import Questions
from ponder.organisms.net import Net
from ponder.organisms.shelf import find
from ponder.papers.report import Check, Table
from ponder.tasks import load as load_task

ASKED = 2000
STEPS = 400
LEAST_SEEN, MOST_HELD_OUT, LEAST_GAP = 0.95, 0.5, 0.3
FAMILIES = ("aiw", "bob", "light_family", "light_arithmetic")


def organism_part(quick: bool, seed: int) -> tuple[list[Check], list[Table]]:
    """Accuracy on seen relations and on the held-out composition: of the shipped organism, or of three that are trained here.

    Args:
        quick: the shipped one only; needs no torch.
        seed: of the questions, and the first of the three training seeds.
    """
    nets = {"shipped": Net.load(find("family").path)} if quick else train_three(seed)
    rng = generator(seed, ("papers", "aiw", "organism"))
    known, new = seen(ASKED, rng), held_out(ASKED, rng)
    checks: list[Check] = []
    rows: list[tuple[str, ...]] = []
    for name, net in nets.items():
        a, b = (wilson(int(right(net, asked).sum()), ASKED) for asked in (known, new))
        passed = a.value >= LEAST_SEEN and b.value <= MOST_HELD_OUT and a.value - b.value >= LEAST_GAP
        expected = f"seen at least {LEAST_SEEN}, held out at most {MOST_HELD_OUT}, a gap of at least {LEAST_GAP}"
        checks.append(Check(f"organism, {name}: seen relations / held-out composition", f"{a} / {b}", expected, passed))
        rows += [(name, what, share) for what, share in mistakes(new, written(net, new)).items()]
    title = "What organisms write for the sisters of a woman's brother (right: m + 1), n brothers and m sisters"
    return checks, [Table(title, ("organism", "number", "share"), tuple(rows)), problem_table(seed)]


def train_three(seed: int) -> dict[str, Net]:
    """Organisms of three seeds, with fewer steps than the shipped one."""
    from ponder.train.family import trained
    from ponder.train.measure import forward

    return {f"seed {s}": forward(trained(s, STEPS)) for s in range(seed, seed + 3)}


def mistakes(asked: Questions, said: np.ndarray) -> dict[str, str]:
    """Shares of what the numbers are in terms of the question, the first reading that fits."""
    n, m = asked.brothers, asked.sisters
    readings = {"m + 1": m + 1, "m": m, "m - 1": m - 1, "n": n, "n + 1": n + 1, "n - 1": n - 1, "n + m": n + m}
    counts: Counter[str] = Counter()
    for i, number in enumerate(said):
        counts[next((name for name, values in readings.items() if values[i] == number), "other")] += 1
    return {name: f"{count / len(said):.3f}" for name, count in counts.most_common()}


def problem_table(seed: int) -> Table:
    """The shipped organism on the problems themselves, drawn at temperature 1."""
    rows = []
    for family in FAMILIES:
        task = load_task(f"aiw:family={family},prompt=plain,parser=number")
        asked = repeated(task, load("organism:family"), 30, sampling=Sampling(1.0, 4), seed=seed)
        rates = (f"{t.correct / t.n:.2f}" for t in asked)
        rows.append((family, *rates, str(wilson(sum(t.correct for t in asked), sum(t.n for t in asked)))))
    columns = ("family", "V1", "V2", "V3", "V4", "all")
    return Table("organism:family on the problems, 30 answers a variation, temperature 1", columns, tuple(rows))
