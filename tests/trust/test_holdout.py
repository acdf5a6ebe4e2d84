"""The reusable holdout: exact limits of the mechanism, its ledger, and what it refuses."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import BudgetExhausted, InputError, PonderError
from ponder.trust.holdout import Estimate, FreshParts, Holdout, NaiveHoldout, SparseValidate, halves

pytestmark = pytest.mark.filterwarnings("ignore:threshold")
ONES, ZEROS = np.ones(100), np.zeros(100)


def coins(p, n, seed):
    return (np.random.default_rng(seed).random(n) < p).astype(float)


def test_without_noise_and_threshold_it_is_the_raw_holdout():
    holdout = Holdout(100, threshold=0.0, noise=0.0, budget=50, seed=1)
    for i in range(20):
        train, held = coins(0.5, 80, i), coins(0.6, 100, 100 + i)
        assert holdout.ask(train, held).value == held.mean() or held.mean() == train.mean()


def test_with_an_infinite_threshold_it_is_the_training_half():
    holdout = Holdout(100, threshold=np.inf, budget=1, seed=1)
    for i in range(20):
        train = coins(0.5, 80, i)
        assert holdout.ask(train, ZEROS) == Estimate(train.mean(), "train", 1, np.inf)


def test_budget_is_spent_by_exactly_the_answers_of_the_holdout():
    holdout = Holdout(100, threshold=0.3, noise=0.0, budget=2, seed=0)
    seen = [holdout.ask(*pair) for pair in ((ONES, ONES), (ONES, ZEROS), (ZEROS, ZEROS), (ONES, ZEROS))]
    assert [(e.value, e.source, e.remaining) for e in seen] == [(1, "train", 2), (0, "holdout", 1), (0, "train", 1), (0, "holdout", 0)]
    for pair in ((ONES, ONES), (ONES, ZEROS)):
        with pytest.raises(BudgetExhausted, match="budget of 2 is spent after 4 questions"):
            holdout.ask(*pair)
    assert [e.spent for e in holdout.ledger.entries()] == [0, 1, 1, 2]


def test_a_name_asked_again_gets_its_old_answer_for_nothing():
    holdout = Holdout(100, noise=0.02, budget=1, seed=0)
    first = holdout.ask(ONES, ZEROS, name="a")
    assert first.source == "holdout"
    assert holdout.ask(ONES, ZEROS, name="a") == first
    with pytest.raises(InputError, match="'a' was asked before, of other scores"):
        holdout.ask(ONES, ONES, name="a")


def test_a_second_process_cannot_reset_the_budget_nor_the_noise(tmp_path):
    path = tmp_path / "held" / "ledger.sqlite"
    one = Holdout(100, budget=3, ledger=path)
    answers = [one.ask(ONES, ZEROS).value for _ in range(2)]
    two = Holdout(100, budget=3, ledger=path)
    assert two.remaining == one.remaining == 1
    answers.append(two.ask(ONES, ZEROS).value)
    assert len(set(answers)) == 3, "noise used twice cancels"
    with pytest.raises(BudgetExhausted):
        one.ask(ONES, ZEROS)
    for wrong in ({"budget": 4}, {"size": 101}, {"threshold": 0.5}, {"noise": 0.0}, {"seed": 3}, {"preset": "science2015"}):
        with pytest.raises(InputError, match=f"opened with {next(iter(wrong))} .* cannot be taken back"):
            Holdout(**{"size": 100, "budget": 3, "ledger": path, **wrong})


def test_a_budget_spent_in_another_process_is_spent(tmp_path):
    code = (
        "import sys, warnings; warnings.simplefilter('ignore'); import numpy as np; from ponder.trust.holdout import Holdout\n"
        "h = Holdout(100, threshold=0.3, noise=0.0, budget=2, ledger=sys.argv[1])\n"
        "print(h.ask(np.ones(100), np.zeros(100)).remaining)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "ledger")]
    assert [subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() for _ in range(2)] == ["1", "0"]
    with pytest.raises(BudgetExhausted):
        Holdout(100, threshold=0.3, noise=0.0, budget=2, ledger=tmp_path / "ledger").ask(ONES, ZEROS)


def test_settings_that_are_refused_leave_no_trace_in_the_ledger(tmp_path):
    for wrong in ({"threshold": -1.0}, {"noise": np.inf}):
        with pytest.raises(InputError, match="at least 0"):
            Holdout(100, ledger=tmp_path / "ledger", **wrong)
    assert Holdout(100, ledger=tmp_path / "ledger").threshold == pytest.approx(0.3)


def test_a_ledger_belongs_to_its_rows_and_its_mechanism(tmp_path):
    path, rows = tmp_path / "ledger.sqlite", [f"q{i}" for i in range(100)]
    Holdout(100, ledger=path, rows=rows)
    Holdout(100, ledger=path, rows=rows[::-1])
    with pytest.raises(InputError, match="opened with rows"):
        Holdout(100, ledger=path, rows=[*rows[:-1], "another"])
    with pytest.raises(InputError, match="opened with kind"):
        SparseValidate(100, ledger=path, rows=rows)


def test_a_file_that_is_no_ledger_is_named(tmp_path):
    (tmp_path / "text").write_text("not a database, and long enough to be seen as none" * 20)
    with pytest.raises(PonderError, match=r"ledger .*text cannot be read"):
        Holdout(100, ledger=tmp_path / "text")


def test_the_same_seed_gives_the_same_answers():
    told = [[Holdout(100, seed=s).ask(ONES, coins(0.2, 100, 9)).value for _ in range(2)] for s in (4, 4, 5)]
    assert told[0] == told[1] != told[2]


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 50))
def test_an_answer_is_the_training_mean_or_the_noisy_holdout_mean(train, held, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        holdout = Holdout(400, seed=seed)
    (e,) = holdout.ask_means(train, held)
    assert (e.value == train) == (e.source == "train")
    assert e.remaining == 100 - (e.source == "holdout")
    if e.source == "holdout":
        assert abs(e.value - held) < 40 * holdout.noise


@pytest.mark.parametrize("gap", [0.0, 0.12, 0.2])
def test_the_stated_tolerance_holds(gap):
    holdout = Holdout(400, threshold=0.15, noise=0.02, budget=10**6, seed=5)
    told = holdout.ask_means(np.full(2000, 0.5 + gap), 0.5)
    share = np.mean([abs(e.value - 0.5) <= e.tolerance for e in told])
    assert share >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_the_chance_of_speaking_is_that_of_the_two_noises():
    # P(Lap(4s) + Lap(2s) < -t) = (16 exp(-t/4s) - 4 exp(-t/2s)) / 24 with t = threshold - gap
    s, t = 0.02, 0.1
    over = [Holdout(10_000, threshold=0.15, noise=s, seed=i).ask_means(0.55, 0.5)[0].source == "holdout" for i in range(600)]
    chance = (16 * np.exp(-t / (4 * s)) - 4 * np.exp(-t / (2 * s))) / 24
    assert abs(np.mean(over) - chance) < 4 * np.sqrt(chance / 600)


def test_privacy_follows_from_what_was_told():
    holdout = Holdout(1000, threshold=0.1, noise=0.01, budget=9, seed=0)
    assert holdout.epsilon() == 0
    told = holdout.ask_means([0.5, 0.9, 0.9], [0.5, 0.2, 0.2])
    spoken = sum(e.source == "holdout" for e in told)
    assert spoken >= 2
    assert holdout.epsilon() == pytest.approx((spoken + 1) * 2 / (0.01 * 1000)), "silence tells something too"
    assert Holdout(1000, preset="science2015").epsilon() == np.inf


def test_sparse_validate_tells_only_whether_the_halves_agree():
    check = SparseValidate(100, threshold=0.3, noise=0.0, budget=1, seed=0)
    assert [check.validate(ONES, ONES), check.validate(ONES, ZEROS)] == [True, False]
    with pytest.raises(BudgetExhausted):
        check.validate(ONES, ONES)
    with pytest.raises(InputError, match="validate"):
        check.ask(ONES, ONES)


def test_baselines():
    held = np.arange(6) / 10
    assert NaiveHoldout(6).ask(ONES, held).value == held.mean()
    fresh = FreshParts(6, 3)
    assert [fresh.ask(ONES, held).value for _ in range(3)] == pytest.approx([0.15, 0.25, 0.35])
    with pytest.raises(BudgetExhausted, match="all 3 parts"):
        fresh.ask(ONES, held)
    with pytest.raises(InputError, match="1 to 6 parts"):
        FreshParts(6, 7)


def test_halves_depend_on_the_id_alone():
    ids = [f"problem {i}" for i in range(2000)]
    train, held = halves(ids)
    assert sorted([*train, *held]) == list(range(2000))
    assert 900 < len(held) < 1100
    few = halves(ids[:300])[1]
    assert few.tolist() == [i for i in held if i < 300]
    assert halves(ids, salt="b")[1].tolist() != held.tolist()
    with pytest.raises(InputError, match="both halves"):
        halves(["a", "b", "a"])
    with pytest.raises(InputError, match="cannot be split"):
        halves(["a"])


@pytest.mark.parametrize("scores", [np.full(100, np.nan), np.full(100, 1.1), np.ones(99), np.ones((100, 1)), -ONES])
def test_scores_that_cannot_be_used_are_refused_without_a_word_of_them(scores):
    holdout = Holdout(100)
    with pytest.raises(InputError, match="holdout_scores must be") as caught:
        holdout.ask(ONES, scores)
    assert "nan" not in str(caught.value)
    assert "1.1" not in str(caught.value)
    assert holdout.ledger.entries() == []


@pytest.mark.parametrize("wrong", [{"size": 0}, {"budget": 0}, {"low": 1.0}, {"rows": ["a"]}, {"threshold": -1.0}, {"noise": np.nan}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError):
        Holdout(**{"size": 10, **wrong})


def test_a_threshold_that_burns_the_budget_is_warned_of():
    with pytest.warns(UserWarning, match="without any overfitting"):
        Holdout(10_000, threshold=0.01, noise=0.001)
    with pytest.warns(UserWarning, match="noise"):
        Holdout(10_000, threshold=0.04, noise=0.03)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Holdout(10_000, threshold=0.04, noise=0.01)
