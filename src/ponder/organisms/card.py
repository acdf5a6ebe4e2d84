"""What a weights file says of its organism, read from the file's metadata and checked, and its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ponder.core.errors import EngineError, InputError, did_you_mean
from ponder.organisms.grammars import GRAMMARS

Floats = np.ndarray[Any, np.dtype[np.float32]]

_LIMITS = {"d": 4096, "layers": 64, "heads": 256, "context": 65536}
_STEEPEST = 1e6
KINDS = ("likelihood", "head", "tanh")


@dataclass(frozen=True)
class Config:
    """The shape of a net and the language it speaks.

    Attributes:
        d: width.
        layers: how many.
        heads: of attention; they divide the width.
        context: the most tokens it can read.
        alphabet: its characters; a token id is a place in it. It holds the line break, which ends a text.
        grammar: a name in `ponder.organisms.grammars.GRAMMARS`.
    """

    d: int
    layers: int
    heads: int
    context: int
    alphabet: str
    grammar: str


@dataclass(frozen=True)
class Reward:
    """How a net is read as a process reward model.

    Attributes:
        kind: "likelihood" (the calibrated probability of what was written), "head" (sigmoid of the value head) or "tanh" (the value head
            as an expected outcome in [-1, 1]).
        a, b: slope and offset of the calibration, for "likelihood".
    """

    kind: str
    a: float = 1.0
    b: float = 0.0


@dataclass(frozen=True)
class Card:
    """An organism as its file describes it.

    Attributes:
        path: the file.
        config: its shape and language.
        reward: how it judges steps; None if it does not.
        facts: stated figures, by name.
        command: what trained it.
        about: one line for a list.
        writes: whether it has an output head, so that it can write and give log-probabilities.
        values: whether it has a value head.
    """

    path: Path
    config: Config
    reward: Reward | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    command: str = ""
    about: str = ""
    writes: bool = True
    values: bool = False

    @property
    def name(self) -> str:
        return self.path.stem


def read_card(path: Path) -> Card:
    """What a weights file says of itself; no tensor is read.

    Raises:
        InputError: there is no such file.
        EngineError: it is damaged or is no organism, saying what is wrong.
    """
    return _opened(path, lambda file: _card(path, file))


def read_tensors(card: Card) -> dict[str, Floats]:
    """The tensors of a card's file as float32, all shapes checked and all entries finite.

    Raises:
        EngineError: saying which tensor is wrong.
    """
    return _opened(card.path, lambda file: _tensors(card, file))


def shapes(card: Card) -> dict[str, tuple[int, ...]]:
    """The tensors that a card's file must have, and their shapes."""
    c, vocab = card.config, len(card.config.alphabet)
    found: dict[str, tuple[int, ...]] = {"embed": (vocab, c.d), "position": (c.context, c.d), "norm": (c.d,)}
    for i in range(c.layers):
        found |= {f"layers.{i}.{name}": (c.d, c.d) for name in ("q", "k", "v", "out")}
        found |= {f"layers.{i}.norm1": (c.d,), f"layers.{i}.norm2": (c.d,)}
        found |= {f"layers.{i}.up": (4 * c.d, c.d), f"layers.{i}.down": (c.d, 4 * c.d)}
    if card.writes:
        found["head"] = (vocab, c.d)
    if card.values:
        found["value"] = (1, c.d)
    return found


def _opened(path: Path, read: Any) -> Any:
    if not path.is_file():
        raise InputError(f"there is no weights file {str(path)!r}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            return read(file)
    except (SafetensorError, OSError, TypeError) as error:
        raise EngineError(f"{path.name} is not a readable safetensors file: {error}") from error


def _card(path: Path, file: Any) -> Card:
    metadata = file.metadata() or {}
    if "config" not in metadata:
        raise EngineError(f"{path.name} is no organism: its metadata has no 'config'; it has {sorted(metadata) or 'nothing'}")
    names = set(file.keys())
    card = Card(
        path,
        _config(path.name, _object(path.name, "config", metadata["config"])),
        _reward(path.name, _object(path.name, "reward", metadata["reward"])) if metadata.get("reward") else None,
        _object(path.name, "facts", metadata.get("facts") or "{}"),
        metadata.get("command", ""),
        metadata.get("about", ""),
        writes="head" in names,
        values="value" in names,
    )
    if card.reward and card.reward.kind != "likelihood" and not card.values:
        raise EngineError(f"{path.name}: the reward is read from a value head, and the file has no tensor 'value'")
    if not card.writes and (card.reward is None or card.reward.kind == "likelihood"):
        raise EngineError(f"{path.name}: the file has no tensor 'head', and without one it can neither write nor judge by likelihood")
    return card


def _object(name: str, key: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{name}: the metadata {key!r} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise EngineError(f"{name}: the metadata {key!r} must be a JSON object, not {text[:60]!r}")
    return found


def _config(name: str, given: dict[str, Any]) -> Config:
    for key, most in _LIMITS.items():
        value = given.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise EngineError(f"{name}: config {key!r} must be a whole number from 1 to {most}, not {value!r}")
    alphabet, grammar = given.get("alphabet"), given.get("grammar")
    if given["d"] % given["heads"]:
        raise EngineError(f"{name}: {given['heads']} heads do not divide the width {given['d']}")
    if not isinstance(alphabet, str) or not 2 <= len(set(alphabet)) == len(alphabet) <= 256 or "\n" not in alphabet:
        raise EngineError(f"{name}: config 'alphabet' must be 2 to 256 different characters, the line break among them, not {alphabet!r}")
    if not isinstance(grammar, str) or grammar not in GRAMMARS:
        hint = did_you_mean(str(grammar), GRAMMARS, f"there are {', '.join(GRAMMARS)}")
        raise EngineError(f"{name}: no grammar is called {grammar!r}; {hint}")
    return Config(given["d"], given["layers"], given["heads"], given["context"], alphabet, grammar)


def _reward(name: str, given: dict[str, Any]) -> Reward:
    kind, numbers = given.get("kind"), [given.get(key, default) for key, default in (("a", 1.0), ("b", 0.0))]
    if kind not in KINDS:
        raise EngineError(f"{name}: a reward's kind is one of {', '.join(KINDS)}, not {kind!r}")
    if not all(isinstance(x, int | float) and abs(x) <= _STEEPEST for x in numbers):
        raise EngineError(f"{name}: a reward's a and b must be numbers of at most {_STEEPEST:g} in size, not {str(numbers)[:60]}")
    return Reward(kind, float(numbers[0]), float(numbers[1]))


def _tensors(card: Card, file: Any) -> dict[str, Floats]:
    expected, there = shapes(card), set(file.keys())
    if there != set(expected):
        missing, extra = sorted(set(expected) - there), sorted(there - set(expected))
        raise EngineError(f"{card.path.name}: tensors missing: {missing[:5] or 'none'}; not known: {extra[:5] or 'none'}")
    found: dict[str, Floats] = {}
    for name, shape in expected.items():
        entry = file.get_slice(name)
        if tuple(entry.get_shape()) != shape or entry.get_dtype() not in ("F16", "F32"):
            given = f"{entry.get_dtype()} {tuple(entry.get_shape())}"
            raise EngineError(f"{card.path.name}: the tensor {name!r} must be F16 or F32 {shape}, not {given}")
        found[name] = np.asarray(file.get_tensor(name), dtype=np.float32)
        if not np.isfinite(found[name]).all():
            raise EngineError(f"{card.path.name}: the tensor {name!r} holds entries that are not finite")
    return found
