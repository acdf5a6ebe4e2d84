"""One pass a prompt tells what a pass for each text does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.core.language import Continuation

pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("transformers", reason="needs the extra 'torch'")

from tests.lm.test_transformers import save_model

from ponder.lm.letters import next_logprobs
from ponder.lm.transformers import Transformers


def test_next_tokens_are_those_of_scored_continuations(tmp_path: Path):
    lm = Transformers(save_model(tmp_path))
    prompts, texts = ["one", "three", "two", "a", "seven", "b"], ["A", "B", "?"]
    found = next_logprobs(lm, prompts, texts, batch=2)
    scored = lm.logprobs([Continuation(p, t) for p in prompts for t in texts])
    assert found.shape == (6, 3)
    assert found.ravel() == pytest.approx(np.array([s.logprobs[0] for s in scored]), abs=1e-4)
    with pytest.raises(InputError, match="2 tokens"):
        next_logprobs(lm, prompts, ["AB"])
