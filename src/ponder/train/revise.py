"""The revision model of Snell et al. 2024 (section 6.1): a policy that reads its own wrong attempts before it writes another one.

It is made for chains of eight operations, whose attempts are all of one length: an attempt then always begins at the same places, and
the positions after the first attempt can start as copies of the first one's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.organisms import chain
from ponder.organisms.characters import END
from ponder.train import measure
from ponder.train.data import epochs, next_token, pack
from ponder.train.measure import Samples
from ponder.train.net import TorchNet, load, save
from ponder.train.recipes import TESTED, Made, base
from ponder.train.schedules import constant_then_linear
from ponder.train.trainer import Plan, train

ATTEMPTS = 4
"""The most earlier attempts before the one that is learnt."""
TEXT = chain.SLOTS * chain.STEP
"""Tokens of an attempt."""
CONTEXT = chain.PROMPT + (ATTEMPTS + 1) * TEXT
APART = 0.3
"""How far the positions of a later attempt start from those of the first: the deviation of what is added, over their own."""
_DRAWN = 778
Ints = NDArray[np.int64]


def edit_distances(texts: Ints, other: Ints) -> Ints:
    """Levenshtein distances of rows of tokens to one text, shape (n, length) and (m,) -> (n,)."""
    above = np.broadcast_to(np.arange(len(other) + 1), (len(texts), len(other) + 1))
    for i in range(texts.shape[1]):
        row = np.empty_like(above)
        row[:, 0] = i + 1
        for j, token in enumerate(other):
            swapped = above[:, j] + (texts[:, i] != token)
            row[:, j + 1] = np.minimum(swapped, np.minimum(above[:, j + 1], row[:, j]) + 1)
        above = row
    return above[:, -1]


def sequences(samples: Samples, rng: np.random.Generator, most: int = 2) -> list[tuple[list[int], list[int]]]:
    """Pairs (prompt and earlier attempts, right attempt) to learn from.

    For each right sample, up to `most` a problem, a number from 0 to 4 is drawn, capped by the wrong samples there are. So many
    wrong ones go before it, at random except that the last is the nearest to the right one by edit distance.

    Args:
        samples: of chains.
        rng: of the numbers and the attempts.
        most: right samples of a problem that are used.
    """
    found: list[tuple[list[int], list[int]]] = []
    lengths = samples.live.sum(1) * samples.step
    for prompt, responses, solved, length in zip(samples.prompts, samples.responses, samples.solved, lengths, strict=True):
        ended = (responses[:, :length] == END).argmax(1) == length - 1
        wrong, right = responses[ended & ~solved, :length], responses[solved, :length]
        for target in right[:most]:
            count = min(int(rng.integers(0, ATTEMPTS + 1)), len(wrong))
            earlier: list[Ints] = []
            if count:
                nearest = int(edit_distances(wrong, target).argmin())
                others = rng.permutation(np.delete(np.arange(len(wrong)), nearest))[: count - 1]
                earlier = [*wrong[others], wrong[nearest]]
            found.append(([*map(int, np.concatenate([prompt, *earlier]))], [*map(int, target)]))
    return found


def widened(policy: TorchNet, seed: int) -> TorchNet:
    """A policy with positions for all attempts. Those of a later attempt are those of the first one and a random vector, the same
    for the whole attempt, by which attempts can be told apart.

    Args:
        policy: of chains, with positions for one attempt.
        seed: of the random vectors.
    """
    tensors = policy.tensors()
    table = tensors["position"][: chain.LENGTH]
    first, rng = table[chain.PROMPT :], np.random.default_rng((_DRAWN, seed))
    later = [first + rng.normal(0, APART * first.std(), first.shape[1]) for _ in range(ATTEMPTS)]
    net = TorchNet(replace(policy.shape, context=CONTEXT), seed)
    return net.take(tensors | {"position": np.concatenate([table, *later])})


def chain_revise(asked: Made) -> list[Path]:
    """The policy `chain`, taught to write a right solution after up to four wrong ones of its own, each ended by its line break."""
    policy = load(base(asked.out, "chain"))
    rng = np.random.default_rng((_DRAWN, asked.seed))
    samples = measure.sampled(measure.forward(policy), 4000, 16, rng, chain.SLOTS)
    examples = sequences(samples, rng)
    rows = pack(examples, CONTEXT)
    net = widened(policy, asked.seed)
    plan = Plan(asked.steps or 400, matrix_rate=0.01, other_rate=2e-3, schedule=constant_then_linear(10))
    train(net, epochs(rows, min(32, len(rows)), asked.seed), next_token, plan, checkpoint=asked.folder, quiet=asked.quiet)
    facts = revision_figures(net, 300, 4, np.random.default_rng(TESTED)) | {"weights": net.count(), "learnt_from": len(examples)}
    first = measure.sampled(measure.forward(policy), 300, 4, np.random.default_rng(TESTED), chain.SLOTS)
    facts |= {"policy": "chain", "policy_pass@1": round(float(first.solved.mean()), 4)}
    about = "writes chains of eight operations (task chain:low=8,high=8) and revises: each attempt ends with a line break, the next follows"
    return [save(net, asked.path(asked.name), facts=facts, command=asked.command, about=about)]


def revision_figures(net: TorchNet, problems: int, count: int, rng: np.random.Generator) -> dict[str, Any]:
    """What attempts at chains of eight operations are worth one after another, each with all earlier ones before it, at temperature 1.

    `pass@1_by_attempt`: share of right ones. `right_to_wrong`, `wrong_to_right`: share of the attempts of one kind that are followed
    by one of the other. `unchanged`: share of wrong attempts that are written again as they were.
    """
    runner = measure.forward(net)
    chains = chain.problems(problems, rng, chain.SLOTS)
    texts = np.repeat(chain.encode(chains)[:, : chain.PROMPT], count, 0)
    answers = np.repeat(chains.answers, count)
    for _ in range(ATTEMPTS + 1):
        texts = np.concatenate([texts, measure.draw(runner, texts, 1, TEXT, rng)[:, 0]], 1)
    written = texts[:, chain.PROMPT :].reshape(len(texts), ATTEMPTS + 1, TEXT)
    right = (chain.decode(written)[..., -1] == answers[:, None]) & ((written == END).argmax(-1) == TEXT - 1)
    before, after = right[:, :-1], right[:, 1:]
    same = (written[:, :-1] == written[:, 1:]).all(-1)
    each = right[:, 0].reshape(problems, count).mean(1)
    return {
        "pass@1": round(float(each.mean()), 4),
        "pass@1_standard_error": round(float(each.std(ddof=1) / problems**0.5), 4),
        "pass@1_by_attempt": [round(float(x), 4) for x in right.mean(0)],
        "right_to_wrong": round(float((before & ~after).sum() / max(1, before.sum())), 4),
        "wrong_to_right": round(float((after & ~before).sum() / max(1, (~before).sum())), 4),
        "unchanged": round(float((same & ~before).sum() / max(1, (~before).sum())), 4),
        "problems": problems,
        "samples": count,
    }
