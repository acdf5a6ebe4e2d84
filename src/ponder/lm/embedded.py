"""The embedded engine: OpenVINO GenAI's continuous-batching pipeline, in process, on any CPU, reading a GGUF directly.

One thread owns the pipeline and steps it while anything is pending; callers on any thread hand in whole batches and wait, so
that questions running side by side share batches. Samples of one prompt share its KV pages, forks of a long prefix its prefix
cache.
"""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.budget import Allowance, Price
from ponder.core.errors import EngineError, InputError, need
from ponder.core.language import Completion, Continuation, FinishReason, Prompt, Reply, Request, Sampling, Scored
from ponder.core.seeds import derive
from ponder.lm.gguf import read_header
from ponder.lm.widen import readable

GROUP = 16
"""Samples of one prompt that one engine request draws; measured best between 1 and 64 on two cores."""
BLOCK = 32
"""Tokens of one KV page on the CPU: the grain of the prefix cache."""
LONG = 128
"""Tokens of a common beginning from which a batch waits for its first prompt to be read, so that the others find it cached."""
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"


@dataclass
class _Job:
    """One engine request: up to GROUP samples of one prompt, and what has come of it."""

    tokens: tuple[int, ...]
    config: Any
    n: int
    count: Callable[[Any], int]
    batch: _Batch
    handle: Any = None
    outputs: list[Any] | None = None
    stopped: bool = False
    told: int = 0
    error: str = ""
    seconds: float = 0.0

    def take(self, tokens: int) -> None:
        """Tell the allowance of tokens, or of fewer than were told before."""
        self.told += tokens
        self.batch.allowance.take(tokens)


