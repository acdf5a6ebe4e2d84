"""The conformance checks: the scripted engine passes all, and every check fails on an engine that breaks its promise."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ponder.core.budget import Allowance
from ponder.core.errors import InputError
from ponder.core.language import Completion, Continuation, Reply, Request, Sampling, Scored
from ponder.lm import testing
from ponder.lm.scripted import Scripted

WORDS = ("red", "green", "blue", "seven", "eleven", "north", "south", "early")
ANSWERS = {f"{a} {b} and then {c} comes after {a} with ten more": 1 / 512 for a, b, c in itertools.product(WORDS, repeat=3)}

Generate = Callable[[Scripted, Sequence[Request], Sampling, Allowance | None], list[Reply]]


def change(replies: list[Reply], f: Callable[[Completion], Completion]) -> list[Reply]:
    return [replace(r, completions=tuple(f(c) for c in r.completions)) for r in replies]


class Broken(Scripted):
    """A scripted engine with one defect."""

    def __init__(self, defect: Generate) -> None:
        super().__init__(ANSWERS)
        self.defect = defect
        self.counter = itertools.count()
        self.context_length = 500

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        return self.defect(self, requests, sampling, allowance)

    def right(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        if any(isinstance(r.prompt, str) and len(r.prompt.split()) > self.context_length for r in requests):
            raise InputError("the prompt is longer than the context")
        return super().generate(requests, sampling, allowance)


def without(field: str, value: object) -> Generate:
    """The engine that drops one field of the sampling."""
    return lambda lm, requests, sampling, allowance: lm.right(requests, replace(sampling, **{field: value}), allowance)


def asking(f: Callable[[Request], Request]) -> Generate:
    """The engine that changes its requests."""
    return lambda lm, requests, sampling, allowance: lm.right([f(r) for r in requests], sampling, allowance)


def answering(f: Callable[[Completion], Completion]) -> Generate:
    """The engine that changes its completions."""
    return lambda lm, requests, sampling, allowance: change(lm.right(requests, sampling, allowance), f)


def after_first_call(lm: Scripted, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
    extra = next(lm.counter)
    return lm.right([replace(r, seed=r.seed + 1000 * extra) for r in requests], sampling, allowance)


def seeded_by_batch(lm: Scripted, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
    return lm.right([replace(r, seed=r.seed + 1000 * len(requests)) for r in requests], sampling, allowance)


def first_reply_for_all(lm: Scripted, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
    """A shared state that threads overwrite: whoever comes later gets an earlier caller's reply."""
    replies = lm.right(requests, sampling, allowance)
    if next(lm.counter) < 8 and replies:
        lm.kept = getattr(lm, "kept", replies[0])
        return [lm.kept]
    return replies


