"""Factorial studies: effects on tables whose effects are known, exact p values, grids of pipelines, equal budgets."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from ponder.bench.effects import StudyTable, holm, sign_flip
from ponder.bench.run import Plan, run
from ponder.bench.store import RunStore
from ponder.bench.study import Study, affordable
from ponder.cli import main
from ponder.core.errors import InputError
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.methods.forecast import forecast
from ponder.scorers import likelihood, random
from ponder.stages import sample, vote, weigh
from ponder.tasks import load

AXES = {"t": ("low", "high"), "v": ("a", "b", "c")}


def table(cell: np.ndarray, problems: int = 40, noise: float = 0.0, seed: int = 0) -> StudyTable:
    """Grades that are a cell's mean plus a problem's own level, and noise."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0, 0.3, problems)
    grades = cell[..., None] + own + noise * rng.standard_normal((*cell.shape, problems))
    return StudyTable(AXES, grades, np.broadcast_to(np.arange(6).reshape(2, 3, 1) + 1.0, grades.shape))


def test_main_effects_are_differences_of_means_over_the_other_axes():
    cell = np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6]])
    effects = {(e.axis, e.level): e for e in table(cell).main_effects()}
    assert effects["t", "low"].gain.value == effects["v", "a"].gain.value == 0
    assert effects["t", "high"].gain.value == pytest.approx((0.1 + 0.2 + 0.3) / 3)
    assert effects["v", "b"].gain.value == pytest.approx(0.15)
    assert effects["v", "c"].gain.value == pytest.approx(0.30)
    assert effects["v", "c"].gain.low == pytest.approx(0.30), "paired: problems' own levels cancel"
    assert effects["v", "c"].p_holm < 0.001


def test_interactions_of_an_additive_table_are_0_and_of_another_what_is_left():
    additive = table(np.array([[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]]))
    assert all(i.more.value == pytest.approx(0) for i in additive.interactions())
    first, second = table(np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6]])).interactions()
    assert (first.axes, first.levels) == (("t", "v"), ("high", "c"))
    assert first.more.value == pytest.approx(0.6 - 0.2 - 0.3 + 0.1)
    assert second.more.value == pytest.approx(0.4 - 0.2 - 0.2 + 0.1)


def test_additivity_of_a_table_that_adds_up_and_of_one_that_does_not():
    additive = table(np.array([[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])).additivity()
    assert additive.chosen == {"t": {"low": 0, "high": 5}, "v": {"a": 0, "b": 0, "c": 5}}
    assert (additive.sum.value, additive.together.value, additive.gap.value) == (pytest.approx(0.4), pytest.approx(0.4), pytest.approx(0))
    clash = table(np.array([[0.1, 0.2, 0.3], [0.3, 0.3, 0.2]])).additivity()
    assert clash.together.value == pytest.approx(0.1)
    assert clash.gap.value == pytest.approx(-0.3)


def test_pure_noise_gains_nothing_once_measured_on_other_problems():
    """Of 60 tables without any effect, the best setting chosen on other problems gains 0 on the mean, within 4 standard errors;
    chosen on the same problems it would gain."""
    gains, naive = [], []
    for seed in range(60):
        noisy = table(np.zeros((2, 3)), 20, 0.3, seed)
        gains.append(noisy.additivity(seed=seed).together.value)
        means = noisy.grades.mean(axis=-1)
        naive.append(float(means.max() - means[0, 0]))
    assert abs(np.mean(gains)) < 4 * np.std(gains) / np.sqrt(len(gains))
    assert np.mean(naive) > 10 * np.std(naive) / np.sqrt(len(naive))


@given(st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=9))
def test_exact_p_values_are_scipys(differences: list[float]):
    values = np.array(differences)
    kept = values[values != 0]
    mine = sign_flip(values)
    if not len(kept):
        assert mine == 1
    elif len(kept) > 1:
        found = permutation_test((kept,), lambda x: abs(x.sum()), permutation_type="samples", alternative="greater", n_resamples=100_000)
        assert mine == pytest.approx(found.pvalue)


def test_sampled_p_values_are_near_the_exact_one_and_never_0():
    """13 equal differences: 2 / 2**13 exactly; 14 are sampled, where 0 of 9999 flips reach it or few."""
    assert sign_flip(np.ones(13)) == 2 / 2**13
    assert 1 / 10_000 <= sign_flip(np.ones(14)) <= 6 / 10_000
    assert sign_flip(np.array([1.0, -1.0] * 20)) == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_cells_fronts_and_words():
    some = table(np.array([[0.1, 0.2, 0.1], [0.3, 0.4, 0.5]]))
    assert some.cells == list(itertools.product(range(2), range(3)))
    assert some.label((1, 2)) == "t=high, v=c"
    assert some.front() == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)], "what costs more and is no better is left out"
    assert some.gain((1, 2), (0, 0)).value == pytest.approx(0.4)
    assert some.to_markdown().count("\n") == 2 + 6


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 5), (2, 3, 1), (2, 3, 4, 5)])
def test_tables_of_another_shape_are_refused(shape: tuple[int, ...]):
    with pytest.raises(InputError, match="one shape"):
        StudyTable(AXES, np.zeros(shape), np.zeros(shape))
    with pytest.raises(InputError, match="not answered"):
        StudyTable(AXES, np.full((2, 3, 4), np.nan), np.zeros((2, 3, 4)))


def method(temperature: float, verifier):  # type: ignore[no-untyped-def]
    return sample(4, temperature=temperature) | weigh(verifier) | vote()


