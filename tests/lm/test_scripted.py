"""The scripted engine: its distribution is exactly the written one."""

import math
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.budget import Allowance
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Continuation, Message, Request, Sampling
from ponder.lm.scripted import UNKNOWN, Scripted, flatten

ANSWERS = {"the answer is 4": 0.5, "it is 5\nsure": 0.3, "6": 0.2}
PLAIN = Sampling(temperature=1.0)


def drawn(sampling: Sampling, n: int = 20_000, answers: dict[str, float] | None = None) -> Counter[str]:
    (reply,) = Scripted(answers or ANSWERS).generate([Request("q", n=n, seed=1)], sampling)
    return Counter(c.text for c in reply.completions)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_texts_are_drawn_with_tempered_probabilities(temperature: float) -> None:
    powered = {t: p ** (1 / temperature) for t, p in ANSWERS.items()}
    total = sum(powered.values())
    counts = drawn(Sampling(temperature=temperature))
    for text, mass in powered.items():
        p = mass / total
        assert abs(counts[text] / 20_000 - p) < 5 * math.sqrt(p * (1 - p) / 20_000)


def test_truncation_chooses_among_whole_texts() -> None:
    assert set(drawn(Sampling(temperature=1.0, top_k=2), 500)) == {"the answer is 4", "it is 5\nsure"}
    assert set(drawn(Sampling(temperature=1.0, top_p=0.5), 500)) == {"the answer is 4"}
    assert set(drawn(Sampling(temperature=1.0, top_p=0.51), 500)) == {"the answer is 4", "it is 5\nsure"}
    assert set(drawn(Sampling(temperature=1e-300), 50)) == {"the answer is 4"}


def test_greedy_copies_are_billed_once() -> None:
    (reply,) = Scripted(ANSWERS).generate([Request("q", n=3, seed=9)], Sampling(temperature=0))
    assert [c.text for c in reply.completions] == ["the answer is 4"] * 3
    assert [c.tokens for c in reply.completions] == [4, 0, 0]


@given(st.text(max_size=30), st.integers(1, 5))
def test_a_text_is_its_pieces_and_its_logprob_is_shared(text: str, limit: int) -> None:
    lm = Scripted({text: 0.25, "other" + text: 0.75})
    (reply,) = lm.generate([Request("q", n=8)], PLAIN)
    for c in reply.completions:
        assert c.text in (text, "other" + text)
        assert c.tokens == max(1, len(c.token_ids))
        if c.token_ids and c.logprobs:
            assert sum(c.logprobs) == pytest.approx(math.log(0.25 if c.text == text else 0.75))
    (reply,) = lm.generate([Request("q", n=8)], Sampling(temperature=1, max_tokens=limit))
    for c in reply.completions:
        assert c.tokens <= limit
        assert text.startswith(c.text) or ("other" + text).startswith(c.text)
        assert c.finish == "length" or len(c.text) >= len(text)


def test_stop_and_length() -> None:
    lm = Scripted({"one two\nthree": 1.0})
    (reply,) = lm.generate([Request("q")], Sampling(stop=("\n", "three")))
    (c,) = reply.completions
    assert (c.text, c.tokens, c.finish) == ("one two", 2, "stop")
    (reply,) = lm.generate([Request("q")], Sampling(max_tokens=1))
    (c,) = reply.completions
    assert (c.text, c.tokens, c.finish) == ("one", 1, "length")
    assert c.logprobs == (0.0,)


def test_the_allowance_is_kept_token_by_token() -> None:
    lm = Scripted({"a b c d e f": 1.0})
    replies = lm.generate([Request("two words"), Request("x", n=2)], PLAIN, Allowance(tokens=3 + 7))
    assert [r.prompt_tokens for r in replies] == [2, 1]
    done = [c for r in replies for c in r.completions]
    assert [(c.text, c.finish) for c in done] == [("a b c", "cancelled")] * 3
    (short,) = lm.generate([Request("x")], PLAIN, Allowance(tokens=1))
    assert (short.completions, short.prompt_tokens) == ((), 1)


def test_latency_is_told_and_counts_against_the_allowance() -> None:
    waits: list[float] = []
    lm = Scripted({"a b c d": 1.0}, latency=8.0, sleep=waits.append)
    (whole,) = lm.generate([Request("x")], PLAIN)
    assert (whole.seconds, waits) == (8.0, [2.0] * 4)
    (part,) = lm.generate([Request("x")], PLAIN, Allowance(seconds=3.0))
    assert (part.seconds, part.completions[0].text, part.completions[0].finish) == (4.0, "a b", "cancelled")
    stopped = threading.Event()
    stopped.set()
    assert lm.generate([Request("x")], PLAIN, Allowance(stopped=stopped))[0].completions == ()


def test_answers_by_prompt_and_chats() -> None:
    def judge(prompt: str) -> dict[str, float]:
        return {"Yes": 0.9, "No": 0.1} if "42" in prompt else {"Yes": 0.2, "No": 0.8}

    lm = Scripted(judge)
    chat = (Message("system", "judge"), Message("user", "is it 42?"))
    scores = lm.logprobs([Continuation(chat, "Yes"), Continuation("is it 7?", "Yes"), Continuation("is it 7?", "Perhaps")])
    assert [sum(s.logprobs) for s in scores] == pytest.approx([math.log(0.9), math.log(0.2), UNKNOWN])
    assert [s.prompt_tokens for s in scores] == [8, 4, 4]
    assert flatten(chat, "It") == "system: judge\nuser: is it 42?\nassistant: It"


def test_faults_depend_on_the_first_seed_only() -> None:
    lm = Scripted(ANSWERS, faults=0.3)

    def fails(seed: int) -> bool:
        try:
            lm.generate([Request("q", seed=seed), Request("q", seed=1)], PLAIN)
        except EngineError:
            return True
        return False

    first = [fails(s) for s in range(300)]
    assert first == [fails(s) for s in range(300)]
    assert 60 <= sum(first) <= 120
    assert lm.calls == 600


def test_threads_give_what_one_gives() -> None:
    requests = [Request(f"q{i}", n=4, seed=i) for i in range(32)]
    alone = [Scripted(ANSWERS).generate([r], PLAIN)[0] for r in requests]
    shared = Scripted(ANSWERS)
    with ThreadPoolExecutor(32) as pool:
        together = list(pool.map(lambda r: shared.generate([r], PLAIN)[0], requests))
    assert together == alone == Scripted(ANSWERS).generate(requests, PLAIN)
    assert shared.calls == 32


@pytest.mark.parametrize("answers", [{}, {"a": 0.5}, {"a": -1.0, "b": 2.0}, {"a": math.nan}])
def test_what_is_no_distribution_is_refused(answers: dict[str, float]) -> None:
    with pytest.raises(InputError, match="sum to 1"):
        Scripted(answers)
    with pytest.raises(InputError, match="sum to 1"):
        Scripted(lambda _: answers).generate([Request("q")], PLAIN)
    with pytest.raises(InputError, match="faults"):
        Scripted(ANSWERS, faults=2.0)
