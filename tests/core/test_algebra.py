"""Laws of the algebra, on a small numeric program whose target is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ponder.core.algebra import Condition, Pipeline, Stage, until
from ponder.core.context import Context
from ponder.core.errors import BudgetExhausted, InputError
from ponder.core.population import Population
from ponder.core.problem import Problem
from ponder.core.stepwise import extend, loop, split, start
from ponder.methods import parse
from ponder.stages import resample, top


class Steps:
    """A walk of three fair bits; each step adds log-weight 0.7 * bit. Z = ((1 + e^0.7) / 2)^3, E[sum] under the target is known."""

    def start(self, n: int, context: Context) -> np.ndarray:
        return np.zeros((n, 2))

    def extend(self, states: Any, width: int, context: Context) -> tuple[np.ndarray, np.ndarray]:
        children = np.repeat(states, width, axis=0)
        bits = context.rng("bits").integers(0, 2, len(children))
        return children + np.stack([bits, np.ones(len(children))], axis=1), 0.7 * bits

    def finished(self, states: Any) -> np.ndarray:
        return states[:, 1] >= 3


NORMALISER = ((1 + math.exp(0.7)) / 2) ** 3
MEAN = 3 * math.exp(0.7) / (1 + math.exp(0.7))


def context(seed: int = 0) -> Context:
    return Context(Problem("?"), program=Steps(), root=seed)


def run(text: str, seed: int = 0) -> Population[Any]:
    return parse(text)(Population([None], [0.0]), context(seed))


@pytest.mark.parametrize(
    "text",
    [
        "start(50) | loop(extend())",
        "start(50) | loop(extend() | resample(systematic))",
        "start(50) | loop(extend() | resample(multinomial, ess=0.7))",
        "start(10) | loop(extend(3) | resample(residual, n=20))",
        "split(5, start(10) | loop(extend() | resample(stratified)))",
        "start(20) | loop(extend()) + loop(extend() | resample())",
    ],
)
def test_proper_pipelines_keep_evidence_and_unnormalised_means_unbiased(text: str) -> None:
    """Mean over 600 seeds of Z-hat and of Z-hat * E-hat[f], within 4 standard errors (error rate about 1e-4 a pipeline)."""
    assert parse(text).proper
    evidence, product = [], []
    for seed in range(600):
        population = run(text, seed)
        z = math.exp(population.log_evidence)
        evidence.append(z)
        product.append(z * population.mean()[0])
    for values, target in ((evidence, NORMALISER), (product, NORMALISER * MEAN)):
        assert abs(np.mean(values) - target) < 4 * np.std(values) / math.sqrt(len(values))


def test_a_decider_in_the_loop_biases_the_estimate() -> None:
    """The negative control of the test above: beam search is no estimator."""
    assert not parse("start(10) | loop(extend(2) | top(5))").proper
    means = [run("start(10) | loop(extend(2) | top(5))", seed).mean()[0] for seed in range(50)]
    assert np.mean(means) > MEAN + 0.3


def test_finished_candidates_pass_through_extend_unchanged() -> None:
    states = np.array([[2.0, 3.0], [0.0, 0.0], [1.0, 3.0]])
    extended = extend(2)(Population(states, np.log([0.2, 0.5, 0.3])), context())
    assert extended.items[:, 1].tolist() == [3, 1, 1, 3]
    assert extended.items[0].tolist() == [2, 3]
    assert np.exp(extended.log_weights[[0, 3]]) == pytest.approx([0.2, 0.3])


def test_start_keeps_the_total() -> None:
    population = start(4)(Population([1, 2], np.log([0.5, 1.5])), Context(Problem("?")))
    assert list(population.items) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert math.exp(population.log_evidence) == pytest.approx(2)


def test_the_same_seed_gives_the_same_population_and_another_seed_another() -> None:
    text = "split(2, start(8) | loop(extend() | resample()))"
    first, again, other = run(text, 1), run(text, 1), run(text, 2)
    assert first.items.tolist() == again.items.tolist()
    assert first.items.tolist() != other.items.tolist()


def test_extend_without_a_program_is_refused() -> None:
    with pytest.raises(InputError, match="program"):
        extend()(Population([1]), Context(Problem("?")))


class _fails(Stage):
    def __call__(self, population: Population[Any], context: Context) -> Population[Any]:
        raise BudgetExhausted("the budget has ended")


class _never(Condition):
    def __call__(self, population: Population[Any], context: Context) -> bool:
        return False


def test_the_end_of_the_budget_leaves_the_population_to_the_deciders() -> None:
    population = Population([1, 2, 3], np.log([0.2, 0.5, 0.3]))
    place = Context(Problem("?"))
    assert Pipeline((_fails(), top(1)))(population, place).items == (2,)
    assert "left out" in place.trace.notes[0]
    assert split(3, _fails())(population, place).items == (1, 2, 3)
    assert (_fails() + top(1))(population, place).items == (2,)
    assert (_fails() + _fails())(population, place) is population
    assert until(_never(), top(1), 5)(population, place).items == (2,) * 5
    with pytest.raises(BudgetExhausted):
        until(_never(), _fails())(population, place)


def test_loop_says_when_its_limit_ends_it() -> None:
    place = context()
    loop(resample(), limit=3)(start(2)(Population([None], [0.0]), place), place)
    assert "limit of 3" in place.trace.notes[0]


def test_split_makes_enough_copies_and_keeps_the_total() -> None:
    population = split(3, resample())(Population([7], [math.log(2.0)]), Context(Problem("?")))
    assert len(population) == 3
    assert math.exp(population.log_evidence) == pytest.approx(2)
