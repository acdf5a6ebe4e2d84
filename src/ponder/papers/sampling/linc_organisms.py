"""LINC on made theories: an organism that answers, at once or step by step, and one that translates and leaves the rest to a prover."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponder.bench.stats import Interval, bootstrap, paired_bootstrap
from ponder.core.problem import Candidate
from ponder.core.seeds import derive
from ponder.front import ask
from ponder.lm.organism import Writer
from ponder.logic.syntax import parse
from ponder.logic.theories import LABELS, Label
from ponder.organisms.worded import formula_text
from ponder.papers.report import Check, Table
from ponder.papers.sampling.linc_exact import installed
from ponder.programs.formalise import formulas_of
from ponder.scorers.prover import verdict
from ponder.tasks.logic import Made, made, problem_of

METHODS = {
    "label": ("logic-answer", "sample({n}, style='plain')"),
    "steps": ("logic-answer", "sample({n}, style='cot')"),
    "linc": ("logic-formula", "formalise({n}, 'sentence') | prove('{backend}')"),
}
"""Name -> the organism and the method that draws and reads its samples; the vote over them is counted here, so that all share its rule."""
NAMES = {"label": "answer at once", "steps": "derive, then answer", "linc": "translate and prove (LINC)"}
DEPTHS = tuple(range(6))
K = 10
RARE = 5
"""Percent of sentences in a rare wording."""
DEEP = (4, 5)
SHALLOW = 2
GAIN, DROP, VOTE = 0.20, 0.05, 0.01
"""Set before any run: LINC over reasoning first at depths 4 and 5; its loss from depth 0 to 5, at most; the vote over one sample."""
FLAT = 0.93
COMPETENT = 0.60
"""What a baseline should reach at depths 0 to 2, which it was trained on, for a comparison with it to mean something; and more than the
sign of the question gives, which makes two of three right (that was found out later, and makes the gate harder)."""


@dataclass(frozen=True)
class Drawn:
    """K samples of each of P problems by one method.

    Attributes:
        labels: what each says; "" where it says nothing or cannot be used; shape (P, K).
        candidates: the samples themselves, problem by problem.
    """

    labels: NDArray[np.str_]
    candidates: tuple[tuple[Candidate, ...], ...]

    def voted(self, order: Sequence[int]) -> NDArray[np.str_]:
        """For each problem the most frequent label of some samples, the first seen of equals; "" if none can be used."""
        found = [Counter(x for x in row[list(order)].tolist() if x).most_common(1) for row in self.labels]
        return np.array([common[0][0] if common else "" for common in found])


def asked_problems(each: int, seed: int) -> list[Made]:
    """`each` problems of every depth from 0 to 5, as many of every label."""
    return [made(i, DEPTHS[0], DEPTHS[-1], RARE, seed) for i in range(len(DEPTHS) * each)]


def organism(name: str, folder: Path | None) -> Writer:
    """One of the organisms: freshly trained in a folder, or as it is shipped."""
    return Writer(name if folder is None else folder / f"{name}.safetensors")


def draw(name: str, problems: Sequence[Made], seed: int, folder: Path | None = None, k: int = K) -> Drawn:
    """k samples of each problem at temperature .8, as in the paper."""
    which, method = METHODS[name]
    lm, text = organism(which, folder), method.format(n=k, backend=installed()[0])
    rows: list[tuple[Candidate, ...]] = []
    for i, m in enumerate(problems):
        asked = problem_of(m.premises, m.conclusion, str(i))
        drawn = ask(
            asked, method=text, model=lm, seed=derive(seed, (i,)), temperature=0.8, top_p=0.95, max_tokens=lm.context_length
        ).population
        rows.append(() if drawn is None else tuple(drawn.items))
    letters = dict(zip("ABC", LABELS, strict=True))
    return Drawn(np.array([[letters.get(c.value or "", "") for c in row] for row in rows]), tuple(rows))


def accuracy(drawn: Drawn, problems: Sequence[Made], k: int, seed: int, orders: int = 20) -> NDArray[np.float64]:
    """For each problem the chance that the vote of k of its samples is right: over random choices of them, over all if k is all."""
    gold = np.array([m.question.label for m in problems])
    size = drawn.labels.shape[1]
    if k == size:
        return (drawn.voted(range(size)) == gold).astype(float)
    rng = np.random.default_rng([seed, k])
    return np.mean([drawn.voted(rng.permutation(size)[:k].tolist()) == gold for _ in range(orders)], axis=0)


def by_depth(right: NDArray[np.float64], problems: Sequence[Made]) -> list[Interval]:
    """Accuracy at each depth with its interval."""
    depth = np.array([m.question.depth for m in problems])
    return [bootstrap(right[depth == d]) for d in DEPTHS]


def from_sign(m: Made) -> Label:
    """The label that the sign of the question suggests, whatever follows: predicates are only asserted with one sign each."""
    theory, claim = m.question.theory, m.question.claim
    said = (*theory.facts, *(c for r in theory.rules for c in (*r.conditions, r.conclusion)))
    sign = next((c.positive for c in said if c.predicate == claim.predicate), None)
    return "Uncertain" if sign is None else "True" if sign == claim.positive else "False"


def claims(drawn: dict[str, Drawn], problems: Sequence[Made], seed: int) -> tuple[list[Check], dict[str, list[Interval]]]:
    """The card's gates, set before any run."""
    right = {name: accuracy(d, problems, K, seed) for name, d in drawn.items()}
    depths = {name: by_depth(r, problems) for name, r in right.items()}
    depth = np.array([m.question.depth for m in problems])
    deep, shallow = np.isin(depth, DEEP), depth <= SHALLOW
    checks: list[Check] = []
    least = max(COMPETENT, float(np.mean([from_sign(m) == m.question.label for m in problems])))
    for name in (n for n in ("steps", "label") if n in drawn):
        gain, known = paired_bootstrap(right["linc"][deep], right[name][deep]), bootstrap(right[name][shallow])
        wanted = f"above {least:.3f}, what the question's sign gives, so that it can be compared with"
        checks += [
            Check(f"LINC less {NAMES[name]}, depths 4 and 5", str(gain), f"at least {GAIN:.2f}", gain.value >= GAIN),
            Check(f"{NAMES[name]}, depths 0 to {SHALLOW}", str(known), wanted, known.value > least, False),
        ]
    ends = depths["linc"][0].value - depths["linc"][-1].value
    one, all_ = (float(accuracy(drawn["linc"], problems, k, seed).mean()) for k in (1, K))
    lowest = min(i.value for i in depths["linc"])
    return [
        *checks,
        Check("LINC at depth 0 less at depth 5", ends, f"at most {DROP:.2f}", ends <= DROP),
        Check("LINC at its worst depth", lowest, f"at least {FLAT:.2f}", lowest >= FLAT),
        Check(f"LINC, vote of {K} less one sample", all_ - one, f"at least {VOTE:.2f}", all_ - one >= VOTE),
    ], depths


