import json

import numpy as np
import pytest

import ponder.papers.sampling.particle_monte_carlo as module
from ponder.papers.sampling.chain_runs import chain_runs, fresh_samples
from ponder.papers.sampling.particle_analytic import BEAM, DVTS, HACKED, LAST, PF, persistent_part, searches
from ponder.papers.sampling.particle_monte_carlo import REWARD, SLUG, WBON, methods, organism_part, reproduce, weight_checks, weights_of


def test_the_cards_weights():
    assert all(c.passed for c in weight_checks())
    assert weights_of(np.log([9.0, 1.0, 1 / 9]), "logit", 1.0) == pytest.approx([0.8901, 0.0989, 0.0110], abs=5e-5)
    assert weights_of(np.array([2.1, -1.2, 1.3, 0.1]), "logit", 1.0) == pytest.approx([0.6167, 0.0227, 0.2771, 0.0835], abs=5e-5)


def test_searches_differ_in_their_last_choice_only():
    found = searches(16)
    for name in (BEAM, DVTS):
        assert found[f"{name}{LAST}"].flat()[:-1] == found[name].flat()[:-1]
        assert (str(found[name].flat()[-1]), str(found[f"{name}{LAST}"].flat()[-1])) == ("vote()", "argmax()")
    assert str(found[PF].flat()[-1]) == "argmax()"


def test_the_persistent_part_reports_every_seed():
    checks, tables, curves = persistent_part((5, 6), 4, (4, 16))
    assert all("by seed" in str(c.measured) and c.claim for c in checks)
    assert len(checks) == 2
    assert {row[0] for row in tables[0].rows} >= {PF, BEAM, DVTS, "majority", "best of N"}
    assert all(0 <= v <= 1 for row in tables[0].rows for v in row[1:])
    assert curves[PF].ks.tolist() == [4, 16]


def test_a_hack_ruins_the_filter_and_the_beam():
    """The negative test of reward hacking: 20 problems, N=64; about .02 is expected, over .2 has a probability below 1e-4."""
    found = HACKED.run(64, 20, 3, (PF, BEAM, "weighted best of N"))
    assert found[PF].mean() < 0.2
    assert found[BEAM].mean() < 0.2
    assert found["weighted best of N"].mean() > 0.4


def test_methods_that_share_samples_and_judges_on_the_organism():
    runs = chain_runs({name: m for name, m in methods(4).items() if name in (WBON, "majority", PF)}, 6, (0,), REWARD)
    assert runs.tokens[WBON] == runs.tokens["majority"]
    assert set(runs.correct) == {WBON, "majority", PF}
    assert all(v.shape == (6,) and set(v) <= {0.0, 1.0} for v in runs.correct.values())
    right, scores = fresh_samples(6, 8, 0, REWARD)
    assert right.shape == scores.shape == (6, 8)
    assert scores[right == 1].mean() > scores[right == 0].mean()


@pytest.fixture(scope="module")
def small():
    return organism_part(3, (1,), (4, 16))


def test_the_organism_part_says_what_it_measured(small):
    checks, tables, curves = small
    assert checks[0].claim
    assert len(tables) == 3
    assert tables[0].rows[0][0] == "one sample"
    assert {"particle Gibbs, 4 sweeps", "parallel tempering, 2 x 2"} <= {row[0] for row in tables[0].rows}
    assert curves[PF].ks.tolist() == [1, 4, 16]


def test_the_reproduction_reports_with_small_sizes(monkeypatch, tmp_path, small):
    fresh, hacked = module.fresh_part, module.hacked_part
    monkeypatch.setattr(module, "organism_part", lambda *_: small)
    monkeypatch.setattr(module, "persistent_part", lambda seeds, _: persistent_part(seeds, 2, (4, 16)))
    monkeypatch.setattr(module, "fresh_part", lambda seed, _: fresh(seed, 2))
    monkeypatch.setattr(module, "hacked_part", lambda seed, _: hacked(seed, 2))
    report = reproduce(True, 0, tmp_path)
    assert (report.slug, report.quick, len(report.figures)) == (SLUG, True, 2)
    assert all(f.exists() for f in report.figures)
    assert json.dumps(report.to_dict(), allow_nan=False)
    assert all(c.passed for c in report.checks[:5])
