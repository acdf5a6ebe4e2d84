"""Kill a `ponder bench` with SIGKILL at random moments, resume it, and compare with an undisturbed run.

    python benchmarks/kill_resume.py --kills 200

Prints JSON: kills (those that hit a living process), runs, and what was lost, doubled or different.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from ponder.bench.store import RunStore
from ponder.cli import main

METHODS = (
    "sample(4) | vote()",
    "rpc(8)",
    "until(confident(), sample(2)) | vote()",
    "sample(3) + sample(3) | weigh(judge) | argmax()",
    "split(3, sample(2) | weigh(self_eval)) | vote()",
)
MODEL = "scripted:The answer is 56.=0.4,It is 54.=0.3,I think 7.=0.2,nothing=0.1"


def arguments(out: Path, limit: int) -> list[str]:
    """The command under test."""
    chosen = [part for method in METHODS for part in ("--method", method)]
    return [
        "bench",
        "times-tables",
        "arithmetic",
        *chosen,
        "--model",
        MODEL,
        "--limit",
        str(limit),
        "--seeds",
        "2",
        "--out",
        str(out),
        "--no-plot",
        "--json",
    ]


def bench(out: Path, limit: int, kill_after: float | None = None) -> tuple[bool, float]:
    """Run the command in a child process; True if it was killed, and the seconds it lived."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            main(arguments(out, limit), standalone_mode=False)
        except SystemExit as end:
            os._exit(int(end.code or 0))
        except BaseException:
            os._exit(99)
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)  # a child that has ended is still there to be waited for
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    if not killed and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"the bench under test exited with {os.WEXITSTATUS(status)}")
    return killed, time.monotonic() - began


def contents(out: Path) -> dict[str, Any]:
    """Everything a run's file holds, and SQLite's own check of it."""
    store = RunStore(out)
    answers = store.answers()
    store.close()
    db = sqlite3.connect(out / "run.sqlite")
    held = {table: dict(db.execute(f"SELECT * FROM {table}").fetchall()) for table in ("places", "replies", "settings")}
    sound = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    return {"answers": answers, "sound": sound, **held}


def torture(kills: int, limit: int = 8, seed: int = 0, per_run: int = 10) -> dict[str, Any]:
    """Kill `kills` times in all, up to `per_run` times a run; see the module's docstring for what comes back."""
    rng = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="ponder-kill-"))
    bench(folder / "warm-up", limit)
    _, seconds = bench(folder / "undisturbed", limit)
    wanted = contents(folder / "undisturbed")
    total = {
        "kills": 0,
        "runs": 0,
        "answers": len(wanted["answers"]),
        "lost": 0,
        "doubled": 0,
        "different": 0,
        "unsound": 0,
        "seconds_undisturbed": seconds,
    }
    while total["kills"] < kills:
        out = folder / f"run-{total['runs']}"
        hits = 0
        for _ in range(min(per_run, kills - total["kills"])):
            killed, _ = bench(out, limit, kill_after=rng.uniform(0, 0.6 * seconds))
            hits += killed
            if not killed:
                break
        bench(out, limit)
        found = contents(out)
        total["kills"] += hits
        total["runs"] += 1
        total["lost"] += len(set(wanted["answers"]) - set(found["answers"]))
        total["doubled"] += len(set(found["answers"]) - set(wanted["answers"])) + len(set(found["places"]) - set(wanted["places"]))
        total["different"] += sum(found["answers"].get(k) != v for k, v in wanted["answers"].items()) + (
            found["replies"] != wanted["replies"]
        )
        total["unsound"] += found["sound"] != "ok"
    shutil.rmtree(folder)
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(torture(options.kills, seed=options.seed), indent=2))
