"""A small net that learnt to judge strings of grammars it is shown, at once and after writing down rules: does it lose by the rules?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ponder.bench.conditions import Outcomes, PairedReport, paired
from ponder.bench.stats import wilson
from ponder.core.problem import Problem
from ponder.core.seeds import generator
from ponder.organisms.net import Net
from ponder.papers.benchmarks.nets import load_net, shipped
from ponder.papers.report import Check, Table
from ponder.tasks import Task
from ponder.tasks import load as load_task
from ponder.tasks.mind_your_step.grammar import KIND, chunk_overlap, overlap, pairs
from ponder.tasks.mind_your_step.pairs import ALPHABET, ASK, IDS, MARKS, NO, PAIRS, QUESTION, RULES, THINK, YES, Sum, ids, random_sum
from ponder.tasks.mind_your_step.readout import above_median

MOST_LOSS, LEAST_P, LEAST_CONTROL = -0.02, 0.01, 0.10
"""Set before any run, as the card has them: the difference that rules make, McNemar's p, and what working sums out must gain."""
SUMS = 1000
Ints = NDArray[np.int64]
_ASK, _THINK, _YES, _NO = (IDS[c] for c in (ASK, THINK, YES, NO))
_DIGITS = [IDS[c] for c in "0123456789"]


def answered(net: Net, start: Sequence[int], prompts: Sequence[Sequence[int]], most: int, answers: Sequence[int]) -> list[list[int]]:
    """What the net writes behind prompts of one length, greedily, up to and with the answer, which is the token after `?`.

    Args:
        net: the organism.
        start: tokens that all prompts stand behind; may be none.
        prompts: tokens, each ended by `?` or `:`.
        most: the most tokens before `?`, which is then put in.
        answers: tokens that an answer can be.
    """
    fed, place, cache = np.array(prompts), QUESTION, net.cache(len(prompts))
    if start:
        read = net.cache(1)
        net.feed(read, np.array([start]))
        cache = read.take(np.zeros(len(fed), np.int64))
    written: list[list[int]] = [[] for _ in prompts]
    open_ = np.ones(len(fed), bool)
    for step in range(most + 2):
        logits = net.logits(net.feed(cache, fed, places=np.broadcast_to(place + np.arange(fed.shape[1]), fed.shape)))[:, 0]
        place += fed.shape[1]
        asked = fed[:, -1] == _ASK
        thought = np.full(len(fed), _ASK) if step == most else logits.argmax(-1)
        fed = np.where(asked, np.array(answers)[logits[:, answers].argmax(-1)], thought)[:, None]
        for i in np.flatnonzero(open_):
            written[i].append(int(fed[i, 0]))
        open_ &= ~asked
        if not open_.any():
            break
    return written


def judged(net: Net, task: Task, thought: bool) -> tuple[Outcomes, list[list[str]]]:
    """What the net makes of a task of artificial grammars, at once or after rules; and the rules it wrote about each string."""
    written: dict[str, list[int]] = {}
    groups: dict[tuple[int, int], list[Problem]] = {}
    for p in task.problems:
        groups.setdefault((p.data["grammar"], len(p.data["string"])), []).append(p)
    for group in groups.values():
        start = [i for s in group[0].data["study"] for i in ids(s)]
        prompts = [[*ids(p.data["string"]), _THINK if thought else _ASK] for p in group]
        said = answered(net, start, prompts, RULES if thought else 0, (_YES, _NO))
        written |= zip((p.id for p in group), said, strict=True)
    said = [written[p.id] for p in task.problems]
    correct = np.array([(tokens[-1] == _YES) == (task.gold(p) == "yes") for p, tokens in zip(task.problems, said, strict=True)])
    none = np.zeros(len(said), bool)
    rules = [[PAIRS[t - len(MARKS)] for t in tokens[:-2] if t >= len(MARKS)] for tokens in said]
    return Outcomes(tuple(p.id for p in task.problems), correct, none, none, np.array([len(tokens) for tokens in said])), rules


