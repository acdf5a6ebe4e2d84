"""Truth inference in ponder and in crowd-kit 1.4.2, on the same simulated labels, side by side; then ponder alone on six million.

    python -m venv out/peer-crowds
    out/peer-crowds/bin/pip install crowd-kit==1.4.2 scikit-learn==1.6.1
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=src
    out/peer-crowds/bin/python -m benchmarks.peers.crowds [LABELS] [WORKERS] [ROUNDS] [MODEL ...]

Both get as many rounds of expectation and maximisation, without a stop before, and their own input ready made (a data frame, or arrays with
names); accuracy is the share of items right. CPU seconds, because other work shares the machine. Models: majority,
one_coin, dawid_skene, wawa, zero_based_skill, mace, glad (the last two are slow in crowd-kit: name them with few labels).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from crowdkit import aggregation as peer

from ponder.trust.crowds import GLAD, MACE, DawidSkene, MajorityVote, OneCoin, Wawa, ZeroBasedSkill, labels_of, simulate_crowd


def pairs(rounds: int) -> dict[str, tuple[Any, Callable[[], Any]]]:
    """Name -> our aggregator and what makes crowd-kit's."""
    return {
        "majority": (MajorityVote(), peer.MajorityVote),
        "wawa": (Wawa(), peer.Wawa),
        "zero_based_skill": (ZeroBasedSkill(rounds=rounds), lambda: peer.ZeroBasedSkill(n_iter=rounds, eps=0)),
        "one_coin": (OneCoin(rounds=rounds, tolerance=0), lambda: peer.OneCoinDawidSkene(n_iter=rounds, tol=0)),
        "dawid_skene": (DawidSkene(rounds=rounds, tolerance=0), lambda: peer.DawidSkene(n_iter=rounds, tol=0)),
        "mace": (MACE(), peer.MACE),
        "glad": (GLAD(rounds=rounds), lambda: peer.GLAD(n_iter=rounds)),
    }


def main(labels: int, workers: int, rounds: int, names: list[str]) -> None:
    crowd = simulate_crowd(workers, labels // 6, n_capabilities=6, seed=0)
    ours = crowd.labels
    frame = pd.DataFrame({"task": ours.item, "worker": ours.worker, "label": ours.label})
    began = time.process_time()
    labels_of(ours.item, ours.worker, ours.label)
    print(f"{len(ours):,} labels, {workers} workers; checking and encoding triples: {time.process_time() - began:.2f} s")
    print(f"{'':18}{'ponder s':>10}{'crowd-kit s':>12}{'times':>7}{'accuracy':>10}{'crowd-kit':>10}")
    for name in names:
        mine, theirs = pairs(rounds)[name]
        began = time.process_time()
        found = mine.fit(ours)
        took = time.process_time() - began
        line = f"{name:18}{took:10.2f}"
        if labels <= 1_500_000:
            began = time.process_time()
            answers = theirs().fit_predict(frame)
            other = time.process_time() - began
            right = crowd.accuracy(answers.reindex(np.arange(len(crowd.truth))).to_numpy())
            line += f"{other:12.2f}{other / took:7.0f}{crowd.accuracy(found.best):10.4f}{right:10.4f}"
        else:
            line += f"{'':19}{crowd.accuracy(found.best):10.4f}"
        print(line, flush=True)


if __name__ == "__main__":
    size, people, times = (int(a) for a in [*sys.argv[1:4], *("1000000", "2000", "20")[len(sys.argv[1:4]) :]])
    main(size, people, times, sys.argv[4:] or ["majority", "wawa", "one_coin", "dawid_skene"])
