"""How coverage grows with samples: the exponentiated power law, and the Beta mixture that explains it.

Brown et al. 2024 (Large Language Monkeys), section 3; Schaeffer et al. 2025 for the mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.bench.stats import Counts, sample_counts
from ponder.core.errors import InputError, need

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """coverage(k) = exp(a * k^b) with a < 0 and b < 0.

    Attributes:
        a, b: the parameters.
        b_low, b_high: 95% interval of b from the residuals of the fit. The points of one curve are not independent, so it is
            about how well the law fits, not about another set of problems.
        residual: largest |fit - coverage|.
        r2: share of the variance of coverage that the fit explains.
    """

    a: float
    b: float
    b_low: float
    b_high: float
    residual: float
    r2: float

    def predict(self, k: ArrayLike) -> Floats:
        """Coverage at k samples, k > 0."""
        return np.exp(self.a * np.asarray(k, dtype=np.float64) ** self.b)

    def samples_for(self, target: float) -> float:
        """How many samples reach a coverage of `target` in (0, 1): (log(target) / a)^(1 / b); inf beyond all numbers."""
        _check_target(target)
        return _exp(math.log(math.log(target) / self.a) / self.b)


@dataclass(frozen=True)
class BetaFit:
    """Problems whose single-sample success probability is drawn from Beta(alpha, beta).

    Coverage approaches 1 like -log c ~ Gamma(alpha + beta) / Gamma(beta) * k^-alpha.
    """

    alpha: float
    beta: float
    log_likelihood: float

    def predict(self, k: ArrayLike) -> Floats:
        """Coverage at k samples, k >= 0."""
        return beta_coverage(self.alpha, self.beta, k)

    def samples_for(self, target: float) -> float:
        """How many samples reach a coverage of `target` in (0, 1); inf where no number below 1e300 does."""
        _check_target(target)
        brentq = need("scipy.optimize", "bench").brentq
        top = math.log(1e300)
        if float(self.predict(1e300)) < target:
            return math.inf
        low = math.log(1e-12)
        return _exp(brentq(lambda log_k: float(self.predict(math.exp(log_k))) - target, low, top, xtol=1e-12))


def _check_target(target: float) -> None:
    if not 0 < target < 1:
        raise InputError(f"a target coverage must be above 0 and below 1, not {target!r}")


def _exp(log_value: float) -> float:
    return math.exp(log_value) if log_value < 709 else math.inf


def fit_power_law(ks: ArrayLike, coverage: ArrayLike, space: Literal["coverage", "log"] = "coverage") -> PowerLaw:
    """Fit exp(a * k^b) to a coverage curve by least squares.

    Args:
        ks: numbers of samples, shape (m,), m >= 3, all different and above 0.
        coverage: coverage at each, shape (m,), in [0, 1].
        space: what is squared: the distance in coverage, which weighs the saturated end as much as the rest ("coverage", as
            published), or that of log(-log coverage), which weighs the hard tail ("log").

    Raises:
        InputError: if the law is not defined: coverage 0 everywhere, 1 everywhere or not growing at all; for "log", any
            coverage of 0 or 1.
    """
    k, c = _curve(ks, coverage)
    inside = (c > 0) & (c < 1)
    if space not in ("coverage", "log"):
        raise InputError(f"space must be 'coverage' or 'log', not {space!r}")
    if space == "log" and not inside.all():
        raise InputError(f"log(-log coverage) is undefined at 0 and 1, which {np.sum(~inside)} of {len(c)} points are; leave them out")
    # Where a point or none is inside, the line through log(-log c) is not there to start from.
    x, y = np.log(k), np.log(-np.log(np.clip(c, 1e-6, 1 - 1e-6)))
    chosen = inside if inside.sum() >= 2 else np.ones_like(inside)
    slope, intercept = np.polyfit(x[chosen], y[chosen], 1)
    start = np.array([intercept, math.log(max(-slope, 1e-3))])
    if space == "log":
        if slope >= 0:
            raise InputError("coverage does not grow with k, so no law with b < 0 fits it")
        solution, jacobian, errors = start, np.column_stack([np.ones_like(x), slope * x]), y - intercept - slope * x
    else:
        solution, jacobian, errors = _least_squares(x, c, start)
    a, b = -_exp(solution[0]), -_exp(solution[1])
    low, high = _slope_interval(solution[1], jacobian, errors)
    fitted = np.exp(a * k**b)
    r2 = 1 - float(np.sum((fitted - c) ** 2) / np.sum((c - c.mean()) ** 2))
    return PowerLaw(a, b, -_exp(high), -_exp(low), float(np.abs(fitted - c).max()), r2)


def _curve(ks: ArrayLike, coverage: ArrayLike) -> tuple[Floats, Floats]:
    k, c = np.asarray(ks, dtype=np.float64), np.asarray(coverage, dtype=np.float64)
    if k.ndim != 1 or k.shape != c.shape or len(np.unique(k)) != len(k) or len(k) < 3:
        raise InputError(f"a fit needs at least 3 different ks with a coverage each; shapes {k.shape} and {c.shape} were given")
    if not (np.all(np.isfinite(k)) and np.all(k > 0) and np.all((c >= 0) & (c <= 1))):
        raise InputError("ks must be above 0 and coverage in [0, 1]")
    if np.all(c == 0):
        raise InputError("coverage is 0 at every k: no sample solved a problem, and the law is not defined")
    if np.ptp(c) < 1e-12:
        raise InputError(f"coverage is {c[0]:g} at every k: a curve that does not grow has no law")
    return k, c


def _least_squares(x: Floats, c: Floats, start: Floats) -> tuple[Floats, Floats, Floats]:
    """Least squares in coverage over (log -a, log -b), which keeps both signs; solution, Jacobian and residuals."""
    optimize = need("scipy.optimize", "bench")

    def parts(theta: Floats) -> tuple[Floats, Floats]:
        exponent = np.exp(np.clip(theta[0] - math.exp(min(theta[1], 50)) * x, -700, 700))
        return exponent, np.exp(-exponent)

    def errors(theta: Floats) -> Floats:
        return parts(theta)[1] - c

    def jacobian(theta: Floats) -> Floats:
        exponent, fitted = parts(theta)
        slope = -exponent * fitted
        return np.column_stack([slope, -slope * math.exp(min(theta[1], 50)) * x])

    starts = [start, np.array([start[0], math.log(0.3)])]
    runs = [optimize.least_squares(errors, s, jac=jacobian, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15) for s in starts]
    best = min(runs, key=lambda run: run.cost)
    return best.x, best.jac, best.fun


def _slope_interval(log_slope: float, jacobian: Floats, errors: Floats) -> tuple[float, float]:
    """95% interval of log(-b) by the usual linearisation, Student's t with m - 2 degrees of freedom."""
    freedom = len(errors) - 2
    variance = float(errors @ errors) / freedom * np.linalg.pinv(jacobian.T @ jacobian)[1, 1]
    half = float(need("scipy.special", "bench").stdtrit(freedom, 0.975)) * math.sqrt(max(variance, 0.0))
    return log_slope - half, log_slope + half


