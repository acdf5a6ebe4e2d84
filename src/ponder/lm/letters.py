"""What a torch model thinks of several next tokens, read in one pass a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ponder.core.errors import InputError, need
from ponder.lm.transformers import Transformers


def next_logprobs(engine: Transformers, prompts: Sequence[str], texts: Sequence[str], batch: int = 16) -> NDArray[np.float64]:
    """Log-probabilities of each of several one-token texts after each prompt, shape (prompts, texts).

    `LM.logprobs` reads a prompt once for each text; this reads it once for all of them.

    Args:
        batch: prompts that are read side by side, those of equal length together, so that nothing is padded.

    Raises:
        InputError: a text that is not one token.
    """
    torch = need("torch", "torch")
    ids = []
    for text in texts:
        found = engine.tokenizer.encode(text, add_special_tokens=False)
        if len(found) != 1:
            raise InputError(f"{text!r} has {len(found)} tokens; a next token is one")
        ids.append(found[0])
    encoded = [engine.encode(prompt) for prompt in prompts]
    values = np.empty((len(prompts), len(texts)))
    by_length: dict[int, list[int]] = {}
    for i, tokens in enumerate(encoded):
        by_length.setdefault(len(tokens), []).append(i)
    for members in by_length.values():
        for start in range(0, len(members), batch):
            part = members[start : start + batch]
            with torch.inference_mode():
                logits = engine.module(input_ids=torch.tensor([encoded[i] for i in part]), logits_to_keep=1).logits[:, -1].float()
                values[part] = torch.log_softmax(logits, dim=-1)[:, ids].numpy()
    return values
