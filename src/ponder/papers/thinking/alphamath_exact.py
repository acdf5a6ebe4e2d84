"""Exact checks of AlphaMath's search: the rules of its tree by hand, and its beam against greedy decoding and the best there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from ponder.core.context import Context, Trace
from ponder.core.language import Solution
from ponder.core.problem import Candidate
from ponder.core.tree import Child, Expansion, Node, expand, puct, search, select
from ponder.front import ask
from ponder.lm.load import load
from ponder.lm.scripted import Scripted, ScriptedRewards
from ponder.methods import step_beam_search, tree_search
from ponder.papers.report import Check
from ponder.scorers import likelihood
from ponder.scorers.base import Scorer
from ponder.tasks import load as load_task

TEXTS = {"a\n\na\n\n1": 0.3, "a\n\nb\n\n2": 0.3, "b\n\na\n\n3": 0.25, "b\n\nb\n\n4": 0.15}
RIGHT = "b\n\nb\n\n4"


class Truth(Scorer):
    """A checker that must not be asked at inference."""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> Any:
        raise AssertionError("the truth was read at inference")


def exact_checks(seed: int, questions: int = 20) -> list[Check]:
    """All of them.

    Args:
        seed: of the priors and the draws; no expected figure depends on it.
        questions: on which beams of one are compared with greedy decoding.
    """
    a, b = puct(0.2, 4, 0.5, 10, 1.25), puct(0.0, 0, 0.3, 10, 1.25)
    differing = greedy_differences(questions, seed)
    missed = beam_misses(60, seed)
    fixture = abs(a - 0.5953) < 1e-4 and abs(b - 1.1859) < 1e-4
    return [
        Check("PUCT of a visited and of an unvisited child", f"{a:.4f}, {b:.4f}", ".5953, 1.1859", fixture, False),
        Check(
            "backup on seven nodes by hand: visits",
            str(seven_nodes()),
            "[7, 3, 1, 1, 3, 1, 1]",
            seven_nodes() == [7, 3, 1, 1, 3, 1, 1],
            False,
        ),
        exhausted_check(seed),
        Check("inference with a checker that raises", inference_reads(seed), "never asked", inference_reads(seed) == "never asked", False),
        Check(f"chains of {questions} on which SBS(1, 1, T=0) and greedy differ", differing, "0", differing == 0, False),
        Check("steps of 60 beams that left a path to the answer when one was drawn, exact reward-to-go", missed, "0", missed == 0, False),
    ]


def seven_nodes() -> list[int]:
    """Visits of a root with two children of two terminal children each, all expanded."""
    root = Node("root")
    expand(root, Expansion(0.5, [Child("a"), Child("b")]))
    for child in root.children:
        expand(child, Expansion(0.0, [Child("c", reward=1.0), Child("d", reward=-1.0)]))
    return [node.visits for node in root.walk()]


def exhausted_check(seed: int) -> Check:
    """Three steps of three actions, all values 0, random priors and rewards: 13 simulations, and 9 + 4 visits of each child of the root."""
    rng = np.random.default_rng([seed, 13])
    rewards = {"".join(t): float(rng.choice([-1, 1])) for t in product("012", repeat=3)}

    def expansions(leaves: Sequence[Node]) -> list[Expansion]:
        return [Expansion(0.0, [Child(n.state + i, rng.random(), rewards.get(n.state + i)) for i in "012"]) for n in leaves]

    root = Node("")
    done = search([root], 1000, expansions, 1.25, rng)
    sums = [sum(r for text, r in rewards.items() if text.startswith(child.state)) / 13 for child in root.children]
    exact = all(c.visits == 13 and abs(c.q - q) < 1e-12 for c, q in zip(root.children, sums, strict=True))
    stopped = select(root, 1.25, rng) is None and done == 13
    measured = f"{done} simulations, visits {[c.visits for c in root.children]}"
    return Check(
        "the exhausted tree", measured, "13 simulations, 13 visits each, Q = rewards / 13, then the search stops", exact and stopped, False
    )


def step_engine() -> Scripted:
    """An engine that goes on from any beginning of one of `TEXTS`."""

    def table(prompt: str) -> dict[str, float]:
        begun = prompt.rpartition("assistant: ")[2]
        rest = {text[len(begun) :]: p for text, p in TEXTS.items() if text.startswith(begun)}
        return {text: p / sum(rest.values()) for text, p in rest.items()} or {"": 1.0}

    return Scripted(table)


def to_go(solution: Solution) -> list[float]:
    """Whether the right answer can still be reached, for each step: the exact reward-to-go of the best policy."""
    return [float(RIGHT.startswith("".join(solution.steps[: i + 1]))) for i in range(len(solution.steps))]


def inference_reads(seed: int) -> str:
    """What a tree search at inference does with the truth; the same tree with it as the terminals' scorer must ask it."""
    from ponder.stages import mcts

    ask("Which?", method=tree_search(), model=step_engine(), reward=ScriptedRewards(to_go), seed=seed)
    try:
        ask("Which?", method=mcts(terminal=Truth()), model=step_engine(), reward=ScriptedRewards(to_go), seed=seed)
    except AssertionError:
        return "never asked"
    return "not even asked in training"


def greedy_differences(questions: int, seed: int) -> int:
    """On how many chains the text of a beam of one at temperature 0 is not the greedy text."""
    engine, differing = load("organism:chain-small"), 0
    for problem in load_task("chain", limit=questions, seed=seed).problems:
        beam = ask(problem, method=step_beam_search(1, 1, scorer=likelihood()), model=engine, temperature=0, max_tokens=40)
        differing += beam.text != ask(problem, method="sample(1)", model=engine, temperature=0, max_tokens=40).text
    return differing


def beam_misses(beams: int, seed: int, judge: Callable[[Solution], Sequence[float]] = to_go) -> int:
    """How often beams of one, led by a judge, kept a child without a path to the answer although one with such a path was drawn."""
    missed = 0
    for i in range(beams):
        trace = Trace(keep=True)
        ask("Which?", method=step_beam_search(1, 3), model=step_engine(), reward=ScriptedRewards(judge), seed=1000 * seed + i, trace=trace)
        drawn = False
        for step in trace.steps:
            items: Sequence[Candidate] = step.population.items if step.population is not None else [Candidate()]
            if step.stage.startswith("extend"):
                drawn = any(RIGHT.startswith(c.text) for c in items)
            elif step.stage.startswith("top"):
                missed += drawn and not RIGHT.startswith(items[0].text)
    return missed
