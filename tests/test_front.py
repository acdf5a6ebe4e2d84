"""The front door: budgets, laws of sampling, notebooks, running loops, explicit settings."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import step_by_step

import ponder
from ponder.core.budget import Allowance, Budget, Meter, Price
from ponder.core.context import Context
from ponder.core.errors import EngineError, InputError, PonderError
from ponder.core.language import Message, Request, Sampling, Solution
from ponder.core.population import Population
from ponder.core.problem import Candidate, Problem
from ponder.core.terms import arguments
from ponder.front import ask
from ponder.lm.scripted import Scripted, ScriptedRewards
from ponder.methods import METHODS, parse

LONG = {" ".join(["so"] * 12) + " the answer is 56": 0.5, "54": 0.3, " ".join(["hm"] * 30): 0.2}
OTHERS = [
    "sample(4) + sample(3) | vote()",
    "split(3, sample(4)) | weigh(judge) | argmax()",
    "until(settled(0.99, of=64), sample(2)) | vote() | abstain(0.3)",
    "sample(5) | weigh(self_eval) | resample() | vote()",
    "sample(2) | sample(3) | draw()",
    "write(3, n=4) | sample(2) | vote()",
    "start(6) | loop(extend() | weigh(prm) | resample(systematic)) | argmax()",
    "start(2) | loop(extend(3) | weigh(odds(prm), ratio=True) | top(4)) | argmax()",
    "beam_search(8, ahead=1)",
    "particle_filter(6, weighting='ratio', finished='again', temperature=annealed())",
]

STEPS = {
    "let us see\n\n" + " ".join(["so"] * 9) + "\n\nthe answer is 56": 0.5,
    "hm\n\nwell\n\n" + " ".join(["no"] * 5) + "\n\n54": 0.3,
    " ".join(["hm"] * 30): 0.2,
}


def judged(solution: Solution) -> list[float]:
    """Half trust in steps of one word, .7 in others."""
    return [0.5 if len(step.split()) == 1 else 0.7 for step in solution.steps]


def every_method(n: int) -> list[str]:
    """All registered methods with n samples, and some written out."""
    named = [f"{name}({', '.join(f'{a.name}={n}' for a in arguments(maker) if a.name == 'n')})" for name, maker in METHODS.items()]
    return named + OTHERS


def question_for(method: str) -> str | Problem:
    """One question; with options where a method shuffles them."""
    return Problem("What is 7 * 8?", choices=("56", "54", "55")) if "medprompt" in method else "What is 7 * 8?"


class Watched(Scripted):
    """Remembers the largest batch it was ever billed for, whatever the allowance would have cut."""

    largest = 0

    def generate(self, requests: Any, sampling: Sampling, allowance: Allowance | None = None) -> Any:
        replies = super().generate(requests, sampling, allowance)
        self.largest = max(self.largest, sum(r.prompt_tokens + r.tokens_out for r in replies))
        return replies

    def logprobs(self, continuations: Any) -> Any:
        scored = super().logprobs(continuations)
        self.largest = max(self.largest, sum(s.prompt_tokens for s in scored))
        return scored


class WatchedRewards(ScriptedRewards):
    """The same for a reward model."""

    largest = 0

    def rewards(self, solutions: Any) -> Any:
        found = super().rewards(solutions)
        self.largest = max(self.largest, sum(r.prompt_tokens for r in found))
        return found


@settings(max_examples=300)
@given(
    st.sampled_from(every_method(12)),
    st.sampled_from([LONG, STEPS]),
    st.one_of(st.none(), st.integers(0, 400)),
    st.one_of(st.none(), st.integers(0, 12)),
    st.one_of(st.none(), st.floats(0, 3)),
    st.one_of(st.none(), st.floats(0, 0.0004)),
    st.integers(0, 1000),
)
def test_no_method_spends_more_than_its_budget_and_one_batch(
    method: str,
    texts: dict[str, float],
    tokens: int | None,
    calls: int | None,
    seconds: float | None,
    money: float | None,
    seed: int,
) -> None:
    lm = Watched(step_by_step(texts)._answers, latency=0.5, price=Price(0.5, 1.5))
    reward = WatchedRewards(judged, price=Price(0.5, 1.5))
    result = ask(question_for(method), method=method, model=lm, reward=reward, budget=Budget(tokens, calls, seconds, money), seed=seed)
    bill, largest = result.bill, max(lm.largest, reward.largest)
    assert tokens is None or bill.tokens <= tokens + largest
    assert calls is None or bill.calls <= max(calls, 0) + 2 * 12
    assert seconds is None or bill.seconds <= seconds + 0.5
    assert money is None or bill.money <= money + largest * 1.5e-6
    assert bill.tokens == 0 or bill.money == pytest.approx((bill.tokens_in * 0.5 + bill.tokens_out * 1.5) / 1e6)
    assert (result.value is None) == bool(result.reason)
    assert 0 <= result.confidence <= 1
    if tokens == 0 or calls == 0:
        assert bill.tokens == 0
        assert "budget" in result.reason
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_token_budget_ends_a_batch_in_flight() -> None:
    result = ask("What is 7 * 8?", method="sample(16) | vote()", model=Scripted(LONG), budget="60 tokens")
    assert 50 <= result.bill.tokens <= 60 + 16
    assert result.value in ("56", "54", None)
    assert any("cut" in note for note in result.trace.notes)


@pytest.mark.parametrize("method", every_method(8))
def test_every_method_answers_and_bills_what_it_drew(method: str, sevens: Scripted) -> None:
    question = question_for(method)
    result = ask(question, method=method, model=sevens, reward=ScriptedRewards(judged), seed=3)
    assert result.value in ("56", "54", "i do not know", "A", "B", None)
    assert result.bill.calls > 0
    assert result.bill.tokens_out > 0
    again = ask(question, method=method, model=Scripted(sevens._answers), reward=ScriptedRewards(judged), seed=3)
    assert again.to_dict() == result.to_dict()


class Words:
    """A step-wise program whose steps are the words that a scripted engine's answers are made of."""

    texts = ("a b 1", "a c 2", "d 3")
    shares = (0.5, 0.2, 0.3)

    def start(self, n: int, context: Context) -> tuple[Candidate, ...]:
        return (Candidate(),) * n

    def extend(self, states: Any, width: int, context: Context) -> tuple[tuple[Candidate, ...], np.ndarray]:
        rng = context.rng("words")
        children = []
        for state in states:
            open_ = [(t, p) for t, p in zip(self.texts, self.shares, strict=True) if t.split()[: len(state.steps)] == list(state.steps)]
            weights = np.array([p for _, p in open_])
            for _ in range(width):
                whole = open_[rng.choice(len(open_), p=weights / weights.sum())][0].split()
                steps = (*state.steps, whole[len(state.steps)])
                done = len(steps) == len(whole)
                children.append(
                    Candidate(" ".join(steps), steps[-1] if done else None, steps=steps, finished=done, finish="stop" if done else "")
                )
        return tuple(children), np.zeros(len(children))

    def finished(self, states: Any) -> np.ndarray:
        return np.array([s.finished for s in states])


