import json
import math
from itertools import product

import numpy as np
import pytest

from ponder.bench.stats import expected_calibration_error
from ponder.core.errors import InputError
from ponder.papers.sampling.rpc import SLUG, reproduce, simulated_errors, tree_errors
from ponder.papers.sampling.rpc_organism import chain_part, chain_paths, samples_needed
from ponder.papers.sampling.rpc_paths import Comparison, SampledPaths, compare, load_paths
from ponder.papers.sampling.rpc_tree import TreePolicy, consistency_bias, consistency_error, tree_policy, vote_error


def enumerate_estimates(p, gold, n):
    """(probability, vote share, sum of distinct drawn paths) of every sequence of n draws."""
    for draws in product(range(len(p)), repeat=n):
        yield math.prod(p[i] for i in draws), sum(gold[i] for i in draws) / n, sum(p[i] for i in set(draws) if gold[i])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_errors_by_enumeration_of_every_draw(n):
    p, gold = [0.35, 0.2, 0.05, 0.3, 0.1], [True, True, True, False, False]
    mass, own = 0.6, [0.35, 0.2, 0.05]
    table = np.array(list(enumerate_estimates(p, gold, n)))
    chance = table[:, 0]
    assert chance @ (table[:, 1] - mass) ** 2 == pytest.approx(vote_error(mass, n), abs=1e-12)
    assert chance @ (table[:, 2] - mass) ** 2 == pytest.approx(consistency_error(own, n), abs=1e-12)
    assert chance @ (table[:, 2] - mass) == pytest.approx(consistency_bias(own, n), abs=1e-12)
    for truth in (0, 1):  # the estimator of mean p: its whole error is the estimation error and the model error
        assert chance @ (table[:, 1] - truth) ** 2 == pytest.approx(vote_error(mass, n) + (mass - truth) ** 2, abs=1e-12)


@pytest.mark.parametrize(("n", "votes", "paths"), [(4, 0.060, 0.0754), (16, 0.015, 0.01079), (64, 0.00375, 4.72e-5)])
def test_the_published_errors_of_four_paths(n, votes, paths):
    assert vote_error(0.4, n) == pytest.approx(votes, rel=1e-9)
    assert consistency_error([0.1] * 4, n) == pytest.approx(paths, rel=2e-3)
    drawn = simulated_errors([0.1] * 4, n, 200_000, np.random.default_rng(n))
    assert drawn.mean() == pytest.approx(consistency_error([0.1] * 4, n), abs=5 * drawn.std() / math.sqrt(len(drawn)))


def test_distinct_paths_make_it_thirty_seven_times_worse():
    assert consistency_error([0.001] * 400, 64) == pytest.approx(0.1408, abs=5e-5)
    assert consistency_error([0.001] * 400, 64) / vote_error(0.4, 64) == pytest.approx(37.5, abs=0.1)


@pytest.mark.parametrize(("p", "n"), [([0.6, 0.6], 1), ([-0.1], 1), ([math.nan], 1), ([0.5], -1)])
def test_impossible_probabilities_are_refused(p, n):
    with pytest.raises(InputError):
        consistency_error(p, n)


def test_policies_are_what_they_say():
    rng = np.random.default_rng(0)
    trees = [tree_policy(30, rng) for _ in range(300)]
    assert all(t.probability.sum() == pytest.approx(1) for t in trees)
    # Gamma shares: the right answer's expected mass is near r f / (r f + 1 - r) with r = .4, f = 1.5.
    assert np.mean([t.gold_paths.sum() for t in trees]) == pytest.approx(0.5, abs=0.05)
    tree = TreePolicy(np.array([0.7, 0.2, 0.1]), np.array([0, 1, 0]), 0)
    drawn = tree.sample(20_000, rng)
    assert np.mean([a == "0" for a in drawn.answers]) == pytest.approx(0.8, abs=0.015)
    assert set(zip(drawn.completions, drawn.answers, drawn.logprobs, strict=True)) == {
        (f"path {i}", a, math.log(p)) for i, a, p in ((0, "0", 0.7), (1, "1", 0.2), (2, "0", 0.1))
    }
    assert tree_errors([tree], 4) == pytest.approx((vote_error(0.8, 4), consistency_error([0.7, 0.1], 4)))


def test_comparison_by_hand():
    paths = SampledPaths(("a", "a", "b", None), ("1", "1", "2", "3"), tuple(np.log([0.3, 0.3, 0.5, 0.9])), "a")
    result = compare([paths], [4], repeats=2)
    # Votes: a 2/4; the most likely readable path: b; distinct paths: b .5, a .3.
    assert {name: result.credit[name, 4][0] for name in ("SC", "PPL", "PC", "RPC")} == {"SC": 1, "PPL": 0, "PC": 0, "RPC": 0}
    assert result.ece["SC", 4] == pytest.approx(expected_calibration_error([0.5], [1]))
    assert result.ece["PPL", 4] == pytest.approx(0.5)
    assert result.brier["PC", 4] == pytest.approx(0.625**2)
    assert result.accuracy("SC", 4).value == 1


