"""Data for self-evaluation and the head that learns from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.core.language import Message, Sampling
from ponder.lm.scripted import Scripted
from ponder.train.self_evaluation import Comparison, build_self_eval_data, split_by_prompt

TEXTS = {"one two three 1": 0.25, "one two 2": 0.25, "3": 0.25, "four five six seven 3": 0.25}


def worth(prompt: object, text: str) -> float:
    return float(text.split()[-1])


def test_labels_are_of_pairs_and_cuts_inherit_them() -> None:
    prompts = [f"question {i}" for i in range(200)]
    data = build_self_eval_data(Scripted(TEXTS), prompts, worth, samples=2, truncations=2, seed=1)
    for prompt in prompts:
        mine = [c for c in data if c.prompt == prompt]
        first, second = [c for c in mine if c.fraction == 1]
        assert first.label == (worth("", first.prefix) >= worth("", second.prefix))
        assert second.label == (worth("", second.prefix) >= worth("", first.prefix))
        at = 0
        for whole in (first, second):
            words = len(whole.prefix.split())
            cut = mine[at : at + min(2, words - 1)]
            assert all(whole.prefix.startswith(c.prefix) and 0 < c.fraction < 1 and c.label == whole.label for c in cut)
            assert len({c.prefix for c in cut}) == len(cut)
            at += len(cut) + 1
    ties = [c for c in data if c.fraction == 1 and c.prefix.endswith("3")]
    assert all(c.label for c in ties)
    again = build_self_eval_data(Scripted(TEXTS), prompts, worth, samples=2, truncations=2, seed=1)
    assert again == data


def test_ties_and_separators() -> None:
    data = build_self_eval_data(Scripted(TEXTS), ["q"] * 1, worth, samples=4, truncations=9, tie=2.0, separator=" ")
    assert all(c.label for c in data)
    assert {c.prefix for c in data if c.fraction < 1 and c.prefix.startswith("one")} <= {"one ", "one two ", "one two three "}
    for bad in ({"samples": 1}, {"tie": -1.0}, {"truncations": -1}):
        with pytest.raises(InputError):
            build_self_eval_data(Scripted(TEXTS), ["q"], worth, **bad)


def test_prompts_are_not_torn_apart() -> None:
    data = [Comparison(f"p{i % 10}", "a", True, 1.0) for i in range(50)]
    learnt, tested = split_by_prompt(data, 0.3, 0)
    assert (len(learnt), len(tested)) == (35, 15)
    assert not {c.prompt for c in learnt} & {c.prompt for c in tested}
    with pytest.raises(InputError):
        split_by_prompt(data[:1], 0.5, 0)


def test_a_head_learns_what_the_labels_say(tmp_path: Path) -> None:
    """An untrained policy; labels say whether the first step is above 499, which the head must find for wholes and beginnings."""
    pytest.importorskip("torch")
    from ponder.organisms import chain
    from ponder.train.net import Shape, TorchNet, save
    from ponder.train.self_evaluation import train_self_evaluator

    path = save(TorchNet(Shape(24, 1, 2, 60, chain.ALPHABET, "chain"), 0), tmp_path / "policy.safetensors", facts={}, command="", about="")
    rng = np.random.default_rng(0)
    prompts = chain.prompts(chain.problems(300, rng, 2))
    data = []
    for prompt, (a, b) in zip(prompts, rng.integers(0, 1000, (300, 2)), strict=True):
        label = bool(a > 499)
        data += [Comparison(prompt, f"{a:03d};", label, 0.5), Comparison(prompt, f"{a:03d};{b:03d}", label, 1.0)]
    question = (Message("user", "What is 5 + 7 * 2?"),)
    data.append(Comparison(question, "012;", False, 0.5))
    made = train_self_evaluator(path, data, tmp_path / "judge.safetensors", steps=150, layers=1, held_out=0.2, seed=1, quiet=True)
    assert made.auroc > 0.9
    assert made.auroc_begun > 0.9
    assert made.calibration_error < 0.25
    assert made.held_out == pytest.approx(120, abs=2)
    from ponder.lm.load import load

    again = build_self_eval_data(load(f"organism:{path}"), prompts[:3], worth_of_number, sampling=Sampling(1.0, 8))
    assert all(c.prompt in prompts for c in again)
    with pytest.raises(InputError, match="characters"):
        train_self_evaluator(path, [Comparison(p, "x", True, 1.0) for p in prompts], tmp_path / "no.safetensors", quiet=True)


def worth_of_number(prompt: object, text: str) -> float:
    return float(len(text))
