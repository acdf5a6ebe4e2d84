"""Running methods on tasks: questions side by side, every answer stored as it comes, resumed by replaying."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from typing import Any

from ponder.bench.store import Key, RunStore
from ponder.core.algebra import Pipeline
from ponder.core.answer import Answer, answer
from ponder.core.budget import Budget, Meter
from ponder.core.context import Context
from ponder.core.errors import InputError, PonderError
from ponder.core.language import LM, RewardModel, Sampling
from ponder.core.problem import Problem
from ponder.core.seeds import derive
from ponder.lm.recorded import Recorded
from ponder.programs.prompts import write_prompt
from ponder.programs.reasoner import Reasoner
from ponder.tasks import Task


@dataclass(frozen=True)
class Plan:
    """What a run does: every method on every problem of every task, once a seed.

    Attributes:
        tasks: the tasks, with different names.
        methods: the pipelines.
        models: engines by name; the first is the one asked by default.
        rewards: reward models by name; the first is the one asked by default.
        program: what step-wise methods run.
        seeds: root seeds; each is a repetition with other draws.
        sampling, style, budget: as for a single question; the budget is each question's.
    """

    tasks: Sequence[Task]
    methods: Sequence[Pipeline]
    models: Mapping[str, LM]
    seeds: Sequence[int] = (0,)
    sampling: Sampling = field(default_factory=Sampling)
    style: str | None = None
    budget: Budget = field(default_factory=Budget)
    rewards: Mapping[str, RewardModel] = field(default_factory=dict[str, RewardModel])
    program: Reasoner = field(default_factory=Reasoner)

    def __post_init__(self) -> None:
        for what, values in (
            ("task", [t.name for t in self.tasks]),
            ("method", [str(m) for m in self.methods]),
            ("seed", list(self.seeds)),
        ):
            if not values:
                raise InputError(f"a run needs at least one {what}")
            if len(set(values)) < len(values):
                raise InputError(f"each {what} of a run may be given once, not {', '.join(map(str, values))}")
        for task in self.tasks:
            for problem in task.problems:
                write_prompt(problem, self.style)  # a style that does not fit is found before anything is spent
        for model in self.models.values():
            Meter(self.budget, model.price)

    @property
    def keys(self) -> list[Key]:
        """What there is to answer; methods of one question stand together, so that they find each other's samples."""
        return [
            (task.name, str(method), seed, problem.id)
            for task in self.tasks
            for seed in self.seeds
            for problem in task.problems
            for method in self.methods
        ]

    @property
    def settings(self) -> dict[str, Any]:
        """What answers in one folder must have in common."""
        return {
            "models": {name: model.name for name, model in self.models.items()},
            "rewards": {name: model.name for name, model in self.rewards.items()},
            "program": asdict(self.program),
            "sampling": asdict(self.sampling),
            "style": self.style,
            "budget": asdict(self.budget),
        }


@dataclass
class Outcome:
    """How a session of a run ended.

    Attributes:
        done: answers that this session added.
        errors: what went wrong, by question; those are asked again when the run is resumed.
        interrupted: the user stopped it.
    """

    done: int = 0
    errors: dict[Key, str] = field(default_factory=dict[Key, str])
    interrupted: bool = False


def run(plan: Plan, store: RunStore, on_answer: Callable[[Key, dict[str, Any]], None] | None = None) -> Outcome:
    """Answer whatever the store does not hold yet.

    Questions run side by side in as many threads as the engine asks for. An engine that fails on one question leaves the others
    alone; Ctrl-C ends the session within the calls in flight, and what was stored stays.

    Args:
        on_answer: called with each new answer after it was stored, from the thread that made it.
    """
    store.settle(plan.settings)
    known = store.keys()
    session = _Session(plan, store, known, on_answer)
    questions = [
        (task, seed, problem)
        for task in plan.tasks
        for seed in plan.seeds
        for problem in task.problems
        if any((task.name, str(m), seed, problem.id) not in known for m in plan.methods)
    ]
    workers = max(1, min(len(questions), max(m.concurrency for m in plan.models.values())))
    with ThreadPoolExecutor(workers, thread_name_prefix="ponder-bench") as pool:
        futures = [pool.submit(session.question, *q) for q in questions]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException as error:  # the user's Ctrl-C, or a store that cannot be written: start nothing more
            session.stop()
            for future in futures:
                future.cancel()
            if not isinstance(error, KeyboardInterrupt):
                raise
            session.outcome.interrupted = True
    return session.outcome


class _Session:
    def __init__(self, plan: Plan, store: RunStore, known: set[Key], on_answer: Callable[[Key, dict[str, Any]], None] | None) -> None:
        self.plan, self.store, self.known, self.on_answer = plan, store, known, on_answer
        self.outcome = Outcome()
        self._meters: set[Meter] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for meter in self._meters:
                meter.stop()

    def question(self, task: Task, seed: int, problem: Problem) -> None:
        """All methods on one problem, in turn."""
        for method in self.plan.methods:
            key = (task.name, str(method), seed, problem.id)
            if key not in self.known and not self._stopped:
                self._answer(key, task, method, problem)

    def _answer(self, key: Key, task: Task, method: Pipeline, problem: Problem) -> None:
        meter = Meter(self.plan.budget, next(iter(self.plan.models.values())).price)
        with self._lock:
            if self._stopped:
                return
            self._meters.add(meter)
        scope = f"{key[0]}\x1f{key[1]}\x1f{key[3]}\x1f"
        context = Context(
            problem=problem,
            meter=meter,
            models={name: Recorded(model, self.store, f"{scope}{name}\x1f") for name, model in self.plan.models.items()},
            rewards_by={name: Recorded(judge, self.store, f"{scope}reward {name}\x1f") for name, judge in self.plan.rewards.items()},
            program=self.plan.program,
            sampling=self.plan.sampling,
            style=self.plan.style,
            root=derive(key[2], (key[0], key[3])),
        )
        try:
            result = answer(method, context)
            if meter.interrupted:
                return
            row = grade(task, problem, result)
        except PonderError as error:
            with self._lock:
                self.outcome.errors[key] = f"{type(error).__name__}: {error}"
            return
        finally:
            with self._lock:
                self._meters.discard(meter)
        self.store.add(key, row)
        with self._lock:
            self.outcome.done += 1
        if self.on_answer is not None:
            self.on_answer(key, row)


def grade(task: Task, problem: Problem, result: Answer) -> dict[str, Any]:
    """The answer's row: what was answered, what it cost, how good it is, and how good its candidates were.

    `random` is the expected grade of a candidate drawn at random, `oracle` the best candidate's: a choice should beat the first
    and cannot beat the second. `n` and `c` count the drawn candidates and the right ones.
    """
    drawn = [c for c in (result.population.items if result.population is not None else ()) if c.finish]
    by_answer = {(c.value, c.text): task.grade(problem, c.value, c.text) for c in drawn}
    grades = [by_answer[c.value, c.text] for c in drawn]
    row = result.to_dict()
    row.update(
        correct=task.grade(problem, result.value, result.text) if result.value is not None else 0.0,
        random=sum(grades) / len(grades) if grades else 0.0,
        oracle=max(grades, default=0.0),
        n=len(grades),
        c=sum(g >= 1 for g in grades),
    )
    return row
