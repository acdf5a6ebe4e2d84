"""The embedded engine: OpenVINO GenAI's continuous-batching pipeline, in process, on any CPU, reading a GGUF directly.

One thread owns the pipeline and steps it while anything is pending; callers on any thread hand in whole batches and wait, so
that questions running side by side share batches. Samples of one prompt share its KV pages, forks of a long prefix its prefix
cache.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.budget import Allowance, Price
from ponder.core.errors import ContextOverflow, EngineError, InputError, need
from ponder.core.language import Completion, Continuation, FinishReason, Prompt, Reply, Request, Sampling, Scored
from ponder.core.seeds import derive
from ponder.lm.gguf import read_header
from ponder.lm.owner import Batch, Job, Owner
from ponder.lm.widen import readable

GROUP = 16
"""Samples of one prompt that one engine request draws; measured best between 1 and 64 on two cores."""
BLOCK = 32
"""Tokens of one KV page on the CPU: the grain of the prefix cache."""
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"


@dataclass(frozen=True)
class Scheduling:
    """How the engine works, none of which changes what it computes but for rounding: what `ponder tune` tries.

    Attributes:
        threads: of one inference; 0 leaves it to the engine (all cores).
        batched_tokens: the most tokens of one step, prompts and completions together.
        sequences: the most samples side by side.
        group: samples of one prompt that one engine request draws.
        split: whether long prompts are read in pieces between the steps of others.
    """

    threads: int = 0
    batched_tokens: int = 2048
    sequences: int = 256
    group: int = GROUP
    split: bool = True

    def __post_init__(self) -> None:
        if self.threads < 0 or min(self.batched_tokens, self.sequences, self.group) < 1:
            raise InputError(f"scheduling needs threads of at least 0, and batched tokens, sequences and group of at least 1, not {self}")


class Embedded:
    """A GGUF model run in process. Implements `ponder.core.language.LM`.

    Log-probabilities are those of the untempered model as this engine computes it: 8-bit KV cache and activations by default,
    which moves them a little from exact arithmetic (`benchmarks/logprob_error.py` measures how much); `exact=True` asks for
    float32.

    Args:
        path: a GGUF file of an architecture that OpenVINO's reader knows (llama, qwen2, qwen3).
        name: how runs record it.
        cache_gb: memory for KV pages, in GB.
        exact: float32 inference and KV cache; slower.
        price: what its tokens are said to cost, if anything.
        scheduling: threads and batches; `ponder tune` finds the fastest for a machine.

    Raises:
        InputError: the file is missing or no GGUF.
        EngineError: the engine cannot load it.
    """

    concurrency = 32

    def __init__(
        self,
        path: str | Path,
        *,
        name: str = "",
        cache_gb: int = 2,
        exact: bool = False,
        price: Price | None = None,
        scheduling: Scheduling | None = None,
    ) -> None:
        self.scheduling = scheduling or Scheduling()
        self.path = Path(path)
        self.header = read_header(self.path)
        self._weights = readable(self.path)
        self.context_length: int = self.header.context_length or 2048
        self.name = name or f"embedded:{self.path.name}"
        self.price = price
        self._cache_gb, self._exact = cache_gb, exact
        self._genai = need("openvino_genai", "all")
        pipeline = self._pipeline(caching=True)
        self._tokenizer = pipeline.get_tokenizer()
        if not self._tokenizer.chat_template:
            self._tokenizer.set_chat_template(TEMPLATE)
        self._tokenizing = threading.Lock()
        self._begin = (self._tokenizer.get_bos_token_id(),) if self.header.metadata.get("tokenizer.ggml.add_bos_token") is True else ()
        self._ends = {*pipeline.get_config().stop_token_ids, self._tokenizer.get_eos_token_id()}
        self._vocabulary: dict[bytes, int] = {}
        self._holders: dict[str, set[int]] = {}
        self._owner: Owner | None = Owner(pipeline, self._tensor)
        self._scorer: Owner | None = None
        self._lock = threading.Lock()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._closer = weakref.finalize(self, _close_all, [self._owner])

    def _pipeline(self, caching: bool) -> Any:
        config = self._genai.SchedulerConfig()
        config.cache_size = self._cache_gb if caching else 1
        config.enable_prefix_caching = caching
        config.max_num_batched_tokens = self.scheduling.batched_tokens
        config.max_num_seqs = self.scheduling.sequences
        config.dynamic_split_fuse = self.scheduling.split
        hints = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
        properties = (hints if self._exact else {}) | (
            {"INFERENCE_NUM_THREADS": self.scheduling.threads} if self.scheduling.threads else {}
        )
        try:
            return self._genai.ContinuousBatchingPipeline(str(self._weights), config, "CPU", properties)
        except Exception as error:
            raise EngineError(f"the embedded engine cannot load {self.path}: {str(error).splitlines()[0]}") from error

    def encode(self, prompt: Prompt, prefix: str = "") -> tuple[int, ...]:
        """Token ids of a prompt; chat turns go through the model's own template.

        A raw text begins with the model's beginning-of-text token if its file asks for it; templates write their own.

        Raises:
            InputError: if the prompt leaves no room for one token in the model's context.
        """
        if isinstance(prompt, str):
            return self._fitting(self._begin + self._ids(prompt + prefix))
        turns = [{"role": m.role, "content": m.content} for m in prompt]
        with self._tokenizing:
            text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True)
        return self._fitting(self._ids(text + prefix))

    def _ids(self, text: str) -> tuple[int, ...]:
        # One thread at a time, and no tensor of the tokenizer's leaves this block: with many threads in it at once it has
        # been seen to wait for ever while it held the interpreter's lock.
        with self._tokenizing:
            return tuple(self._tokenizer.encode(text, add_special_tokens=False).input_ids.data[0].tolist())

    def _fitting(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        if len(tokens) >= self.context_length:
            raise ContextOverflow(f"the prompt has {len(tokens)} tokens; {self.name} takes at most {self.context_length - 1}")
        if not tokens:
            raise InputError("the prompt has no tokens")
        return tokens

    @staticmethod
    def _tensor(tokens: tuple[int, ...]) -> Any:
        return need("openvino", "all").Tensor(np.array([tokens], dtype=np.int64))

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        """Draw completions for a batch; see `LM.generate`. At temperature 0 one is drawn and repeated, billed once."""
        batch = Batch(allowance or Allowance())
        jobs_of: list[list[Job]] = []
        read = [self.encode(r.prompt, r.prefix) for r in requests]
        longest = sum(len(tokens) + r.n * sampling.max_tokens for tokens, r in zip(read, requests, strict=True))
        # The samples of a group end together when the tokens do, and are counted as if none had ended before: where that may
        # happen, each is a group of its own.
        group = 1 if batch.allowance.tokens is not None and longest > batch.allowance.tokens else self.scheduling.group
        for request, tokens in zip(requests, read, strict=True):
            n = 1 if sampling.temperature == 0 else request.n
            groups = [(first, min(group, n - first)) for first in range(0, n, group)]
            jobs = [
                self._job(tokens, 0 if first else len(tokens), sampling, size, derive(request.seed, (first,)), batch)
                for first, size in groups
            ]
            jobs_of.append(jobs)
            batch.jobs += jobs
        if batch.jobs:
            self._running_owner().submit(batch)
        return [self._reply(request, jobs, sampling) for request, jobs in zip(requests, jobs_of, strict=True)]

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        """Log-probabilities of given continuations, read from the echoed prompt; see `LM.logprobs`."""
        batch = Batch(Allowance())
        starts: list[int] = []
        for c in continuations:
            known, tokens = self.encode(c.prompt), self.encode(c.prompt, c.text)
            if tokens[: len(known)] != known or len(tokens) == len(known):  # read together they would merge; drawing keeps them apart
                tokens = self._fitting(known + self._ids(c.text))
            starts.append(len(known))
            job = self._job(tokens, len(tokens), Sampling(temperature=0), 1, 0, batch)
            job.config.max_new_tokens, job.config.echo = 0, True
            batch.jobs.append(job)
        if batch.jobs:
            self._scoring_owner().submit(batch)
        scored: list[Scored] = []
        for job, start in zip(batch.jobs, starts, strict=True):
            if job.error or not job.outputs or len(job.outputs[0].generated_log_probs) < len(job.tokens):
                raise EngineError(job.error or "the engine returned no log-probabilities for the prompt")
            values = tuple(min(0.0, float(x)) for x in job.outputs[0].generated_log_probs[start : len(job.tokens)])
            scored.append(Scored(values, len(job.tokens), job.seconds))
        return scored

    def close(self) -> None:
        """Stop the engine's threads and free the model; pending calls are cancelled."""
        with self._lock:
            self._owner = None
            self._scorer = None
        self._closer()

    def _running_owner(self) -> Owner:
        if self._owner is None:
            raise EngineError("the embedded engine is closed")
        return self._owner

    def _scoring_owner(self) -> Owner:
        """A second pipeline without a prefix cache: cached prompt tokens are not echoed with log-probabilities."""
        self._running_owner()
        with self._lock:
            if self._scorer is None:
                self._scorer = Owner(self._pipeline(caching=False), self._tensor)
                self._closer.detach()
                self._closer = weakref.finalize(self, _close_all, [self._running_owner(), self._scorer])
            return self._scorer

    def _job(self, tokens: tuple[int, ...], billed: int, sampling: Sampling, n: int, seed: int, batch: Batch) -> Job:
        return Job(tokens, billed, self._config(sampling, n, seed, len(tokens)), n, batch)

    def _config(self, sampling: Sampling, n: int, seed: int, prompt_tokens: int) -> Any:
        config = self._genai.GenerationConfig()
        config.max_new_tokens = min(sampling.max_tokens, self.context_length - prompt_tokens)
        config.logprobs = 1
        config.apply_chat_template = False
        if sampling.stop:
            config.stop_strings = set(sampling.stop)
            config.include_stop_str_in_output = True  # the engine drops whole tokens; the text is cut here instead
            config.stop_token_ids = self._ends.union(*map(self._holding, sampling.stop))
        config.do_sample = sampling.temperature > 0
        if config.do_sample:
            config.temperature = sampling.temperature
            config.top_p = sampling.top_p
            if sampling.top_k:
                config.top_k = sampling.top_k
            config.rng_seed = seed
            config.num_return_sequences = n
        return config

    def _reply(self, request: Request, jobs: list[Job], sampling: Sampling) -> Reply:
        errors = [job.error for job in jobs if job.error]
        if errors:
            raise EngineError(errors[0])
        started = [job for job in jobs if job.outputs is not None or job.lost]
        completions = [
            self._completion(output, tokens, sampling)
            for job in started
            for output, tokens in zip(job.outputs or (), job.drawn, strict=True)
        ]
        # What the pipeline did not give back of a stopped request was generated all the same, and is billed.
        completions += [Completion("", job.lost // job.n, "cancelled") for job in started for _ in range(job.n if job.lost else 0)]
        if sampling.temperature == 0 and completions:
            completions += [replace(completions[0], tokens=0)] * (request.n - 1)
        cached = self._cached(jobs[0].tokens) if started else 0
        prompt_tokens = len(jobs[0].tokens) if started else 0
        return Reply(tuple(completions), prompt_tokens, cached, max(job.seconds for job in jobs))

    def _holding(self, text: str) -> set[int]:
        """Tokens that hold a text whole. They end a completion by themselves, and the engine leaves such tokens in."""
        with self._tokenizing:
            if not self._vocabulary:
                self._vocabulary = dict(self._tokenizer.get_vocab())
            if text not in self._holders:
                wanted = text.encode(errors="replace")
                self._holders[text] = {i for token, i in self._vocabulary.items() if wanted in token}
            return self._holders[text]

    def _completion(self, output: Any, tokens: int, sampling: Sampling) -> Completion:
        """The text up to the first stop string, with the whole tokens before it; every generated token is billed."""
        reasons: dict[str, FinishReason] = {"STOP": "stop", "LENGTH": "length"}
        ids = [int(t) for t in output.generated_ids]
        finish = reasons.get(output.finish_reason.name, "cancelled")
        with self._tokenizing:
            text = self._decode(ids)
            place = _stop_place(text, sampling.stop, finish == "stop" and not (ids and ids[-1] in self._ends))
            stopped_by = ""
            if place is not None:
                stopped_by = next((s for s in sampling.stop if text.startswith(s, place)), sampling.stop[0])
                text, finish = text[:place], "stop"
                while not text.startswith(self._decode(ids)):
                    ids.pop()
        values = tuple(min(0.0, float(x)) for x in output.generated_log_probs[: len(ids)])
        return Completion(text, tokens, finish, tuple(ids), values if len(values) == len(ids) else None, stopped_by)

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True) if ids else ""

    def _cached(self, tokens: tuple[int, ...]) -> int:
        """Prompt tokens whose pages the engine has seen before: a mirror of its prefix cache, which does not tell."""
        with self._lock:
            hit, chain = 0, 0
            for end in range(BLOCK, len(tokens) + 1, BLOCK):
                chain = hash((chain, tokens[end - BLOCK : end]))
                if chain in self._seen:
                    self._seen.move_to_end(chain)
                    hit = end
                self._seen[chain] = None
            while len(self._seen) > 2000 * self._cache_gb:
                self._seen.popitem(last=False)
            return hit


def _stop_place(text: str, stops: Sequence[str], ended: bool) -> int | None:
    """Where the first stop string begins; None if there is none.

    Where one `ended` the text, the engine has taken away tokens of nothing but the white space at its end.
    """
    places = [text.find(stop) for stop in stops if stop in text]
    if not places and ended:
        bare = text.rstrip(" \n")
        cores = [stop.rstrip(" \n") for stop in stops if stop[-1] in " \n"]
        places = [len(bare) - len(core) for core in cores if core and bare.endswith(core)]
    return min(places, default=None)


def _close_all(owners: list[Owner]) -> None:
    for owner in owners:
        owner.close()
