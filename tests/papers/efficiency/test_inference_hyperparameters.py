"""The reproduction of card 21 on landscapes that are made up: its gates pass and fail where they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.lm.throughput import ThroughputSample
from ponder.papers.efficiency.inference_hyperparameters import Engines, exact_checks, simulated_table
from ponder.search.serving import ServingSpace, again, tune

SPACE = ServingSpace({"sequences": [4, 1, 2, 8], "batched_tokens": [2048, 64]})


def sample(rate: float) -> ThroughputSample:
    return ThroughputSample((100, 100), (100 / (rate * 1.01), 100 / (rate * 0.99)))


def engines(first: dict[int, float], second: dict[int, float]) -> Engines:
    landscapes, fresh = {}, {}
    for name, rates in (("8-bit", first), ("float32", second)):

        def timed(settings, rates=rates):
            return sample(rates[settings["sequences"]] * (1 if settings["batched_tokens"] == 2048 else 0.5))

        landscapes[name] = tune(SPACE, timed, "random", null_every=5)
        fresh[name] = again(landscapes[name], timed)
    return Engines(landscapes, fresh)


def test_an_irregular_engine_passes_every_gate(tmp_path: Path):
    found = engines({1: 10, 2: 30, 4: 20, 8: 25}, {1: 10, 2: 15, 4: 20, 8: 30})
    checks = found.checks(0)
    assert [c.passed for c in checks] == [True] * 4
    assert checks[1].measured == "non-monotone"
    assert found.transfer("8-bit", "float32").value == pytest.approx(1.0)
    assert len(found.tables()[0].rows) == 16
    assert found.figure(tmp_path).exists()


def test_an_engine_that_only_rises_and_is_best_everywhere_at_the_same_setting_fails_them():
    rising = {1: 10, 2: 20, 4: 40, 8: 80}
    checks = engines(rising, rising).checks(0)
    assert [c.passed for c in checks][1:3] == [False, False]
    assert checks[1].measured == "rising"
    flat = engines({1: 10, 2: 10, 4: 10, 8: 10}, rising)
    assert not flat.checks(0)[0].passed


def test_exact_checks_hold():
    assert [c.name for c in exact_checks(4000, 0) if not c.passed] == []
    table = simulated_table(0)
    assert all(row[2] > row[1] for row in table.rows)
