"""What the reproduction of adaptive self-evaluation measures, on tables whose answers are known, and a small run of it."""

from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest

import ponder.papers.sampling.adaptive_self_evaluation as paper
from ponder.core.errors import InputError
from ponder.core.language import Continuation
from ponder.organisms import chain
from ponder.papers.sampling.adaptive_parts import adaptive, at_mean, best_of, by_prompt, exact_values, pruned, wins_or_ties
from ponder.papers.sampling.organism_paths import Paths, begun, draw, halves, judge, organism

RNG = np.random.default_rng(4)
VALUES, RIGHT = RNG.random((40, 8)), RNG.random((40, 8)) < 0.4


def test_stopping_at_once_and_never() -> None:
    once = adaptive(VALUES, RIGHT, 0.0, 400, 0)
    assert once.samples.tolist() == [1.0] * 40
    assert np.abs(once.credit - RIGHT.mean(axis=1)).max() < 0.1  # 4 standard errors of 400 draws
    never = adaptive(VALUES, RIGHT, 1.0, 3, 0)
    assert never.samples.tolist() == [8.0] * 40
    best = RIGHT[np.arange(40), VALUES.argmax(axis=1)]
    assert never.credit.tolist() == best.tolist()
    drawn = adaptive(VALUES, RIGHT, 0.7, 0, 0)
    first = np.where((VALUES >= 0.7).any(axis=1), (VALUES >= 0.7).argmax(axis=1) + 1, 8)
    assert drawn.samples.tolist() == first.tolist()


def test_best_of_k_and_mixtures_of_it() -> None:
    curve = best_of(VALUES, RIGHT, 400, 1)
    assert np.abs(curve[:, 0] - RIGHT.mean(axis=1)).max() < 0.1
    assert curve[:, -1].tolist() == RIGHT[np.arange(40), VALUES.argmax(axis=1)].tolist()
    oracle = best_of(RIGHT.astype(float), RIGHT, 400, 2)
    for k in (2, 5):
        exact = [1 - comb(8 - c, k) / comb(8, k) for c in RIGHT.sum(axis=1)]
        assert np.abs(oracle[:, k - 1] - exact).max() < 0.1
    assert at_mean(curve, 2.25) == pytest.approx(0.75 * curve[:, 1] + 0.25 * curve[:, 2])
    assert at_mean(curve, 8).tolist() == curve[:, 7].tolist()


def test_pruning_keeps_the_best_and_breaks_ties_at_random() -> None:
    best = RIGHT[np.arange(40), VALUES.argmax(axis=1)]
    assert pruned(VALUES, VALUES, RIGHT, 0.25, 2, 0).tolist() == best.tolist()
    blind = pruned(np.zeros(VALUES.shape), RIGHT.astype(float), RIGHT, 0.5, 400, 0)
    exact = [1 - comb(8 - c, 4) / comb(8, 4) for c in RIGHT.sum(axis=1)]
    assert np.abs(blind - exact).max() < 0.1


def test_exact_values_and_labels() -> None:
    right = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], dtype=bool)
    assert exact_values(right) == pytest.approx(np.array([[1, 2 / 3, 2 / 3, 2 / 3], [1, 1, 1, 1], [1, 1, 1, 0]]))
    assert wins_or_ties(right).tolist() == [[True, True, True, False], [True] * 4, [True, True, True, False]]


@pytest.fixture(scope="module")
def paths() -> Paths:
    chains = chain.problems(6, np.random.default_rng(3), np.array([1, 3, 4, 6, 8, 8]))
    return draw("chain", chains, 5, 0)


def test_paths_hold_what_the_engine_wrote(paths: Paths) -> None:
    again = draw("chain", paths.chains, 5, 0)
    assert again.texts == paths.texts
    assert again.token_logprobs == pytest.approx(paths.token_logprobs, abs=1e-4)  # another batch may move the last bits
    scored = organism("chain").logprobs([Continuation(p, t) for p, row in zip(paths.prompts, paths.texts, strict=True) for t in row])
    assert np.array([sum(s.logprobs) for s in scored]).reshape(6, 5) == pytest.approx(paths.logprobs, abs=1e-3)
    first = np.array([s.logprobs[:3] for s in scored]).mean(axis=1).reshape(6, 5)
    assert paths.mean_logprobs(np.full(6, 3)) == pytest.approx(first, abs=1e-3)
    for i, row in enumerate(paths.texts):
        for j, text in enumerate(row):
            assert paths.values[i, j] == int(text.split(";")[-1])
            assert paths.right[i, j] == (paths.values[i, j] == chain.solve(paths.prompts[i])[-1])
    part = paths.at(np.array([4, 1]))
    assert part.texts == (paths.texts[4], paths.texts[1])
    assert part.right.tolist() == paths.right[[4, 1]].tolist()


def test_beginnings_end_in_a_separator_and_are_judged(paths: Paths) -> None:
    cuts = halves(paths.chains)
    assert cuts.tolist() == [1, 1, 2, 3, 4, 4]
    cut = begun(paths, cuts)
    for i in range(1, 6):
        assert all(text.count(";") == cuts[i] and text.endswith(";") for text in cut[i])
    scores = judge("chain-reward-2", paths.prompts, cut)
    assert scores.shape == (6, 5)
    assert np.all((scores >= 0) & (scores <= 1))
    with pytest.raises(InputError, match="judges no steps"):
        judge("chain", paths.prompts, cut)


def test_the_question_alone_tells_difficulty(paths: Paths) -> None:
    worth = by_prompt(paths, paths)
    assert worth.shape == (6,)
    assert np.all((worth >= 0.75) & (worth <= 1))


def test_the_reproduction_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "QUICK", paper.Size(12, 24, 1, 3))
    monkeypatch.setattr(paper, "EVALUATOR", "chain-reward-2")
    report = paper.reproduce(True, 1)
    assert (report.slug, report.quick, report.seed) == ("adaptive-self-evaluation", True, 1)
    assert report.untested
    assert all(c.passed for c in report.checks if not c.claim)
    door = next(t for t in report.tables if "ponder.ask" in t.title)
    kept = {row[0]: row[1] for row in door.rows}
    assert kept["one sample"] == 1
    assert kept["best of 16"] == 16
    assert kept["half pruned after 16 tokens"] == 8
    assert json.dumps(report.to_dict(), allow_nan=False)
