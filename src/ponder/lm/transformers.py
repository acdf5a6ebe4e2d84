"""In-process torch models, for methods that need layers, hidden states, gradients or exact log-probabilities."""

from __future__ import annotations

import inspect
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.budget import Allowance, Price
from ponder.core.errors import ContextOverflow, EngineError, InputError, need
from ponder.core.language import Completion, Continuation, FinishReason, Message, Prompt, Reply, Request, Sampling, Scored
from ponder.core.seeds import generator


@dataclass
class _Row:
    """One completion while it is written."""

    request: int
    limit: int
    rng: np.random.Generator
    ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    sure: list[float] = field(default_factory=list[float])
    tokens: int = 0
    text: str = ""
    finish: FinishReason | None = None
    stopped_by: str = ""
    seconds: float = 0.0

    def completion(self) -> Completion:
        """What was written so far."""
        certainty = sum(self.sure) / len(self.sure) if self.sure and all(map(math.isfinite, self.sure)) else None
        return Completion(
            self.text, self.tokens, self.finish or "cancelled", tuple(self.ids), tuple(self.logprobs), self.stopped_by, certainty
        )


class Transformers:
    """A causal language model of the transformers library. Implements `ponder.core.language.LM`.

    Log-probabilities are exact: log-softmax, in float32, of the model's untempered logits. Every completion draws with its own
    generator, seeded by the request's seed and its index, so that other requests of the batch change it by rounding at most.
    Calls from several threads take turns.

    Args:
        model: a folder with a saved model, or a name on the Hugging Face hub.
        gguf_file: the GGUF file inside `model` to take weights and tokenizer from.
        device: where torch computes: "cpu", "cuda", "cuda:1".
        dtype: of the weights, "bfloat16" and the like; float32 if None.
        name: how runs record it.
        batch: completions computed side by side; memory grows with it.
        price: what its tokens are said to cost, if anything.

    Attributes:
        module: the torch module, for layers, hidden states and gradients; None once closed.
        tokenizer: its tokenizer.
        context_length: tokens that prompt and completion may have together; None if the model does not say.

    Raises:
        MissingExtra: torch or transformers is not installed.
        InputError: no such dtype, or a batch below 1.
        EngineError: the model cannot be loaded.
    """

    concurrency = 8

    def __init__(
        self,
        model: str | Path,
        *,
        gguf_file: str | None = None,
        device: str = "cpu",
        dtype: str | None = None,
        name: str = "",
        batch: int = 64,
        price: Price | None = None,
    ) -> None:
        self._torch: Any = need("torch", "torch")
        library: Any = need("transformers", "torch")
        kind = getattr(self._torch, dtype or "float32", None)
        if not isinstance(kind, self._torch.dtype):
            raise InputError(f"torch has no dtype {dtype!r}; there are 'float32', 'bfloat16', 'float16'")
        if batch < 1:
            raise InputError(f"batch must be at least 1, not {batch}")
        source = {"gguf_file": gguf_file} if gguf_file else {}
        try:
            self.tokenizer: Any = library.AutoTokenizer.from_pretrained(str(model), **source)
            module = library.AutoModelForCausalLM.from_pretrained(str(model), **source)
            self.module: Any = module.to(device=device, dtype=kind).eval()
        except Exception as error:
            raise EngineError(f"transformers cannot load {model}: {(str(error) or repr(error)).splitlines()[0]}") from error
        self.name = name or f"transformers:{gguf_file or Path(model).name}"
        self.price = price
        self.context_length: int | None = getattr(self.module.config.get_text_config(), "max_position_embeddings", None)
        self._device, self._batch = device, batch
        self._ends = _ids(self.module.generation_config.eos_token_id) | _ids(self.tokenizer.eos_token_id)
        self._lean = "logits_to_keep" in inspect.signature(self.module.forward).parameters
        self._lock = threading.Lock()

    def encode(self, prompt: Prompt, prefix: str = "") -> list[int]:
        """Token ids; raw text with the special tokens that the tokenizer puts first, chats through the model's own template.

        Raises:
            InputError: if the model has no template for chats, or the prompt leaves no room for one token in the context.
        """
        ids = self._tokens(prompt, prefix)
        if not ids:
            raise InputError("the prompt has no tokens")
        if self.context_length is not None and len(ids) >= self.context_length:
            raise ContextOverflow(f"the prompt has {len(ids)} tokens; {self.name} takes at most {self.context_length - 1}")
        return ids

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        """Draw completions for a batch; see `LM.generate`. At temperature 0 one is drawn and repeated, billed once."""
        began, meter = time.monotonic(), allowance or Allowance()
        with self._lock:
            self._check_open()
            prompts = [self.encode(r.prompt, r.prefix) for r in requests]
            rows: list[_Row] = []
            for at, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
                room = sampling.max_tokens if self.context_length is None else self.context_length - len(prompt)
                n = request.n if sampling.temperature > 0 else 1
                rows += [_Row(at, min(sampling.max_tokens, room), generator(request.seed, (i,))) for i in range(n)]
            read: set[int] = set()
            for start in range(0, len(rows), self._batch):
                if meter.over(time.monotonic() - began):
                    break
                group = rows[start : start + self._batch]
                self._write(group, prompts, read, sampling, meter, began)
        replies: list[Reply] = []
        for at, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            own = [r for r in rows if r.request == at and r.finish is not None]
            done = [r.completion() for r in own]
            if sampling.temperature == 0 and done:
                done += [replace(done[0], tokens=0)] * (request.n - 1)
            seconds = max((r.seconds for r in own), default=time.monotonic() - began)
            replies.append(Reply(tuple(done), len(prompt) if at in read else 0, seconds=seconds))
        return replies

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        """Exact log-probabilities of given continuations; see `LM.logprobs`.

        Prompt and text are split into tokens together where that leaves the prompt's own tokens as they are, else apart.
        """
        began = time.monotonic()
        scored: list[Scored] = []
        with self._lock:
            self._check_open()
            pairs = [self._pair(c) for c in continuations]
            for start in range(0, len(pairs), self._batch):
                group = pairs[start : start + self._batch]
                values = self._score(group)
                seconds = time.monotonic() - began
                scored += [Scored(v, len(before) + len(after), seconds) for v, (before, after) in zip(values, group, strict=True)]
        return scored

    def close(self) -> None:
        """Let go of the model. Calling it twice is harmless."""
        with self._lock:
            self.module = None

    def _check_open(self) -> None:
        if self.module is None:
            raise EngineError(f"{self.name} is closed")

    def _tokens(self, prompt: Prompt, prefix: str = "") -> list[int]:
        raw = isinstance(prompt, str)
        return list(self.tokenizer((prompt if raw else self._chat(prompt)) + prefix, add_special_tokens=raw)["input_ids"])

    def _chat(self, turns: tuple[Message, ...]) -> str:
        if not self.tokenizer.chat_template:
            raise InputError(f"{self.name} has no chat template; give it raw text")
        said = [{"role": m.role, "content": m.content} for m in turns]
        try:
            return self.tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
        except Exception as error:  # templates raise their own errors for turns that a model does not know
            raise InputError(f"the chat template of {self.name} refuses these turns: {error}") from error

    def _pair(self, continuation: Continuation) -> tuple[list[int], list[int]]:
        """Token ids of a prompt and of the text after it."""
        before, whole = self.encode(continuation.prompt), self._tokens(continuation.prompt, continuation.text)
        joined = whole[: len(before)] == before
        after = whole[len(before) :] if joined else list(self.tokenizer(continuation.text, add_special_tokens=False)["input_ids"])
        if not after:
            raise InputError(f"the continuation {continuation.text!r} has no tokens")
        if self.context_length is not None and len(before) + len(after) > self.context_length:
            raise InputError(f"prompt and continuation have {len(before) + len(after)} tokens; {self.name} reads {self.context_length}")
        return before, after

    def _read(self, sequences: Sequence[Sequence[int]], keep: int, cache: bool) -> tuple[Any, Any, Any]:
        """One forward pass over left-padded sequences: logits of the last `keep` positions, the KV cache and the mask."""
        torch, width = self._torch, max(len(s) for s in sequences)
        ids = torch.tensor([[0] * (width - len(s)) + list(s) for s in sequences], device=self._device)
        mask = torch.tensor([[0] * (width - len(s)) + [1] * len(s) for s in sequences], device=self._device)
        lean = {"logits_to_keep": keep} if self._lean else {}
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        out = self.module(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=cache, **lean)
        return out.logits[:, -keep:], out.past_key_values if cache else None, mask

    def _score(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, ...]]:
        keep = max(len(after) for _, after in pairs)
        with self._torch.inference_mode():
            # The last token predicts nothing that is asked for, so it is not read.
            logits, _, _ = self._read([before + after[:-1] for before, after in pairs], keep, cache=False)
            values: list[tuple[float, ...]] = []
            for row, (_, after) in zip(logits, pairs, strict=True):
                table = row[-len(after) :].float().log_softmax(-1)
                picked = table.gather(1, self._torch.tensor(after, device=self._device)[:, None])
                values.append(tuple(picked[:, 0].tolist()))
        return values

    def _write(
        self, rows: list[_Row], prompts: list[list[int]], read: set[int], sampling: Sampling, meter: Allowance, began: float
    ) -> None:
        """Complete rows side by side; each prompt is read once, remembered in `read`, and its cache copied to its samples."""
        torch = self._torch
        with torch.inference_mode():
            asked = sorted({r.request for r in rows})
            logits, cache, mask = self._read([prompts[at] for at in asked], 1, cache=True)
            meter.take(sum(len(prompts[at]) for at in asked if at not in read))
            read.update(asked)
            if meter.over(time.monotonic() - began):
                return
            index = torch.tensor([asked.index(r.request) for r in rows], device=self._device)
            logits, mask = logits[index, -1], mask[index]
            cache.reorder_cache(index)
            while True:
                chosen = self._choose(logits, rows, sampling)
                live = [r for r in rows if r.finish is None]
                meter.take(len(live))
                for row, token, logprob, sure in zip(rows, *chosen, strict=True):
                    if row.finish is None:
                        self._append(row, token, logprob, sure, prompts[row.request], sampling)
                        row.seconds = time.monotonic() - began
                left = [i for i, r in enumerate(rows) if r.finish is None]
                if left and meter.over(time.monotonic() - began):
                    for i in left:
                        self._end(rows[i], "cancelled", prompts[rows[i].request])
                    return
                if not left:
                    return
                tokens = torch.tensor(chosen[0], device=self._device)
                if 2 * len(left) <= len(rows):
                    kept = torch.tensor(left, device=self._device)
                    cache.reorder_cache(kept)
                    mask, tokens, rows = mask[kept], tokens[kept], [rows[i] for i in left]
                mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
                logits = self.module(
                    input_ids=tokens[:, None],
                    attention_mask=mask,
                    position_ids=mask.sum(1, keepdim=True) - 1,
                    past_key_values=cache,
                    use_cache=True,
                ).logits[:, -1]

    def _choose(self, logits: Any, rows: list[_Row], sampling: Sampling) -> tuple[list[int], list[float], list[float]]:
        """The next token of each row, its log-probability before temperature and truncation, and how far from guessing the model was."""
        torch = self._torch
        scores = logits.float().log_softmax(-1)
        if not bool(torch.isfinite(scores.max(-1).values).all()):
            raise EngineError(f"{self.name} computed log-probabilities that are no numbers; try dtype='float32'")
        if sampling.temperature == 0:
            tokens = scores.argmax(-1)
        else:
            # Differences to the largest score keep tiny temperatures from becoming inf - inf.
            masses = ((scores - scores.max(-1, keepdim=True).values).double() / sampling.temperature).exp()
            if sampling.top_k or sampling.top_p < 1:
                masses = _truncate(masses, sampling)
            sums = masses.cumsum(-1)
            places = torch.tensor([[r.rng.random()] for r in rows], dtype=torch.float64, device=self._device) * sums[:, -1:]
            tokens = torch.searchsorted(sums, places, right=True).clamp(max=sums.shape[1] - 1)[:, 0]
        sure = -scores.mean(-1) - math.log(scores.shape[1])
        return tokens.tolist(), scores.gather(1, tokens[:, None])[:, 0].tolist(), sure.tolist()

    def _append(self, row: _Row, token: int, logprob: float, sure: float, prompt: list[int], sampling: Sampling) -> None:
        row.tokens += 1
        if token in self._ends:
            self._end(row, "stop", prompt)
            return
        row.ids.append(token)
        row.logprobs.append(logprob)
        row.sure.append(sure)
        if sampling.stop and (cut := _first(text := self._text(prompt, row.ids), sampling.stop)) is not None:
            row.stopped_by = next(s for s in sampling.stop if text.startswith(s, cut))
            self._cut(row, text[:cut], prompt)
        elif row.tokens >= row.limit:
            self._end(row, "length", prompt)

    def _end(self, row: _Row, finish: FinishReason, prompt: list[int]) -> None:
        row.finish = finish
        row.text = self._text(prompt, row.ids)

    def _cut(self, row: _Row, text: str, prompt: list[int]) -> None:
        """End a row at a stop string; of its ids those stay that the text needs."""
        row.finish, row.text = "stop", text
        while row.ids and len(self._text(prompt, row.ids[:-1])) >= len(text):
            row.ids.pop()
            row.logprobs.pop()
            row.sure.pop()

    def _text(self, prompt: list[int], ids: list[int]) -> str:
        """The text of generated ids. Some tokenizers drop a first space, so they are decoded behind the prompt's end."""
        before = prompt[-4:]
        whole, known = (
            self.tokenizer.decode(x, skip_special_tokens=True, clean_up_tokenization_spaces=False) for x in (before + ids, before)
        )
        return whole[len(known) :]


def _truncate(masses: Any, sampling: Sampling) -> Any:
    """Unnormalised masses, shape (rows, vocabulary), with those zeroed that top_k, then top_p leave out."""
    ordered, order = masses.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        ordered[:, sampling.top_k :] = 0
    sums = ordered.cumsum(-1)
    ordered[sums - ordered >= sampling.top_p * sums[:, -1:]] = 0
    return masses.scatter(1, order, ordered)


def _first(text: str, stop: Sequence[str]) -> int | None:
    return min((at for s in stop if (at := text.find(s)) >= 0), default=None)


def _ids(value: int | list[int] | None) -> set[int]:
    return set() if value is None else {value} if isinstance(value, int) else set(value)
