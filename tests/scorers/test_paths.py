import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.scorers.paths import path_weights, perplexity_consistency, rpc

BOTH = pytest.mark.parametrize("vote", [perplexity_consistency, rpc])


def logs(*probabilities):
    return [math.log(p) for p in probabilities]


def test_the_probabilities_of_distinct_paths_are_summed():
    result = perplexity_consistency(["a", "b", "a", "a"], ["t1", "t2", "t3", "t1"], logs(0.3, 0.4, 0.2, 0.3))
    assert result.answer == "a"
    assert result.confidence == pytest.approx({"a": 0.5 / 0.9, "b": 0.4 / 0.9})
    assert list(result.confidence) == ["a", "b"]
    assert result.n_distinct == 3


def test_token_log_probabilities_are_averaged_or_summed():
    answers, completions = ["a", "b"], [[1, 2, 3], [4]]
    tokens = [[-1.0, -2.0, -3.0], [-2.5]]
    mean = perplexity_consistency(answers, completions, tokens, probability="mean")
    joint = perplexity_consistency(answers, completions, tokens, probability="joint")
    assert mean.confidence["a"] == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert joint.confidence["a"] == pytest.approx(1 / (1 + math.exp(3.5)))
    assert (mean.answer, joint.answer) == ("a", "b")


@BOTH
@given(data=st.data())
def test_duplicates_and_order_change_nothing(vote, data):
    n = data.draw(st.integers(1, 12))
    answers = data.draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=n, max_size=n))
    logprobs = data.draw(st.lists(st.floats(-5, 0), min_size=n, max_size=n))
    paths = [f"path {i}" for i in range(n)]
    first = vote(answers, paths, logprobs)
    order = data.draw(st.permutations(range(n)))
    shuffled = vote([answers[i] for i in order], [paths[i] for i in order], [logprobs[i] for i in order])
    assert shuffled.answer == first.answer
    assert shuffled.confidence == pytest.approx(first.confidence)
    assert [shuffled.kept[order.index(i)] for i in range(n)] == list(first.kept)
    if first.answer is not None:
        assert math.fsum(first.confidence.values()) == pytest.approx(1)
    if vote is perplexity_consistency:
        i = data.draw(st.integers(0, n - 1))
        doubled = vote([*answers, answers[i]], [*paths, paths[i]], [*logprobs, logprobs[i]])
        assert doubled.confidence == pytest.approx(first.confidence)


def test_equal_probabilities_prune_nothing_and_leave_a_vote_over_distinct_paths():
    result = rpc(["a", "a", "b", "b", "b", "c"], ["1", "2", "3", "3", "3", "4"], [-0.3] * 6)
    assert result.kept.all()
    assert result.confidence == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.25})
    assert any("nothing was pruned" in note for note in result.notes)


def test_pruning_lets_the_likely_minority_win():
    rng = np.random.default_rng(0)
    x = np.clip(np.concatenate([0.8 * rng.weibull(8, 40), 0.2 * rng.weibull(2, 60)]), 1e-4, 0.999)
    answers = ["right"] * 12 + [f"odd {i}" for i in range(28)] + ["wrong"] * 60
    paths, logprobs = list(range(100)), list(np.log(x))
    before, after = perplexity_consistency(answers, paths, logprobs), rpc(answers, paths, logprobs)
    assert (before.answer, after.answer) == ("wrong", "right")
    assert after.kept[40:].sum() <= 3
    assert after.n_distinct == after.kept.sum()


@BOTH
def test_unreadable_answers_form_no_class(vote):
    result = vote([None, "a", None], ["1", "2", "3"], logs(0.9, 0.1, 0.9))
    assert result.confidence == {"a": 1.0}
    nothing = vote([None, None], ["1", "2"], logs(0.5, 0.5))
    assert (nothing.answer, nothing.confidence, nothing.n_distinct) == (None, {}, 0)
    assert any("no path has an answer" in note for note in nothing.notes)


def test_a_path_without_an_answer_cannot_take_the_last_place():
    """The most likely paths are unreadable: pruning compares the readable ones only."""
    logprobs = logs(0.99, 0.98, *np.linspace(0.05, 0.2, 10))
    result = rpc([None, None, *["a"] * 10], list(range(12)), logprobs)
    assert result.answer == "a"
    assert result.kept[:2].all()


def test_what_is_equal_to_a_common_third_is_one_class():
    def close(a, b):
        return abs(float(a) - float(b)) <= 1

    answers = ["1", "3", "2", "9"]
    first = perplexity_consistency(answers, "wxyz", logs(0.1, 0.1, 0.1, 0.2), equal=close)
    again = perplexity_consistency(answers[::-1], "zyxw", logs(0.2, 0.1, 0.1, 0.1), equal=close)
    assert first.confidence == pytest.approx({"1": 0.6, "9": 0.4})
    assert again.confidence == pytest.approx(first.confidence)


def test_one_text_with_two_probabilities_counts_once():
    result = perplexity_consistency(["a", "a", "b"], ["t", "t", "u"], logs(0.2, 0.21, 0.3))
    assert result.confidence == pytest.approx({"b": 0.3 / 0.51, "a": 0.21 / 0.51})
    assert any("different log-probabilities" in note for note in result.notes)


@BOTH
def test_joint_probabilities_far_below_the_smallest_float(vote):
    result = vote(["a", "b", "b"], ["1", "2", "3"], [-2000.0, -2001.0, -2001.0], probability="joint")
    assert result.confidence == pytest.approx({"b": 2 * math.exp(-1) / (1 + 2 * math.exp(-1)), "a": 1 / (1 + 2 * math.exp(-1))})
    single = vote(["a", "b", "b"], ["1", "2", "3"], [-2000.0, -2050.0, -2051.0], probability="joint")
    assert any("single most likely path" in note for note in single.notes)
    dead = vote(["a", "b"], ["1", "2"], [-math.inf, -math.inf], probability="joint")
    assert (dead.answer, dead.confidence) == (None, {})


def test_what_pruning_compares():
    assert path_weights(np.log([0.5, 0.25]), "mean") == pytest.approx([0.5, 0.25])
    assert path_weights(np.array([-2000.0, -2000.0 + math.log(3)]), "joint") == pytest.approx([0.5, 1.5])


@BOTH
@pytest.mark.parametrize(
    ("answers", "completions", "logprobs", "message"),
    [
        (["a"], ["1", "2"], [-1.0], "1 answers, 2 completions, 1 logprobs"),
        ([], [], [], "no paths"),
        (["a"], ["1"], [0.1], "path 0"),
        (["a", "b"], ["1", "2"], [-1.0, math.nan], "path 1"),
        (["a"], ["1"], [[-1.0, 0.5]], "path 0"),
        (["a"], ["1"], [[]], "path 0"),
    ],
)
def test_paths_that_do_not_fit_are_refused(vote, answers, completions, logprobs, message):
    with pytest.raises(InputError, match=message):
        vote(answers, completions, logprobs)


@BOTH
def test_the_kind_of_probability_is_checked(vote):
    with pytest.raises(InputError, match="'mean' or 'joint'"):
        vote(["a"], ["1"], [-1.0], probability="sum")