def test_tied_answers_share_the_credit_and_equality_is_the_users():
    tied = SampledPaths(("1", "2.0"), ("x", "y"), (-0.5, -0.5), "2")
    assert compare([tied], [2]).credit["SC", 2][0] == 0
    same = compare([tied], [2], equal=lambda a, b: float(a) == float(b))
    assert {name: float(same.credit[name, 2][0]) for name in ("SC", "PPL", "PC", "RPC")} == dict.fromkeys(("SC", "PPL", "PC", "RPC"), 0.5)
    unread = SampledPaths((None, None), ("x", "y"), (-0.5, -0.5), "2")
    assert compare([unread], [1]).credit["SC", 1][0] == 0


@pytest.mark.parametrize(("ns", "repeats"), [([3], 1), ([0], 1), ([], 1), ([1], 0)])
def test_comparisons_that_cannot_be_made_are_refused(ns, repeats):
    with pytest.raises(InputError):
        compare([SampledPaths(("a", "b"), ("x", "y"), (-1, -1), "a")], ns, repeats)


STORED = {
    "predict": [["4", "", "5"], ["x", "x"]],
    "completion": [["so 4", "hm", "so 5"], [[1, 2], [1, 3]]],
    "mean_logprob": [[-0.1, -0.5, -0.2], [-0.3, 0]],
    "answer": ["4", "y"],
}


def test_the_authors_files_are_read(tmp_path):
    file = tmp_path / "paths.json"
    file.write_text(json.dumps(STORED))
    first, second = load_paths(file)
    assert first == SampledPaths(("4", None, "5"), ("so 4", "hm", "so 5"), (-0.1, -0.5, -0.2), "4")
    assert second.completions == (("1", "2"), ("1", "3"))
    assert compare([first, second], [2]).credit["RPC", 2].shape == (2,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": None}, "answer is not one"),
        ({"answer": ["4"]}, "answer 1"),
        ({"mean_logprob": [[-0.1], [-0.3, 0]]}, "problem 0"),
        ({"mean_logprob": [[-0.1, -0.5, "x"], [-0.3, 0]]}, "problem 0"),
        ({"predict": [["4", "", "5"], "xx"]}, "problem 1"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, change, message):
    file = tmp_path / "paths.json"
    file.write_text(json.dumps({**STORED, **change}))
    with pytest.raises(InputError, match=message):
        load_paths(file)


@pytest.mark.parametrize("text", ["[]", "no json"])
def test_other_files_are_refused(tmp_path, text):
    file = tmp_path / "paths.json"
    file.write_text(text)
    with pytest.raises(InputError):
        load_paths(file)
    with pytest.raises(InputError, match="cannot read"):
        load_paths(tmp_path / "none.json")


def test_the_reproduction_measures_and_says_what_failed(monkeypatch):
    import ponder.papers.sampling.rpc as module

    monkeypatch.setattr(module, "SIZES", ((30, 12), (200, 8)))
    monkeypatch.setattr(module, "chain_part", lambda problems, ns, repeats, seed: chain_part(6, (4, 8), 1, seed))
    report = reproduce(True, 1)
    assert (report.slug, report.quick, report.seed) == (SLUG, True, 1)
    assert all(c.passed for c in report.checks if not c.claim)
    assert report.verdict in ("partly", "does not reproduce")
    by_name = {c.name: c for c in report.checks}
    assert by_name["30 paths: PC estimation error at n=16"].passed
    assert "200 paths: PC estimation error at n=16" not in by_name
    errors = {row[0]: float(row[2]) for row in report.tables[1].rows if row[0].startswith("estimation")}
    assert errors["estimation error PC"] > errors["estimation error SC"]
    assert json.dumps(report.to_dict(), allow_nan=False)
    assert by_name["chain: RPC accuracy with 8 paths"].measured >= 0
    again = reproduce(True, 1)
    assert again.tables == report.tables


def test_paths_of_a_trained_policy_have_both_probabilities():
    means, sums = chain_paths(4, 6, 0)
    for mean, joint in zip(means, sums, strict=True):
        assert mean.completions == joint.completions
        tokens = [len(text) for text in mean.completions]
        assert [m * n for m, n in zip(mean.logprobs, tokens, strict=True)] == pytest.approx(joint.logprobs)
        assert mean.answers == joint.answers


def test_samples_needed_are_the_first_that_reach_the_best_of_votes():
    paths = [SampledPaths(tuple("r" * i + "w" * (6 - i)), tuple(range(6)), (0.0,) * 6, "r") for i in range(6)]
    credit = {("SC", 2): [0, 0, 0, 0, 1, 1], ("SC", 6): [0, 0, 0, 1, 1, 1], ("RPC", 2): [0, 0, 0, 1, 1, 1], ("RPC", 6): [0, 0, 0, 1, 0, 1]}
    found = samples_needed(paths, Comparison({k: np.array(v, dtype=float) for k, v in credit.items()}), (2, 6))
    assert found == {"hard": (2, 2), "middle": (6, 2), "easy": (2, 2)}
