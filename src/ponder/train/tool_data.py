"""Training data for tool use, out of a model's own streams: Hint-RFT and rejection sampling (START, Li et al. 2025, section 3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import LM, Prompt, Sampling
from ponder.core.problem import Problem
from ponder.core.seeds import derive
from ponder.programs.prompts import write_prompt
from ponder.programs.tool_use import Plan, Segment, Trajectory, think
from ponder.tasks.base import Task

REPEATS = 3
"""A stream in which a thought or a piece of code stands so often repeats itself."""


@dataclass(frozen=True)
class Kept:
    """A stream that is learnt from, and the problem that it solves."""

    problem: Problem
    stream: Trajectory


@dataclass(frozen=True)
class ToolData:
    """Streams to learn from.

    Attributes:
        kept: in the order of the problems.
        dropped: why others were not kept -> how many.
        markup: what opens and closes a result.
    """

    kept: tuple[Kept, ...]
    dropped: dict[str, int]
    markup: tuple[str, str]

    @property
    def agreeing(self) -> float:
        """Share of the kept streams whose last result is their answer; in the others a lucky guess may have been kept. 0 for none."""
        agree = [last_result(k.stream, self.markup) == k.problem.read(k.stream.text) for k in self.kept]
        return sum(agree) / max(1, len(agree))


def last_result(stream: Trajectory, markup: tuple[str, str]) -> str | None:
    """What the last tool call of a stream gave, without the marks round it; None if there was none."""
    results = [s.text.removeprefix(markup[0]).removesuffix(markup[1]) for s in stream.segments if s.kind == "output"]
    return results[-1].strip() if results else None


def hint_rft(lm: LM, task: Task, plan: Plan, sampling: Sampling | None = None, seed: int = 0) -> ToolData:
    """The streams in which a hint turned failure into success: greedily wrong without a hint, right with one, by a tool call, and clean.

    Args:
        lm: whose streams they are.
        task: its problems, and what is right.
        plan: tool, hints and limits; hints are tried only where the model fails without.
        sampling: of both streams; greedy by default.
        seed: of the hints, and of the draws if they are not greedy.
    """
    sampling = sampling or Sampling(temperature=0)
    plain = streams(lm, task.problems, replace(plan, rounds=0), sampling, 1, derive(seed, ("plain",)))
    wrong = [p for p, (t,) in zip(task.problems, plain, strict=True) if not right(task, p, t)]
    hinted = streams(lm, wrong, plan, sampling, 1, derive(seed, ("hinted",)))
    dropped = Counter({"right without a hint": len(task.problems) - len(wrong)})
    kept = _chosen(task, wrong, hinted, True, 1, dropped)
    return ToolData(kept, dict(dropped), plan.markup.output)


def rejection_sample(
    lm: LM,
    task: Task,
    plan: Plan,
    n: int = 16,
    temperature: float = 0.6,
    top_p: float = 0.95,
    most: int = 1,
    tools: bool = True,
    max_tokens: int = 256,
    seed: int = 0,
) -> ToolData:
    """Right and clean streams out of n for each problem, without hints (RFT).

    Args:
        plan: tool and limits; no hints are put in.
        n, temperature, top_p, max_tokens: of the draws.
        most: different streams that are kept of a problem.
        tools: keep streams that call the tool; else only those that do not, for a control.
        seed: of the draws.
    """
    if n < 1 or most < 1:
        raise InputError(f"rejection sampling needs n and most of at least 1, not {n} and {most}")
    drawn = streams(lm, task.problems, replace(plan, rounds=0), Sampling(temperature, max_tokens, top_p), n, seed)
    dropped: Counter[str] = Counter()
    kept = _chosen(task, task.problems, drawn, tools, most, dropped)
    return ToolData(kept, dict(dropped), plan.markup.output)


def streams(lm: LM, problems: Sequence[Problem], plan: Plan, sampling: Sampling, n: int, seed: int) -> list[list[Trajectory]]:
    """n streams of each problem, all side by side."""
    if not problems:
        return []
    context = Context(problems[0], models={lm.name: lm}, root=seed)
    written = [write_prompt(p) for p in problems for _ in range(n)]
    stops = {stop for _, stop in written}
    found = think([prompt for prompt, _ in written], context.generate, replace(sampling, stop=_one(stops)), plan, seed)
    return [found[i : i + n] for i in range(0, len(found), n)]


def _one(stops: set[tuple[str, ...]]) -> tuple[str, ...]:
    if len(stops) > 1:
        raise InputError("the problems of one task must have the same stop strings")
    return stops.pop()


def right(task: Task, problem: Problem, stream: Trajectory) -> bool:
    """Whether a stream ended by itself and solves the problem."""
    return stream.finish == "stop" and task.grade(problem, problem.read(stream.text), stream.text) >= 1


def clean(stream: Trajectory) -> bool:
    """Whether no thought and no piece of code stands in the stream `REPEATS` times."""
    counts = Counter(s.text.strip() for s in stream.segments if s.kind in ("thought", "code"))
    return max(counts.values(), default=0) < REPEATS


def _chosen(
    task: Task, problems: Sequence[Problem], drawn: Sequence[Sequence[Trajectory]], tools: bool, most: int, dropped: Counter[str]
) -> tuple[Kept, ...]:
    kept: list[Kept] = []
    for problem, own in zip(problems, drawn, strict=True):
        texts: set[str] = set()
        for stream in own:
            reason = _reason(task, problem, stream, tools) or ("one of several" if stream.text in texts or len(texts) >= most else "")
            if reason:
                dropped[reason] += 1
            else:
                texts.add(stream.text)
                kept.append(Kept(problem, stream))
    return tuple(kept)


def _reason(task: Task, problem: Problem, stream: Trajectory, tools: bool) -> str:
    """Why a stream is not learnt from; "" if it is."""
    if not right(task, problem, stream):
        return "wrong"
    if (stream.calls > 0) != tools:
        return "no tool call" if tools else "a tool call"
    return "" if clean(stream) else "repeats itself"


@dataclass(frozen=True)
class Example:
    """What is learnt from a stream.

    Attributes:
        prompt: what the model reads first.
        pieces: (text, whether it is learnt), in order. Encode them one by one: a tokenizer that reads across their border would blur
            what is learnt.
    """

    prompt: Prompt
    pieces: tuple[tuple[str, bool], ...]

    def tokens(self, encode: Callable[[str], Sequence[int]]) -> tuple[list[int], list[bool]]:
        """Token ids of the response, and for each whether it is learnt."""
        ids: list[int] = []
        learn: list[bool] = []
        for text, learnt in self.pieces:
            own = list(encode(text))
            ids += own
            learn += [learnt] * len(own)
        return ids, learn


def to_sft(data: ToolData, mask_outputs: bool = True, end: str = "") -> list[Example]:
    """Streams as examples for fine-tuning. Thought, hints and code are learnt; what tools gave is not, but with `mask_outputs=False`.

    Args:
        end: what the model writes to end a text; learnt.
    """
    found: list[Example] = []
    for kept in data.kept:
        pieces = [(s.text, not mask_outputs or _learnt(s)) for s in kept.stream.segments]
        found.append(Example(write_prompt(kept.problem)[0], (*pieces, *([(end, True)] if end else []))))
    return found


def _learnt(segment: Segment) -> bool:
    return segment.kind != "output"
