"""The organism of two modes: what it learns from, that numpy writes what torch would, and that shipped ones are as good as they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ponder.papers.benchmarks.mind_your_step_organism import answered, judged, measured, summed
from ponder.papers.benchmarks.nets import load_net, shipped
from ponder.tasks import load
from ponder.tasks.mind_your_step.grammar import pairs, random_grammar
from ponder.tasks.mind_your_step.pairs import (
    ALPHABET,
    ASK,
    CONTEXT,
    IDS,
    MARKS,
    NO,
    PAIR_IDS,
    PAIRS,
    QUESTION,
    RULES,
    THINK,
    YES,
    Sum,
    ids,
    induced,
    random_sum,
)
from ponder.train import two_modes
from ponder.train.net import COMMON, read, save
from ponder.train.recipes import Made

TASK = load("artificial-grammar:grammars=2", seed=5)


def test_every_pair_has_a_token_and_no_two_share_one() -> None:
    assert len(PAIRS) == 48
    assert sorted([*map(ALPHABET.index, MARKS), *PAIR_IDS.values()]) == list(range(len(ALPHABET)))
    assert [PAIRS[i - len(MARKS)] for i in ids("MRR")] == ["^M", "MR", "RR", "R$"]


def test_induced_rules_are_mostly_what_is_seen_most() -> None:
    rng = np.random.default_rng(0)
    study = ["MRMR"] * 14 + ["TVTV"]
    told = [induced(study, rng) for _ in range(300)]
    assert all(len(set(rules)) == len(rules) <= RULES for rules in told)
    seen = {pair for s in study for pair in pairs(s)}
    slips = [pair not in seen for rules in told for pair in rules]
    assert np.mean(slips) == pytest.approx(0.1 * (1 - len(seen) / len(PAIRS)), abs=0.03)
    assert np.mean([rules[0] in ("MR", "RM", "^M", "R$") for rules in told]) > 0.85


def test_sums_are_modulo_ten() -> None:
    asked = Sum(3, (4, -9, 5))
    assert asked.text == "3+4-9+5"
    assert asked.reached == [7, 8, 3]
    prompt, response, weights_ = two_modes.sum_example(asked, True)
    assert "".join(ALPHABET[i] for i in [*prompt, *response]) == "3+4-9+5:78?3"
    assert len(weights_) == len(response)
    prompt, response, _ = two_modes.sum_example(asked, False)
    assert "".join(ALPHABET[i] for i in [*prompt, *response]) == "3+4-9+5?3"


def test_questions_of_a_row_stand_where_they_are_asked_and_have_their_truth() -> None:
    rng = np.random.default_rng(1)
    grammar = random_grammar(rng)
    start, examples = two_modes.grammar_row(grammar, rng)
    assert len(examples) == two_modes.DIRECT + two_modes.THOUGHT
    assert len(start) <= QUESTION
    for i, (first, rest, learnt) in enumerate(examples):
        asked = rest.index(IDS[ASK if i < two_modes.DIRECT else THINK])
        assert PAIRS[rest[asked - 1] - len(MARKS)].endswith("$")
        assert PAIRS[first[0] - len(MARKS)].startswith("^")
        assert set(learnt[:asked]) <= {two_modes.TEXT if rest[-1] == IDS[YES] else 0.0}, "only what belongs is learnt as text"
        assert learnt[asked] == 0
        assert learnt[-1] == 1
        assert rest[-2] == IDS[ASK]
        assert (len(rest) == asked + 2) == (i < two_modes.DIRECT)
    assert {response[-1] for _, response, _ in examples} == {IDS[YES], IDS[NO]}
    batch = two_modes.batches(0, 10)(3)
    again = two_modes.batches(0, 10)(3)
    assert (batch.tokens == again.tokens).all()
    assert batch.positions is not None
    assert batch.segments is not None
    assert batch.positions.max() < CONTEXT
    for tokens, places, segments in zip(batch.tokens, batch.positions, batch.segments, strict=True):
        for i in range(segments.max() + 1):
            own = segments == i
            assert places[own].tolist() == list(range(QUESTION, QUESTION + own.sum()))
        assert (tokens[segments == COMMON] >= len(MARKS)).all()


@pytest.fixture(scope="module")
def random_net(tmp_path_factory: pytest.TempPathFactory):
    """A net with noise everywhere, in torch and in numpy."""
    net = two_modes.fresh_net(1)
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)))
            p.copy_(p.half().float())
    path = save(net, tmp_path_factory.mktemp("nets") / "random.safetensors", facts={}, command="", about="")
    return net, load_net(path)


def test_a_question_reads_what_is_shown_and_no_other_question(random_net) -> None:
    """The batch's columns of one question are what torch finds for it alone behind the shown strings."""
    net, _ = random_net
    batch = two_modes.behind([([20, 21, 22], [([23, 24], [25], [1.0]), ([26], [27, 28], [1.0, 1.0])])], place=QUESTION)
    with torch.no_grad():
        extra = {"positions": torch.from_numpy(batch.positions), "segments": torch.from_numpy(batch.segments)}
        together = net(torch.from_numpy(batch.tokens), **extra)[0]
        for tokens, columns in (([23, 24, 25], slice(3, 6)), ([26, 27, 28], slice(6, 9))):
            places = torch.tensor([[0, 1, 2, QUESTION, QUESTION + 1, QUESTION + 2]])
            alone = net(torch.tensor([[20, 21, 22, *tokens]]), positions=places)[0, 3:]
            assert torch.allclose(together[columns], alone, atol=1e-5)


