"""The arithmetic of loans: the day-end convention, schedules, arrears."""

from datetime import date

import numpy as np
import pytest

from simulator.calendar import day_number
from simulator.loans import Loans, balance, days_past_due, instalments_due, position


@pytest.mark.parametrize(
    ("due", "day_end", "expected"),
    [
        # RBI/2021-22/125, the circular's own example: SMA-0, SMA-1, SMA-2, NPA.
        ("2021-03-31", "2021-03-31", 1),
        ("2021-03-31", "2021-04-30", 31),
        ("2021-03-31", "2021-05-30", 61),
        ("2021-03-31", "2021-06-29", 91),
        # A second published series, over a year's end and February.
        ("2021-12-01", "2021-12-31", 31),
        ("2021-12-01", "2022-01-30", 61),
        ("2021-12-01", "2022-03-01", 91),
    ],
)
def test_days_past_due_are_inclusive_at_day_end(due: str, day_end: str, expected: int) -> None:
    oldest = np.array([day_number(date.fromisoformat(due))])
    assert days_past_due(day_number(date.fromisoformat(day_end)), oldest).tolist() == [expected]


def test_nothing_due_is_zero_days() -> None:
    assert days_past_due(20_000, np.array([-1])).tolist() == [0]


def one_loan() -> Loans:
    """12,000 over 12 months at 12 %: 1,067 a month from 5 February 2026."""
    return Loans(
        customer=np.array([0]),
        product=np.array([0]),
        opened=np.array([day_number(date(2026, 1, 2))]),
        tenor=np.array([12]),
        annual_rate=np.array([0.12]),
        principal=np.array([1_200_000]),
        emi=np.array([106_700]),
        due_day=np.array([5]),
        first_due_month=np.array([(2026 - 1970) * 12 + 1]),
        method=np.array([0]),
        has_mandate=np.array([True]),
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-02-04", 0),
        ("2026-02-05", 1),
        ("2026-03-04", 1),
        ("2026-03-05", 2),
        ("2028-01-01", 12),
    ],
)
def test_instalments_fall_due_on_their_day(day: str, expected: int) -> None:
    assert instalments_due(one_loan(), day_number(date.fromisoformat(day))).tolist() == [expected]


def test_the_oldest_instalment_is_paid_first() -> None:
    day = day_number(date(2026, 4, 10))
    now = position(one_loan(), np.array([106_700 + 6_700]), day)
    assert now.overdue.tolist() == [2 * 106_700 - 6_700]
    assert now.oldest_unpaid.tolist() == [day_number(date(2026, 3, 5))]
    assert now.days_past_due.tolist() == [37]
    assert now.next_due.tolist() == [day_number(date(2026, 5, 5))]


def test_all_arrears_paid_is_current_at_once() -> None:
    now = position(one_loan(), np.array([3 * 106_700]), day_number(date(2026, 4, 10)))
    assert (now.overdue[0], now.days_past_due[0], now.oldest_unpaid[0]) == (0, 0, -1)


def test_balance_follows_the_annuity() -> None:
    loan = one_loan()
    assert balance(loan, np.array([0])).tolist() == [1_200_000]
    # After one instalment: 12,000 x 1.01 - 1,067.
    assert balance(loan, np.array([106_700])).tolist() == [1_105_300]
    assert balance(loan, np.array([12 * 106_700])).tolist() == [0]