def test_a_study_is_every_combination_and_its_random_control():
    made = Study.of({"temperature": (1.0, 0.5), "verifier": (random(), likelihood())}, method)
    assert made.axes == {"temperature": ("1.0", "0.5"), "verifier": ("random", "likelihood")}
    assert made.methods[1, 1] == parse("sample(4, temperature=0.5) | weigh(likelihood) | vote()")
    assert len(made.pipelines) == 4
    with pytest.raises(InputError, match="needs the control `random`"):
        Study.of({"verifier": (likelihood(), likelihood(joint=True))}, lambda verifier: weigh(verifier))
    with pytest.raises(InputError, match="at least two levels"):
        Study.of({"temperature": (1.0, 1.0)}, lambda temperature: sample(4, temperature=temperature))
    with pytest.raises(InputError, match="a pipeline for each"):
        Study(AXES, {(0, 0): parse("sample(1)")})


def test_a_study_is_run_and_read(tmp_path: Path):
    """Temperature 0 always gives the right answer of this engine; at 1 it is right six times in ten, and no scorer can tell."""
    made = Study.of({"temperature": (1.0, 0.0), "verifier": (random(), likelihood())}, method)
    task = load("times-tables", limit=12)

    def script(prompt: str) -> dict[str, float]:
        a, b = (int(w) for w in prompt.split("What is ")[-1].split("?")[0].split(" * "))
        return {f"The answer is {a * b}.": 0.6, "The answer is 1.": 0.4}

    plan = Plan((task,), made.pipelines, {"m": Scripted(script)}, seeds=(0, 1))
    store = RunStore(tmp_path)
    assert not run(plan, store).errors
    found = made.table(store.answers(), plan)
    assert found.grades.shape == (2, 2, 12)
    assert found.grades[1].min() == 1
    assert found.grades[0].mean() < 0.95
    greedy = next(e for e in found.main_effects() if e.level == "0.0")
    assert greedy.gain.value == pytest.approx(1 - found.grades[0].mean())
    answers = store.answers()
    answers.popitem()
    with pytest.raises(InputError, match="run the study again"):
        made.table(answers, plan)
    with pytest.raises(InputError, match="name one of the run's tasks"):
        made.table(answers, plan, task="another")
    store.close()


def test_n_as_large_as_tokens_allow():
    assert affordable(lambda n: 10.0 * n + 5, 100) == 9
    assert affordable(lambda n: 10.0 * n, 100) == 10
    assert affordable(lambda n: 1.0, 5, most=37) == 37
    with pytest.raises(InputError, match="n = 1 costs 15"):
        affordable(lambda n: 10.0 * n + 5, 14)
    question = load("times-tables", limit=1).problems[0]

    def cost(n: int) -> float:
        return forecast(parse(f"sample({n}) | weigh(judge) | vote()"), question, answer_tokens=50).tokens

    n = affordable(cost, 2000)
    assert cost(n) <= 2000 < cost(n + 1)


def test_the_command_runs_prints_and_goes_on(tmp_path: Path):
    call = ["study", "times-tables", "--model", "scripted:56=0.7,54=0.3", "--limit", "6", "--out", str(tmp_path / "s"), "--json"]
    grid = ["--grid", "sample(4, temperature={1.0,0.5}) | weigh({random,likelihood}) | vote()"]
    first = CliRunner().invoke(main, [*call, *grid])
    assert first.exit_code == 0, first.output
    data = json.loads(first.stdout)
    assert list(data["axes"]) == ["sample.temperature", "weigh.scorer"]
    assert len(data["cells"]) == 4
    assert (tmp_path / "s" / "cells.md").read_text().count("|---") == 4
    assert all(Path(p).exists() for p in data["plots"])
    assert json.loads(CliRunner().invoke(main, [*call, *grid]).stdout) == data
    text = CliRunner().invoke(main, [*call[:-1], *grid])
    assert "Main effects" in text.stdout
    assert "gap" in text.stdout
    for wrong, said in (
        ("sample(4) | weigh({likelihood,judge})", "random"),
        ("sample(4) | {weigh({random,likelihood}), None} | vote()", "full grid"),
        ("sample(4)", "nothing to choose"),
    ):
        refused = CliRunner().invoke(main, [*call, "--grid", wrong])
        assert refused.exit_code == 2
        assert said in refused.stderr


def test_costs_and_architectures_at_the_command_line(tmp_path: Path):
    told = CliRunner().invoke(main, ["methods", "cost", "sample(3) | critique() | fuse()", "--price", "1/2", "--json"])
    data = json.loads(told.stdout)
    assert (data["calls"], data["completions"]) == (3, 5)
    assert data["money"] == pytest.approx((data["tokens_in"] * 1 + data["tokens_out"] * 2) / 1e6)
    text = "sample(2, model='a') + sample(1, model='b') | critique() | fuse()"
    file = tmp_path / "a.json"
    file.write_text(CliRunner().invoke(main, ["methods", "archon", text]).stdout)
    assert CliRunner().invoke(main, ["methods", "archon", str(file)]).stdout.strip() == text
    file.write_text(json.dumps({"name": "x", "layers": [[{"type": "generator", "samples": 3}]]}))
    said = CliRunner().invoke(main, ["methods", "cost", str(file)])
    assert "must leave one candidate" in said.stdout
    assert "at most 1 calls, 3 completions" in said.stdout


def test_several_models_in_a_layer_at_the_command_line():
    models = ["-m", "organism:chain", "-m", "organism:chain-small"]
    asked = CliRunner().invoke(
        main, ["ask", "What is 3 + 4 * 5?", *models, "--method", "sample(2) + sample(2, model='organism:chain-small') | vote()", "--json"]
    )
    data = json.loads(asked.stdout)
    assert (data["value"], data["bill"]["calls"]) == ("35", 2)
