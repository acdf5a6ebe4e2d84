"""What answers from data cost in privacy, and how many rows the theory asks for."""

from __future__ import annotations

import math
from typing import Literal

from ponder.core.errors import InputError


def epsilon_of(each: float, times: int, delta: float = 0.0) -> float:
    """Privacy parameter epsilon of `times` answers that are `each`-private: their sum or advanced composition, the smaller.

    Advanced composition: sqrt(2 k ln(1/delta)) e + k e (exp(e) - 1) (Dwork & Roth 2014, theorem 3.20).
    """
    if each < 0 or times < 0 or not 0 <= delta < 1:
        raise InputError(f"privacy costs need each >= 0, times >= 0 and 0 <= delta < 1, not {each}, {times}, {delta}")
    plain = each * times
    if delta == 0 or each > 30:
        return plain
    return min(plain, math.sqrt(2 * times * math.log(1 / delta)) * each + times * each * math.expm1(each))


def epsilon_of_rho(rho: float, delta: float) -> float:
    """Epsilon of a zero-concentrated private mechanism: rho + 2 sqrt(rho ln(1/delta)) (Bun & Steinke 2016, proposition 1.3)."""
    if rho < 0 or not 0 < delta < 1:
        raise InputError(f"rho must be at least 0 and 0 < delta < 1, not {rho} and {delta}")
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def required_n(questions: int, tau: float, beta: float = 0.05, method: Literal["fixed", "splitting", "adaptive"] = "adaptive") -> int:
    """Rows so that all answers are within `tau` with probability 1 - `beta`: the worst case, far from tight at usual sizes.

    Args:
        questions: how many, each a mean of values in [0, 1].
        tau, beta: accuracy and failure probability, in (0, 1).
        method: "fixed": all questions chosen beforehand, by Hoeffding's bound and a union. "splitting": a fresh part for each
            question. "adaptive": questions may depend on answers, which carry Gaussian noise (what `StatisticalQueries` with the best
            noise guarantees by the transfer theorem of Jung et al. 2020, arXiv 1909.03577, theorem 3.5, minimised over its constants).
    """
    if questions < 1 or not (0 < tau < 1 and 0 < beta < 1):
        raise InputError(f"at least 1 question, 0 < tau < 1 and 0 < beta < 1 are needed, not {questions}, {tau}, {beta}")
    fixed = math.ceil(math.log(2 * questions / beta) / (2 * tau**2))
    if method == "fixed":
        return fixed
    if method == "splitting":
        return questions * fixed
    if method != "adaptive":
        raise InputError(f"method must be 'fixed', 'splitting' or 'adaptive', not {method!r}")
    low, high = 1, 2
    while transfer_error(high, questions, beta) > tau:
        low, high = high, 2 * high
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if transfer_error(middle, questions, beta) <= tau else (middle, high)
    return high


def transfer_error(n: int, questions: int, beta: float = 0.05) -> float:
    """Error that noisy answers to adaptively chosen questions are guaranteed to keep within with probability 1 - beta, at the best noise.

    Jung et al. 2020, theorem 3.5: answers that are (alpha, beta')-accurate for the sample and (eps, delta)-private are
    within alpha + exp(eps) - 1 + c + 2 d of the population except with probability beta' / c + delta / d. Here the noise is Gaussian of
    standard deviation s, alpha = s sqrt(2 ln(2 k / beta')), and eps follows from rho = k / (2 n^2 s^2). The search is over s, with beta
    halved between the two terms and c = d.
    """
    best = math.inf
    for i in range(121):
        s = 10 ** (-4 + i / 30)
        rho = questions / (2 * n**2 * s**2)
        for j in range(1, 25):
            c = 10 ** (-j / 6)
            inner = beta * c / 2
            eps = epsilon_of_rho(rho, inner)
            if eps < 1:
                best = min(best, s * math.sqrt(2 * math.log(2 * questions / inner)) + math.expm1(eps) + 3 * c)
    return best
