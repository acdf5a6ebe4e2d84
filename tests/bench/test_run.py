"""Runs: stored as they come, resumed by replaying, never mixed, never doubled."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from benchmarks.kill_resume import torture

from ponder.bench.run import Plan, run
from ponder.bench.store import RunStore
from ponder.bench.summary import summarise
from ponder.core.budget import Budget
from ponder.core.errors import InputError, PonderError, ReplayDivergence
from ponder.core.language import LM, Sampling
from ponder.lm.recorded import Call, MemoryStore, Recorded
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.tasks import load

METHODS = ("sample(4) | vote()", "sample(4) | weigh(likelihood) | argmax()", "until(confident(), sample(2)) | vote()")


def scripted(**options: Any) -> Scripted:
    def answers(prompt: str) -> dict[str, float]:
        question = prompt.rsplit("What is", 1)[-1].split("?")[0].strip()
        a, b = (int(x) for x in question.split("*"))
        return {f"{a} * {b} = {a * b}": 0.6, f"{a} * {b} = {a * b + 1}": 0.4}

    return Scripted(answers, **options)


def plan(lm: LM, methods: tuple[str, ...] = METHODS, limit: int = 6, **options: Any) -> Plan:
    return Plan([load("times-tables", limit=limit)], [parse(m) for m in methods], {"m": lm}, **options)


def test_a_run_is_complete_graded_and_repeatable(tmp_path: Path) -> None:
    results = []
    for name in ("a", "b"):
        store = RunStore(tmp_path / name)
        outcome = run(plan(scripted(), seeds=(0, 1)), store)
        assert outcome.done == 3 * 6 * 2
        assert not outcome.errors
        results.append(store.answers())
    assert results[0] == results[1]
    assert {row["random"] for row in results[0].values()} > {0.5, 1.0}
    assert all(row["c"] / row["n"] == pytest.approx(row["random"]) for row in results[0].values())
    assert any(
        results[0]["times-tables", METHODS[2], 0, p]["n"] != results[0]["times-tables", METHODS[2], 1, p]["n"] for *_, p in results[0]
    )


def test_methods_that_begin_alike_share_their_samples(tmp_path: Path) -> None:
    lm = scripted()
    store = RunStore(tmp_path)
    run(plan(lm, METHODS[:2]), store)
    assert lm.calls == 6
    bills = [row["bill"]["tokens"] for row in store.answers().values()]
    assert min(bills) > 0, "each method is billed what it would cost alone"
    run(plan(lm, METHODS), store)
    assert lm.calls > 6


def test_a_finished_run_asks_nothing_and_a_longer_one_only_what_is_new(tmp_path: Path) -> None:
    lm = scripted()
    store = RunStore(tmp_path)
    run(plan(lm, METHODS[:1], limit=4), store)
    assert run(plan(lm, METHODS[:1], limit=4), store).done == 0
    assert lm.calls == 4
    assert run(plan(lm, METHODS[:1], limit=7), store).done == 3
    assert lm.calls == 7


def test_failed_questions_are_asked_again_and_leave_the_others_alone(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    outcome = run(plan(scripted(faults=0.4), METHODS[:1], limit=20), store)
    assert 0 < len(outcome.errors) < 20
    assert outcome.done == 20 - len(outcome.errors)
    assert run(plan(scripted(), METHODS[:1], limit=20), store).done == len(outcome.errors)
    undisturbed = RunStore(tmp_path / "other")
    run(plan(scripted(), METHODS[:1], limit=20), undisturbed)
    assert store.answers() == undisturbed.answers()


def test_runs_of_different_settings_are_not_mixed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run(plan(scripted(), METHODS[:1]), store)
    for other in (
        plan(scripted(), METHODS[:1], sampling=Sampling(temperature=0.5)),
        plan(scripted(), METHODS[:1], budget=Budget(tokens=100)),
        plan(scripted(name="another"), METHODS[:1]),
    ):
        with pytest.raises(InputError, match="another --out"):
            run(other, store)


def test_an_answer_cannot_be_stored_twice(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.add(("t", "m", 0, "p"), {"correct": 1})
    with pytest.raises(PonderError):
        store.add(("t", "m", 0, "p"), {"correct": 0})
    assert store.answers()["t", "m", 0, "p"] == {"correct": 1}


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(PonderError):
        store.keep([Call("p1", "c1", "{}"), Call("p2", "c2", None)])  # type: ignore[arg-type]
    assert store.find([("p1", "c1")]) == [(None, None)]


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run(plan(scripted(), METHODS[:1], limit=3), store)
    held = store.answers()
    store._db.execute(f"PRAGMA max_page_count = {store._db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(PonderError, match=r"full.*free some space"):
        store.add(("t", "m", 0, "p"), {"text": "x" * 4_000_000})
    store.close()
    assert held.items() <= RunStore(tmp_path).answers().items()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.sqlite").write_text("this is no database, but it is long enough to be looked at" * 50)
    with pytest.raises(PonderError, match="run's folder"):
        RunStore(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PonderError, match="folder"):
        RunStore(tmp_path / "file")


@pytest.mark.parametrize(
    "options", [{"methods": ()}, {"methods": (METHODS[0], METHODS[0])}, {"seeds": ()}, {"style": "essay"}, {"budget": Budget(money=1)}]
)
def test_bad_plans_are_refused_before_anything_is_spent(options: dict[str, Any]) -> None:
    lm = scripted()
    with pytest.raises(InputError):
        plan(lm, **options)
    assert lm.calls == 0


def test_ctrl_c_keeps_what_is_done_and_stores_nothing_half_drawn(tmp_path: Path) -> None:
    store = RunStore(tmp_path)

    class Interrupt(Scripted):
        def generate(self, *args: Any, **kwargs: Any) -> Any:
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().generate(*args, **kwargs)

    interrupting = Interrupt(scripted()._answers, concurrency=1)
    outcome = run(plan(interrupting, METHODS[:1], limit=10), store)
    assert outcome.interrupted
    assert 0 < len(store.answers()) < 10
    run(plan(scripted(), METHODS[:1], limit=10), store)
    undisturbed = RunStore(tmp_path / "other")
    run(plan(scripted(), METHODS[:1], limit=10), undisturbed)
    assert store.answers() == undisturbed.answers()


def test_sigkill_at_random_moments_loses_nothing() -> None:
    """Twelve of the kills that `benchmarks/kill_resume.py` makes two hundred of."""
    total = torture(12, limit=4, seed=1, per_run=6)
    assert total["kills"] == 12
    assert [total[k] for k in ("lost", "doubled", "different", "unsound")] == [0, 0, 0, 0]


def test_replay_answers_from_the_store_and_divergence_raises() -> None:
    from ponder.front import ask

    store, lm = MemoryStore(), scripted()
    first = ask("What is 7 * 8?", model={"m": lm}, method=METHODS[2], store=store)
    calls = lm.calls
    again = ask("What is 7 * 8?", model={"m": Recorded(lm, MemoryStore())}, method=METHODS[2], store=store)
    assert lm.calls == calls
    assert again.to_dict() == first.to_dict()
    with pytest.raises(ReplayDivergence, match="not the one that was stored"):
        ask("What is 7 * 9?", model={"m": lm}, method=METHODS[2], store=store)
    with pytest.raises(ReplayDivergence, match="not in the store"):
        Recorded(None, MemoryStore()).generate([], Sampling()) or ask("What is 7 * 8?", model={"m": Recorded(None, MemoryStore())})


def test_sampled_requests_are_replayed_whatever_the_temperature() -> None:
    from ponder.front import ask

    store, lm = MemoryStore(), scripted()
    for _ in range(2):
        ask("What is 7 * 8?", model={"m": lm}, temperature=1.3, store=store)
    assert lm.calls == 1


def test_the_table_has_a_random_baseline_and_a_front(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    p = plan(scripted(), limit=30)
    run(p, store)
    rows = summarise(store.answers(), [str(m) for m in p.methods], ["times-tables"])
    assert [r.method for r in rows] == [str(m) for m in p.methods]
    for r in rows:
        assert r.random <= r.oracle
        assert r.accuracy.low <= r.accuracy.value <= r.accuracy.high
        assert r.problems == 30
    assert any(r.front for r in rows)
    assert abs(rows[0].random - 0.6) < 0.15


def test_the_file_is_in_write_ahead_mode(tmp_path: Path) -> None:
    RunStore(tmp_path)
    assert sqlite3.connect(tmp_path / "run.sqlite").execute("PRAGMA journal_mode").fetchone()[0] == "wal"
