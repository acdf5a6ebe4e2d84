"""A small sentence encoder from a folder on disk, laid out as sentence-transformers does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import EngineError, InputError, need


class FolderEncoder:
    """Mean of a transformer's last states over the tokens of a text. Made by `load_encoder`."""

    def __init__(self, tokenizer: Any, model: Any, longest: int) -> None:
        self._tokenizer, self._model, self._longest = tokenizer, model, longest

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """One row a text, float32, shape (n, width of the model)."""
        torch = need("torch", "torch")
        with torch.inference_mode():
            batch = self._tokenizer(list(texts), padding=True, truncation=True, max_length=self._longest, return_tensors="pt")
            states = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
            return ((states * mask).sum(1) / mask.sum(1)).float().numpy()


def load_encoder(folder: str | Path) -> FolderEncoder:
    """The encoder in `folder`: config.json, model.safetensors, the tokenizer's files; nothing is fetched.

    Where `1_Pooling/config.json` is there, it must ask for the mean over tokens, which is what is taken.

    Raises:
        InputError: the folder holds no such model, or one that pools otherwise.
        MissingExtra: torch and transformers are not installed.
        EngineError: the files cannot be loaded.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no sentence encoder: a folder with config.json, model.safetensors and a tokenizer is needed")
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.is_file() and not json.loads(pooling.read_text(encoding="utf-8")).get("pooling_mode_mean_tokens"):
        raise InputError(f"the encoder in {folder} does not take the mean over tokens, which is all that is done here")
    transformers = need("transformers", "torch")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"the sentence encoder in {folder} cannot be loaded: {error}") from error
    return FolderEncoder(tokenizer, model, min(256, model.config.max_position_embeddings))
