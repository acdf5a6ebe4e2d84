"""Process reward models of the Hugging Face hub that classify tokens: right or wrong, at the end of each step."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ponder.core.budget import Price
from ponder.core.errors import ContextOverflow, EngineError, InputError, need
from ponder.core.language import Prompt, Rewards, Solution


class TokenRewards:
    """A token classifier of two labels, in process on torch. Implements `ponder.core.language.RewardModel`.

    The prompt (through the model's chat template if it has one) and the steps are read together, each step with `separator` behind it;
    the reward of a step is the softmax probability of the second label at the separator's last token, as models trained by TRL's
    process reward trainer give it.

    Args:
        model: an id of the hub, or a folder. Code that comes with a model is never run.
        separator: what ends a step in the model's training data.
        device, batch, name, price: as in `ponder.lm.transformers.Transformers`.

    Raises:
        MissingExtra: torch or transformers is not installed.
        EngineError: the model cannot be loaded, or has not two labels.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        separator: str = "\n",
        device: str = "cpu",
        batch: int = 16,
        name: str = "",
        price: Price | None = None,
    ) -> None:
        if not separator or batch < 1:
            raise InputError(f"a separator must not be empty and batch must be at least 1, not {separator!r} and {batch}")
        self._torch: Any = need("torch", "torch")
        library: Any = need("transformers", "torch")
        try:
            self._tokenizer: Any = library.AutoTokenizer.from_pretrained(str(model))
            self._module: Any = library.AutoModelForTokenClassification.from_pretrained(str(model)).to(device=device).eval()
        except Exception as error:
            raise EngineError(f"transformers cannot load {model}: {(str(error) or repr(error)).splitlines()[0]}") from error
        if self._module.config.num_labels != 2:
            raise EngineError(f"{model} has {self._module.config.num_labels} labels; a process reward model has two, wrong and right")
        self.name, self.price = name or f"prm:{model}", price
        self.context_length: int | None = getattr(self._module.config, "max_position_embeddings", None)
        self._separator, self._device, self._batch = separator, device, batch
        self._lock = threading.Lock()

    def rewards(self, solutions: Sequence[Solution]) -> list[Rewards]:
        """The probability that each solution is right up to and with each step; see `RewardModel.rewards`."""
        began = time.monotonic()
        read = [self._read(s) for s in solutions]
        found: list[Rewards] = []
        with self._lock:
            for start in range(0, len(read), self._batch):
                group = read[start : start + self._batch]
                values = self._values(group)
                seconds = time.monotonic() - began
                found += [Rewards(v, len(ids), seconds=seconds) for v, (ids, _) in zip(values, group, strict=True)]
        return found

    def close(self) -> None:
        """Let go of the model. Calling it twice is harmless."""
        with self._lock:
            self._module = None

    def _read(self, solution: Solution) -> tuple[list[int], list[int]]:
        """Token ids of a prompt and its steps, and the place of each step's last token."""
        ids, ends = list(self._begin(solution.prompt)), []
        for step in solution.steps:
            ids += self._tokenizer(step.rstrip() + self._separator, add_special_tokens=False)["input_ids"]
            ends.append(len(ids) - 1)
        if self.context_length is not None and len(ids) > self.context_length:
            raise ContextOverflow(f"the solution has {len(ids)} tokens; {self.name} reads at most {self.context_length}")
        return ids, ends

    def _begin(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            return self._tokenizer(prompt)["input_ids"]
        if not self._tokenizer.chat_template:
            return self._tokenizer("\n".join(m.content for m in prompt) + self._separator)["input_ids"]
        turns = [{"role": m.role, "content": m.content} for m in prompt]
        text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def _values(self, group: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, ...]]:
        if self._module is None:
            raise EngineError(f"{self.name} is closed")
        torch, width = self._torch, max(len(ids) for ids, _ in group)
        with torch.inference_mode():
            tokens = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in group], device=self._device)
            mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in group], device=self._device)
            chances = self._module(input_ids=tokens, attention_mask=mask).logits.float().softmax(-1)[..., 1]
            return [tuple(row[ends].tolist()) for row, (_, ends) in zip(chances, group, strict=True)]
