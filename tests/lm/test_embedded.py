"""The embedded engine on the real default model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ponder.core.budget import Allowance, Budget, Meter
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Continuation, Message, Request, Sampling
from ponder.front import ask
from ponder.lm.embedded import GROUP, Embedded
from ponder.lm.testing import CHECKS, EXACT_CHECKS, SCORE_CHECKS, check_closing, check_repeatable_threads, check_stop_is_a_cut

pytestmark = pytest.mark.model

CHAT = (Message("user", "Tell me a story about the sea."),)
SHOTS = "Q: What is 3 * 7?\nA: 3 * 7 = 21\n\nQ: What is 12 * 7?\nA:"


@pytest.fixture(scope="module")
def lm(model_path: Path) -> Iterator[Embedded]:
    engine = Embedded(model_path)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def exact(model_path: Path) -> Iterator[Embedded]:
    engine = Embedded(model_path, exact=True)
    yield engine
    engine.close()


@pytest.mark.parametrize("check", [*CHECKS, check_stop_is_a_cut, *SCORE_CHECKS], ids=lambda c: c.__name__)
def test_conformance(lm: Embedded, check) -> None:
    check(lm)


# Not `check_repeatable_threads`: sums in other batches round otherwise, and a draw at the edge can fall on the other side.
@pytest.mark.parametrize("check", [c for c in EXACT_CHECKS if c is not check_repeatable_threads], ids=lambda c: c.__name__)
def test_float32_repeats_what_it_drew_in_any_company(exact: Embedded, check) -> None:
    """With 8-bit arithmetic a batch's other members move the last bits, and now and then a token."""
    check(exact)


def test_samples_beyond_a_group_differ_and_are_repeatable(lm: Embedded) -> None:
    sampling = Sampling(temperature=1.5, max_tokens=8)
    first, again = (lm.generate([Request(CHAT, n=GROUP + 4, seed=5)], sampling)[0] for _ in range(2))
    texts = [c.text for c in first.completions]
    assert texts == [c.text for c in again.completions]
    assert texts[:4] != texts[GROUP:]


def test_sampled_and_echoed_log_probabilities_agree_within_the_quantisation(lm: Embedded) -> None:
    """Both are the untempered model's; batching and 8-bit caches move single tokens, their mean by less than 0.1 nats."""
    for temperature in (0.0, 0.5, 1.0):
        (reply,) = lm.generate([Request(SHOTS, seed=1)], Sampling(temperature=temperature, max_tokens=12, stop=("\n",)))
        (completion,) = reply.completions
        (scored,) = lm.logprobs([Continuation(SHOTS, completion.text)])
        assert len(scored.logprobs) == len(completion.logprobs or ())
        assert sum(scored.logprobs) / len(scored.logprobs) == pytest.approx(sum(completion.logprobs) / len(completion.logprobs), abs=0.1)


def test_a_prefix_is_continued(lm: Embedded) -> None:
    (reply,) = lm.generate(
        [Request((Message("user", "What is the capital of France?"),), prefix="The capital of France is")],
        Sampling(temperature=0, max_tokens=3),
    )
    assert "Paris" in reply.completions[0].text


def test_a_long_prompt_is_read_once_for_all_its_forks(lm: Embedded) -> None:
    long = "The quick brown fox jumps over the lazy dog. " * 30
    replies = lm.generate([Request(f"{long} Fork {i}:", seed=i) for i in range(8)], Sampling(max_tokens=2))
    assert sum(r.cached_tokens for r in replies) > 0.7 * sum(r.prompt_tokens for r in replies)


def test_the_end_of_the_tokens_cancels_and_keeps_what_was_drawn(lm: Embedded) -> None:
    allowance = Allowance(tokens=150)
    (reply,) = lm.generate([Request(CHAT, n=16, seed=1)], Sampling(max_tokens=200), allowance)
    assert 8 < len(reply.completions) <= 16
    assert any(c.finish == "cancelled" and c.text for c in reply.completions)
    assert reply.prompt_tokens + reply.tokens_out <= 150 + 16


def test_stop_from_another_thread_ends_a_call(lm: Embedded) -> None:
    meter = Meter(Budget())
    allowance = meter.allowance()
    timer = threading.Timer(0.2, meter.stop)
    timer.start()
    (reply,) = lm.generate([Request(CHAT, n=4, seed=1)], Sampling(max_tokens=4000), allowance)
    timer.join()
    assert all(c.tokens < 4000 for c in reply.completions)


