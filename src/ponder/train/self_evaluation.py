"""Teaching a model whether it would do better if it started over (Manvi et al. 2024, arXiv 2410.02725).

Two fresh samples of a prompt are compared by a reward. The label of a sample, whole or cut anywhere, is whether it is at least as
good as the other one. What is learnt is the probability of that, of the same model at the same temperature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.bench.ranking import auroc
from ponder.bench.stats import expected_calibration_error
from ponder.core.errors import InputError
from ponder.core.language import LM, Prompt, Request, Sampling, Solution
from ponder.core.seeds import derive, generator

_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Comparison:
    """One example.

    Attributes:
        prompt: what was asked.
        prefix: the answer, whole or its beginning.
        label: True if the whole answer was at least as good as a fresh one: "no, I would not do better".
        fraction: how much of the answer the prefix is, in (0, 1]; 1 is whole.
    """

    prompt: Prompt
    prefix: str
    label: bool
    fraction: float


def build_self_eval_data(
    lm: LM,
    prompts: Sequence[Prompt],
    reward: Callable[[Prompt, str], float],
    *,
    samples: int = 2,
    truncations: int = 4,
    tie: float = 0.0,
    separator: str = "",
    sampling: Sampling | None = None,
    seed: int = 0,
) -> list[Comparison]:
    """On-policy comparisons: every sample against the next one of its prompt, whole and cut at random places.

    Args:
        lm: the model that will be asked; the labels are about it and this temperature only.
        prompts: what it is asked.
        reward: how good a whole answer to a prompt is.
        samples: answers a prompt, at least 2.
        truncations: beginnings of each answer, drawn uniformly from the places where it can be cut; fewer if it has fewer.
        tie: how much worse an answer may be and still count as equal.
        separator: what ends a place where it can be cut; by default a word.
        sampling: how answers are drawn, by default at temperature 1.
        seed: of the draws and the cuts.

    Raises:
        InputError: fewer than 2 samples, or a tie below 0.
    """
    if samples < 2 or truncations < 0 or tie < 0:
        raise InputError(f"comparisons need 2 or more samples, and truncations and a tie of at least 0: {samples}, {truncations}, {tie}")
    requests = [Request(p, n=samples, seed=derive(seed, ("self-evaluation", i))) for i, p in enumerate(prompts)]
    examples: list[Comparison] = []
    for i, reply in enumerate(lm.generate(requests, sampling or Sampling(temperature=1.0))):
        texts = [c.text for c in reply.completions]
        worth = np.array([reward(prompts[i], text) for text in texts])
        labels = worth >= np.roll(worth, -1) - tie
        rng = generator(seed, ("self-evaluation", i, "cuts"))
        for text, label in zip(texts, labels, strict=True):
            places = _places(text, separator)
            chosen = np.sort(rng.permutation(len(places))[:truncations])
            cuts = [places[int(k)] for k in chosen] + [len(text)]
            examples += [Comparison(prompts[i], text[:cut], bool(label), cut / len(text)) for cut in cuts if cut]
    return examples


def _places(text: str, separator: str) -> list[int]:
    """Where an answer can be cut: after every piece but the last."""
    ends = [m.end() for m in (re.finditer(re.escape(separator), text) if separator else _WORD.finditer(text))]
    return [end for end in ends if end < len(text)]


@dataclass(frozen=True)
class SelfEvaluator:
    """A trained self-evaluator and how well it tells, on prompts it has not seen.

    Attributes:
        path: its weights, for `prm("organism:PATH")`.
        auroc: of finished answers, win or tie against worse; NaN where the held-out prompts have one kind only.
        auroc_begun: the same of beginnings.
        calibration_error: of all of them.
        held_out: comparisons that were measured on.
    """

    path: Path
    auroc: float
    auroc_begun: float
    calibration_error: float
    held_out: int


def train_self_evaluator(
    policy: str | Path,
    data: Sequence[Comparison],
    out: str | Path,
    *,
    steps: int = 500,
    rows: int = 64,
    layers: int = 2,
    held_out: float = 0.1,
    seed: int = 0,
    quiet: bool = False,
) -> SelfEvaluator:
    """Train a head on an organism's trunk to say the label, by cross-entropy; the policy itself stays as it is.

    Args:
        policy: an organism on the shelf or a weights file; the one the data were drawn from.
        data: what `build_self_eval_data` gave.
        out: the weights file to write.
        steps, rows: updates, and comparisons in each.
        layers: new layers below the head.
        held_out: share of the prompts, not of the comparisons, that figures are measured on.
        seed: of the split, the order and the new weights.

    Raises:
        InputError: too few prompts to hold some out, or a text that the organism cannot read.
    """
    from ponder.organisms.shelf import find
    from ponder.train import net as nets
    from ponder.train.data import epochs
    from ponder.train.heads import cross_entropy, judge
    from ponder.train.schedules import constant_then_linear
    from ponder.train.trainer import Plan, train

    card = find(str(policy))
    learnt, tested = split_by_prompt(data, held_out, seed)
    taught = judge(nets.load(card.path), layers, seed)
    plan = Plan(steps, matrix_rate=0.01, other_rate=2e-3, schedule=constant_then_linear(10))
    judged = _rows(learnt, taught.shape.alphabet, taught.shape.grammar, taught.shape.context)
    train(taught, epochs(judged, min(rows, len(judged)), seed), cross_entropy, plan, quiet=quiet)
    about = f"judges whether {card.name} would do no better if it started over"
    command = "ponder.train.self_evaluation.train_self_evaluator"
    path = nets.save(taught, Path(out), facts={"comparisons": len(learnt)}, command=command, about=about, reward={"kind": "head"})
    return measured(path, tested)


def measured(path: str | Path, data: Sequence[Comparison]) -> SelfEvaluator:
    """How well a self-evaluator's file tells the labels of comparisons."""
    from ponder.lm.organism import Organism

    engine = Organism(path)
    found = engine.rewards([Solution(c.prompt, _steps(c.prefix, engine.step_separator)) for c in data])
    said, labels = np.array([r.values[-1] for r in found]), np.array([c.label for c in data])
    whole = np.array([c.fraction == 1 for c in data])
    return SelfEvaluator(
        Path(path),
        auroc(said[whole], labels[whole]) if whole.any() else float("nan"),
        auroc(said[~whole], labels[~whole]) if (~whole).any() else float("nan"),
        expected_calibration_error(said, labels),
        len(data),
    )


