"""NUTS on one model: ours, which is blackjax behind `ponder.prob.hmc`; blackjax by hand; and numpyro.

    pip install --no-deps --target out/peer-numpyro numpyro multipledispatch tqdm
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false PYTHONPATH=src:out/peer-numpyro
    python -m benchmarks.peers.hmc [DRAWS] [ROUNDS]

A logistic regression of 10 coefficients on 500 observations, 2 chains one after the other, 500 steps of warm-up, double precision.
Effective draws a second are those of the least effective coefficient. Every sampler runs with DRAWS and with three times as many, in
alternating rounds; the difference leaves out compiling and warm-up, whose seconds are shown beside it. Seconds are the processor's.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import arviz
import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS

from ponder.prob.distributions import Normal
from ponder.prob.hmc import nuts
from ponder.prob.program import Program

COEFFICIENTS, OBSERVATIONS, CHAINS, WARMUP = 10, 500, 2, 500
_rng = np.random.default_rng(0)
X = _rng.standard_normal((OBSERVATIONS, COEFFICIENTS))
Y = (_rng.random(OBSERVATIONS) < 1 / (1 + np.exp(-X @ _rng.standard_normal(COEFFICIENTS)))).astype(float)


def log_likelihood(beta: Any) -> Any:
    logits = X @ beta
    return jnp.sum(Y * logits - jnp.logaddexp(0.0, logits))


def program(ctx: Any) -> Any:
    beta = jnp.stack([ctx.sample(Normal()) for _ in range(COEFFICIENTS)])
    ctx.factor(log_likelihood(beta))
    return beta


def ours(draws: int, seed: int) -> Any:
    return np.array(nuts(Program(program), draws, WARMUP, CHAINS, seed).values).reshape(CHAINS, draws, -1)


def by_hand(draws: int, seed: int) -> Any:
    def log_density(beta: Any) -> Any:
        return -0.5 * beta @ beta + log_likelihood(beta)

    @jax.jit
    def chain(key: Any, start: Any) -> Any:
        warm, key = jax.random.split(key)
        (state, parameters), _ = blackjax.window_adaptation(blackjax.nuts, log_density).run(warm, start, num_steps=WARMUP)
        step = blackjax.nuts(log_density, **parameters).step

        def one(state: Any, key: Any) -> Any:
            state, _ = step(key, state)
            return state, state.position

        return jax.lax.scan(one, state, jax.random.split(key, draws))[1]

    keys = jax.random.split(jax.random.key(seed), 2 * CHAINS)
    return np.array([chain(keys[c], jax.random.normal(keys[CHAINS + c], COEFFICIENTS)) for c in range(CHAINS)])


def theirs(draws: int, seed: int) -> Any:
    def model() -> None:
        beta = numpyro.sample("beta", dist.Normal(jnp.zeros(COEFFICIENTS), 1).to_event(1))
        numpyro.factor("seen", log_likelihood(beta))

    sampler = MCMC(NUTS(model), num_warmup=WARMUP, num_samples=draws, num_chains=CHAINS, chain_method="sequential", progress_bar=False)
    sampler.run(jax.random.key(seed))
    return np.array(sampler.get_samples(group_by_chain=True)["beta"])


def main(draws: int, rounds: int) -> None:
    jax.config.update("jax_enable_x64", True)
    samplers: dict[str, Callable[[int, int], Any]] = {"ponder (blackjax)": ours, "blackjax by hand": by_hand, "numpyro": theirs}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in samplers}
    speed: dict[str, list[float]] = {name: [] for name in samplers}
    means: dict[str, float] = {}
    for sampler in samplers.values():
        sampler(10, 0)  # what the first call alone does is no one's
    for seed in range(rounds):
        for name, sampler in samplers.items():
            taken, effective = [], []
            for n in (draws, 3 * draws):
                began = time.process_time()
                found = sampler(n, seed)
                taken.append(time.process_time() - began)
                effective.append(min(float(arviz.ess(found[..., k])) for k in range(COEFFICIENTS)))
            means[name] = float(found.mean())
            spent[name].append((taken[1] - taken[0], taken[0] - (taken[1] - taken[0]) / 2))
            speed[name].append((effective[1] - effective[0]) / (taken[1] - taken[0]))
    base = statistics.median(speed["blackjax by hand"])
    print(
        f"logistic regression, {COEFFICIENTS} coefficients, {OBSERVATIONS} observations, {CHAINS} chains x {draws} draws, {rounds} rounds"
    )
    for name in samplers:
        each, rest = (statistics.median(s[i] for s in spent[name]) for i in range(2))
        rate = statistics.median(speed[name])
        figures = f"{rate:8.0f} effective draws/s {rate / base:5.2f}x  {each:6.2f} s for {2 * draws * CHAINS} draws, {rest:5.1f} s before"
        print(f"  {name:20} {figures}  mean {means[name]:.4f}")


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:3]]
    main(*(given + [2000, 3][len(given) :]))
