"""Data for tool use: who is kept and why, and what of it is learnt."""

from __future__ import annotations

import pytest

from ponder.core.errors import InputError
from ponder.core.language import Sampling
from ponder.core.problem import Problem
from ponder.lm.scripted import Scripted
from ponder.programs.hints import HINTS
from ponder.programs.tool_use import MARKUPS, Plan, Segment, Trajectory, think
from ponder.programs.tools import Calculator
from ponder.tasks.base import Task
from ponder.train.tool_data import clean, hint_rft, rejection_sample, right, streams, to_sft

PLAN = Plan(Calculator(), HINTS["products"], markup=MARKUPS["brackets"])
PROBLEMS = tuple(Problem(f"What is {a} * 7?", id=str(a), reads="number") for a in range(10, 20))
TASK = Task("sevens", "", PROBLEMS, {p.id: str(int(p.id) * 7) for p in PROBLEMS})


def writer(text: str) -> dict[str, float]:
    """Right in its head on even numbers. After a hint it uses the tool, but for 15 of the wrong number and for 17 not at all; 19 repeats
    itself."""
    a = int(text.split("What is ")[1].split()[0])
    after = text.partition("assistant: ")[2]
    if after.endswith("["):
        return {f"{a + (a == 15)}*7]": 1.0}
    if after.endswith("}"):
        return {"so. [" if a == 19 and after.count("}") < 4 else f"so {after.rpartition('{')[2].rstrip('}')}.": 1.0}
    if after.endswith("python "):
        return {f"so {a * 7}." if a == 17 else "[": 1.0}
    return {f"so {a * 7 + a % 2}.": 1.0}


def model() -> Scripted:
    return Scripted(writer)


def test_hint_rft_keeps_what_a_hint_turned_from_wrong_to_right() -> None:
    lm, greedy = model(), Sampling(temperature=0)
    data = hint_rft(lm, TASK, PLAN)
    plain = streams(lm, PROBLEMS, Plan(Calculator(), HINTS["products"], rounds=0, markup=PLAN.markup), greedy, 1, 0)
    hinted = streams(lm, PROBLEMS, PLAN, greedy, 1, 0)
    by_hand = [
        p.id
        for p, (a,), (b,) in zip(PROBLEMS, plain, hinted, strict=True)
        if not right(TASK, p, a) and right(TASK, p, b) and b.calls and clean(b)
    ]
    assert [k.problem.id for k in data.kept] == by_hand == ["11", "13"]
    assert data.dropped == {"right without a hint": 5, "wrong": 1, "no tool call": 1, "repeats itself": 1}
    assert data.agreeing == 1.0
    assert data.kept[0].stream.text == "so 78. Wait, use python [11*7]{77}so 77."


def test_the_loss_mask_is_zero_exactly_on_results() -> None:
    data = hint_rft(model(), TASK, PLAN)
    for example, kept in zip(to_sft(data, end="\n"), data.kept, strict=True):
        ids, learn = example.tokens(lambda text: [ord(c) for c in text])
        assert "".join(map(chr, ids)) == kept.stream.text + "\n"
        masked = "".join(chr(i) for i, learnt in zip(ids, learn, strict=True) if not learnt)
        assert masked == "".join(s.text for s in kept.stream.segments if s.kind == "output") != ""
    assert all(learn for e in to_sft(data, mask_outputs=False) for _, learn in e.pieces)


def test_rejection_sampling_keeps_right_and_different_streams() -> None:
    def answers(text: str) -> dict[str, float]:
        if text.endswith("}"):
            return {"so 70.": 0.5, "it is 70.": 0.5}
        return {"10*7]": 0.5, "10*6]": 0.5} if text.endswith("[") else {"[": 0.6, "so 70.": 0.2, "so 71.": 0.2}

    task = Task("t", "", PROBLEMS[:1], TASK.answers)
    data = rejection_sample(Scripted(answers), task, PLAN, n=64, most=2, temperature=1.0, seed=3)
    assert {k.stream.text for k in data.kept} == {"[10*7]{70}so 70.", "[10*7]{70}it is 70."}
    assert data.dropped["one of several"] > 3
    assert data.dropped["wrong"] > 3
    assert data.dropped["no tool call"] > 3
    assert len(data.kept) + sum(data.dropped.values()) == 64
    control = rejection_sample(Scripted(answers), task, PLAN, n=64, most=2, temperature=1.0, tools=False, seed=3)
    assert {k.stream.text for k in control.kept} == {"so 70."}
    assert control.agreeing == 0
    with pytest.raises(InputError, match="at least 1"):
        rejection_sample(Scripted(answers), task, PLAN, n=0)


def test_a_lucky_guess_is_seen() -> None:
    """A kept stream whose result is not its answer."""

    def answers(text: str) -> dict[str, float]:
        return {"so 70." if text.endswith("}") else "1*1]" if text.endswith("[") else "[": 1.0}

    data = rejection_sample(Scripted(answers), Task("t", "", PROBLEMS[:1], TASK.answers), PLAN, n=4)
    assert len(data.kept) == 1
    assert data.agreeing == 0


def test_clean() -> None:
    def of(*texts: str) -> Trajectory:
        return Trajectory(tuple(Segment("thought" if i % 2 else "code", t) for i, t in enumerate(texts)))

    assert clean(of("a", "b", "a"))
    assert not clean(of("a", "b", "a ", "c", "a"))
    assert clean(Trajectory(()))


def test_streams_of_a_problem_have_seeds_of_their_own() -> None:
    lm = Scripted({"so 1.": 0.5, "so 2.": 0.5})
    drawn = streams(lm, PROBLEMS, PLAN, Sampling(temperature=1.0), 8, 5)
    assert len({t.text for own in drawn for t in own}) > 1
    assert [[t.text for t in own] for own in drawn] == [[t.text for t in own] for own in streams(lm, PROBLEMS, PLAN, Sampling(1.0), 8, 5)]
    assert think([], lm.generate, Sampling(), PLAN) == []