def test_numpy_writes_what_torch_finds_most_likely(random_net) -> None:
    net, numpy_net = random_net
    start = [i for s in TASK.problems[0].data["study"] for i in ids(s)]
    prompts = [[*ids(text), IDS[THINK]] for text in ("MRSTV", "XXTRM", "SSSSS")]
    for prompt, said in zip(prompts, answered(numpy_net, start, prompts, RULES, (IDS[YES], IDS[NO])), strict=True):
        assert said[-2] == IDS[ASK]
        assert len(said) <= RULES + 2
        tokens = [*start, *prompt, *said]
        places = [*range(len(start)), *range(QUESTION, QUESTION + len(prompt) + len(said))]
        with torch.no_grad():
            logits = net.logits(net(torch.tensor([tokens]), positions=torch.tensor([places])))[0].numpy()
        chosen = logits.argmax(-1)[len(start) + len(prompt) - 1 :]
        assert chosen[: len(said) - 2].tolist() == said[:-2]
        assert said[-1] == max((IDS[YES], IDS[NO]), key=lambda i: logits[-2, i])


def test_what_a_net_says_is_graded(random_net) -> None:
    _, net = random_net
    direct, rules = judged(net, TASK, False)
    assert direct.ids == tuple(p.id for p in TASK.problems)
    assert (direct.tokens == 1).all()
    assert not any(rules)
    modes = measured(net, TASK, 0)
    assert modes.grammars.n == len(modes.by_rules) == 88
    assert modes.grammars.accuracy[0].value == direct.correct.mean()
    sums = [random_sum(np.random.default_rng(0))]
    said = answered(net, (), [[IDS[c] for c in sums[0].text + ASK]], 0, [IDS[c] for c in "0123456789"])
    assert summed(net, sums, False).correct.tolist() == [ALPHABET[said[0][-1]] == str(sums[0].reached[-1])]


def test_the_recipe_writes_a_net_that_says_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_modes, "POOL", 20)
    monkeypatch.setattr(two_modes, "FRESH", 8)
    (path,) = two_modes.two_modes(Made("two-modes", tmp_path, 3, steps=2, quiet=True))
    assert path.name == "two-modes-3.safetensors"
    assert load_net(path).config.alphabet == ALPHABET
    _, metadata = read(path)
    assert json.loads(metadata["facts"])["run_steps"] == 2
    assert metadata["command"] == "python -m ponder.train two-modes --out DIR --seed 3 --steps 2"


@pytest.mark.parametrize("path", shipped("two-modes"), ids=lambda p: p.stem)
def test_shipped_nets_reach_their_stated_accuracy(path: Path) -> None:
    """880 strings of 20 grammars, which hang together within one: 4 standard errors of 20 means of 44, or of 880 coins if more."""
    facts = json.loads(read(path)[1]["facts"])
    direct, _ = judged(load_net(path), load("artificial-grammar:grammars=20", seed=2024), False)
    each = direct.correct.reshape(20, 44).mean(1)
    assert each.mean() == pytest.approx(facts["accuracy"], abs=4 * max(each.std() / 20**0.5, (0.25 / 880) ** 0.5))