def silent_cut(lm: Scripted, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
    replies = lm.right(requests, sampling, allowance)
    return change(replies, lambda c: replace(c, finish="stop")) if allowance and allowance.tokens else replies


def token_wise_late(lm: Scripted, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
    if allowance is None or allowance.tokens is None:
        return lm.right(requests, sampling, allowance)
    return lm.right(requests, sampling, Allowance(tokens=allowance.tokens + 3 * sum(r.n for r in requests)))


def no_context(lm: Scripted, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None) -> list[Reply]:
    return lm.right([replace(r, prompt=" ".join(r.prompt.split()[:400])) for r in requests if isinstance(r.prompt, str)], sampling)


def system_dropped(r: Request) -> Request:
    return r if isinstance(r.prompt, str) else replace(r, prompt=tuple(m for m in r.prompt if m.role != "system"))


DEFECTS: dict[str, tuple[Generate, testing.Check]] = {
    "order lost": (lambda lm, rs, s, a: lm.right(rs, s, a)[::-1], testing.check_order),
    "last reply lost": (lambda lm, rs, s, a: lm.right(rs, s, a)[:-1], testing.check_order),
    "n ignored": (asking(lambda r: replace(r, n=1)), testing.check_order),
    "prompt tokens not told": (lambda lm, rs, s, a: [replace(r, prompt_tokens=0) for r in lm.right(rs, s, a)], testing.check_order),
    "seed dropped": (asking(lambda r: replace(r, seed=0)), testing.check_seeds),
    "one sample n times": (
        lambda lm, rs, s, a: [replace(r, completions=r.completions[:1] * len(r.completions)) for r in lm.right(rs, s, a)],
        testing.check_seeds,
    ),
    "max_tokens dropped": (without("max_tokens", 256), testing.check_max_tokens),
    "cut not told": (answering(lambda c: replace(c, finish="stop")), testing.check_max_tokens),
    "stop dropped": (without("stop", ()), testing.check_stop),
    "greedy is not greedy": (
        lambda lm, rs, s, a: lm.right(rs, replace(s, temperature=s.temperature or 0.5), a),
        testing.check_greedy,
    ),
    "greedy by seed": (
        lambda lm, rs, s, a: change(lm.right(rs, s, a), lambda c: c if s.temperature else replace(c, text=f"{c.text} {rs[0].seed}")),
        testing.check_greedy,
    ),
    "top_k dropped": (without("top_k", 0), testing.check_truncation),
    "top_p dropped": (without("top_p", 1.0), testing.check_truncation),
    "too little billed": (answering(lambda c: replace(c, tokens=c.tokens - 1)), testing.check_accounts),
    "too few log-probabilities": (answering(lambda c: replace(c, logprobs=(c.logprobs or ())[:-1])), testing.check_accounts),
    "log-probabilities above 0": (answering(lambda c: replace(c, logprobs=(0.5,) * len(c.token_ids))), testing.check_accounts),
    "allowance not told": (lambda lm, rs, s, a: lm.right(rs, s, None), testing.check_accounts),
    "allowance ignored": (lambda lm, rs, s, a: lm.right(rs, s, None), testing.check_allowance),
    "allowance late": (token_wise_late, testing.check_allowance),
    "cut in silence": (silent_cut, testing.check_allowance),
    "stop ignored": (lambda lm, rs, s, a: lm.right(rs, s, None), testing.check_stopped),
    "nothing for stopped calls": (lambda lm, rs, s, a: [] if a and a.over(0) else lm.right(rs, s, a), testing.check_stopped),
    "prefix dropped": (asking(lambda r: replace(r, prefix="")), testing.check_chat),
    "system message dropped": (asking(system_dropped), testing.check_chat),
    "prompt cut to the context": (no_context, testing.check_context),
    "replies of other threads": (first_reply_for_all, testing.check_threads),
    "other texts each time": (after_first_call, testing.check_repeatable),
    "texts that depend on the batch": (seeded_by_batch, testing.check_repeatable),
    "other texts in threads": (after_first_call, testing.check_repeatable_threads),
    "stop reported as length": (
        lambda lm, rs, s, a: change(lm.right(rs, s, a), lambda c: replace(c, finish="length") if s.stop else c),
        testing.check_stop_is_a_cut,
    ),
    "stop string kept": (
        lambda lm, rs, s, a: change(lm.right(rs, s, a), lambda c: replace(c, text=c.text + "".join(s.stop[:1]))),
        testing.check_stop_is_a_cut,
    ),
    "tempered log-probabilities": (
        lambda lm, rs, s, a: change(lm.right(rs, s, a), lambda c: replace(c, logprobs=tuple(x / s.temperature for x in c.logprobs or ()))),
        testing.check_scores,
    ),
}


@pytest.mark.parametrize("check", testing.CHECKS + testing.EXACT_CHECKS + testing.SCORE_CHECKS, ids=lambda c: c.__name__)
def test_the_scripted_engine_passes(check: testing.Check) -> None:
    check(Scripted(ANSWERS))
    check(Broken(lambda lm, requests, sampling, allowance: lm.right(requests, sampling, allowance)))


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_found(defect: str) -> None:
    generate, check = DEFECTS[defect]
    with pytest.raises(AssertionError):
        check(Broken(generate))


def test_every_check_can_fail() -> None:
    found = {check for _, check in DEFECTS.values()}
    assert found == {*testing.CHECKS, *testing.EXACT_CHECKS, *testing.SCORE_CHECKS}


class Scoring(Scripted):
    """A scripted engine whose scores have a defect."""

    def __init__(self, defect: Callable[[list[Scored]], list[Scored]]) -> None:
        super().__init__(dict(zip(ANSWERS, [i / sum(range(512)) for i in range(512)], strict=True)))
        self.defect = defect

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        return self.defect(super().logprobs(continuations))


@pytest.mark.parametrize(
    "defect",
    [
        lambda scores: scores[:-1],
        lambda scores: [replace(s, logprobs=()) for s in scores],
        lambda scores: [replace(s, logprobs=tuple(-x for x in s.logprobs)) for s in scores],
        lambda scores: [replace(s, prompt_tokens=0) for s in scores],
        lambda scores: [replace(s, logprobs=s.logprobs[:-1]) for s in scores],
        lambda scores: sorted(scores, key=lambda s: s.logprobs),
    ],
    ids=["lost", "empty", "negated", "not billed", "too short", "sorted"],
)
def test_a_defect_of_scores_is_found(defect: Callable[[list[Scored]], list[Scored]]) -> None:
    testing.check_scores(Scoring(lambda scores: scores), tolerance=1e-9)
    with pytest.raises(AssertionError):
        testing.check_scores(Scoring(defect), tolerance=1e-3)


def test_all_checks_in_one_call() -> None:
    closed: list[int] = []

    class Closing(Scripted):
        def close(self) -> None:
            closed.append(1)

    testing.check_engine(Closing(ANSWERS))
    assert closed == [1, 1]
    with pytest.raises(AssertionError, match="seed"):
        testing.check_engine(Scripted({"always the same": 1.0}))
