"""Weights files: what they say is read, and damaged or hostile ones are refused by name of what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.organisms.random_nets import CONFIG, tensors, write

from ponder.core.errors import EngineError, InputError
from ponder.organisms import shelf
from ponder.organisms.card import Reward, read_card, read_tensors
from ponder.organisms.net import Net


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    facts = {"pass@1": 0.42, "seconds": 158}
    path = write(
        tmp_path / "mine.safetensors",
        reward={"kind": "likelihood", "a": 0.4, "b": 0.5},
        facts=json.dumps(facts),
        command="python -m x",
        about="A test.",
    )
    card = read_card(path)
    assert (card.name, card.facts, card.command, card.about) == ("mine", facts, "python -m x", "A test.")
    assert vars(card.config) == CONFIG
    assert card.reward == Reward("likelihood", 0.4, 0.5)
    assert card.writes
    assert card.values
    given = tensors()
    found = read_tensors(card)
    assert set(found) == set(given)
    for name, tensor in found.items():
        assert tensor.dtype == np.float32
        assert np.array_equal(tensor, given[name])


def test_what_a_file_need_not_say(tmp_path: Path) -> None:
    card = read_card(write(tmp_path / "bare.safetensors", value=False))
    assert (card.reward, card.facts, card.command, card.about, card.values) == (None, {}, "", "", False)
    judge = read_card(write(tmp_path / "judge.safetensors", head=False, reward={"kind": "tanh"}))
    assert (judge.writes, judge.values, judge.reward) == (False, True, Reward("tanh"))


def refused(path: Path, says: str) -> bool:
    """Loading fails with an error on purpose that names the file and says this."""
    with pytest.raises(EngineError, match=says) as error:
        Net.load(path)
    assert path.name in str(error.value)
    assert len(str(error.value)) < 500
    return True


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"d": 0}, "config 'd' must be a whole number from 1 to 4096, not 0"),
        ({"d": True}, "config 'd' must be"),
        ({"layers": 10**9}, "config 'layers' must be"),
        ({"heads": "4"}, "config 'heads' must be"),
        ({"context": None}, "config 'context' must be"),
        ({"heads": 3}, "3 heads do not divide the width 16"),
        ({"alphabet": "aab\n"}, "different characters"),
        ({"alphabet": "abc"}, "line break"),
        ({"alphabet": 7}, "'alphabet' must be"),
        ({"grammar": "chains"}, "no grammar is called 'chains'.*chain"),
        ({"grammar": ["chain"]}, "no grammar is called"),
        ({"layers": 3}, "tensors missing: .*layers.2"),
        ({"layers": 1}, "not known: .*layers.1"),
        ({"context": 61}, r"'position' must be F16 or F32 \(61, 16\), not F16 \(60, 16\)"),
    ],
)
def test_wrong_configs_are_refused(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    path = tmp_path / "wrong.safetensors"
    save_file(tensors(), str(path), metadata={"config": json.dumps(CONFIG | config)})
    assert refused(path, says)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({}, "no organism: its metadata has no 'config'; it has nothing"),
        ({"about": "x"}, "it has .'about'"),
        ({"config": "{"}, "'config' is not JSON"),
        ({"config": "[" * 100_000}, "'config' is not JSON"),
        ({"config": "[1]"}, "'config' must be a JSON object"),
        ({"reward": "nonsense"}, "'reward' is not JSON"),
        ({"reward": '{"kind": "probability"}'}, "kind is one of likelihood, head, tanh, not 'probability'"),
        ({"reward": '{"kind": ["head"]}'}, "kind is one of"),
        ({"reward": '{"kind": "likelihood", "a": NaN}'}, "a and b must be numbers"),
        ({"reward": '{"kind": "likelihood", "b": "1"}'}, "a and b must be numbers"),
        ({"reward": '{"kind": "likelihood", "a": 1%s}' % ("0" * 400)}, "a and b must be numbers"),
        ({"facts": "[]"}, "'facts' must be a JSON object"),
    ],
)
def test_wrong_metadata_is_refused(tmp_path: Path, metadata: dict[str, str], says: str) -> None:
    path = tmp_path / "wrong.safetensors"
    whole = {"config": json.dumps(CONFIG)} if metadata and "about" not in metadata else {}
    save_file(tensors(), str(path), metadata=whole | metadata)
    assert refused(path, says)


def test_a_judge_needs_what_it_judges_by(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.safetensors", value=False, reward={"kind": "head"}), "no tensor 'value'")
    assert refused(write(tmp_path / "b.safetensors", head=False), "no tensor 'head'")
    assert refused(write(tmp_path / "c.safetensors", head=False, reward={"kind": "likelihood"}), "no tensor 'head'")


@pytest.mark.parametrize(
    ("name", "tensor", "says"),
    [
        ("embed", np.zeros((18, 15), np.float16), r"'embed' must be F16 or F32 \(18, 16\), not F16 \(18, 15\)"),
        ("head", np.zeros((16, 18), np.float32), r"'head' must be"),
        ("norm", np.zeros(16, np.int32), "'norm' must be F16 or F32 .*not I32"),
        ("norm", np.zeros(16, np.float64), "not F64"),
        ("value", np.full((1, 16), np.nan, np.float16), "'value' holds entries that are not finite"),
        ("layers.1.up", np.full((64, 16), np.inf, np.float32), "'layers.1.up' holds entries that are not finite"),
        ("layers.0.bias", np.zeros(16, np.float16), "not known: .'layers.0.bias'"),
        ("layers.1.q", None, "tensors missing: .'layers.1.q'"),
    ],
)
def test_wrong_tensors_are_refused(tmp_path: Path, name: str, tensor: np.ndarray | None, says: str) -> None:
    path = write(tmp_path / "wrong.safetensors")
    held = load_file(str(path))
    held.pop(name, None)
    save_file(held | ({} if tensor is None else {name: tensor}), str(path), metadata={"config": json.dumps(CONFIG)})
    assert refused(path, says)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    good = write(tmp_path / "good.safetensors").read_bytes()
    path = tmp_path / "bad.safetensors"
    for damaged in (b"", b"\xff" * 8, b"\xff" * 200, good[:100], good[:-1], good + b"x", b"\x80\x04K\x01."):
        path.write_bytes(damaged)
        assert refused(path, "not a readable safetensors file")
    with pytest.raises(InputError, match="there is no weights file"):
        Net.load(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="there is no weights file"):
        Net.load(tmp_path)


def test_any_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    good = write(tmp_path / "good.safetensors").read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    rng, path = np.random.default_rng(0), tmp_path / "bad.safetensors"
    refusals = 0
    for at in rng.integers(0, header, 150):
        path.write_bytes(good[:at] + bytes([good[at] ^ int(rng.integers(1, 256))]) + good[at + 1 :])
        try:
            Net.load(path)
        except (EngineError, InputError):
            refusals += 1
    assert refusals > 50


def test_the_shelf_is_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "WEIGHTS", tmp_path)
    assert shelf.shelf() == ()
    with pytest.raises(InputError, match="there are none"):
        shelf.find("chain")
    for name in ("countdown", "chain"):
        write(tmp_path / f"{name}.safetensors", about=name)
    (tmp_path / "notes.txt").write_text("not an organism")
    assert [card.name for card in shelf.shelf()] == ["chain", "countdown"]
    assert shelf.find("chain").about == "chain"
    assert shelf.find(str(tmp_path / "countdown.safetensors")).name == "countdown"
    with pytest.raises(InputError, match=re.escape("no organism is called 'chian'") + ".*chain"):
        shelf.find("chian")
    for name in ("../chain", str(tmp_path / "none.safetensors")):
        with pytest.raises(InputError):
            shelf.find(name)


def test_what_is_shipped_can_be_read_and_is_small() -> None:
    for card in shelf.shelf():
        assert card.path.stat().st_size < 4_000_000
        assert read_tensors(card)
        assert card.command
        assert card.about
