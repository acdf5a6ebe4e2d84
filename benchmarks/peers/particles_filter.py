"""The bootstrap filter in ponder and in particles 0.4, on the same data, side by side.

    python -m venv out/peer-particles
    out/peer-particles/bin/pip install particles==0.4
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=src
    out/peer-particles/bin/python -m benchmarks.peers.particles_filter [N] [T] [ROUNDS]

Both resample by the systematic scheme when the effective share falls below one half, keep no history and use double precision
(ponder's single-precision states are a further row). Rounds alternate; the median of seconds is shown, and the peak of the memory
that is allocated over 20 observations.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from typing import Any, ClassVar

import numpy as np
import particles
from particles import distributions as dists
from particles import state_space_models as ssm

from ponder.core.context import Context
from ponder.core.population import Population
from ponder.core.problem import Problem
from ponder.core.resampling import systematic
from ponder.core.stepwise import extend, loop, resample, start
from ponder.prob.statespace import kalman_log_evidence, linear_gaussian, stochastic_volatility


class Linear(ssm.StateSpaceModel):
    default_params: ClassVar = {"rho": 0.9, "sd_state": 1.0, "sd_seen": 1.0}

    def PX0(self) -> Any:
        return dists.Normal(scale=self.sd_state / np.sqrt(1 - self.rho**2))

    def PX(self, t: int, xp: Any) -> Any:
        return dists.Normal(loc=self.rho * xp, scale=self.sd_state)

    def PY(self, t: int, xp: Any, x: Any) -> Any:
        return dists.Normal(loc=x, scale=self.sd_seen)


def ours(model: Any, n: int, seed: int) -> float:
    method = start(n) | loop(extend() | resample(systematic(), ess=0.5), limit=10**6)
    return method(Population((None,), [0.0]), Context(Problem("filter"), program=model, root=seed)).log_evidence


def theirs(model: Any, y: Any, n: int, seed: int) -> float:
    np.random.seed(seed)
    filter_ = particles.SMC(fk=ssm.Bootstrap(ssm=model, data=y), N=n, resampling="systematic", ESSrmin=0.5)
    filter_.run()
    return float(filter_.logLt)


def main(n: int, times: int, rounds: int) -> None:
    np.random.seed(1)
    linear, volatile = Linear(), ssm.StochVol(mu=-1.0, rho=0.95, sigma=0.2)
    for name, model, make in (("linear-Gaussian", linear, linear_gaussian), ("stochastic volatility", volatile, stochastic_volatility)):
        y = np.array(model.simulate(times)[1]).ravel()
        runs = {
            "particles": lambda s, m=model, y=y: theirs(m, list(y), n, s),
            "ponder": lambda s, f=make, y=y: ours(f(y), n, s),
            "ponder, float32 states": lambda s, f=make, y=y: ours(f(y, dtype=np.float32), n, s),
        }
        seconds: dict[str, list[float]] = {k: [] for k in runs}
        found: dict[str, list[float]] = {k: [] for k in runs}
        for seed in range(rounds):
            for k, go in runs.items():
                began = time.perf_counter()
                found[k].append(go(seed))
                seconds[k].append(time.perf_counter() - began)
        exact = f", Kalman {kalman_log_evidence(y):.3f}" if make is linear_gaussian else ""
        print(f"{name}: N={n}, T={times}, {rounds} alternating rounds{exact}")
        base = statistics.median(seconds["particles"])
        for k in runs:
            tracemalloc.start()
            if k == "particles":
                theirs(model, list(y[:20]), n, 0)
            else:
                ours(make(y[:20], dtype=np.float32 if "32" in k else np.float64), n, 0)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            median = statistics.median(seconds[k])
            figures = f"{median:7.3f} s {median / times * 1e3:6.2f} ms/step {base / median:5.2f}x"
            print(f"  {k:24} {figures}  log-evidence {np.mean(found[k]):.3f} peak {peak:.1f} MiB")


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:4]]
    main(*(given + [100_000, 1000, 3][len(given) :]))
