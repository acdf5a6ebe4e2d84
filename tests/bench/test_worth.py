"""How many samples are worth drawing: the card's figures, files of verdicts, what the command says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ponder.bench.limits import TwoType, reward_curve
from ponder.bench.store import RunStore
from ponder.bench.worth import of_rates, of_samples, read_verdicts
from ponder.cli import main
from ponder.core.errors import InputError

CARD = TwoType((0.58, 0.42), (0.87, 0.13), soundness=0.75)
RATES = ("--success", "0.87,0.13", "--shares", "0.58,0.42", "--soundness", "0.75")


def ponder(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("worth", *arguments))


@pytest.mark.parametrize(("cost", "best", "reward"), [(0.7, 3, 0.524567), (1.0, 2, 0.472381), (2.0, 1, 0.3388), (4.0, 1, 0.1184)])
def test_the_card(cost: float, best: int, reward: float) -> None:
    found = of_rates(CARD, cost)
    assert found.best == best
    assert found.reward[best - 1] == pytest.approx(reward, abs=1e-6)
    assert found.right - cost * found.wrong == pytest.approx(found.reward)
    assert found.nearly <= best
    assert f"Draw at most {best}" in found.advice


def test_shares_add_up_and_the_ceiling_is_what_is_reached() -> None:
    found = of_rates(CARD, 1.0, most=400)
    assert np.all(np.diff(found.right + found.wrong) >= -1e-12)
    assert found.right[-1] + found.wrong[-1] == pytest.approx(1)
    assert found.right[-1] == pytest.approx(found.ceiling)


def test_samples_give_the_closed_form_and_leave_out_what_the_checker_missed() -> None:
    rng = np.random.default_rng(1)
    strong = rng.random((20, 12)) < rng.random((20, 1))
    base = strong | (rng.random((20, 12)) < 0.2)
    found = of_samples(base, strong, 2.0, attempt_cost=0.01)
    curve = reward_curve(base, strong, np.arange(1, 13), 2.0, attempt_cost=0.01)
    assert found.reward == pytest.approx(curve.values)
    assert found.best == curve.k_star
    assert np.all(found.right - 2 * found.wrong >= found.reward - 1e-12)
    missed = np.vstack([base, np.zeros((1, 12), dtype=bool)]), np.vstack([strong, np.ones((1, 12), dtype=bool)])
    kept = of_samples(*missed, 2.0, attempt_cost=0.01)
    assert kept.reward == pytest.approx(curve.values)
    assert (found.dropped, kept.dropped) == (0, 1)


def test_no_attempt_is_worth_it() -> None:
    found = of_rates(TwoType((1.0,), (0.1,), soundness=0.5), 4.0)
    assert (found.best, found.nearly) == (0, 0)
    assert found.advice.startswith("Draw none")
    assert "Nothing is ever accepted" in of_rates(TwoType((1.0,), (0.0,), soundness=1.0), 1.0).advice


def evalplus(tmp_path: Path, statuses: dict[str, list[tuple[str, str | None]]]) -> Path:
    path = tmp_path / "eval_results.json"
    found = {task: [{"task_id": task, "base_status": b, "plus_status": s} for b, s in rows] for task, rows in statuses.items()}
    path.write_text(json.dumps({"date": "2026-01-01", "hash": "x", "eval": found}))
    return path


def test_evalplus_files(tmp_path: Path) -> None:
    path = evalplus(tmp_path, {"HumanEval/0": [("pass", "pass"), ("pass", "fail")], "HumanEval/1": [("timeout", None), ("fail", "fail")]})
    base, strong, names = read_verdicts(path)
    assert base.tolist() == [[True, True], [False, False]]
    assert strong.tolist() == [[True, False], [False, False]]
    assert names == ["HumanEval/0", "HumanEval/1"]
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps({"base": base.tolist(), "strong": strong.tolist()}))
    assert np.array_equal(read_verdicts(plain)[0], base)
    assert json.loads(ponder(str(path), "--json").stdout)["curve"][0]["right"] == pytest.approx(0.25)


def test_a_run_of_single_samples(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    rows = {("a", 0): (False, 1.0), ("a", 1): (True, 0.0), ("b", 0): (False, 0.0), ("b", 1): (False, 1.0)}
    for (problem, seed), (abstained, correct) in rows.items():
        store.add(("task", "method", seed, problem), {"abstained": abstained, "correct": correct})
    base, strong, names = read_verdicts(tmp_path / "run")
    assert names == ["a", "b"]
    assert base.tolist() == [[True, False], [True, True]]
    assert strong.tolist() == [[True, False], [False, True]]
    store.add(("task", "another method", 0, "a"), {"abstained": False, "correct": 1.0})
    store.close()
    with pytest.raises(InputError, match="one method, not 2"):
        read_verdicts(tmp_path / "run")
    with pytest.raises(InputError, match="holds no run"):
        read_verdicts(tmp_path)


@pytest.mark.parametrize(
    "held", ["[", "[1]", "{}", '{"eval": {}}', '{"eval": {"a": [{"base_status": "pass"}]}}', '{"base": [[1]], "strong": [[1, 0]]}',
             '{"base": [[1], [1, 0]], "strong": [[1], [1, 0]]}', '{"base": [[]], "strong": [[]]}'],
)  # fmt: skip
def test_files_that_are_no_verdicts_are_refused(tmp_path: Path, held: str) -> None:
    (tmp_path / "x.json").write_text(held)
    with pytest.raises(InputError, match=r"x\.json"):
        read_verdicts(tmp_path / "x.json")
    assert ponder(str(tmp_path / "x.json")).exit_code == 2


def test_the_command(tmp_path: Path) -> None:
    result = ponder(*RATES, "--plot", str(tmp_path / "w.svg"))
    assert result.exit_code == 0
    assert "2 *" in result.stdout
    assert "Draw at most 2: 0.472 a question" in result.stdout
    assert "71.6%" in result.stdout
    assert (tmp_path / "w.svg").stat().st_size > 1000
    said = json.loads(ponder(*RATES, "--wrong-cost", "2", "--most", "10", "--json").stdout)
    assert (said["best"], len(said["curve"])) == (1, 10)


@pytest.mark.parametrize(
    "arguments",
    [(), ("--success", "0.4"), ("--success", "much", "--soundness", "1"), ("--success", "1.4", "--soundness", "1"),
     ("--success", ".4,.5", "--shares", "1", "--soundness", "1"), ("--success", ".4", "--soundness", "1", "--wrong-cost", "-1")],
)  # fmt: skip
def test_bad_rates_are_refused(arguments: tuple[str, ...]) -> None:
    assert ponder(*arguments).exit_code == 2
