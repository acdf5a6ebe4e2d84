"""What computation costs in floating-point operations, and what more inference is worth in parameters."""

from __future__ import annotations

import math

from ponder.core.errors import InputError


def forward(parameters: float, tokens: float = 1) -> float:
    """Operations to read or write so many tokens: 2 a parameter and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1)."""
    _positive(parameters=parameters, tokens=tokens)
    return 2 * parameters * tokens


def train(parameters: float, tokens: float = 1) -> float:
    """Operations to train on so many tokens: 6 a parameter and token, the backward pass counted as two forward ones."""
    _positive(parameters=parameters, tokens=tokens)
    return 6 * parameters * tokens


def transformer(width: int, layers: int, vocabulary: int, prompt: int, output: int = 1) -> float:
    """Operations of a decoder to read a prompt and write so many tokens (Narayanan et al. 2023, arXiv 2305.02440, section 3).

    The prompt and its first output token take 24 p h^2 l (1 + p / (6 h) + V / (16 l h)); every further token 24 h^2 l.

    >>> round(transformer(4096, 28, 50304, 512) / 0.042 / 1e12, 2)
    144.07

    Args:
        width: h, of the model's states.
        layers: l.
        vocabulary: V.
        prompt: p, tokens read, at least 1.
        output: tokens written, at least 1.
    """
    for name, value in (("width", width), ("layers", layers), ("vocabulary", vocabulary), ("prompt", prompt), ("output", output)):
        if value != int(value) or value < 1:
            raise InputError(f"{name} must be a whole number of at least 1, not {value!r}")
    each = 24.0 * width**2 * layers
    return each * prompt * (1 + prompt / (6 * width) + vocabulary / (16 * layers * width)) + each * (output - 1)


def exchange(factor: float, ratio: float) -> float:
    """How much more inference the compute of a `factor` times larger model buys: factor + 3 (factor - 1) / ratio.

    A larger model costs more to pretrain and more to run. The smaller one may spend the whole difference on inference (Snell et al.
    2024, arXiv 2408.03314, section 7).

    >>> round(exchange(14, 0.79), 2)
    63.37

    Args:
        factor: how many times the parameters, at least 1.
        ratio: tokens of inference over tokens of pretraining, above 0.

    Returns:
        How many times the tokens of inference the smaller model may use.
    """
    _positive(factor=factor, ratio=ratio)
    if factor < 1:
        raise InputError(f"factor says how many times larger the other model is, at least 1, not {factor!r}")
    return factor + 3 * (factor - 1) / ratio


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a number above 0, not {value!r}")
