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


@pytest.fixture
def sevens() -> Scripted:
    """An engine that says 56 with probability .6, 54 with .25 and nothing readable with .15."""
    return Scripted(SEVENS)


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The default model's file, fetched on first use."""
    from ponder.pull import fetch

    return fetch("smollm2")
