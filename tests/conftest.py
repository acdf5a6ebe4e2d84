"""Shared fixtures. Nothing here, and nothing in the tests, reaches beyond this machine except the first fetch of the model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

import ponder.methods  # noqa: F401  (makes every name of the text form known)
from ponder.lm.scripted import Scripted

settings.register_profile("ponder", deadline=None, derandomize=True, max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ponder"))

SEVENS = {"7 * 8 = 56": 0.6, "The answer is 54.": 0.25, "I do not know.": 0.15}


def step_by_step(texts: dict[str, float]) -> Scripted:
    """An engine over whole texts that goes on from any beginning of one of them."""

    def table(prompt: str) -> dict[str, float]:
        begun = prompt.rpartition("assistant: ")[2]
        rest = {text[len(begun) :]: p for text, p in texts.items() if text.startswith(begun)}
        return {text: p / sum(rest.values()) for text, p in rest.items()} or {"": 1.0}

    return Scripted(table)


@pytest.fixture
def sevens() -> Scripted:
    """An engine that says 56 with probability .6, 54 with .25 and nothing readable with .15."""
    return Scripted(SEVENS)


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The default model's file, fetched on first use."""
    from ponder.pull import fetch

    return fetch("smollm2")
