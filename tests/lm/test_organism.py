"""The organisms' engine: the conformance checks, exact draws, forks that equal recomputation, shared batches, rewards by their formulas."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.lm.organism_files import wait_for, write_organism

from ponder.core.budget import Allowance
from ponder.core.errors import EngineError, InputError
from ponder.core.language import Continuation, Message, Request, RewardModel, Rewards, Sampling, Solution
from ponder.lm import load as loading
from ponder.lm.organism import Organism
from ponder.lm.testing import CHECKS, EXACT_CHECKS, SCORE_CHECKS, Check, check_closing
from ponder.organisms import chain
from ponder.organisms.chain import ALPHABET

PROMPT = "086+11*09+10_______________>"
OTHER = "012-04+33*05________________>"[:28]
PROMPTS = (PROMPT, "012-04+33*05+70-66__________>"[:28], "99>", "1+2")
ONE = Sampling(temperature=1.0, max_tokens=1)
STEP = Sampling(temperature=1.0, max_tokens=20, stop=(";",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("organisms")


@pytest.fixture(scope="module")
def wide(folder: Path) -> Path:
    """Its alphabet and context also hold what the conformance checks append to prompts."""
    return write_organism(folder / "wide.safetensors", context=200, alphabet=ALPHABET + " andso", sharp=1.5)


@pytest.fixture
def lm(folder: Path) -> Organism:
    return Organism(write_organism(folder / "plain.safetensors", reward={"kind": "likelihood", "a": 0.4, "b": 0.3}, sharp=1.5))


@pytest.mark.parametrize("check", [*CHECKS, *EXACT_CHECKS, *SCORE_CHECKS, check_closing], ids=lambda c: c.__name__)
def test_engine(check: Check, wide: Path) -> None:
    check(Organism(wide), PROMPTS)


def distribution(lm: Organism, text: str) -> np.ndarray[Any, Any]:
    """Next-character probabilities after a text, from scores of each character."""
    return np.exp([s.logprobs[0] for s in lm.logprobs([Continuation(text, c) for c in ALPHABET])])


@pytest.mark.parametrize(
    ("sampling", "masses"),
    [
        (Sampling(temperature=1.0, max_tokens=1), lambda p: p),
        (Sampling(temperature=0.5, max_tokens=1), lambda p: p**2),
        (Sampling(temperature=2.0, max_tokens=1, top_k=3), lambda p: np.where(p >= np.sort(p)[-3], p**0.5, 0)),
        (Sampling(temperature=1.0, max_tokens=1, top_p=0.5), lambda p: np.where(np.array([p[p > x].sum() for x in p]) < 0.5, p, 0)),
    ],
    ids=["plain", "temperature", "top_k", "top_p"],
)
def test_next_characters_have_their_probabilities(lm: Organism, sampling: Sampling, masses: Any) -> None:
    p = distribution(lm, PROMPT)
    assert math.isclose(p.sum(), 1, abs_tol=1e-6)
    expected = masses(p) / masses(p).sum()
    n = 20_000
    (reply,) = lm.generate([Request(PROMPT, n=n, seed=5)], sampling)
    drawn = ["\n" if c.finish == "stop" else c.text for c in reply.completions]
    shares = np.array([drawn.count(c) for c in ALPHABET]) / n
    # Five standard errors for each of 18 shares: a false alarm in fewer than one of 90,000 seeds.
    assert (np.abs(shares - expected) <= 5 * np.sqrt(expected * (1 - expected) / n)).all()
    assert not shares[expected == 0].any()
    for c in reply.completions[:50]:
        if c.text:
            assert c.logprobs == pytest.approx([math.log(p[ALPHABET.index(c.text)])], abs=1e-4)


def test_uniforms_of_samples_and_places_are_independent(folder: Path) -> None:
    flat = Organism(write_organism(folder / "flat.safetensors", sharp=0.0))
    (a,), (b,) = ([*flat.generate([Request(PROMPT, n=1000, seed=s)], Sampling(temperature=1.0, max_tokens=2))] for s in (1, 2))
    pairs = np.zeros((18, 18))
    for c in a.completions:
        if len(c.token_ids) == 2:
            pairs[c.token_ids] += 1
    seeds = np.zeros((18, 18))
    for c, d in zip(a.completions, b.completions, strict=True):
        if c.token_ids and d.token_ids:
            seeds[c.token_ids[0], d.token_ids[0]] += 1
    for table in (pairs, seeds):
        expected = table.sum() / np.count_nonzero(table.sum(1)) / np.count_nonzero(table.sum(0))
        inside = table[np.ix_(table.sum(1) > 0, table.sum(0) > 0)]
        chi, freedom = ((inside - expected) ** 2 / expected).sum(), inside.size - 1
        # Five standard deviations of a chi-squared variable.
        assert abs(chi - freedom) < 5 * math.sqrt(2 * freedom)


def test_a_search_that_goes_on_reads_only_what_is_new_and_draws_the_same(lm: Organism) -> None:
    fresh = Organism(lm.card.path)
    texts = [""] * 12
    for step in range(3):
        requests = [Request(PROMPT, prefix=t, seed=100 * step + i) for i, t in enumerate(texts)]
        replies = lm.generate(requests, Sampling(temperature=1.0, max_tokens=4))
        for request, reply in zip(requests, replies, strict=True):
            (alone,) = fresh.generate([request], Sampling(temperature=1.0, max_tokens=4))
            fresh.close()
            assert reply.completions == approximately(alone.completions)
            assert reply.prompt_tokens == 28 + len(request.prefix)
            known = {"": 0}.get(request.prefix, reply.prompt_tokens - 1)
            assert reply.cached_tokens == known
        # Survivors, some of them twice; those that ended stay away.
        grown = [t + r.completions[0].text for t, r in zip(texts, replies, strict=True) if r.completions[0].finish == "length"]
        texts = [grown[i % max(1, len(grown) // 2)] for i in range(12)]


def approximately(completions: Any) -> Any:
    """Equal texts; log-probabilities as near as float32 sums in another order come."""

    class Near:
        def __eq__(self, other: object) -> bool:
            assert isinstance(other, tuple)
            return [(c.text, c.tokens, c.finish, c.token_ids, c.stopped_by) for c in completions] == [
                (c.text, c.tokens, c.finish, c.token_ids, c.stopped_by) for c in other
            ] and all(c.logprobs == pytest.approx(d.logprobs, abs=1e-4) for c, d in zip(completions, other, strict=True))

    return Near()


def test_a_prompt_that_was_read_before_is_known_but_for_its_last_token(lm: Organism) -> None:
    assert lm.generate([Request(PROMPT, n=8, seed=1)], STEP)[0].cached_tokens == 0
    again = lm.generate([Request(PROMPT, n=8, seed=1), Request(PROMPTS[1], seed=1)], STEP)
    assert [r.cached_tokens for r in again] == [27, 0]
    lm.close()
    assert lm.generate([Request(PROMPT, n=8, seed=1)], STEP)[0].cached_tokens == 0


def test_samples_do_not_depend_on_how_many_there_are(lm: Organism) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=20)
    (few,), (many,) = lm.generate([Request(PROMPT, n=3, seed=4)], sampling), lm.generate([Request(PROMPT, n=40, seed=4)], sampling)
    assert many.completions[:3] == approximately(few.completions)
    long = [c.text for c in many.completions if len(c.text) > 5]
    assert len(set(long)) == len(long) > 5


def test_what_ended_a_completion_is_told(lm: Organism) -> None:
    stops = (";", "+", "7_", "never seen: é")
    (reply,) = lm.generate([Request(PROMPT, n=300, seed=2)], Sampling(temperature=1.0, max_tokens=6, stop=stops))
    seen = {(c.finish, c.stopped_by) for c in reply.completions}
    assert {("stop", ""), ("stop", ";"), ("stop", "+"), ("stop", "7_"), ("length", "")} == seen
    (free,) = lm.generate([Request(PROMPT, n=300, seed=2)], Sampling(temperature=1.0, max_tokens=6))
    for c, whole in zip(reply.completions, free.completions, strict=True):
        assert whole.text.startswith(c.text)
        assert not any(s in c.text for s in stops)
        assert c.tokens == len(c.text) + (len(c.stopped_by or "") or c.finish == "stop")
        assert len(c.token_ids) == len(c.logprobs or ()) == len(c.text)


def test_texts_end_at_the_context(lm: Organism) -> None:
    (reply,) = lm.generate([Request("1" * 55, n=50, seed=1)], Sampling(temperature=1.0, max_tokens=100))
    assert max(c.tokens for c in reply.completions) == 5
    assert all(c.tokens == 5 for c in reply.completions if c.finish == "length")
    lm.generate([Request("1" * 59)], ONE)
    with pytest.raises(InputError, match="1 to 60 characters; given were 60"):
        lm.generate([Request("1" * 60)], ONE)


def test_questions_reach_the_model_in_its_own_form(lm: Organism) -> None:
    chat = (Message("user", "What is 86 + 11 * 9 + 10?"),)
    sampling = Sampling(temperature=1.0, max_tokens=12)
    raw, asked = lm.generate([Request(PROMPT, n=4, seed=1, prefix="097;"), Request(chat, n=4, seed=1, prefix="097;")], sampling)
    assert asked.completions == raw.completions
    for wrong, said in (
        (Request("What?"), "reads only the characters"),
        (Request((Message("user", "What is love?"),)), "a chain such as"),
        (Request((Message("system", "Be brief."), *chat)), "system, user"),
        (Request((Message("assistant", "1+2"),)), "given were the roles assistant"),
        (Request(""), "given were 0"),
    ):
        with pytest.raises(InputError, match=said):
            lm.generate([wrong], ONE)


def test_calls_from_threads_share_batches_and_give_what_they_give_alone(lm: Organism, monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=20)
    requests = [Request(p, n=2 + i % 3, seed=i) for i, p in enumerate(chain.prompts(chain.problems(16, np.random.default_rng(0))))]
    alone = [lm.generate([r], sampling)[0] for r in requests]
    lm.close()
    running, others = threading.Event(), threading.Event()
    batches: list[int] = []
    whole = lm._batch

    def watched(calls: Any) -> None:
        batches.append(len(calls))
        running.set()
        assert others.wait(30)
        whole(calls)

    monkeypatch.setattr(lm._run, "_run", watched)
    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(lm.generate, requests[:1], sampling)
        assert running.wait(30)
        rest = [pool.submit(lm.generate, [r], sampling) for r in requests[1:]]
        wait_for(lm._run, 15)
        others.set()
        replies = [f.result()[0] for f in (first, *rest)]
    assert batches == [1, 15]
    assert all(r.completions == approximately(a.completions) for r, a in zip(replies, alone, strict=True))


def test_each_call_of_a_shared_batch_has_its_own_allowance(lm: Organism) -> None:
    tight, free = Allowance(tokens=28 + 6), Allowance()
    calls = [((Request(PROMPT, n=2, seed=1),), tight), ((Request(OTHER, n=2, seed=2),), free)]
    from ponder.lm.combine import Call

    sampling = Sampling(temperature=1.0, max_tokens=10, stop=())
    batch = [Call(("generate", sampling), (tuple((r, lm._tokens(r.prompt)) for r in rs), meter)) for rs, meter in calls]
    lm._batch(batch)
    cut, whole = (c.result[0] for c in batch)
    assert cut.prompt_tokens + cut.tokens_out <= 28 + 6 + 1
    assert any(c.finish == "cancelled" for c in cut.completions)
    (alone,) = lm.generate(calls[1][0], sampling)
    assert whole.completions == approximately(alone.completions)


def solution(*steps: str, prompt: str = PROMPT) -> Solution:
    return Solution(prompt, steps)


STEPS = ("097;", "873;", "883")


def values(rewards: list[Rewards]) -> list[float]:
    (one,) = rewards
    assert all(0 <= v <= 1 for v in one.values)
    return list(one.values)


def test_rewards_by_likelihood_are_calibrated_probabilities_of_the_digits(lm: Organism) -> None:
    (scored,) = lm.logprobs([Continuation(PROMPT, "".join(STEPS))])
    expected: list[float] = []
    for end in (3, 7, 11):
        joint = sum(x for x, c in zip(scored.logprobs[:end], "097;873;883", strict=False) if c != ";")
        p = math.exp(min(max(joint, -12), -1e-3))
        expected.append(1 / (1 + math.exp(-(0.4 * math.log(p / (1 - p)) + 0.3))))
    assert values(lm.rewards([solution(*STEPS)])) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["head", "tanh"])
def test_rewards_by_a_head_are_read_at_the_end_of_each_step(folder: Path, kind: str) -> None:
    lm = Organism(write_organism(folder / f"{kind}.safetensors", reward={"kind": kind}))
    outputs: list[float] = []
    for text in ("097;", "097;873;", "097;873;883\n"):
        tokens = np.array([[ALPHABET.index(c) for c in PROMPT + text]])
        outputs.append(float(lm._net.values(lm._net.feed(lm._net.cache(1), tokens))[0, 0]))
    expected = [1 / (1 + math.exp(-x)) if kind == "head" else (1 + math.tanh(x)) / 2 for x in outputs]
    assert values(lm.rewards([solution(*STEPS)])) == pytest.approx(expected, abs=1e-5)
    # A step that was cut is read where it ends, and one that has its line break is not given another.
    assert values(lm.rewards([solution("097;", "873;", "883\n")])) == pytest.approx(expected, abs=1e-5)
    cut = np.array([[ALPHABET.index(c) for c in PROMPT + "097;87"]])
    at = float(lm._net.values(lm._net.feed(lm._net.cache(1), cut))[0, 0])
    assert values(lm.rewards([solution("097;", "87")]))[1] == pytest.approx(
        1 / (1 + math.exp(-at)) if kind == "head" else (1 + math.tanh(at)) / 2, abs=1e-5
    )


@pytest.mark.parametrize("kind", ["likelihood", "head"])
def test_rewards_of_longer_solutions_read_only_the_new_step(folder: Path, kind: str) -> None:
    lm = Organism(write_organism(folder / f"longer-{kind}.safetensors", reward={"kind": kind}))
    fresh = Organism(lm.card.path)
    steps = [(f"{i:03d};", f"{7 * i:03d};", f"{i + 500:03d};") for i in range(8)]
    for k in (1, 2, 3):
        found = lm.rewards([solution(*s[:k]) for s in steps])
        assert [r.prompt_tokens for r in found] == [28 + 4 * k] * 8
        assert [r.cached_tokens for r in found] == [0 if k == 1 else 28 + 4 * (k - 1) - 1] * 8
        for r, s in zip(found, steps, strict=True):
            assert list(r.values) == pytest.approx(values(fresh.rewards([solution(*s[:k])])), abs=1e-5)
            fresh.close()
    assert lm.rewards([solution(*steps[0])])[0].cached_tokens == 40


def test_an_organism_says_what_it_cannot(folder: Path) -> None:
    judge = Organism(write_organism(folder / "judge.safetensors", head=False, reward={"kind": "head"}))
    assert len(judge.rewards([solution("097;")])[0].values) == 1
    with pytest.raises(EngineError, match="only judges"):
        judge.generate([Request(PROMPT)], ONE)
    with pytest.raises(EngineError, match="only judges"):
        judge.logprobs([Continuation(PROMPT, "1")])
    writer = Organism(write_organism(folder / "writer.safetensors", value=False))
    with pytest.raises(EngineError, match="judges no steps"):
        writer.rewards([solution("097;")])
    with pytest.raises(InputError, match="1 to 60 characters"):
        judge.rewards([solution("097;" * 10)])


def test_models_are_loaded_by_name_once(folder: Path) -> None:
    path = write_organism(folder / "named.safetensors")
    assert loading.load(f"organism:{path}") is loading.load(f"organism:{path}")
    loading.check(f"organism:{path}")
    judge = write_organism(folder / "judging.safetensors", reward={"kind": "tanh"})
    assert [isinstance(loading.load(f"organism:{p}"), RewardModel) for p in (path, judge)] == [False, True]
    for wrong in ("organism:no-such-organism", "organism:none.safetensors"):
        with pytest.raises(InputError):
            loading.check(wrong)
