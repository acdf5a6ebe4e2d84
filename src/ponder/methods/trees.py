"""Methods that search trees: of steps, of whole answers and their revisions."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.terms import OneOf, Range
from ponder.core.tree import BY
from ponder.methods.named import named
from ponder.scorers import Scorer, prm
from ponder.stages import argmax, sample, vote, weigh
from ponder.stages.ab_mcts import ab_mcts
from ponder.stages.dfs import dfs
from ponder.stages.mcts import mcts
from ponder.stages.revise import attempts, revise, winners


@named
def tree_search(
    simulations: Annotated[int, Range(1, 100_000), "how many states are expanded"] = 40,
    branching: Annotated[int, Range(1, 1000), "steps drawn at each state"] = 5,
    depth: Annotated[int, Range(1, 1000), "the most steps"] = 8,
    c_puct: Annotated[float, Range(0), "weight of the prior"] = 1.25,
    value: Annotated[Scorer, "what a state is worth, by log-probability"] = prm(),
    prior: Annotated[str, OneOf(("likelihood", "uniform")), "what the policy thinks of a step"] = "likelihood",
    select: Annotated[str, OneOf((*BY, "argmax", "vote")), "the path of best children by this, or a choice among all leaves"] = "q",
) -> Stage:
    """Monte Carlo tree search over reasoning steps with a value of states (Chen et al. 2024, arXiv 2405.03553, section 3)."""
    tree = mcts(simulations, branching, depth, c_puct, value, prior, "all" if select in ("argmax", "vote") else select)
    return tree | (vote() if select == "vote" else argmax())


@named
def revisions(
    chains: Annotated[int, Range(1, 10_000), "how many answers are begun with"] = 4,
    steps: Annotated[int, Range(1, 1000), "attempts of each chain, the first included"] = 4,
    scorer: Annotated[Scorer, "what tells good attempts from bad"] = prm(),
    select: Annotated[
        str, OneOf(("hierarchical", "majority")), "best of each chain, then of all; or one vote over all attempts"
    ] = "hierarchical",
    context: Annotated[int, Range(1, 1000), "how many earlier attempts are shown"] = 4,
) -> Stage:
    """Answers that are revised in sequence, several side by side, and the choice among all of them (Snell et al. 2024, arXiv 2408.03314,
    section 6). Within a chain the answer of the largest summed score wins and is stood for by its best attempt, then so across chains."""
    tried = sample(chains) | revise(context, times=steps - 1) if steps > 1 else sample(chains)
    if select == "majority":
        return tried | attempts() | vote()
    return tried | attempts() | weigh(scorer) | winners() | vote()


@named
def adaptive_branching(
    n: Annotated[int, Range(1, 100_000), "how many answers"],
    scorer: Annotated[Scorer, "what tells good from bad, by log-probability"] = prm(),
    models: Annotated[str, "which of the run's models answer, with commas between"] = "",
    batch: Annotated[int, Range(1, 10_000), "how many answers are drawn at a time"] = 1,
) -> Stage:
    """New answers and revisions of old ones, whichever pays, and the best of all (AB-MCTS-A, Inoue et al. 2025, arXiv 2503.04412)."""
    return ab_mcts(n, scorer, models, batch=batch) | argmax()


@named
def tree_of_thoughts(
    branching: Annotated[int, Range(1, 1000), "steps drawn at each state"] = 5,
    depth: Annotated[int, Range(1, 1000), "the most steps"] = 8,
    paths: Annotated[int, Range(1, 10_000), "how many finished paths end the search"] = 3,
    value: Annotated[Scorer, "what a state is worth, by log-probability"] = prm(),
) -> Stage:
    """Depth-first search, the finished path whose steps are worth most on the mean (Yao et al. 2023, arXiv 2305.10601)."""
    return dfs(branching, depth, paths=paths, value=value) | argmax()