@dataclass
class _Batch:
    """The jobs of one call; `done` is set when all have ended."""

    allowance: Allowance
    began: float = field(default_factory=time.monotonic)
    jobs: list[_Job] = field(default_factory=list[_Job])
    left: int = 0
    cancelled: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class _Owner:
    """The thread that owns a pipeline. Jobs come in through a queue; nothing else touches the pipeline's scheduler."""

    def __init__(self, pipeline: Any, tensor: Callable[[tuple[int, ...]], Any]) -> None:
        self._pipeline, self._tensor = pipeline, tensor
        self._inbox: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._waiting: list[_Job] = []
        self._running: list[_Job] = []
        self._leaders: dict[tuple[int, ...], _Job] = {}
        self._next = 0
        self._failed = ""
        self._thread = threading.Thread(target=self._run, name="ponder-embedded", daemon=True)
        self._thread.start()

    def submit(self, batch: _Batch) -> None:
        """Run a batch and wait for it; an interrupted wait cancels the batch, so that nothing keeps running unseen."""
        batch.left = len(batch.jobs)
        if not self._thread.is_alive():
            raise EngineError("the embedded engine is closed")
        self._inbox.put(batch)
        try:
            while not batch.done.wait(timeout=60):
                if not self._thread.is_alive():
                    raise EngineError(f"the embedded engine died: {self._failed or 'its thread ended'}")
        except BaseException:
            batch.cancelled = True
            raise

    def close(self) -> None:
        self._inbox.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        open_ = True
        while open_ or self._running or self._waiting:
            idle = not self._running and not self._waiting
            try:
                batch = self._inbox.get(block=idle)
                if batch is None:
                    open_ = False
                    for job in self._waiting + self._running:
                        job.batch.cancelled = True
                else:
                    self._waiting += batch.jobs
                continue  # take all that is there before the next step
            except queue.Empty:
                pass
            try:
                self._admit()
                if self._pipeline.has_non_finished_requests():
                    self._pipeline.step()
                self._collect()
            except Exception as error:  # the pipeline is broken: nothing may wait for it for ever
                self._failed = str(error)
                for job in self._waiting + self._running:
                    self._end(job, f"the engine failed: {error}")
                self._waiting, self._running = [], []
        self._pipeline = None

    def _admit(self) -> None:
        """Start waiting jobs; of those that share a long beginning, one leads and the others wait until it has been read."""
        held: list[_Job] = []
        for job in self._waiting:
            if self._over(job.batch):
                self._end(job)
                continue
            head = job.tokens[:LONG]
            if len(head) == LONG:
                leader = self._leaders.setdefault(head, job)
                if leader is not job:
                    held.append(job)
                    continue
            self._start(job)
        self._waiting = held

    def _start(self, job: _Job) -> None:
        self._next += 1
        try:
            job.handle = self._pipeline.add_request(self._next, self._tensor(job.tokens), job.config)
        except Exception as error:
            self._end(job, f"the engine refused the request: {error}")
            return
        self._running.append(job)
        job.take(len(job.tokens))

    def _collect(self) -> None:
        self._leaders.clear()  # one step reads up to thousands of prompt tokens: leaders are read by now, or nearly
        running: list[_Job] = []
        for job in self._running:
            if job.handle.get_status().name == "RUNNING":
                job.take(job.n)  # an upper bound until the job ends: samples of the group that have ended are counted on
                if self._over(job.batch):
                    job.handle.stop()  # what it has drawn can be read after the next step
                    job.stopped = True
                running.append(job)
            else:
                self._finish(job)
        self._running = running

    def _over(self, batch: _Batch) -> bool:
        return batch.cancelled or batch.allowance.over(time.monotonic() - batch.began)

    def _finish(self, job: _Job) -> None:
        if job.handle.can_read():  # a stopped request, too, gives what it has drawn
            job.outputs = list(job.handle.read_all())
            job.take(len(job.tokens) + sum(map(job.count, job.outputs)) - job.told)
        elif not job.stopped:
            self._end(job, "the engine has no room for this prompt: make its cache larger (cache_gb)")
            return
        self._end(job)

    def _end(self, job: _Job, error: str = "") -> None:
        job.error = error
        job.seconds = time.monotonic() - job.batch.began
        job.handle = None
        job.batch.left -= 1
        if job.batch.left == 0:
            job.batch.done.set()


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

    Raises:
        InputError: the file is missing or no GGUF.
        EngineError: the engine cannot load it.
    """

    concurrency = 32

    def __init__(self, path: str | Path, *, name: str = "", cache_gb: int = 2, exact: bool = False, price: Price | None = None) -> None:
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
        self._owner: _Owner | None = _Owner(pipeline, self._tensor)
        self._scorer: _Owner | None = None
        self._lock = threading.Lock()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._closer = weakref.finalize(self, _close_all, [self._owner])

    def _pipeline(self, caching: bool) -> Any:
        config = self._genai.SchedulerConfig()
        config.cache_size = self._cache_gb if caching else 1
        config.enable_prefix_caching = caching
        config.max_num_batched_tokens = 2048
        config.max_num_seqs = 256
        hints = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
        try:
            return self._genai.ContinuousBatchingPipeline(str(self._weights), config, "CPU", hints if self._exact else {})
        except Exception as error:
            raise EngineError(f"the embedded engine cannot load {self.path}: {str(error).splitlines()[0]}") from error

    def encode(self, prompt: Prompt, prefix: str = "") -> tuple[int, ...]:
        """Token ids of a prompt; chat turns go through the model's own template.

        Raises:
            InputError: if the prompt leaves no room for one token in the model's context.
        """
        # One thread at a time, and no tensor of the tokenizer's leaves this block: with many threads in it at once it has
        # been seen to wait for ever while it held the interpreter's lock.
        with self._tokenizing:
            if isinstance(prompt, str):
                text = prompt + prefix
            else:
                turns = [{"role": m.role, "content": m.content} for m in prompt]
                text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True) + prefix
            tokens = tuple(self._tokenizer.encode(text, add_special_tokens=False).input_ids.data[0].tolist())
        if len(tokens) >= self.context_length:
            raise InputError(f"the prompt has {len(tokens)} tokens; {self.name} takes at most {self.context_length - 1}")
        if not tokens:
            raise InputError("the prompt has no tokens")
        return tokens

    @staticmethod
    def _tensor(tokens: tuple[int, ...]) -> Any:
        return need("openvino", "all").Tensor(np.array([tokens], dtype=np.int64))

    def generate(self, requests: Sequence[Request], sampling: Sampling, allowance: Allowance | None = None) -> list[Reply]:
        """Draw completions for a batch; see `LM.generate`. At temperature 0 one is drawn and repeated, billed once."""
        batch = _Batch(allowance or Allowance())
        jobs_of: list[list[_Job]] = []
        for request in requests:
            tokens = self.encode(request.prompt, request.prefix)
            n = 1 if sampling.temperature == 0 else request.n
            groups = [(first, min(GROUP, n - first)) for first in range(0, n, GROUP)]
            jobs = [self._job(tokens, sampling, size, derive(request.seed, (first,)), batch) for first, size in groups]
            jobs_of.append(jobs)
            batch.jobs += jobs
        if batch.jobs:
            self._running_owner().submit(batch)
        return [self._reply(request, jobs, sampling) for request, jobs in zip(requests, jobs_of, strict=True)]

    def logprobs(self, continuations: Sequence[Continuation]) -> list[Scored]:
        """Log-probabilities of given continuations, read from the echoed prompt; see `LM.logprobs`."""
        batch = _Batch(Allowance())
        starts: list[int] = []
        for c in continuations:
            known = self.encode(c.prompt)
            tokens = self.encode(c.prompt, c.text)
            shared = next((i for i, (a, b) in enumerate(zip(known, tokens, strict=False)) if a != b), len(known))
            starts.append(min(shared, len(tokens) - 1))
            job = self._job(tokens, Sampling(temperature=0), 1, 0, batch)
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

    def _running_owner(self) -> _Owner:
        if self._owner is None:
            raise EngineError("the embedded engine is closed")
        return self._owner

    def _scoring_owner(self) -> _Owner:
        """A second pipeline without a prefix cache: cached prompt tokens are not echoed with log-probabilities."""
        self._running_owner()
        with self._lock:
            if self._scorer is None:
                self._scorer = _Owner(self._pipeline(caching=False), self._tensor)
                self._closer.detach()
                self._closer = weakref.finalize(self, _close_all, [self._owner, self._scorer])
            return self._scorer

    def _job(self, tokens: tuple[int, ...], sampling: Sampling, n: int, seed: int, batch: _Batch) -> _Job:
        return _Job(tokens, self._config(sampling, n, seed, len(tokens)), n, lambda output: self._billed(output, sampling), batch)

    def _config(self, sampling: Sampling, n: int, seed: int, prompt_tokens: int) -> Any:
        config = self._genai.GenerationConfig()
        config.max_new_tokens = min(sampling.max_tokens, self.context_length - prompt_tokens)
        config.logprobs = 1
        config.apply_chat_template = False
        if sampling.stop:
            config.stop_strings = set(sampling.stop)
        config.do_sample = sampling.temperature > 0
        if config.do_sample:
            config.temperature = sampling.temperature
            config.top_p = sampling.top_p
            if sampling.top_k:
                config.top_k = sampling.top_k
            config.rng_seed = seed
            config.num_return_sequences = n
        return config

    def _reply(self, request: Request, jobs: list[_Job], sampling: Sampling) -> Reply:
        errors = [job.error for job in jobs if job.error]
        if errors:
            raise EngineError(errors[0])
        started = [job for job in jobs if job.outputs is not None]
        completions = [self._completion(output, sampling) for job in started for output in job.outputs or ()]
        if sampling.temperature == 0 and completions:
            completions += [replace(completions[0], tokens=0)] * (request.n - 1)
        cached = self._cached(jobs[0].tokens) if started else 0
        prompt_tokens = len(jobs[0].tokens) if started else 0
        return Reply(tuple(completions), prompt_tokens, cached, max(job.seconds for job in jobs))

    def _completion(self, output: Any, sampling: Sampling) -> Completion:
        reasons: dict[str, FinishReason] = {"STOP": "stop", "LENGTH": "length"}
        ids = tuple(int(t) for t in output.generated_ids)
        values = tuple(min(0.0, float(x)) for x in output.generated_log_probs[: len(ids)])
        with self._tokenizing:
            text = self._tokenizer.decode(list(ids), skip_special_tokens=True) if ids else ""
        finish = reasons.get(output.finish_reason.name, "cancelled")
        for stop in sampling.stop:  # a cancelled completion may hold the beginning of a cut; a finished one never does
            text = text.split(stop, 1)[0]
        return Completion(text, self._billed(output, sampling), finish, ids, values if len(values) == len(ids) else None)

    def _billed(self, output: Any, sampling: Sampling) -> int:
        """Tokens that were generated: those of the text, and one for a stop string, which the engine takes away."""
        ids = output.generated_ids
        by_string = output.finish_reason.name == "STOP" and sampling.stop and (not ids or ids[-1] != self._tokenizer.get_eos_token_id())
        return len(ids) + bool(by_string)

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


def _close_all(owners: list[_Owner]) -> None:
    for owner in owners:
        owner.close()
