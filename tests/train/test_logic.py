"""What logic organisms learn from, and that the shipped ones are as good as they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.logic.syntax import parse
from ponder.logic.theories import label_of
from ponder.organisms.net import Net
from ponder.organisms.shelf import find, shelf
from ponder.organisms.worded import ALPHABET
from ponder.train import logic
from ponder.train.catalog import make
from ponder.train.recipes import Made

POOL = logic.sources(18, 0)
LOGIC = [card for card in shelf() if card.name in logic.RUNS]


def test_sources_are_shallow_and_open_claims_are_open() -> None:
    for s in POOL:
        depths = s.asked.theory.depths()
        assert max(depths.values()) <= 2
        assert all(label_of(c, depths) == "Uncertain" for c in s.open_)
        assert all(depths[c] > 0 for c in s.derived)


def test_what_is_learnt_of_a_row_is_the_answer_and_its_end() -> None:
    rng = np.random.default_rng(0)
    for s in POOL:
        text, learnt = logic.label_row(s, rng)
        assert len(learnt) == 2 * logic.CLAIMS
        assert all(text[i] in "ABC\n" for i, _ in learnt)
        assert text.count("?") == logic.CLAIMS
        text, learnt = logic.steps_row(s, rng)
        prompt, _, response = text.partition(".;")
        assert [i for i, _ in learnt] == list(range(len(prompt) + 2, len(text)))
        assert response.count(";") == len(s.derived)


def test_theories_grow_in_a_run_and_rows_fit_the_context() -> None:
    run = logic.RUNS["logic-answer"]
    pools = [logic.sources(12, 0, stage.sizes) for stage in run.stages]
    batch = logic.batches("logic-answer", pools, 0)
    lengths = [batch(int(step)).tokens.shape[1] for step in (0, 0.5 * run.steps, run.steps)]
    assert lengths == sorted(lengths)
    assert all(b.positions is not None and b.positions.max() < run.context for b in map(batch, (0, 1, run.steps - 1, run.steps)))
    assert (batch(3).tokens == batch(3).tokens).all()


def test_words_are_exchanged_for_their_kind_and_relations_keep_their_forms() -> None:
    swap = logic.exchanged(np.random.default_rng(3))
    assert sorted(swap.tolist()) == list(range(len(ALPHABET)))
    new = dict(zip(ALPHABET, (ALPHABET[i] for i in swap), strict=True))
    for kinds in ("NOPQRS", "ΓΔΘΛΞΠΣΦΨΩ", "ЖИЛЦ"):
        assert {new[c] for c in kinds} == set(kinds)
    for base, third, participle in zip("ЖИЛЦ", "жилц", "ъыэю", strict=True):
        at = "ЖИЛЦ".index(new[base])
        assert (new[third], new[participle]) == ("жилц"[at], "ъыэю"[at])
    assert all(new[c] == c for c in "irndx∀()→>?.\nABC")


def test_formulas_of_pairs_say_what_their_sentences_do() -> None:
    rng = np.random.default_rng(4)
    for s in POOL:
        for prompt, response in logic.formula_pairs(s, rng, 4):
            sentence, formula = ("".join(ALPHABET[i] for i in ids) for ids in (prompt, response))
            assert sentence.endswith(".>")
            assert formula.endswith("\n")
            read = parse(formula.strip(), "unicode")
            names = {c for c in sentence if c in "NOPQRSΓΔΘΛΞΠΣΦΨΩ"}
            assert names == {c for c in formula if c in "NOPQRSΓΔΘΛΞΠΣΦΨΩ"}
            assert read is not None


@pytest.mark.parametrize("name", list(logic.RUNS))
def test_a_short_run_makes_a_file_that_can_be_asked(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = logic.RUNS[name]
    monkeypatch.setitem(logic.RUNS, name, replace(run, stages=tuple(replace(s, pool=12) for s in run.stages)))
    monkeypatch.setattr(logic, "TRIED", 9)
    (path,) = make(Made(name, tmp_path, 0, steps=2, quiet=True))
    card = Net.load(path).card
    assert card.config.grammar == "worded"
    assert 0 <= card.facts["accuracy"] <= 1
    assert card.command == f"python -m ponder.train {name} --out DIR --seed 0 --steps 2"


@pytest.mark.parametrize("card", LOGIC, ids=lambda c: c.name)
def test_shipped_organisms_reach_their_stated_accuracy(card) -> None:
    """Two estimates from as many independent problems differ by less than 4 standard errors (false alarm 6e-5 an organism)."""
    n = card.facts.get("problems") or card.facts["sentences"]
    again = logic.figures(card.name, Net.load(find(card.name).path), n=90, seed=2024)
    for figure in (f for f in again if f.startswith("accuracy")):
        share = (card.facts[figure] * n + again[figure] * 90) / (n + 90)
        error = (max(share * (1 - share), 0.01) * (1 / n + 1 / 90)) ** 0.5
        assert again[figure] == pytest.approx(card.facts[figure], abs=4 * error)
