"""What every engine must do, as checks that any test can run. They are the meaning of `ponder.core.language.LM`.

    @pytest.mark.parametrize("check", CHECKS + EXACT_CHECKS + SCORE_CHECKS, ids=lambda c: c.__name__)
    def test_engine(check, lm):
        check(lm)

or all of them with `check_engine(lm)`. A check raises AssertionError and says what the engine did. The engine's model should write
varied texts of a few tokens and more: one that always writes the same cannot show that seeds matter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ponder.core.budget import Allowance
from ponder.core.errors import InputError
from ponder.core.language import LM, Completion, Continuation, Message, Reply, Request, Sampling

Check = Callable[..., None]

PROMPTS = (
    "The three things I like best about the sea are",
    "Once upon a time there was a small dog who",
    "Q: What is 12 + 7?\nA:",
    "My favourite number is",
)
"""Raw prompts that leave a model room to differ."""

SHORT = Sampling(temperature=1.0, max_tokens=12)
WARM = Sampling(temperature=0.7, max_tokens=24)


def check_engine(lm: LM, prompts: Sequence[str] | None = None, *, deterministic: bool = True, scores: bool = True) -> None:
    """Run all checks on an engine, and close it.

    Args:
        lm: the engine; it is closed at the end.
        prompts: raw prompts of your model's kind; at least two.
        deterministic: whether the engine promises equal completions for equal requests.
        scores: whether the engine tells log-probabilities of given continuations.

    Raises:
        AssertionError: naming the first promise that is not kept.
    """
    for check in CHECKS + (EXACT_CHECKS if deterministic else ()) + (SCORE_CHECKS if scores else ()):
        check(lm, prompts or PROMPTS)
    check_closing(lm)


def check_order(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """One reply a request, in order, with n completions each; an empty batch is fine."""
    requests = [Request(p + " and so on" * i, n=1 + i % 3, seed=i) for i, p in enumerate([prompts[0]] * 5)]
    forward, backward = lm.generate(requests, SHORT), lm.generate(requests[::-1], SHORT)[::-1]
    _require(len(forward) == len(backward) == len(requests), f"{len(requests)} requests were answered by {len(forward)} replies")
    for replies in (forward, backward):
        counts, lengths = [len(r.completions) for r in replies], [r.prompt_tokens for r in replies]
        _require(counts == [r.n for r in requests], f"asked for {[r.n for r in requests]} completions, in this order, and got {counts}")
        _require(lengths[0] > 0, f"prompt_tokens must be told, not {lengths[0]}")
        _require(lengths == sorted(set(lengths)), f"replies are not in the order of requests: prompts that grow have {lengths} tokens")
    _require(lm.generate([], SHORT) == [], "an empty batch must give no replies")


def check_seeds(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """Other seeds draw other completions, and so do the n samples of one request."""
    by_seed = {tuple(_texts(lm.generate([Request(p, seed=s) for p in prompts], SHORT))) for s in range(6)}
    _require(len(by_seed) > 1, f"six seeds gave the same texts for {len(prompts)} prompts: the seed does not reach the model")
    replies = lm.generate([Request(p, n=6, seed=3) for p in prompts], SHORT)
    _require(any(len(set(_texts([r]))) > 1 for r in replies), "all n samples of a request are equal for every prompt")


def check_max_tokens(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """No completion is longer than max_tokens; one that was cut says "length"."""
    for limit in (1, 3):
        found = _completions(lm.generate([Request(p, n=2, seed=1) for p in prompts], Sampling(temperature=1.0, max_tokens=limit)))
        longest = max(max(c.tokens, len(c.token_ids)) for c in found)
        _require(longest <= limit, f"max_tokens={limit}, and a completion has {longest} tokens")
        _require(any(c.finish == "length" for c in found), f"with max_tokens={limit} no completion says that it was cut (finish 'length')")


def check_stop(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """A stop string ends a completion and is not in its text."""
    requests = [Request(p, n=2, seed=5) for p in prompts]
    whole = max(_texts(lm.generate(requests, WARM)), key=len)
    middle = len(whole) // 2
    stop = (whole[middle : middle + 3], whole[middle + 3 : middle + 6] or whole[:1])
    _require(all(stop), "every text is empty, so that nothing can be stopped")
    for text in _texts(lm.generate(requests, Sampling(temperature=WARM.temperature, max_tokens=WARM.max_tokens, stop=stop))):
        _require(not any(s in text for s in stop), f"the stop strings are {stop}, and a text is {text!r}")


def check_greedy(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """Temperature 0 gives n equal samples, whatever the seed."""
    greedy = Sampling(temperature=0, max_tokens=8)
    first = lm.generate([Request(p, n=3, seed=1) for p in prompts], greedy)
    for prompt, reply in zip(prompts, first, strict=True):
        _require(len(set(_texts([reply]))) == 1, f"at temperature 0 the samples of {prompt!r} differ: {_texts([reply])}")
    again = lm.generate([Request(p, n=3, seed=2) for p in prompts], greedy)
    _require(_texts(first) == _texts(again), f"at temperature 0 another seed changes the text: {_texts(first)} and {_texts(again)}")


def check_truncation(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """top_k and top_p reach the model, or are refused: with one choice left every sample is the greedy one."""
    greedy = _texts(lm.generate([Request(p) for p in prompts], Sampling(temperature=0, max_tokens=4)))
    for narrow in (Sampling(temperature=1.0, top_k=1, max_tokens=4), Sampling(temperature=1.0, top_p=1e-6, max_tokens=4)):
        try:
            replies = lm.generate([Request(p, n=3, seed=4) for p in prompts], narrow)
        except InputError:
            continue
        for text, reply in zip(greedy, replies, strict=True):
            _require(
                set(_texts([reply])) == {text},
                f"top_k={narrow.top_k}, top_p={narrow.top_p} leave one choice, {text!r}, and the samples are {_texts([reply])}",
            )


def check_accounts(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """Tokens are billed, told to the allowance, and match token ids and log-probabilities where those are told."""
    told = _Told()
    replies = lm.generate([Request(p, n=2, seed=6) for p in prompts], SHORT, told)
    for c in _completions(replies):
        _require(c.tokens >= max(1, len(c.token_ids)), f"{c.tokens} tokens are billed for {len(c.token_ids)} token ids")
        _require(c.finish in ("stop", "length"), f"nothing limits the call, and a completion ended as {c.finish!r}")
        if c.logprobs is not None:
            _require(len(c.logprobs) == len(c.token_ids), f"{len(c.token_ids)} token ids have {len(c.logprobs)} log-probabilities")
            _require(all(x <= 1e-4 for x in c.logprobs), f"a log-probability is above 0: {max(c.logprobs, default=0)}")
    for r in replies:
        _require(r.prompt_tokens > 0, "prompt_tokens must be told")
        _require(0 <= r.cached_tokens <= r.prompt_tokens, f"{r.cached_tokens} of {r.prompt_tokens} prompt tokens are said to be cached")
        _require(r.seconds >= 0, f"seconds are {r.seconds}")
    billed = sum(r.prompt_tokens + r.tokens_out for r in replies)
    _require(told.tokens_told == billed, f"the allowance was told of {told.tokens_told} tokens, and {billed} are billed")


def check_allowance(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """A call ends when its tokens do, at most one token a sequence late, and what was cut says so."""
    requests = [Request(p, n=2, seed=7) for p in prompts]
    long = Sampling(temperature=1.0, max_tokens=40)
    free = lm.generate(requests, long)
    sequences = sum(r.n for r in requests)
    limit = sum(r.prompt_tokens for r in free) + 3 * sequences
    replies = lm.generate(requests, long, Allowance(tokens=limit))
    _require(len(replies) == len(requests), f"a call that was cut gave {len(replies)} replies for {len(requests)} requests")
    spent = sum(r.prompt_tokens + r.tokens_out for r in replies)
    _require(spent <= limit + sequences, f"{limit} tokens were allowed for {sequences} sequences, and {spent} were spent")
    missing = sequences - len(_completions(replies))
    cut = sum(c.finish == "cancelled" for c in _completions(replies))
    if sum(r.tokens_out for r in free) > 4 * sequences:
        _require(cut + missing > 0, "a call that was cut marks no completion 'cancelled'")


def check_stopped(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """A call whose allowance is over returns at once, with a reply for every request."""
    stopped = threading.Event()
    stopped.set()
    for over in (Allowance(stopped=stopped), Allowance(seconds=0.0)):
        replies = lm.generate([Request(p, n=2) for p in prompts], Sampling(temperature=1.0, max_tokens=40), over)
        _require(len(replies) == len(prompts), f"a stopped call gave {len(replies)} replies for {len(prompts)} requests")
        longest = max((c.tokens for c in _completions(replies)), default=0)
        _require(longest <= 1, f"a call that was over before it began wrote {longest} tokens")
        _require(all(c.finish == "cancelled" for c in _completions(replies)), "a stopped call marks its completions 'cancelled'")


def check_chat(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """Chats reach the model whole: every turn and the beginning of the reply count, or are refused."""
    asked = Message("user", prompts[0])

    def tokens(system: str, prefix: str = "") -> int | None:
        try:
            return lm.generate([Request((Message("system", system), asked), prefix=prefix)], SHORT)[0].prompt_tokens
        except InputError:
            return None

    # Every shape has a system message: templates put in one of their own where there is none.
    plain = tokens("Be brief.")
    if plain is None:
        return
    longer, begun = tokens("Be brief, and do not explain what you do."), tokens("Be brief.", "The answer, in short, is")
    _require(longer is None or longer > plain, "a longer system message adds no prompt tokens: it is dropped")
    _require(begun is None or begun > plain, "a prefix of the reply adds no prompt tokens: it is dropped")


def check_context(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """A prompt that is longer than the context (the engine's `context_length`, if it tells) is refused."""
    length: int | None = getattr(lm, "context_length", None)
    if length is None:
        return
    try:
        lm.generate([Request(prompts[0] + " and so on" * length)], SHORT)
    except InputError:
        return
    raise AssertionError(f"a prompt of more than the context's {length} tokens was not refused with InputError")


def check_threads(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """Calls from many threads at once all come back, each with its own replies."""
    requests, replies = _from_threads(lm, prompts)
    alone = [lm.generate([r], SHORT)[0].prompt_tokens for r in requests]
    _require([len(r.completions) for r in replies] == [r.n for r in requests], "calls from 8 threads lost completions")
    _require([r.prompt_tokens for r in replies] == alone, "calls from 8 threads got each other's replies")


def check_repeatable(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """The same request gives the same completions, again and beside other requests."""
    requests = [Request(p, n=3, seed=11 + i) for i, p in enumerate(prompts)]
    first = _texts(lm.generate(requests, SHORT))
    again = _texts(lm.generate(requests, SHORT))
    _require(first == again, f"the same batch gave {first}, then {again}")
    apart = [text for r in requests for text in _texts(lm.generate([r], SHORT))]
    _require(first == apart, f"a batch gave {first}, and its requests one by one {apart}")


def check_repeatable_threads(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """Calls from many threads at once give what they give one by one."""
    requests, replies = _from_threads(lm, prompts)
    alone = [lm.generate([r], SHORT)[0] for r in requests]
    _require(_texts(replies) == _texts(alone), f"8 threads gave {_texts(replies)}, one by one it is {_texts(alone)}")


def check_stop_is_a_cut(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """With a stop string a request gives its text up to the string's first place, and says "stop"."""
    request = Request(prompts[0], seed=12)
    (whole,) = _completions(lm.generate([request], WARM))
    middle = len(whole.text) // 2
    stop = whole.text[middle : middle + 2]
    sampling = Sampling(temperature=WARM.temperature, max_tokens=WARM.max_tokens, stop=(stop,))
    (cut,) = _completions(lm.generate([request], sampling))
    expected = whole.text[: whole.text.find(stop)]
    _require(cut.text == expected, f"{whole.text!r} with the stop string {stop!r} must be {expected!r}, not {cut.text!r}")
    _require(cut.finish == "stop", f"a completion that a stop string ended says {cut.finish!r}")


def check_scores(lm: LM, prompts: Sequence[str] = PROMPTS, tolerance: float = 0.1) -> None:
    """Log-probabilities of a drawn text are those that it was drawn with: at temperature 1, in order.

    `tolerance` is the mean difference allowed for the median text, in nats a token. Texts that the tokenizer splits otherwise
    than the model wrote them are left out; at least a quarter must remain.
    """
    replies = lm.generate([Request(p, n=2, seed=8) for p in prompts], WARM)
    drawn = [(p, c) for p, r in zip(prompts, replies, strict=True) for c in r.completions if c.text]
    continuations = [Continuation(p, c.text) for p, c in drawn]
    scored = lm.logprobs(continuations)
    _require(len(scored) == len(continuations), f"{len(continuations)} continuations were given {len(scored)} scores")
    for s in scored:
        _require(len(s.logprobs) > 0, "a continuation has no log-probability")
        _require(all(x <= 1e-4 for x in s.logprobs), f"a log-probability is above 0: {max(s.logprobs)}")
        _require(s.prompt_tokens > len(s.logprobs), f"{s.prompt_tokens} tokens were read for {len(s.logprobs)} of a continuation")
    same = [(c, s) for (_, c), s in zip(drawn, scored, strict=True) if c.logprobs is not None and len(c.logprobs) == len(s.logprobs)]
    if any(c.logprobs is not None for _, c in drawn):
        _require(4 * len(same) >= len(drawn), f"only {len(same)} of {len(drawn)} texts have as many scores as they have tokens")
    errors = sorted(sum(abs(a - b) for a, b in zip(c.logprobs or (), s.logprobs, strict=True)) / len(s.logprobs) for c, s in same)
    # The median: a text can be split into as many tokens, but other ones.
    if errors and errors[len(errors) // 2] > tolerance:
        raise AssertionError(f"drawn log-probabilities and scores of the same texts differ by {errors} nats a token")
    backward = lm.logprobs(continuations[::-1])[::-1]
    for s, b in zip(scored, backward, strict=True):
        away = abs(sum(s.logprobs) - sum(b.logprobs))
        _require(away <= tolerance * len(s.logprobs), "scores are not in the order of their continuations")


def check_closing(lm: LM, prompts: Sequence[str] = PROMPTS) -> None:
    """An engine can be closed twice. Run it last."""
    lm.close()
    lm.close()


CHECKS: tuple[Check, ...] = (
    check_order,
    check_seeds,
    check_max_tokens,
    check_stop,
    check_greedy,
    check_truncation,
    check_accounts,
    check_allowance,
    check_stopped,
    check_chat,
    check_context,
    check_threads,
)
"""What every engine does. Each is called as `check(lm)` or `check(lm, prompts)`."""

EXACT_CHECKS: tuple[Check, ...] = (check_repeatable, check_repeatable_threads, check_stop_is_a_cut)
"""What an engine does that promises the same completions for the same request."""

SCORE_CHECKS: tuple[Check, ...] = (check_scores,)
"""What an engine does that tells log-probabilities of given continuations."""


class _Told(Allowance):
    """An allowance without limit that counts what it is told."""

    tokens_told = 0

    def take(self, tokens: int) -> None:
        self.tokens_told += tokens
        super().take(tokens)


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise AssertionError(message)


def _completions(replies: Sequence[Reply]) -> list[Completion]:
    return [c for r in replies for c in r.completions]


def _texts(replies: Sequence[Reply]) -> list[str]:
    return [c.text for c in _completions(replies)]


def _from_threads(lm: LM, prompts: Sequence[str]) -> tuple[list[Request], list[Reply]]:
    requests = [Request(prompts[i % len(prompts)] + " and so on" * i, n=1 + i % 2, seed=20 + i) for i in range(8)]
    barrier = threading.Barrier(len(requests))

    def call(request: Request) -> Reply:
        barrier.wait()
        return lm.generate([request], SHORT)[0]

    with ThreadPoolExecutor(len(requests)) as pool:
        return requests, list(pool.map(call, requests))
