"""The organism of procedures: its batches, and that numpy writes what torch would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ponder.core.steps import sequential_match
from ponder.papers.benchmarks.nets import load_net
from ponder.papers.benchmarks.procbench_organism import _written, runs
from ponder.tasks.procbench import label
from ponder.tasks.procbench.compact import ALPHABET, COLUMNS, NUMBERS, draw, prompt, prompt_places, response, response_places
from ponder.train.net import read, save
from ponder.train.procedures import EXAMPLES, ROW, batches, follower, fresh_net, packed
from ponder.train.recipes import Made

_IDS = {c: i for i, c in enumerate(ALPHABET)}


def test_batches_are_a_function_of_the_step_and_hold_whole_examples() -> None:
    batch = batches(3)(7)
    again = batches(3)(7)
    assert np.array_equal(batch.tokens, again.tokens)
    assert not np.array_equal(batch.tokens, batches(3)(8).tokens[: len(batch)])
    assert batch.positions is not None
    assert batch.segments is not None
    assert batch.tokens.shape[1] == ROW
    examples = 0
    for tokens, learn, places, segments in zip(batch.tokens, batch.learn, batch.positions, batch.segments, strict=True):
        for i in range(segments.max() + 1):
            own = segments == i
            text = "".join(ALPHABET[t] for t in tokens[own])
            asked, _, said = text.partition(">")
            assert learn[own].tolist() == [0] * (len(asked) + 1) + [1] * len(said)
            assert said.endswith("\n")
            assert len(set(places[own])) == own.sum()
            examples += 1
    assert examples == EXAMPLES


@pytest.fixture(scope="module")
def random_net(tmp_path_factory: pytest.TempPathFactory):
    """A net with noise everywhere, in torch and in numpy."""
    net = fresh_net(1)
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)))
            p.copy_(p.half().float())
    path = save(net, tmp_path_factory.mktemp("nets") / "random.safetensors", facts={}, command="", about="")
    return net, load_net(path)


def test_numpy_writes_what_torch_finds_most_likely(random_net) -> None:
    """Greedy texts of prompts of different lengths, read side by side; torch reads each alone, at the same places."""
    net, numpy_net = random_net
    made = [draw(number, k, np.random.default_rng(number)) for number, k in zip(NUMBERS, (2, 8, 3, 12, 5, 4, 25, 6), strict=True)]
    texts = _written(numpy_net, made)
    assert len(set(texts)) == len(made)
    for procedure, said in zip(made, texts, strict=True):
        asked = prompt(procedure)
        tokens = torch.tensor([[_IDS[c] for c in asked + said]])
        places = torch.tensor([prompt_places(procedure) + response_places(said)])
        with torch.no_grad():
            chosen = net.logits(net(tokens, positions=places))[0].argmax(-1)
        assert "".join(ALPHABET[i] for i in chosen[len(asked) - 1 : -1]) == said


def test_a_net_that_knows_the_answers_is_graded_right() -> None:
    """A stub in the net's place says the right characters: the writing loop, its cuts and the grading lose nothing."""
    made = [draw(number, k, np.random.default_rng(k)) for number in NUMBERS for k in (2, 9, 25)]
    texts = [response(p) for p in sorted(made, key=lambda p: len(p.states()))]

    class Knowing:
        def cache(self, rows: int):
            return _Rows(np.arange(rows), np.zeros(rows, dtype=int))

        def feed(self, cache, tokens, places):
            cache.said += (places[:, 0] >= COLUMNS) & (places[:, 0] % COLUMNS < COLUMNS - 2)
            return cache

        def logits(self, cache):
            found = np.zeros((len(cache.rows), 1, len(ALPHABET)))
            for i, (row, n) in enumerate(zip(cache.rows, cache.said, strict=True)):
                if n:
                    found[i, 0, _IDS[texts[row][n - 1]]] = 1
            return found

    for procedure, steps in zip(made, runs(Knowing(), made), strict=True):  # type: ignore[arg-type]
        right = label(procedure)
        assert sequential_match(right, steps) == 1


class _Rows:
    def __init__(self, rows: np.ndarray, said: np.ndarray) -> None:
        self.rows, self.said = rows, said

    def take(self, kept: np.ndarray) -> _Rows:
        return _Rows(self.rows[kept], self.said[kept])


def test_places_are_sines_of_line_and_column() -> None:
    position = fresh_net(0).position.detach().numpy().reshape(27, COLUMNS, 96)
    assert np.allclose(position[3, 5, :24], position[3, 9, :24])
    assert np.allclose(position[3, 5, 24:48], position[8, 5, 24:48])
    assert not np.allclose(position[3, 5], position[3, 6])


def test_a_batch_of_one_example() -> None:
    procedure = draw(21, 2, np.random.default_rng(0))
    batch = packed([procedure])
    size = len(prompt(procedure) + response(procedure))
    assert batch.tokens.shape == (1, ROW)
    assert batch.learn.sum() == len(response(procedure))
    assert batch.segments is not None
    assert (batch.segments[0] >= 0).sum() == size


def test_the_recipe_writes_a_net_that_says_how_it_was_made(tmp_path: Path) -> None:
    (path,) = follower(Made("procedures", tmp_path, 5, steps=2, quiet=True))
    assert path.name == "procedures-5.safetensors"
    net = load_net(path)
    assert net.config.alphabet == ALPHABET
    (steps,) = runs(net, [draw(15, 2, np.random.default_rng(0))])
    assert sequential_match(label(draw(15, 2, np.random.default_rng(0))), steps) == 0
    _, metadata = read(path)
    assert json.loads(metadata["facts"])["run_steps"] == 2
    assert metadata["command"] == "python -m ponder.train procedures --out DIR --seed 5 --steps 2"
