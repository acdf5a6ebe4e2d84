"""Budgets from text, and the meter."""

from __future__ import annotations

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.budget import Bill, Budget, Meter, Price
from ponder.core.errors import BudgetExhausted, InputError


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("", Budget()),
        ("600 tokens", Budget(tokens=600)),
        ("4k tokens, 30s", Budget(tokens=4000, seconds=30)),
        ("1.5k tokens", Budget(tokens=1500)),
        ("10,000 tokens", Budget(tokens=10_000)),
        ("2M tokens; 10 calls", Budget(tokens=2_000_000, calls=10)),
        ("10 calls + $0.02", Budget(calls=10, money=0.02)),
        ("$1.50 and 2 min", Budget(money=1.5, seconds=120)),
        ("5 cents", Budget(money=0.05)),
        ("1h", Budget(seconds=3600)),
        ("2 m tokens", Budget(tokens=2_000_000)),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    "text", ["600", "tokens", "-5 tokens", "5 apples", "5 tokens, 6 tokens", "$5 tokens", "inf s", "1e9 tokens", "5 tokens 6 calls"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Budget.parse(text)


@given(
    st.one_of(st.none(), st.integers(0, 10**9)), st.one_of(st.none(), st.integers(0, 10**6)), st.one_of(st.none(), st.integers(0, 10**5))
)
def test_budgets_print_what_they_parse(tokens: int | None, calls: int | None, seconds: int | None) -> None:
    budget = Budget(tokens, calls, seconds)
    if budget != Budget():
        assert Budget.parse(str(budget)) == budget


@given(st.text(max_size=30))
def test_no_text_crashes_the_budget(text: str) -> None:
    with contextlib.suppress(InputError):
        Budget.parse(text)


def test_the_meter_says_what_has_ended() -> None:
    meter = Meter(Budget(tokens=100, calls=3))
    assert (meter.allowance().tokens, meter.allowance().calls) == (100, 3)
    meter.charge(Bill(tokens_in=40, tokens_out=20, calls=1))
    assert meter.allowance().tokens == 40
    meter.charge(Bill(tokens_out=45))
    with pytest.raises(BudgetExhausted, match="105 tokens spent"):
        meter.allowance()
    assert meter.bill.tokens == 105


def test_money_needs_a_price_and_is_counted() -> None:
    with pytest.raises(InputError, match="price"):
        Meter(Budget(money=1))
    meter = Meter(Budget(money=0.001), Price(1.0, 2.0))
    meter.charge(Bill(tokens_in=100, tokens_out=200))
    assert meter.bill.money == pytest.approx(0.0005)
    assert meter.allowance().tokens == pytest.approx(250, abs=1)
    meter.charge(Bill(tokens_out=250))
    with pytest.raises(BudgetExhausted):
        meter.allowance()


def test_the_meter_loses_nothing_between_threads() -> None:
    meter = Meter()
    threads = [threading.Thread(target=lambda: [meter.charge(Bill(1, 2, 0, 1)) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.bill == Bill(4000, 8000, 0, 4000)


def test_stop_ends_calls_in_flight_and_later_ones() -> None:
    meter = Meter()
    allowance = meter.allowance()
    assert not allowance.over(1e9)
    meter.stop()
    assert allowance.over(0)
    with pytest.raises(BudgetExhausted, match="user"):
        meter.allowance()


def test_an_allowance_ends_with_its_tokens_or_seconds() -> None:
    allowance = Meter(Budget(tokens=10, seconds=5)).allowance()
    allowance.take(9)
    assert not allowance.over(4.9)
    assert allowance.over(5)
    allowance.take(1)
    assert allowance.over(0)
