"""The recipe of the family organism: what it trains on, and the file it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.organisms.card import read_card
from ponder.organisms.counting import held_out, right, seen
from ponder.organisms.net import Net
from ponder.train import family as recipe
from ponder.train.catalog import make
from ponder.train.recipes import Made


def test_a_short_run_writes_a_file_that_says_what_it_is(tmp_path: Path) -> None:
    (path,) = make(Made("family", tmp_path, seed=3, steps=2, quiet=True))
    card = read_card(path)
    assert card.command == "python -m ponder.train family --out DIR --seed 3 --steps 2"
    assert card.facts["step"] == 2
    net, rng = Net.load(path), np.random.default_rng(12345)
    assert card.facts["accuracy_seen"] == pytest.approx(float(right(net, seen(2000, rng)).mean()), abs=1e-3)
    assert card.facts["accuracy_held_out"] == pytest.approx(float(right(net, held_out(2000, rng)).mean()), abs=1e-3)


def test_the_held_out_composition_is_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """No training text of 20 steps asks for the sisters of a woman's brother."""
    texts: list[str] = []

    def spy(net, batches, loss, plan, **options):
        for step in range(20):
            texts.extend("".join(recipe.family.ALPHABET[i] for i in row) for row in batches(step).tokens)

    monkeypatch.setattr(recipe, "train", spy)
    recipe.trained(0, 20, quiet=True)
    assert len(texts) == 20 * recipe.ROWS
    assert not [t for t in texts if t[0] in "ABCDEF" and t[6:8] == "bs"]
    assert {t[6:8] for t in texts if t[0] in "ABCDEF"} == {hop + what for hop in ".bs" for what in "bsi"} - {"bs"}
    assert {t[6:8] for t in texts if t[0] in "GHIJKL"} == {hop + what for hop in ".bs" for what in "bsi"}
