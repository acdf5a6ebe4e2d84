"""The reproduction of card 27 on times that are made up: what it fits, holds out and draws."""

from __future__ import annotations

from pathlib import Path

from ponder.lm.throughput import TimedCell
from ponder.papers.efficiency.idealized_runtime import _slopes, engine_part, exact_checks


def made(noise: float = 0.0) -> list[TimedCell]:
    sizes = [(p, o) for p in (1, 16, 64, 128, 256) for o in (1, 2, 8, 16, 32)]
    return [TimedCell(p, o, (0.02 + 0.001 * p + (0.02 + noise * (p % 7)) * (o - 1),)) for p, o in sizes]


def test_a_straight_engine_reproduces(tmp_path: Path):
    checks, tables, figures = engine_part(made(), made(), ((1, 64, 256), (1, 8, 32)), tmp_path)
    assert all(c.passed for c in checks)
    assert "16 held-out cells" in checks[1].name
    assert tables[0].rows[2][1].startswith("0.0%")
    assert figures[0].exists()


def test_an_engine_whose_tokens_cost_more_in_some_contexts_does_not():
    checks, _, _ = engine_part(made(0.01), made(0.01), ((1, 64, 256), (1, 8, 32)), None)
    assert not checks[0].passed
    slopes = _slopes({(c.prompt, c.output): c.median for c in made(0.01)})
    assert max(slopes.values()) > 2 * min(slopes.values())


def test_exact_checks_test_the_claim():
    assert sum(c.claim for c in exact_checks()) == 2
