"""Paths that a real language model draws, for the reproductions that can use some."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ponder.core.errors import EngineError
from ponder.core.language import LM
from ponder.core.problem import Problem
from ponder.front import ask
from ponder.papers.rpc_paths import SampledPaths
from ponder.tasks import Task


def draw_paths(task: Task, n: int, lm: LM, seed: int = 0, max_tokens: int = 24) -> list[SampledPaths]:
    """n sampled paths of every problem, with their mean token log-probabilities at temperature 1.

    Args:
        task: problems whose answers are compared by value; questions run side by side.
        n: paths a problem, drawn at ponder's default temperature.
        seed: root of all draws.

    Raises:
        EngineError: the engine tells no log-probabilities.
    """

    def paths(problem: Problem) -> SampledPaths:
        drawn = ask(problem, method=f"sample({n})", model=lm, seed=seed, max_tokens=max_tokens).population
        candidates = [] if drawn is None else list(drawn.items)
        means = [c.mean_logprob for c in candidates]
        if None in means:
            raise EngineError(f"{lm.name} tells no log-probabilities, and paths need them")
        return SampledPaths(
            tuple(c.value for c in candidates),
            tuple(c.token_ids or c.text for c in candidates),
            tuple(m for m in means if m is not None),
            task.gold(problem),
        )

    with ThreadPoolExecutor(lm.concurrency) as pool:
        return list(pool.map(paths, task.problems))
