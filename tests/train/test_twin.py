"""The net in torch and the net in numpy are one function of one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ponder.core.errors import EngineError, InputError
from ponder.organisms.characters import ALPHABET
from ponder.organisms.net import Net
from ponder.organisms.shelf import find
from ponder.train.net import Shape, TorchNet, load, read, save
from ponder.train.trainer import torch


def random_net(seed: int = 1, **more: bool) -> TorchNet:
    net = TorchNet(Shape(16, 2, 4, 40, ALPHABET, "chain", **more), seed)
    rng = np.random.default_rng(seed)
    return net.take({name: rng.normal(0, 0.4, t.shape) for name, t in net.tensors().items()})


def written(net: TorchNet, path: Path) -> Path:
    reward = {"kind": "head"} if net.shape.value else None
    return save(net, path / "net.safetensors", facts={"x": 1}, command="python -m ponder.train x", about="a test", reward=reward)


def agree(path: Path, length: int) -> None:
    there, here = load(path), Net.load(path)
    tokens = np.random.default_rng(0).integers(0, len(ALPHABET), (3, length))
    states = here.feed(here.cache(3), tokens, every=True)
    hidden = there(torch.from_numpy(tokens))
    if there.shape.head:
        np.testing.assert_allclose(there.logits(hidden).detach().numpy(), here.logits(states), atol=1e-4)
    if there.shape.value:
        np.testing.assert_allclose(there.values(hidden).detach().numpy(), here.values(states), atol=1e-4)


@pytest.mark.parametrize("more", [{}, {"value": True}, {"head": False, "value": True}])
def test_torch_and_numpy_agree(tmp_path: Path, more: dict[str, bool]):
    agree(written(random_net(**more), tmp_path), 40)


def test_they_agree_on_a_shipped_organism():
    agree(find("chain").path, 60)


def test_a_cache_and_later_positions_only_change_nothing():
    net = random_net()
    tokens = torch.from_numpy(np.random.default_rng(1).integers(0, len(ALPHABET), (2, 20)))
    whole = net(tokens).detach().numpy()
    np.testing.assert_allclose(net(tokens, first=7).detach().numpy(), whole[:, 7:], atol=1e-5)
    past: list[list] = [[], []]
    parts = [net(tokens[:, a:b], past=past).detach().numpy() for a, b in ((0, 5), (5, 6), (6, 20))]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, atol=1e-5)


def test_files_hold_float16_and_what_is_said_of_them(tmp_path: Path):
    net = random_net()
    tensors, metadata = read(written(net, tmp_path))
    assert {t.dtype for t in tensors.values()} == {np.dtype(np.float16)}
    assert set(tensors) == set(net.tensors())
    assert metadata["command"] == "python -m ponder.train x"
    assert not list(tmp_path.glob("*.part"))


def test_more_positions_and_a_value_head_leave_the_rest_as_it_was(tmp_path: Path):
    path = written(random_net(), tmp_path)
    wide = load(path, context=50, value=True)
    assert wide.shape.context == 50
    tokens = torch.from_numpy(np.random.default_rng(1).integers(0, len(ALPHABET), (2, 40)))
    np.testing.assert_array_equal(wide.logits(wide(tokens)).detach().numpy(), load(path).logits(load(path)(tokens)).detach().numpy())
    assert not wide.values(wide(tokens)).detach().numpy().any()


def test_equal_seeds_give_equal_nets_and_other_draws_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1).item()
    torch.manual_seed(5)
    a, b, c = (TorchNet(Shape(8, 1, 2, 10, ALPHABET, "chain"), seed).tensors() for seed in (1, 1, 2))
    assert torch.rand(1).item() == expected
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["embed"], c["embed"])


def test_wrong_shapes_and_damaged_files_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="heads that divide d"):
        Shape(10, 1, 3, 10, ALPHABET, "chain")
    with pytest.raises(EngineError, match="'norm' has shape"):
        random_net().take({"norm": np.zeros(3)})
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(EngineError, match="cannot be read"):
        load(tmp_path / "bad.safetensors")