def summed(net: Net, sums: Sequence[Sum], thought: bool) -> Outcomes:
    """What the net makes of sums, at once or step by step."""
    prompts = [[IDS[c] for c in s.text + (THINK if thought else ASK)] for s in sums]
    said = answered(net, (), prompts, len(sums[0].added) if thought else 0, _DIGITS)
    correct = np.array([ALPHABET[tokens[-1]] == str(s.reached[-1]) for s, tokens in zip(sums, said, strict=True)])
    none = np.zeros(len(said), bool)
    return Outcomes(tuple(map(str, range(len(said)))), correct, none, none, np.array([len(tokens) for tokens in said]))


@dataclass(frozen=True)
class Modes:
    """A net in its two modes.

    Attributes:
        grammars, sums: at once against thinking first.
        by_rules: whether a string is judged right by its share of the pairs that the net wrote down, cut at the median of its grammar.
        true_rules: the share of pairs written down that occur in the shown strings.
    """

    grammars: PairedReport
    sums: PairedReport
    by_rules: NDArray[np.bool_]
    true_rules: float


def measured(net: Net, task: Task, seed: int) -> Modes:
    """A net on a task of artificial grammars and on sums."""
    direct, (thought, rules) = judged(net, task, False)[0], judged(net, task, True)
    rng = generator(seed, ("papers", "mind-your-step", "sums"))
    sums = [random_sum(rng) for _ in range(SUMS)]
    share = [overlap(p.data["string"], own) for p, own in zip(task.problems, rules, strict=True)]
    member = np.array([task.gold(p) == "yes" for p in task.problems])
    shown = [{pair for s in p.data["study"] for pair in pairs(s)} for p in task.problems]
    true = [rule in seen for own, seen in zip(rules, shown, strict=True) for rule in own]
    return Modes(
        paired(direct, thought),
        paired(summed(net, sums, False), summed(net, sums, True)),
        above_median(np.array(share), task.problems) == member,
        float(np.mean(true)) if true else 0.0,
    )


def organism_part(quick: bool, seed: int) -> tuple[list[Check], list[Table]]:
    """The gates of each shipped net, and how its strings were judged.

    Args:
        quick: one net and 10 unseen grammars instead of all nets and 100.
        seed: of grammars and sums.
    """
    task = load_task(f"{KIND}:grammars={10 if quick else 100}", seed=seed)
    nets = shipped("two-modes")[: 1 if quick else None]
    found = {path.stem: measured(load_net(path), task, seed) for path in nets}
    return [check for name, modes in found.items() for check in checks_of(name, modes)], [table_of(found, task)]


def checks_of(name: str, modes: Modes) -> list[Check]:
    """Whether rules cost accuracy, and whether thinking works at all in this net."""
    lost, control = modes.grammars, modes.sums
    drops = lost.delta.value <= MOST_LOSS and lost.p < LEAST_P
    return [
        Check(
            f"{name}: accuracy with rules written first less that at once",
            f"{lost.delta} ({lost.accuracy[1]} less {lost.accuracy[0]}), McNemar p {lost.p:.2g}",
            f"at most {MOST_LOSS}, p below {LEAST_P}",
            drops,
        ),
        Check(
            f"{name}: control, sums step by step less at once",
            f"{control.delta} ({control.accuracy[1]} less {control.accuracy[0]})",
            f"at least {LEAST_CONTROL}: thinking is not simply broken",
            control.delta.value >= LEAST_CONTROL,
            False,
        ),
    ]


def table_of(found: dict[str, Modes], task: Task) -> Table:
    """Accuracy on the strings by how they are judged."""
    member = np.array([task.gold(p) == "yes" for p in task.problems])
    shown = np.array([chunk_overlap(p.data["string"], p.data["study"]) for p in task.problems])
    baseline = above_median(shown, task.problems) == member
    n = len(member)
    rows: list[tuple[str | float | None, ...]] = [
        (
            name,
            *(str(a) for a in modes.grammars.accuracy),
            str(wilson(int(modes.by_rules.sum()), n)),
            modes.true_rules,
            "{:.3f} / {:.3f}".format(*(a.value for a in modes.sums.accuracy)),
        )
        for name, modes in found.items()
    ]
    rows.append(("pairs that were shown, no model", str(wilson(int(baseline.sum()), n)), None, None, None, None))
    columns = ("judged by", "at once", "after writing rules", "share of pairs that it wrote, at the median", "rules that are true", "sums")
    return Table(f"Unseen grammars: {n // 44} x 44 strings, organisms of one recipe", columns, tuple(rows))
