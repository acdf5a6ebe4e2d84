"""What logic organisms learn from, and that the shipped ones are as good as they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.logic.syntax import parse
from ponder.logic.theories import Sizes, label_of
from ponder.organisms import worded
from ponder.organisms.net import Net
from ponder.organisms.shelf import find, shelf
from ponder.organisms.worded import ALPHABET
from ponder.tasks.logic import made
from ponder.train import logic
from ponder.train.catalog import make
from ponder.train.net import COMMON
from ponder.train.recipes import Made

POOL = logic.questions(18, 0)
LOGIC = [card for card in shelf() if card.name in logic.RUNS]


def all_told(seed: int = 0) -> list[logic.Told]:
    rng = np.random.default_rng(seed)
    return [logic.told(asked, rng) for asked in POOL]


def test_theories_are_shallow_and_open_claims_are_open() -> None:
    for asked, t in zip(POOL, all_told(), strict=True):
        depths = asked.theory.depths()
        assert t.theory.depths() == depths
        assert len(t.known) <= 3
        assert {c: d for d, claims in enumerate(t.known) for c in claims} == depths
        assert all(label_of(c, depths) == "Uncertain" for c in (*t.near, *t.open_))
        assert t.text.count(".") == len(t.theory.facts) + len(t.theory.rules)


def test_what_is_known_of_somebody_is_all_that_follows_and_each_step_follows_from_those_before() -> None:
    for t in all_told():
        depths = t.theory.depths()
        for name in {name for c in depths for name in c.args}:
            found = logic.chain(t.theory, name)
            assert set(found) == {c for c in depths if c.args[0] == name}
            facts = [f for f in t.theory.facts if f.args[0] == name]
            assert found[: len(facts)] == facts
            for i, claim in enumerate(found[len(facts) :], len(facts)):
                assert any(
                    r.conclusion.about(name) == claim and all(c.about(name) in found[:i] for c in r.conditions) for r in t.theory.rules
                )


def test_examples_have_their_labels_and_every_label_is_as_frequent() -> None:
    rng, counts = np.random.default_rng(1), Counter[str]()
    for t in all_told() * 20:
        claim, label = logic.random_claim(t, rng)
        assert label_of(claim, t.theory.depths()) == label
        counts[label] += 1
    assert all(abs(n - 120) < 4 * (360 * 2 / 9) ** 0.5 for n in counts.values())


def test_what_is_learnt_of_a_row_is_the_response_and_most_of_all_its_answer() -> None:
    stage = logic.Stage(1.0, Sizes(), 1, at_once=3, steps=2)
    rng = np.random.default_rng(0)
    for t in all_told():
        start, examples = logic.row(t, rng, stage)
        assert len(start) == len(t.text)
        for i, (prompt, response, weights) in enumerate(examples):
            said = "".join(ALPHABET[j] for j in response)
            assert ALPHABET[prompt[-1]] == (">" if i < 3 else ";")
            assert len(weights) == len(response)
            assert weights[-2] == max(weights) == logic.ANSWER
            assert said[-2] in "ABC"
            assert said.endswith("\n")
            assert ("####" in said) == (i >= 3)


def test_theories_grow_in_a_run_and_problems_fit_the_context() -> None:
    run = logic.RUNS["logic-answer"]
    batch = logic.batches(run, False, 0, 12)
    lengths = [(batch(int(step)).segments == COMMON).sum(1).mean() for step in (0, 0.5 * run.steps, run.steps)]
    assert lengths == sorted(lengths)
    assert all(b.positions is not None and b.positions.max() < run.context for b in map(batch, (0, 1, run.steps - 1, run.steps)))
    assert (batch(3).tokens == batch(3).tokens).all()
    for m in (made(i, 5, 5, 5, 0) for i in range(60)):
        steps = worded.derived_text(logic.chain(m.question.theory, m.question.claim.args[0]), m.question.label)
        assert len(worded.problem_prompt(m.premises, m.conclusion, True) + steps) < run.context, "the deepest problems fit too"


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
    for asked in POOL:
        for prompt, response in logic.formula_pairs(asked, rng, 4):
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
