"""The law of language-model stages, by enumeration of a toy language: every token and every draw of a stage, weights as Fractions."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest

from ponder.core.context import Context
from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.core.problem import Problem
from ponder.core.resampling import multinomial, residual, stratified, systematic
from ponder.papers.probabilistic.denotational_validation import forgetful
from ponder.prob.exact import linear
from ponder.prob.language import ToyLanguage
from ponder.prob.laws import assert_same_law, stage_meaning
from ponder.programs.reasoner import Reasoner
from ponder.scorers.base import Scorer
from ponder.stages import extend, gibbs, loop, merge, resample, sample, split, start, top, weigh, write

NEXT = {
    "": {"a": F(1, 2), "b": F(1, 2)},
    "a": {"\n": F(1, 3), "": F(2, 3)},
    "b": {"": 1},
    "a\n": {"a": 0.25, "b": 0.75},
    "a\na": {"": 1},
    "a\nb": {"": 1},
}
LANGUAGE = ToyLanguage(NEXT.__getitem__)


def toy(lm, max_tokens=256):
    return Context(Problem("?"), models={"toy": lm}, program=Reasoner("\n"), sampling=Sampling(1.0, max_tokens))


class longer(Scorer):
    """Weights that depend on the last step."""

    def __call__(self, candidates, context):
        return np.array([math.log(3) if c.steps[-1].startswith("b") else math.log(0.5) for c in candidates])


def tilted():
    """The target of `weigh(longer())` after each step, by hand."""
    b, other = linear(math.log(3)), linear(math.log(0.5))
    return {"a": F(1, 3) * other, "b": F(1, 2) * b, "a\na": F(1, 24) * other * other, "a\nb": F(1, 8) * other * b}


STEPS = start(1) | loop(extend() | weigh(longer()))


def test_the_texts_of_the_language():
    assert LANGUAGE.texts() == {"a": F(1, 3), "b": F(1, 2), "a\na": F(1, 24), "a\nb": F(1, 8)}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_samples_and_steps_stand_for_the_language(n):
    assert stage_meaning(sample(n), LANGUAGE, toy) == LANGUAGE.texts()
    assert_same_law(start(n) | loop(extend()), sample(1), LANGUAGE, toy)
    assert_same_law(write(1, 2) | sample(1), sample(n), LANGUAGE, toy)


def test_weighing_each_step_gives_the_target_that_is_written_down():
    assert stage_meaning(STEPS, LANGUAGE, toy) == tilted()


@pytest.mark.parametrize("scheme", [multinomial(), residual(), stratified(), systematic()], ids=str)
@pytest.mark.parametrize("ess", [1.0, 0.7])
def test_a_particle_filter_over_steps_keeps_the_target(scheme, ess):
    assert_same_law(start(2) | loop(extend() | weigh(longer()) | resample(scheme, ess=ess)), STEPS, LANGUAGE, toy)


BY = weigh(longer())


@pytest.mark.parametrize(
    "method",
    [
        start(2) | loop(resample() | extend() | BY),
        start(1) | loop(extend(2) | BY | resample(n=1)),
        start(2) | loop(extend() | BY | resample(n=3), limit=1) | loop(extend() | BY),
        split(2, start(1) | loop(extend() | BY)),
        start(2) | loop(extend() | BY | merge()),
    ],
    ids=str,
)
def test_other_proper_pipelines_keep_the_target(method):
    assert method.proper
    assert_same_law(method, STEPS, LANGUAGE, toy)


SHORT = ToyLanguage({"": {"a": 0.5, "b": 0.5}, "a": {"\n": 1}, "b": {"": 1}, "a\n": {"c": 1}, "a\nc": {"": 1}}.__getitem__)


@pytest.mark.parametrize(
    ("method", "language"),
    [
        (gibbs(extend() | BY, 2, sweeps=2), LANGUAGE),
        (gibbs(extend() | BY | resample(multinomial(), ess=0.95), 2, sweeps=2, burn=1), SHORT),
    ],
    ids=["no resampling", "resampling"],
)
def test_sweeps_of_particle_gibbs_keep_the_target(method, language):
    assert_same_law(method, STEPS, language, toy)


def test_what_is_not_proper_is_caught():
    """Forgetting the total, weighing finished candidates again, and keeping the best two."""
    for body in (
        extend() | weigh(longer()) | forgetful(systematic()),
        extend() | weigh(longer(), again=True) | resample(systematic()),
        extend(2) | weigh(longer()) | top(1),
    ):
        with pytest.raises(AssertionError, match="does not stand for"):
            assert_same_law(start(2) | loop(body), STEPS, LANGUAGE, toy)


def test_bad_languages_and_settings_are_named():
    with pytest.raises(InputError, match="total 1"):
        ToyLanguage(lambda text: {"a": 0.5}).texts()
    with pytest.raises(InputError, match="has not ended"):
        ToyLanguage(lambda text: {"a": 1}, longest=3).texts()
    with pytest.raises(InputError, match="temperature 1"):
        stage_meaning(sample(1, temperature=0.5), LANGUAGE, toy)