def test_an_interrupted_caller_leaves_nothing_running(lm: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lm.generate([Request(CHAT, n=16)], Sampling(max_tokens=4000))
    reply = lm.generate([Request(SHOTS)], Sampling(max_tokens=2))[0]  # would wait for minutes behind 64,000 tokens
    assert reply.completions[0].tokens <= 2


def test_questions_from_many_threads_share_batches_and_keep_their_texts(lm: Embedded) -> None:
    prompts = [f"Q: What is {a} * {b}?\nA:" for a in range(2, 6) for b in range(2, 6)]
    sampling = Sampling(max_tokens=8)

    def draw(prompt: str) -> list[str]:
        return [c.text for c in lm.generate([Request(prompt, n=2, seed=3)], sampling)[0].completions]

    alone = [draw(p) for p in prompts]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(draw, prompts))
    # Batches change the rounding of the last bits, so a text may differ now and then; whole replies must not be mixed up.
    assert sum(a == b for a, b in zip(alone, together, strict=True)) >= 12


def test_prompts_that_do_not_fit_are_refused_before_anything_is_spent(lm: Embedded) -> None:
    with pytest.raises(InputError, match="at most 8191"):
        lm.generate([Request("word " * 9000)], Sampling())
    with pytest.raises(InputError, match="no tokens"):
        lm.generate([Request("")], Sampling())


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Embedded(tmp_path / "missing.gguf")
    (tmp_path / "text.gguf").write_text("this is no model")
    with pytest.raises(InputError):
        Embedded(tmp_path / "text.gguf")


def test_a_closed_engine_says_so(model_path: Path) -> None:
    engine = Embedded(model_path)
    check_closing(engine)
    with pytest.raises(EngineError, match="closed"):
        engine.generate([Request("a")], Sampling())


def test_a_question_is_answered_within_its_budget(lm: Embedded) -> None:
    result = ask("What is 7 * 8?", model=lm, method="sample(16) | vote()", budget="600 tokens")
    assert 100 < result.bill.tokens <= 600 + 16
    assert result.bill.calls == 1


def test_a_stop_string_that_does_not_occur_changes_nothing(lm: Embedded) -> None:
    """The second one begins with what texts end in: a cut may not take that for its beginning."""
    request = Request(SHOTS, n=GROUP, seed=5)
    one, two = (
        lm.generate([request], Sampling(temperature=1.2, max_tokens=30, stop=stop))[0].completions for stop in (("\n",), ("\n", "4 apples"))
    )
    assert [c.text for c in one] == [c.text for c in two]
    assert any(c.text.endswith("4") for c in one)


def test_the_tokens_of_a_stop_string_are_billed_and_told(lm: Embedded) -> None:
    """The engine leaves tokens of nothing but white space out of what it returns; they were generated all the same."""
    meter = Meter(Budget())
    told: list[int] = []
    allowance = meter.allowance()
    allowance.take = told.append
    (reply,) = lm.generate([Request(SHOTS, n=GROUP + 4, seed=5)], Sampling(temperature=0.7, max_tokens=30, stop=("\n",)), allowance)
    assert sum(told) == reply.prompt_tokens + reply.tokens_out
    stopped = [c for c in reply.completions if c.finish == "stop"]
    assert len(stopped) > GROUP // 2
    assert [c.tokens - len(c.token_ids) for c in stopped] == [int(c.token_ids[-1] not in lm._ends) for c in stopped]
    assert all(c.tokens == len(c.token_ids) == 30 for c in reply.completions if c.finish == "length")


def test_a_text_that_would_merge_with_its_prompt_is_scored_apart_from_it(lm: Embedded) -> None:
    whole, merged = lm.logprobs([Continuation("The capital of", " France"), Continuation("The capital of Fr", "ance")])
    assert (len(whole.logprobs), whole.prompt_tokens) == (1, 4)
    assert merged.prompt_tokens == len(lm.encode("The capital of Fr")) + len(merged.logprobs)
    assert sum(merged.logprobs) < sum(whole.logprobs)


def test_raw_texts_begin_as_the_file_asks_and_chats_as_their_template_does(lm: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, chat = lm.encode("Hello"), lm.encode(CHAT)
    monkeypatch.setattr(lm, "_begin", (1,))
    assert lm.encode("Hello") == (1, *plain)
    assert lm.encode(CHAT) == chat