def test_sampling_whole_and_step_by_step_agree_in_distribution() -> None:
    """sample(n) and start(n) | loop(extend()): shares of 3,000 draws each within 4 standard errors of the truth."""
    n = 3000
    problem = Problem("?", reads="number")
    whole = Context(problem, models={"m": Scripted(dict(zip(Words.texts, Words.shares, strict=True)))}, sampling=Sampling(temperature=1.0))
    steps = Context(problem, program=Words())
    for text, context in ((f"sample({n})", whole), (f"start({n}) | loop(extend())", steps)):
        population = parse(text)(Population((Candidate(),), [0.0]), context)
        assert population.log_evidence == pytest.approx(0)
        for value, share in zip("123", Words.shares, strict=True):
            found = sum(c.value == value for c in population.items) / n
            assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / n)


def test_temperature_zero_is_obeyed() -> None:
    lm = Scripted({"56": 0.4, "55": 0.3, "54": 0.3})
    result = ask("What is 7 * 8?", method="sample(8) | vote()", model=lm, temperature=0)
    assert (result.value, result.confidence) == ("56", 1.0)
    assert result.bill.tokens_out == 1
    assert "greedy" in result.trace.notes[0]
    assert ask("What is 7 * 8?", method="sample(8, temperature=0.0) | vote()", model=lm).confidence == 1.0
    assert ask("What is 7 * 8?", method="sample(64) | vote()", model=lm).confidence < 1.0


def test_every_sampling_field_reaches_the_engine() -> None:
    seen: list[tuple[Any, Sampling]] = []

    class Spy(Scripted):
        def generate(self, requests: Any, sampling: Sampling, allowance: Any = None) -> Any:
            seen.append((requests, sampling))
            return super().generate(requests, sampling, allowance)

    ask(
        "What is 7 * 8?",
        model=Spy({"56": 1.0}),
        temperature=0.3,
        max_tokens=7,
        top_p=0.5,
        top_k=4,
        stop=["END"],
        method="sample(3, max_tokens=5)",
    )
    ((request,), sampling) = seen[0]
    assert sampling == Sampling(0.3, 5, 0.5, 4, ("END",))
    assert request.n == 3
    ask("What is 7 * 8?", model=Spy({"56": 1.0}), seed=1, method="sample(3)")
    ask("What is 7 * 8?", model=Spy({"56": 1.0}), seed=2, method="sample(3)")
    assert seen[1][0][0].seed != seen[2][0][0].seed


def test_thirty_two_threads_give_what_one_gives() -> None:
    lm = Scripted(LONG)
    questions = [f"What is {i} * 8?" for i in range(32)]

    def answer(question: str) -> dict[str, Any]:
        return ask(question, method="until(confident(), sample(2)) | vote()", model=lm, seed=4).to_dict()

    alone = [answer(q) for q in questions]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(answer, questions)) == alone


