"""The default model in reproductions: whether it is here, and paths that it draws."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ponder.bench.store import RunStore
from ponder.core.errors import EngineError
from ponder.core.language import LM
from ponder.core.problem import Problem
from ponder.front import ask
from ponder.lm.load import DEFAULT
from ponder.lm.recorded import Recorded
from ponder.papers.sampling.rpc_paths import SampledPaths
from ponder.pull import SOURCES
from ponder.tasks import Task


def is_here() -> bool:
    """Whether the default model has been pulled, so that a quick run can use it."""
    return SOURCES[DEFAULT].path.exists()


def without_it(untested: str) -> str:
    """What a reproduction leaves untested where the default model is not here."""
    return f"{DEFAULT}, whose file is not here (`ponder pull {DEFAULT}` fetches it); {untested}"


def kept_calls(lm: LM, folder: Path) -> LM:
    """A model whose calls are kept in a folder as they return, so that a killed run goes on where it was, and a rerun replays.

    Args:
        folder: of a run store; delete it to ask anew.
    """
    return Recorded(lm, RunStore(folder))


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
