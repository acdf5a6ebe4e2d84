"""What chains say of themselves: R-hat, effective draws, and their draws as ArviZ's `InferenceData`. The formulas are ArviZ's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ponder.core.context import Trace as StageTrace
from ponder.core.errors import InputError, need
from ponder.core.population import Population, joined
from ponder.core.resampling import systematic
from ponder.core.seeds import derive, generator
from ponder.prob.infer import Posterior


@dataclass(frozen=True)
class Diagnosis:
    """One number of a posterior, over all chains (Vehtari et al. 2021).

    Attributes:
        mean, sd: of the draws.
        r_hat: rank-normalised split R-hat; above 1.01 the chains have not mixed. NaN of one chain and of constant draws.
        ess_bulk, ess_tail: effective draws for the mean and for the 5 % and 95 % quantiles.
    """

    mean: float
    sd: float
    r_hat: float
    ess_bulk: float
    ess_tail: float


def side_by_side(run: Callable[[int], Posterior], chains: int = 4, seed: int = 0) -> Posterior:
    """Several chains of the same length, each run with a seed of its own, as one posterior.

    Args:
        run: run(seed) gives a chain, for example `lambda seed: trace_mh(program, 2000, burn=500, seed=seed)`.

    Raises:
        InputError: no chain, or chains of different lengths.
    """
    if chains < 1:
        raise InputError(f"at least 1 chain is run, not {chains}")
    found = [run(derive(seed, ("chain", c))) for c in range(chains)]
    lengths = [len(p.population) for p in found]
    if len(set(lengths)) > 1:
        raise InputError(f"chains side by side have one length, not {lengths}")
    items = found[0].population.items
    for other in found[1:]:
        items = joined(items, other.population.items)
    notes = StageTrace()
    for c, posterior in enumerate(found):
        for note in posterior.trace.notes:
            notes.note(f"chain {c + 1}: {note}")
    shares = [p.acceptance for p in found]
    accepted = None if None in shares else float(np.mean([s for s in shares if s is not None]))
    return Posterior(Population(items), accepted, notes, chains)


def variables(posterior: Posterior) -> dict[str, NDArray[Any]]:
    """The draws by name, arrays of shape (chains, draws, ...): the keys of dicts, the places of tuples (x0, x1, ...), or x.

    Raises:
        InputError: values that are not numbers, or of different shapes.
    """
    draws = posterior.values
    first = draws[0]
    if isinstance(first, Mapping):
        columns = {str(k): [v[k] for v in draws] for k in first}
    elif isinstance(first, tuple):
        columns = {f"x{i}": list(c) for i, c in enumerate(zip(*draws, strict=True))}
    else:
        columns = {"x": draws}
    return {
        name: _numbers(name, c).reshape(posterior.chains, len(draws) // posterior.chains, *np.shape(c[0])) for name, c in columns.items()
    }


def _numbers(name: str, column: Sequence[Any]) -> NDArray[Any]:
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not a number or an array of one shape in every draw, for example {column[0]!r:.60}") from error


def to_arviz(posterior: Posterior, seed: int = 0) -> Any:
    """The draws as `arviz.InferenceData`, for ArviZ's own plots and summaries; needs `pip install 'ponder[prob]'`.

    A weighted population is resampled first (systematically), for ArviZ knows no weights; evidence and effective size become attributes.

    Args:
        seed: of the resampling.

    Raises:
        InputError: values that are not numbers.
    """
    population = posterior.population
    about = {"log_evidence": population.log_evidence, "ess_of_weights": population.ess} if _weighted(posterior) else {}
    if about:
        posterior = Posterior(population.resample(systematic(), generator(seed, ("to_arviz",))), posterior.acceptance, posterior.trace)
    return need("arviz", "prob").from_dict(posterior=variables(posterior), posterior_attrs=about)


def diagnose(posterior: Posterior) -> dict[str, Diagnosis]:
    """R-hat and effective draws of every number, by name; entries of arrays are `name[i]`.

    Raises:
        InputError: a weighted population (its `ess` says what it is worth), fewer than 4 draws a chain, or values that are not numbers.
    """
    if _weighted(posterior):
        raise InputError("a weighted population is no chain: look at its ess, or at several runs' log-evidence")
    arviz, found = need("arviz", "prob"), dict[str, Diagnosis]()
    for name, draws in variables(posterior).items():
        if draws.shape[1] < 4:
            raise InputError(f"a chain is judged by at least 4 draws, not {draws.shape[1]}")
        for place in np.ndindex(draws.shape[2:]):
            x = draws[(slice(None), slice(None), *place)]
            label = f"{name}[{', '.join(map(str, place))}]" if place else name
            r_hat = float(arviz.rhat(x)) if len(x) > 1 and np.ptp(x) else math.nan
            bulk, tail = (float(arviz.ess(x, method=method)) for method in ("bulk", "tail"))
            found[label] = Diagnosis(float(x.mean()), float(x.std(ddof=1)), r_hat, bulk, tail)
    return found


def _weighted(posterior: Posterior) -> bool:
    return bool(np.ptp(posterior.population.log_weights) > 1e-9)
