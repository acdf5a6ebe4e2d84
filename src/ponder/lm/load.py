"""From a model's name to its engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.budget import Price
from ponder.core.errors import InputError
from ponder.core.language import LM
from ponder.lm.paces import attach

DEFAULT = "smollm2"


@dataclass(frozen=True)
class Form:
    """One form that a model's name can take."""

    form: str
    about: str
    example: str


FORMS = (
    Form("smollm2", "SmolLM2-135M-Instruct on the embedded engine: any CPU, no server, fetched on first use (98 MB)", "smollm2"),
    Form("FILE.gguf", "a GGUF file on the embedded engine (llama, qwen2, qwen3)", "models/qwen2.5-0.5b.gguf"),
    Form("URL#MODEL", "any OpenAI-compatible server: vLLM, SGLang, llama-server, Ollama", "http://localhost:8000/v1#qwen3-8b"),
    Form("transformers:ID", "a Hugging Face model in process, on torch (extra: torch)", "transformers:HuggingFaceTB/SmolLM2-135M"),
    Form("prm:ID", "a process reward model of the hub that classifies tokens; judges only (--reward; extra: torch)", "prm:ORG/MODEL"),
    Form("organism:NAME", "a small trained model that is shipped, or a FILE.safetensors: seconds for a whole experiment", "organism:chain"),
    Form(
        "scripted:ANSWER=P,...",
        "a seeded imitation that gives these answers with these probabilities, for trying things out",
        "scripted:56=0.7,54=0.3",
    ),
)

_loaded: dict[tuple[str, Price | None], LM] = {}
_lock = threading.Lock()


def load(name: str = DEFAULT, price: Price | None = None) -> LM:
    """The engine for a model's name, in one of `FORMS`; loaded once a process.

    Args:
        price: dollars per million tokens, for the bill.

    Raises:
        InputError: the name has none of the forms.
        EngineError: the model cannot be fetched or loaded.
    """
    with _lock:
        key = (name, price)
        if key not in _loaded:
            _loaded[key] = attach(_maker(name, price)())
        return _loaded[key]


def check(name: str) -> None:
    """Raise InputError if the name has none of the forms, without loading anything."""
    _maker(name, None)


def _maker(name: str, price: Price | None) -> Callable[[], LM]:
    kind, _, rest = name.partition(":")
    if name == DEFAULT:
        return lambda: _embedded(None, price)
    if name.startswith(("http://", "https://")):
        url, _, model = name.partition("#")
        if not model:
            raise InputError(f"the model {name!r} must name a model behind '#', as in {FORMS[2].example}")
        return lambda: _http(url, model, price)
    if kind == "transformers" and rest:
        return lambda: _transformers(rest, price)
    if kind == "prm" and rest:
        return lambda: _token_rewards(rest, price)
    if kind == "organism" and rest:
        return _organism(rest, price)
    if kind == "scripted" and rest:
        answers = _answers(rest)
        return lambda: _scripted(answers, name, price)
    if name.endswith(".gguf"):
        return lambda: _embedded(Path(name), price)
    raise InputError(f"no model is called {name!r}; a model is one of {', '.join(f.form for f in FORMS)} (see `ponder models`)")


def _embedded(path: Path | None, price: Price | None) -> LM:
    from ponder.lm.embedded import Embedded, Scheduling
    from ponder.lm.tuned import kept
    from ponder.pull import fetch

    name = f"embedded:{DEFAULT if path is None else path.name}"
    return Embedded(path or fetch(DEFAULT), name=name, price=price, scheduling=Scheduling(**kept(name, Scheduling)))


def _http(url: str, model: str, price: Price | None) -> LM:
    from ponder.lm.http import HTTP

    return HTTP(url, model, price=price)


def _transformers(model: str, price: Price | None) -> LM:
    from ponder.lm.transformers import Transformers

    return Transformers(model, price=price)


def _token_rewards(model: str, price: Price | None) -> Any:
    from ponder.lm.token_rewards import TokenRewards

    return TokenRewards(model, price=price)


def _organism(name: str, price: Price | None) -> Callable[[], LM]:
    from ponder.organisms.shelf import find

    card = find(name)  # an unknown name is refused before anything is loaded

    def make() -> LM:
        from ponder.lm.organism import Organism, Writer

        return (Organism if card.reward else Writer)(name, price=price)

    return make


def _scripted(answers: dict[str, float], name: str, price: Price | None) -> LM:
    from ponder.lm.scripted import Scripted

    return Scripted(answers, name=name, price=price)


def _answers(text: str) -> dict[str, float]:
    answers: dict[str, float] = {}
    for part in text.split(","):
        answer, _, probability = part.rpartition("=")
        try:
            answers[answer] = float(probability)
        except ValueError:
            raise InputError(f"a scripted model is written scripted:ANSWER=P,ANSWER=P, and {part!r} has no probability") from None
    return answers