def tables(drawn: dict[str, Drawn], problems: Sequence[Made], depths: dict[str, list[Interval]], seed: int) -> list[Table]:
    """Accuracy by depth, recall by class, votes of several sizes, and what becomes of translations."""
    gold = np.array([m.question.label for m in problems])
    each = len(problems) // len(DEPTHS)
    sign = by_depth(np.array([from_sign(m) == m.question.label for m in problems], float), problems)
    rows = tuple((name, *map(str, found)) for name, found in [*((NAMES[n], i) for n, i in depths.items()), ("the question's sign", sign)])
    first = Table(f"Accuracy of the vote of {K} by depth, {each} problems each", ("method", *(f"depth {d}" for d in DEPTHS)), rows)
    recalls: list[tuple[str | float, ...]] = []
    for name, d in drawn.items():
        voted = d.voted(range(K))
        recalls.append((NAMES[name], *(float((voted[gold == x] == x).mean()) for x in LABELS), float((voted == "").mean())))
    ks = (1, 3, 5, K)
    sizes = tuple((NAMES[name], *(float(accuracy(d, problems, k, seed).mean()) for k in ks)) for name, d in drawn.items())
    return [
        first,
        gains(drawn, problems, seed),
        Table("Recall of each label, and problems without a usable sample", ("method", *LABELS, "none"), tuple(recalls)),
        Table("Accuracy by size of the vote", ("method", *(f"K={k}" for k in ks)), sizes),
        translations(drawn["linc"], problems),
    ]


def gains(drawn: dict[str, Drawn], problems: Sequence[Made], seed: int) -> Table:
    """LINC less each baseline on the same problems, by depth and over all."""
    right = {name: accuracy(d, problems, K, seed) for name, d in drawn.items()}
    right["sign"] = np.array([from_sign(m) == m.question.label for m in problems], float)
    depth = np.array([m.question.depth for m in problems])
    parts = [depth == d for d in DEPTHS] + [depth >= 0]
    names = NAMES | {"sign": "the question's sign"}
    rows = tuple(
        (names[name], *(str(paired_bootstrap(right["linc"][part], own[part])) for part in parts))
        for name, own in right.items()
        if name != "linc"
    )
    return Table("LINC less others, paired", ("less", *(f"depth {d}" for d in DEPTHS), "all"), rows)


def translations(drawn: Drawn, problems: Sequence[Made]) -> Table:
    """What kinds of translations there are, and how often the verdict of each kind is right."""
    counts, right = Counter[str](), Counter[str]()
    for m, row in zip(problems, drawn.candidates, strict=True):
        gold = [parse(formula_text(f), "unicode") for f in m.formulas]
        for candidate in row:
            found = verdict(candidate, installed()[0])
            kind = found.failure or ("as it should be" if formulas_of(candidate.text) == gold else "says something else")
            if found.entailment is not None and not found.entailment.settled:
                kind = "not settled in time"
            counts[kind] += 1
            right[kind] += found.label == m.question.label
    total = counts.total()
    rows = tuple((kind, n, n / total, right[kind] / n) for kind, n in counts.most_common())
    return Table(f"What became of {total} translations of whole problems", ("kind", "samples", "share", "right verdict"), rows)
