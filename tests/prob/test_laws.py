"""Laws as equalities of Fractions, all randomness enumerated; and mutants, each of which breaks one."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.resampling import multinomial, residual, stratified, systematic
from ponder.core.stepwise import extend, loop, resample, start
from ponder.papers.probabilistic.denotational_validation import SOFT, UNEVEN, forgetful, inverted, omitted
from ponder.prob.distributions import Categorical
from ponder.prob.kernels import independent, mh, single_site
from ponder.prob.laws import PLAIN, assert_preserves, balance_defect, invariance_defect, kernel_matrix, meaning
from ponder.prob.program import Program


def test_the_sprinkler():
    found = meaning(SOFT)
    assert found == {True: F(273, 5000), False: F(56, 125)}
    assert sum(found.values()) == F(2513, 5000)
    assert found[True] / sum(found.values()) == F(39, 359)


def test_how_many_have_finished_after_each_advance():
    for advances, share in ((0, 0.8267716535433071), (1, 0.9988062077198566), (2, 1.0)):
        method = start(1) | extend()
        for _ in range(advances):
            method = method | extend()
        found = meaning(SOFT, method, key=lambda t: t.finished)
        assert float(found[True] / sum(found.values())) == pytest.approx(share, abs=2e-16)


@pytest.mark.parametrize("scheme", [multinomial(), residual(), stratified(), systematic()], ids=str)
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("ess", [1.0, 0.6])
def test_filters_preserve(scheme, n, ess):
    for program in (SOFT, UNEVEN):
        assert_preserves(start(n) | loop(extend() | resample(scheme, ess=ess)), program)


def test_the_kernel_is_in_detailed_balance():
    for kernel in (single_site(), independent()):
        for program in (SOFT, UNEVEN):
            assert invariance_defect(kernel, program) == 0
            assert balance_defect(kernel, program) == 0


def rmsmc(n, rounds, kernel=single_site(), **more):
    return start(n) | loop(extend() | resample(**more) | mh(1, kernel), limit=rounds, all=True) | loop(extend())


@pytest.mark.parametrize("kernel", [single_site(), independent()], ids=str)
def test_resample_move_preserves(kernel):
    for n, rounds in ((1, 1), (1, 2)):
        for program in (SOFT, UNEVEN):
            assert_preserves(rmsmc(n, rounds, kernel), program)


def test_moving_in_a_loop_that_ends_early_is_biased():
    """Runs of one score end while those of two go on and may move to one score, not back."""
    early = start(1) | loop(extend() | mh(1)) | loop(extend())
    with pytest.raises(AssertionError, match="does not preserve sprinkler"):
        assert_preserves(early, SOFT)


@pytest.mark.parametrize(("mutant", "share"), [(inverted, 0.9), (omitted, 0.75), (single_site, 0.5)])
def test_mutants_of_the_length_ratio_are_caught_where_lengths_differ(mutant, share):
    target, flow = kernel_matrix(mutant(), UNEVEN)
    states = list(target)
    step = np.array([[float(flow.get((x, y), 0) / target[x]) for y in states] for x in states])
    assert step.sum(1) == pytest.approx(np.ones(len(states)), abs=1e-12)
    law = np.linalg.matrix_power(step, 4000)[0]
    assert sum(p for p, x in zip(law, states, strict=True) if x[0]) == pytest.approx(share, abs=1e-9)
    assert (invariance_defect(mutant(), UNEVEN) == 0) == (mutant is single_site)
    assert invariance_defect(mutant(), SOFT) == 0  # all its runs have two draws


def test_a_filter_that_forgets_the_total_is_caught():
    """39/359 = .1086 becomes .2381."""
    method = start(2) | loop(extend() | forgetful(multinomial()))
    found = meaning(SOFT, method)
    assert float(found[True] / sum(found.values())) == pytest.approx(0.23808, abs=5e-5)
    assert found != meaning(SOFT)


weights = st.sampled_from([F(0), F(1, 3), F(1, 2), F(1), F(2)])
tree = st.recursive(
    st.tuples(st.just("end"), st.integers(0, 1)),
    lambda inner: st.one_of(st.tuples(st.just("draw"), st.sampled_from([2, 3]), inner, inner), st.tuples(st.just("score"), weights, inner)),
    max_leaves=3,
)


def built(node):
    def random_program(ctx):
        at = node
        while at[0] != "end":
            if at[0] == "score":
                ctx.score(at[1])
                at = at[2]
            else:
                at = at[2] if ctx.sample(Categorical([F(1, at[1])] * at[1])) == 0 else at[3]
        return at[1]

    return Program(random_program)


@given(tree, st.sampled_from([multinomial(), stratified(), systematic(), residual()]), st.sampled_from([1.0, 0.7]))
@settings(max_examples=25, deadline=None)
def test_random_programs_are_preserved(node, scheme, ess):
    program = built(node)
    assert_preserves(start(2) | loop(extend() | resample(scheme, ess=ess)), program)
    assert_preserves(PLAIN | resample(scheme, n=1), program)
    assert_preserves(rmsmc(1, 2, scheme=scheme), program)
    if sum(meaning(program).values()):
        assert balance_defect(single_site(), program) == 0
