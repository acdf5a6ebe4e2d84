"""The front door: one question, one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.algebra import Stage, as_stage
from ponder.core.answer import Answer, answer
from ponder.core.budget import Budget, Meter
from ponder.core.context import Context, Trace
from ponder.core.errors import InputError
from ponder.core.language import LM, Message, RewardModel, Sampling
from ponder.core.problem import Problem
from ponder.lm.load import DEFAULT, check, load
from ponder.lm.recorded import CallStore, Recorded
from ponder.methods import parse
from ponder.programs.prompts import write_prompt
from ponder.programs.reasoner import Reasoner

METHOD = "sample(16) | vote()"

Question = str | Sequence[Message] | Sequence[Mapping[str, str]] | Problem
Models = str | LM | Mapping[str, str | LM]
Rewarding = str | RewardModel | Sequence[str] | Mapping[str, str | RewardModel]


def ask(
    question: Question,
    *,
    method: str | Stage = METHOD,
    model: Models = DEFAULT,
    budget: str | Budget = "",
    seed: int = 0,
    temperature: float = Sampling.temperature,
    max_tokens: int = Sampling.max_tokens,
    top_p: float = Sampling.top_p,
    top_k: int = Sampling.top_k,
    stop: Sequence[str] = (),
    style: str | None = None,
    reads: str = "auto",
    reward: Rewarding = (),
    separator: str | None = None,
    max_steps: int = Reasoner.max_steps,
    store: CallStore | None = None,
    meter: Meter | None = None,
    trace: Trace | None = None,
) -> Answer:
    """Answer a question with a method, a model and a budget.

    >>> ask("What is 7 * 8?", method="sample(16) | vote()", budget="600 tokens").value
    '56'

    Args:
        question: a text, chat messages that end in the question, or a `Problem`.
        method: a pipeline or its text.
        model: a model's name (`ponder models`), an engine, or several of either by name for methods that use more than one.
        budget: what may be spent, as in "4k tokens, 30s"; "" is no limit. When it ends, the answer comes from what there is.
        seed: root of all draws; the same seed gives the same answer on an engine that repeats itself exactly (the embedded one
            does for the same batch; other batches beside it may move the last bits of its arithmetic).
        temperature, max_tokens, top_p, top_k, stop: how completions are drawn; stages may override them.
        style: how the prompt is written, a name in `ponder.programs.prompts.STYLES`; by default the problem's own.
        reads: how an answer is read off a text, a name in `ponder.core.reading.READERS`.
        reward: reward models that `prm` asks: a model's name, an engine, several names, or engines by name. By default the model
            itself, if it can judge.
        separator: what ends a step of step-wise methods; by default what the model's engine says, else a blank line.
        max_steps: the most steps a candidate may have.
        store: where engine calls are kept and replayed from.
        meter: watch or stop the spending from outside; `budget` is then its own.
        trace: watch what happens; one that keeps populations lets the search be drawn afterwards.

    Returns:
        The answer with its confidence, its candidates and its bill; an abstention has value None and a reason.

    Raises:
        InputError: something given cannot be used; nothing was spent.
        EngineError: the engine failed.
    """
    pipeline = parse(method) if isinstance(method, str) else as_stage(method)
    problem = as_problem(question, reads)
    write_prompt(problem, style)
    limits = Budget.parse(budget) if isinstance(budget, str) else budget
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens, top_p=top_p, top_k=top_k, stop=stops)
    program = Reasoner(separator, max_steps)
    engines = as_models(model)
    judges = as_rewards(reward, engines)
    if store is not None:
        engines = {n: Recorded(lm, store, f"{n}\x1f") for n, lm in engines.items()}
        judges = {n: Recorded(lm, store, f"reward {n}\x1f") for n, lm in judges.items()}
    context = Context(
        problem=problem,
        meter=meter or Meter(limits, next(iter(engines.values())).price),
        models=engines,
        rewards_by=judges,
        program=program,
        sampling=sampling,
        style=style,
        root=seed,
        trace=trace or Trace(),
    )
    return answer(pipeline, context)


def as_problem(question: Question, reads: str = "auto") -> Problem:
    """A question in any of its forms as a `Problem`."""
    if isinstance(question, Problem):
        return question
    if isinstance(question, str):
        return Problem(question, reads=reads)
    return Problem(tuple(_message(m) for m in question), reads=reads)


def _message(value: Message | Mapping[str, Any]) -> Message:
    if isinstance(value, Message):
        return value
    if isinstance(value.get("role"), str) and isinstance(value.get("content"), str):
        return Message(value["role"], value["content"])
    raise InputError(f"a chat message needs texts as 'role' and 'content', and {dict(value)!r:.80} has not")


def as_models(model: Models) -> dict[str, LM]:
    """Engines by name; all names are checked before the first model is loaded."""
    named = dict(model) if isinstance(model, Mapping) else {model if isinstance(model, str) else model.name: model}
    if not named:
        raise InputError("at least one model is needed")
    for value in named.values():
        if isinstance(value, str):
            check(value)
    loaded = {name: load(value) if isinstance(value, str) else value for name, value in named.items()}
    for name, engine in loaded.items():
        if not hasattr(engine, "generate"):
            raise InputError(f"{name} judges and does not write; name it as --reward, and a model that writes as --model")
    return loaded


def as_rewards(reward: Rewarding, engines: Mapping[str, LM]) -> dict[str, RewardModel]:
    """Reward models by name; without any, the first engine if it is one itself.

    Raises:
        InputError: one that is named cannot judge steps.
    """
    if isinstance(reward, Mapping):
        named = dict(reward)
    elif isinstance(reward, str):
        named = {reward: reward}
    elif isinstance(reward, Sequence):
        named = {name: name for name in reward}
    else:
        named = {reward.name: reward}
    if not named:
        own, engine = next(iter(engines.items()))
        return {own: engine} if isinstance(engine, RewardModel) else {}
    loaded = {name: load(value) if isinstance(value, str) else value for name, value in named.items()}
    for name, engine in loaded.items():
        if not isinstance(engine, RewardModel):
            raise InputError(f"{name} judges no steps; a reward model is needed, such as organism:chain-reward-3 (`ponder models`)")
    return loaded  # pyright: ignore[reportReturnType]