def test_many_abandoned_rounds_leak_nothing() -> None:
    """200 rounds that fail or are stopped half-way, then one that must still answer (a permit leaked by a cancelled call hangs it)."""
    lm = Scripted(LONG, faults=0.5)
    failed = 0
    for seed in range(200):
        meter = Meter(Budget())
        if seed % 4 == 0:
            meter.stop()
        try:
            ask("What is 7 * 8?", model=lm, seed=seed, meter=meter, method="sample(32)")
        except EngineError:
            failed += 1
    assert failed > 20
    assert ask("What is 7 * 8?", model=Scripted(LONG)).value == "56"


def test_it_works_inside_a_running_loop(sevens: Scripted) -> None:
    async def inside() -> list[str | None]:
        direct = ask("What is 7 * 8?", model=sevens)
        threaded = await asyncio.gather(*(asyncio.to_thread(ask, "What is 7 * 8?", model=sevens) for _ in range(8)))
        return [direct.value, *(a.value for a in threaded)]

    assert asyncio.run(inside()) == ["56"] * 9


def test_it_works_in_a_notebook() -> None:
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    code = 'import ponder\nprint(ponder.ask("What is 7 * 8?", model="scripted:56=0.9,54=0.1").value)'
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0].text.strip() == "56"


def test_importing_ponder_is_light() -> None:
    heavy = ("torch", "openvino", "openvino_genai", "fastapi", "matplotlib", "numpy", "scipy")
    code = f"import sys, ponder; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_asking_a_scripted_model_loads_no_heavy_module() -> None:
    code = (
        "import sys, ponder; ponder.ask('What is 7 * 8?', model='scripted:56=1.0', method='rpc(8)');"
        "print([m for m in ('torch', 'openvino', 'scipy', 'matplotlib', 'sympy', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "options",
    [
        {"method": "sample(0)"},
        {"model": "gpt-17"},
        {"model": {}},
        {"model": "http://localhost:1/v1"},
        {"budget": "12"},
        {"budget": "$1"},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"max_tokens": 0},
        {"top_p": 0},
        {"stop": [""]},
        {"style": "few-shot"},
        {"style": "essay"},
        {"reads": "tea leaves"},
        {"question": "  "},
        {"question": [{"role": "user"}]},
        {"question": []},
        {"method": "sample(2, model='another')"},
        {"method": "dvts(6)"},
    ],
)
def test_bad_input_is_refused_before_anything_is_spent(options: dict[str, Any], sevens: Scripted) -> None:
    with pytest.raises(InputError):
        ask(**{"question": "What is 7 * 8?", "model": sevens, **options})
    assert sevens.calls == 0


def test_chat_messages_and_problems_are_questions_too(sevens: Scripted) -> None:
    for question in (
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 7 * 8?"}],
        [Message("user", "What is 7 * 8?")],
        Problem("What is 7 * 8?", examples=(("What is 1 * 2?", "1 * 2 = 2"),), style="few-shot"),
    ):
        assert ask(question, model=sevens).value == "56"


def test_layers_of_several_models_and_their_names() -> None:
    models = {"a": Scripted({"56": 1.0}, name="A"), "b": Scripted({"54": 1.0}, name="B")}
    result = ask("What is 7 * 8?", model=models, method="sample(1, model='a') + sample(3, model='b') | vote()")
    assert result.shares == pytest.approx({"54": 0.75, "56": 0.25})
    assert {c.model for c in result.population.items} == {"a", "b"}


def test_likelihood_without_log_probabilities_says_so() -> None:
    class Silent(Scripted):
        def generate(self, *args: Any, **kwargs: Any) -> Any:
            from dataclasses import replace

            return [
                replace(r, completions=tuple(replace(c, logprobs=None) for c in r.completions)) for r in super().generate(*args, **kwargs)
            ]

    with pytest.raises(PonderError, match="log-probabilities"):
        ask("What is 7 * 8?", model=Silent({"56": 1.0}), method="rpc(4)")


def test_a_scorer_that_gives_nan_is_named() -> None:
    from ponder.scorers.base import Scorer
    from ponder.stages import sample, weigh

    class _broken(Scorer):
        def __call__(self, candidates: Any, context: Context) -> Any:
            return np.full(len(candidates), np.nan)

    with pytest.raises(PonderError, match="_broken"):
        ask("What is 7 * 8?", model=Scripted({"56": 1.0}), method=sample(4) | weigh(_broken()))


def test_public_names_exist() -> None:
    for name in ponder.__all__:
        assert getattr(ponder, name) is not None
    assert str(ponder.method("rpc(4)")) == "rpc(4)"
    with pytest.raises(AttributeError):
        ponder.nothing  # noqa: B018


def test_a_request_needs_a_sample() -> None:
    with pytest.raises(InputError):
        Request("x", n=0)
