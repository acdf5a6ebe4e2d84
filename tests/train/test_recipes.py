"""Recipes: a short run from the command line, what its file says, and how rungs are chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from click.testing import CliRunner

from ponder.core.errors import InputError
from ponder.organisms.card import read_card
from ponder.train import catalog, recipes, runs
from ponder.train.__main__ import main
from ponder.train.net import read
from ponder.train.recipes import Made


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = runs.PolicyRun("chain", 16, 1, 2, steps=6, target=0.0, whole=True, rows=8)
    monkeypatch.setitem(recipes.POLICIES, "tiny", spec)
    monkeypatch.setitem(catalog.RECIPES, "tiny", "recipes:policy")
    monkeypatch.setattr(recipes, "LADDER", (0.5,))
    sampled = recipes.measure.sampled
    monkeypatch.setattr(recipes.measure, "sampled", lambda net, n, count, rng: sampled(net, 20, 4, rng))


@pytest.mark.usefixtures("tiny")
def test_the_command_in_a_file_makes_the_same_file(tmp_path: Path):
    first = CliRunner().invoke(main, ["tiny", "--out", str(tmp_path / "a"), "--seed", "3", "--quiet"])
    assert first.exit_code == 0, first.output
    written = [Path(line) for line in first.output.split()]
    assert [p.name for p in written] == ["tiny.safetensors", "chain-reward-1.safetensors"]
    command = read_card(written[0]).command
    assert command == "python -m ponder.train tiny --out DIR --seed 3"
    words = command.replace("DIR", str(tmp_path / "b")).split()[3:]
    assert CliRunner().invoke(main, [*words, "--quiet"]).exit_code == 0
    for path in written:
        (again, metadata), (once, said) = read(tmp_path / "b" / path.name), read(path)
        assert metadata == said
        assert all(np.array_equal(again[name], once[name]) for name in once)


@pytest.mark.usefixtures("tiny")
def test_files_state_what_was_measured(tmp_path: Path):
    policy, judge = (read_card(p) for p in catalog.make(Made("tiny", tmp_path, 0, quiet=True)))
    assert {"pass@1", "pass@1_standard_error", "problems", "samples", "step", "weights"} <= set(policy.facts)
    assert policy.reward is None
    assert judge.reward is not None
    assert judge.reward.kind == "likelihood"
    assert {"auroc_step_within", "auroc_prefix", "policy"} <= set(judge.facts)


def test_an_unknown_recipe_is_refused_with_the_nearest_name(tmp_path: Path):
    with pytest.raises(InputError, match=r"chain-smal.*chain-small"):
        catalog.make(Made("chain-smal", tmp_path, 0))
    result = CliRunner().invoke(main, ["chian-large", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "chain-large" in result.output


def test_every_recipe_is_there_and_the_help_names_it():
    text = CliRunner().invoke(main, ["--help"]).output
    for name in catalog.RECIPES:
        assert callable(catalog.recipe(name))
        assert f"  {name}" in text
    assert {n for n, home in catalog.RECIPES.items() if home == "recipes:policy"} == set(recipes.POLICIES)


def test_rungs_are_the_nearest_steps_each_once_in_rising_order():
    assert recipes.nearest({1: 0.86, 2: 0.905, 3: 0.93, 4: 0.99, 5: 0.2}) == [1, 2, 3, 4]
    assert recipes.nearest({7: 0.5}) == [7]
    assert recipes.nearest({1: 0.9, 2: 0.9, 3: 0.9, 4: 0.9}) == [1, 2, 3, 4]


def test_the_base_of_a_recipe_is_what_was_made_before_it_is_what_is_shipped(tmp_path: Path):
    shipped = recipes.base(tmp_path, "chain-small")
    assert shipped.exists()
    made = tmp_path / "chain-small.safetensors"
    made.write_bytes(shipped.read_bytes())
    assert recipes.base(tmp_path, "chain-small") == made
    with pytest.raises(InputError):
        recipes.base(tmp_path, "no-such")