def split_by_prompt(data: Sequence[Comparison], held_out: float, seed: int) -> tuple[list[Comparison], list[Comparison]]:
    """Comparisons to learn from and to measure on; those of one prompt stay together, or the figures flatter.

    Raises:
        InputError: a share that leaves no prompt on one side.
    """
    prompts = list(dict.fromkeys(c.prompt for c in data))
    count = round(len(prompts) * held_out)
    if not 0 < count < len(prompts):
        raise InputError(f"of {len(prompts)} prompts a share of {held_out} leaves none to learn from or none to measure on")
    apart = {prompts[int(i)] for i in generator(seed, ("self-evaluation", "split")).permutation(len(prompts))[:count]}
    return [c for c in data if c.prompt not in apart], [c for c in data if c.prompt in apart]


def _steps(text: str, separator: str) -> tuple[str, ...]:
    pieces = text.split(separator)
    return tuple(p + separator for p in pieces[:-1]) + ((pieces[-1],) if pieces[-1] else ())


def _rows(data: Sequence[Comparison], alphabet: str, grammar: str, context: int) -> Any:
    """Comparisons as rows of tokens with the label at the last one; a whole answer ends in the line break that the engine reads too."""
    from ponder.organisms.grammars import GRAMMARS
    from ponder.train.heads import Judged

    canonical = GRAMMARS[grammar].canonical
    texts: list[str] = []
    for c in data:
        prompt = c.prompt if isinstance(c.prompt, str) else canonical(c.prompt[-1].content)
        texts.append(prompt + c.prefix + "\n" * (c.fraction == 1 and not c.prefix.endswith((";", "\n"))))
    longest = max(map(len, texts))
    unknown = set("".join(texts)) - set(alphabet)
    if unknown or longest > context:
        raise InputError(f"the organism reads up to {context} of the characters {alphabet!r}; given were {longest}, and {sorted(unknown)}")
    tokens = np.zeros((len(texts), longest), dtype=np.int64)
    targets = np.full(tokens.shape, np.nan, dtype=np.float32)
    ids = {c: i for i, c in enumerate(alphabet)}
    for row, (text, c) in enumerate(zip(texts, data, strict=True)):
        tokens[row, : len(text)] = [ids[letter] for letter in text]
        targets[row, len(text) - 1] = c.label
    return Judged(tokens, targets)
