"""The parts of START that are exact, checked on an organism's own streams."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ponder.core.language import LM
from ponder.front import ask
from ponder.papers.report import Check
from ponder.programs.tool_use import Plan, Segment, Trajectory, parse
from ponder.programs.tools import Calculator, PythonTool
from ponder.tasks import load
from ponder.tasks.products import GREEDY, leading
from ponder.train.tool_data import clean, hint_rft, right, streams, to_sft

METHOD = "hinted(1, rounds=2, hints='products', tool='calculator', markup='brackets')"


def exact_checks(lm: LM, seed: int, n: int = 120) -> list[Check]:
    """Parsing, the loss mask, the kept set, the tool and the method's text, on n products of the training set.

    Args:
        lm: the base organism.
        seed: of the problems.
        n: how many.
    """
    task, plan = load(f"products:set=train,n={n}", seed=seed), leading(rounds=2)
    hinted = [t for (t,) in streams(lm, task.problems, plan, GREEDY, 1, 0)]
    plain = [t for (t,) in streams(lm, task.problems, leading(rounds=0), GREEDY, 1, 0)]
    kept = hint_rft(lm, task, plan, GREEDY)
    triples = list(zip(task.problems, plain, hinted, strict=True))
    by_hand = {p.id for p, a, b in triples if not right(task, p, a) and right(task, p, b) and b.calls and clean(b)}
    different = len({k.problem.id for k in kept.kept} ^ by_hand)
    masked = [[text for text, learnt in e.pieces if not learnt] for e in to_sft(kept)]
    results = [[s.text for s in k.stream.segments if s.kind == "output"] for k in kept.kept]
    blurred = sum(a != b for a, b in zip(masked, results, strict=True))
    misread = _misread(plain + hinted, plan)
    unlike = sum(ask(p, method=METHOD, model=lm, temperature=0, max_tokens=GREEDY.max_tokens).text != t.text for p, _, t in triples[:20])
    named = {
        f"streams of {2 * n} whose text parses into other parts": misread,
        f"streams kept of {n} that recomputation would not keep, or missed ({len(by_hand)} are kept)": different,
        "streams whose mask is not exactly their results": blurred,
        f"`{METHOD}` and the batch differ, of 20": unlike,
    }
    counts = [Check(name, count, "0", not count, False) for name, count in named.items()]
    agree = Check("kept streams whose last result is their answer", kept.agreeing, "reported; above .9", kept.agreeing > 0.9, False)
    return [*counts, agree, _tools_check(hinted, plan)]


def _misread(streams: list[Trajectory], plan: Plan) -> int:
    """Streams that parse into other parts. A hint that the model says by itself is thought, and reads as a hint: there is no telling."""
    return sum(_merged(parse(t.text, plan.markup, plan.hints)) != _merged(t.segments) for t in streams)


def _merged(parts: Sequence[Segment]) -> list[tuple[bool, str]]:
    """Runs of thought and hints as one piece (True), code and results as they are."""
    runs = groupby(parts, key=lambda s: s.kind if s.kind in ("code", "output") else "")
    return [(not kind, "".join(s.text for s in run)) for kind, run in runs]


def _tools_check(streams: list[Trajectory], plan: Plan) -> Check:
    opened, closed = plan.markup.code
    codes = sorted({s.text.removeprefix(opened).removesuffix(closed) for t in streams for s in t.segments if s.kind == "code"})[:40]
    ours, python = Calculator().run(codes), PythonTool().run(codes)
    differ = sum(bool(a.error) != bool(b.error) or a.output.strip() != b.output.strip() for a, b in zip(ours, python, strict=True))
    return Check(f"calls of {len(codes)} that the sandbox's Python answers otherwise", differ, "0", not differ, False)