def beta_coverage(alpha: float, beta: float, k: ArrayLike) -> Floats:
    """Coverage at k samples when success probabilities are Beta(alpha, beta): 1 - B(alpha, beta + k) / B(alpha, beta)."""
    draws = np.asarray(k, dtype=np.float64)
    if not (0 < alpha < math.inf and 0 < beta < math.inf) or np.any(~(draws >= 0)):
        raise InputError(f"Beta coverage needs alpha and beta above 0 and k of at least 0, not {alpha!r}, {beta!r}, {k!r}")
    betaln = need("scipy.special", "bench").betaln
    return -np.expm1(betaln(alpha, beta + draws) - betaln(alpha, beta))


def fit_beta(correct: ArrayLike | Counts) -> BetaFit:
    """Fit Beta(alpha, beta) to the success counts of problems by maximum likelihood of the Beta-binomial.

    It uses what coverage alone forgets: how often a problem was solved, not only whether. The log-likelihood leaves out the
    binomial coefficients, which do not depend on the parameters.

    Args:
        correct: bool[P, N], or counts (n, c) of each problem.

    Raises:
        InputError: if no sample is correct, or every one: the likelihood then has no maximum.
    """
    n, c = sample_counts(correct)
    if not c.any():
        raise InputError(f"none of {n.sum()} samples is correct: the law of coverage is not defined")
    if np.all(c == n):
        raise InputError(f"all of {n.sum()} samples are correct: coverage is 1, and there is nothing to fit")
    betaln, psi = (getattr(need("scipy.special", "bench"), name) for name in ("betaln", "psi"))

    def loss(theta: Floats) -> tuple[float, Floats]:
        alpha, beta = np.exp(theta)
        value = np.sum(betaln(c + alpha, n - c + beta) - betaln(alpha, beta))
        common = psi(alpha + beta) - psi(n + alpha + beta)
        slope = np.array([np.sum(psi(c + alpha) - psi(alpha) + common), np.sum(psi(n - c + beta) - psi(beta) + common)])
        return -float(value) / len(c), -slope * np.exp(theta) / len(c)

    share = float(np.mean(c / n))
    starts = [np.log([share * size, (1 - share) * size]) for size in (0.5, 5.0)]
    minimize = need("scipy.optimize", "bench").minimize
    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10}
    runs = [minimize(loss, s, jac=True, method="L-BFGS-B", bounds=[(-15, 15)] * 2, options=options) for s in starts]
    best = min(runs, key=lambda run: run.fun)
    alpha, beta = np.exp(best.x)
    return BetaFit(float(alpha), float(beta), -float(best.fun) * len(c))


def log_shift(ks: ArrayLike, coverage: ArrayLike, anchor: float) -> float:
    """log k at which a coverage curve first reaches `anchor`, linear in log k between its points.

    Curves of one family of models lie on one another once each is shifted by this much (Brown et al. 2024, section 3.2).

    Raises:
        InputError: if the curve does not cross the anchor.
    """
    k, c = _curve(ks, coverage)
    order = np.argsort(k)
    x, y = np.log(k[order]), c[order]
    if not y[0] <= anchor <= y[-1]:
        raise InputError(f"the curve goes from {y[0]:.3g} to {y[-1]:.3g} and does not cross {anchor:.3g}")
    i = max(1, int(np.argmax(y >= anchor)))
    return float(x[i - 1] + (x[i] - x[i - 1]) * ((anchor - y[i - 1]) / (y[i] - y[i - 1]) if y[i] > y[i - 1] else 0.0))
