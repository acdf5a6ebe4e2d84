"""What the organisms of tool use are trained on, and that their making runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.core.errors import InputError
from ponder.core.language import Message
from ponder.lm.organism import Writer
from ponder.organisms import products
from ponder.organisms.shelf import find
from ponder.programs.hints import HINTS
from ponder.programs.tool_use import MARKUPS, parse
from ponder.tasks import load as load_task
from ponder.train import products as recipe
from ponder.train.net import Shape, TorchNet, load, save
from ponder.train.recipes import Made
from ponder.train.tool_data import Example

N = 3000


def documents(long: bool = False) -> list[tuple[int, int, str, str]]:
    rng = np.random.default_rng(5)
    return [(a, b, *recipe.document(a, b, rng, long)) for a, b in products.draw(N, rng)]


def test_plain_documents_never_use_the_tool_and_tool_documents_always_do() -> None:
    for a, b, prompt, response in documents():
        tool = prompt.endswith("#")
        assert tool == ("[" in response) == ("use python" in response)
        assert len(prompt + response) <= recipe.SHORT
        if tool:
            assert f"[{a}*{b}]{{{a * b}}}so {a * b}.\n" in response
    share = sum("[" in r for *_, r in documents()) / N
    assert share == pytest.approx(recipe.TOOLS, abs=4 * (0.1 * 0.9 / N) ** 0.5)  # false alarm 6e-5


def test_long_documents_fit_and_their_calls_are_right() -> None:
    for a, b, prompt, response in documents(long=True):
        assert len(prompt + response) <= recipe.LENGTH
        assert response.count(f"[{a}*{b}]{{{a * b}}}") in (2, 3)


def test_a_quarter_of_the_values_in_the_head_is_wrong() -> None:
    first = [int(re.match(r"so (\d+)", r)[1]) == a * b for a, b, p, r in documents() if p.endswith(">")]  # pyright: ignore[reportOptionalSubscript]
    assert np.mean(first) == pytest.approx(1 - recipe.WRONG, abs=4 * (0.25 * 0.75 / len(first)) ** 0.5)  # false alarm 6e-5
    rng = np.random.default_rng(0)
    for value in (8, 40, 905, 9801):
        others = {recipe.stated(value, rng) for _ in range(300)}
        assert value in others
        assert {len(str(v)) for v in others} == {len(str(value))}
        assert all(sum(x != y for x, y in zip(str(v), str(value), strict=True)) <= 1 for v in others)


def test_documents_are_streams_that_the_parser_knows() -> None:
    kinds = {
        tuple(s.kind for s in parse(r.rstrip("\n"), MARKUPS["brackets"], HINTS["products"]))
        for _, _, p, r in documents()
        if p.endswith("#")
    }
    assert ("thought", "hint", "code", "output", "thought") in kinds


def test_results_have_no_weight_in_a_batch() -> None:
    pieces = (("so 1. ", True), ("[3*4]", True), ("{12}", False), ("so 12.\n", True))
    batch = recipe.batch_of([Example((Message("user", "What is 30 * 4?"),), pieces), Example((Message("user", "31 * 4"),), pieces[:1])])
    text = "".join(products.ALPHABET[i] for i in batch.tokens[0])
    assert text == "30*04>so 1. [3*4]{12}so 12.\n"
    assert "".join(c for c, w in zip(text, batch.learn[0], strict=True) if not w) == "30*04>{12}"
    assert batch.learn[1].sum() == len("so 1. ")


def test_an_organism_answers_as_an_engine(tmp_path: Path) -> None:
    net = TorchNet(Shape(16, 1, 2, recipe.LENGTH, products.ALPHABET, "products"), 0)
    lm = Writer(str(save(net, tmp_path / "tiny.safetensors", facts={}, command="", about="")))
    task = load_task("products", limit=4)
    found = recipe.streams(lm, task.problems, recipe.leading(rounds=2), recipe.GREEDY, 2, 0)
    assert [len(own) for own in found] == [2] * 4
    assert all(t.finish in ("stop", "length") for own in found for t in own)


def test_making_them_runs_and_states_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base of two steps knows nothing, so it is replaced by a pretence that everything is right."""
    monkeypatch.setattr(recipe, "PROBLEMS", 12)
    monkeypatch.setattr(recipe, "DRAWS", 1)
    monkeypatch.setattr("ponder.train.tool_data._reason", lambda *_: "")
    monkeypatch.setattr(recipe, "tuned", lambda path, *_: load(path))
    files = recipe.make(Made("products", tmp_path, 3, 2, True))
    assert [f.stem for f in files] == ["products", "products-rft", "products-start-0", "products-start"]
    for file in files:
        facts = Writer(str(file)).card.facts
        assert {"greedy", "uses_tool", "problems", "weights"} <= set(json.loads(json.dumps(facts)))
    assert Writer(str(files[3])).card.command == "python -m ponder.train products --out DIR --seed 3 --steps 2"


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no streams"):
        recipe.tuned(tmp_path / "none", [], 0)


@pytest.mark.parametrize("name", ["products", "products-rft", "products-start-0", "products-start"])
def test_shipped_organisms_are_what_they_state(name: str) -> None:
    """On other held-out products, within 4 standard errors of the difference (false alarm 6e-5 a figure)."""
    facts, n = find(name).facts, 200
    task = load_task(f"products:n={n}", seed=2024)
    written = recipe.streams(Writer(name), task.problems, recipe.leading(rounds=0), recipe.GREEDY, 1, 0)
    right = np.mean([recipe.right(task, p, t) for p, (t,) in zip(task.problems, written, strict=True)])
    error = (0.25 * (1 / n + 1 / facts["problems"])) ** 0.5
    assert right == pytest.approx(facts["greedy"], abs=4 * error)
    assert np.mean([t.calls > 0 for (t,) in written]) == pytest.approx(facts["uses_tool"], abs=4 * error)
