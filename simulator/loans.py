"""Loans: their terms, their amortisation schedule, and what is overdue at a day's end.

The arithmetic is the textbook annuity: a principal ``P`` at ``annual_rate`` over ``tenor``
months costs ``emi = P r / (1 - (1+r)^-tenor)`` with ``r = annual_rate / 12``; after ``k``
instalments ``P (1+r)^k - emi ((1+r)^k - 1) / r`` is outstanding. Money is whole cents (paise).
Money paid is applied to the oldest instalment first.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator.calendar import day_of_month, month_start, months_since_epoch
from simulator.people import INDIA, People
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TENORS = ((12, 18, 24, 36, 48), (18, 24, 36), (36, 48, 60), (12, 18, 24, 36), (120, 180, 240))
_RATES = ((0.13, 0.24), (0.11, 0.19), (0.085, 0.13), (0.30, 0.40), (0.075, 0.10))
_EMI_SHARE = ((0.06, 0.16), (0.04, 0.09), (0.10, 0.20), (0.03, 0.10), (0.20, 0.34))
"""By product: tenors offered (months), annual rate range, EMI as a share of monthly income."""

MANDATE_SHARE = 0.66


@dataclass
class Loans:
    """One element per account; days count from 1970-01-01, money is in cents.

    ``first_due_month`` is a calendar month number (0 = January 1970); instalment ``n`` (from 0)
    falls due on ``due_day`` of month ``first_due_month + n``. ``method`` indexes
    :data:`simulator.feeds.payments.METHODS`; ``has_mandate`` means the lender collects itself.
    """

    customer: Ints
    product: Ints
    opened: Ints
    tenor: Ints
    annual_rate: Floats
    principal: Ints
    emi: Ints
    due_day: Ints
    first_due_month: Ints
    method: Ints
    has_mandate: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.customer)

    def table(self) -> pa.Table:
        """One column an attribute."""
        return pa.table({f.name: pa.array(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_table(cls, table: pa.Table) -> "Loans":
        """The inverse of :meth:`table`."""
        return cls(**{f.name: table[f.name].to_numpy() for f in fields(cls)})


@dataclass(frozen=True)
class Position:
    """What each account owes at a day's end.

    Attributes:
        due_count: instalments that have fallen due, the day itself included.
        paid_count: instalments paid in full.
        overdue: cents due and unpaid.
        oldest_unpaid: due day of the oldest unpaid instalment; -1 when nothing is overdue.
        days_past_due: see :func:`days_past_due`.
        next_due: the next due day after the day, of an instalment not yet paid; -1 when none.
        is_settled: every instalment is paid.
    """

    due_count: Ints
    paid_count: Ints
    overdue: Ints
    oldest_unpaid: Ints
    days_past_due: Ints
    next_due: Ints
    is_settled: npt.NDArray[np.bool_]


def days_past_due(day: int, oldest_unpaid: Ints) -> Ints:
    """Days past due at the end of ``day``, the due day itself counted as 1; 0 when nothing is due.

    The inclusive day-end convention of RBI/2021-22/125 (12 November 2021): an instalment due on
    31 March and unpaid at that day's end has 1 day, 31 on 30 April, 61 on 30 May, 91 on 29 June.

    Args:
        day: the day whose end is meant.
        oldest_unpaid: due days of the oldest unpaid instalments; -1 for none.
    """
    return np.where(oldest_unpaid < 0, 0, np.maximum(day - oldest_unpaid + 1, 0))


def due_date(loans: Loans, number: Ints) -> Ints:
    """Due day of instalment ``number`` (0 = the first)."""
    return month_start(loans.first_due_month + number) + loans.due_day - 1


def instalments_due(loans: Loans, day: int) -> Ints:
    """How many instalments have fallen due by the end of ``day``."""
    months = int(months_since_epoch(day)) - loans.first_due_month
    count = months + (int(day_of_month(day)) >= loans.due_day)
    return np.clip(count, 0, loans.tenor)


def balance(loans: Loans, paid: Ints) -> Ints:
    """Principal outstanding in cents after ``paid`` cents; a part instalment counts in part."""
    rate = loans.annual_rate / 12
    count = np.minimum(paid // loans.emi, loans.tenor)

    def after(instalments: Ints) -> Floats:
        growth = (1 + rate) ** instalments
        left: Floats = loans.principal * growth - loans.emi * (growth - 1) / rate
        return left

    part = (paid - count * loans.emi) / loans.emi
    left = after(count) * (1 - part) + after(np.minimum(count + 1, loans.tenor)) * part
    return np.where(count >= loans.tenor, 0, np.maximum(np.round(left), 0)).astype("int64")


def outstanding(loans: Loans, paid: Ints, day: int) -> Ints:
    """Cents owed at the end of ``day``: the principal balance, never less than what is overdue."""
    overdue = np.maximum(instalments_due(loans, day) * loans.emi - paid, 0)
    owed: Ints = np.maximum(balance(loans, paid), overdue)
    return owed


def position(loans: Loans, paid: Ints, day: int) -> Position:
    """The position of every account at the end of ``day``, from the cents paid so far."""
    due_count = instalments_due(loans, day)
    paid_count = np.minimum(paid // loans.emi, loans.tenor)
    overdue = np.maximum(due_count * loans.emi - paid, 0)
    oldest = np.where(overdue > 0, due_date(loans, paid_count), -1)
    upcoming = np.maximum(due_count, paid_count)
    is_settled = paid_count >= loans.tenor
    return Position(
        due_count=due_count,
        paid_count=paid_count,
        overdue=overdue,
        oldest_unpaid=oldest,
        days_past_due=days_past_due(day, oldest),
        next_due=np.where(upcoming < loans.tenor, due_date(loans, upcoming), -1),
        is_settled=is_settled,
    )


def make_loans(seed: int, people: People, first_day: int, last_day: int) -> Loans:
    """Draw one to three loans a customer, most of them already running on ``first_day``.

    The first loan of a customer outlives ``last_day``, so that every customer is in the book.
    """
    rng = generator(seed, "loans")
    per_customer = rng.choice([1, 2, 3], len(people), p=[0.70, 0.22, 0.08])
    customer = np.repeat(np.arange(len(people)), per_customer)
    count = len(customer)
    is_first = np.r_[True, customer[1:] != customer[:-1]]
    india = people.country[customer] == INDIA
    share = np.where(india[:, None], (0.38, 0.2, 0.1, 0.22, 0.1), (0.34, 0.01, 0.3, 0.27, 0.08))
    product = (rng.random(count)[:, None] * 0.999999 >= np.cumsum(share, axis=1)).sum(axis=1)
    tenor = _draw_tenor(rng, product)
    low, high = np.array(_RATES)[product].T
    annual_rate = np.round(low + (high - low) * rng.random(count), 4)
    low, high = np.array(_EMI_SHARE)[product].T
    wanted = people.income[customer] * (low + (high - low) * rng.random(count))
    rate = annual_rate / 12
    factor = (1 - (1 + rate) ** -tenor) / rate
    unit = np.where(india, 100_000, 10_000)
    principal = np.maximum(np.round(wanted * factor / unit), 5).astype("int64") * unit
    emi = np.ceil(principal / factor / 100).astype("int64") * 100
    opened = _draw_opening(rng, tenor, is_first, first_day, last_day)
    due_day, first_due_month = _first_due(rng, people.salary_day[customer], opened)
    return Loans(
        customer=customer,
        product=product,
        opened=opened,
        tenor=tenor,
        annual_rate=annual_rate,
        principal=principal,
        emi=emi,
        due_day=due_day,
        first_due_month=first_due_month,
        method=np.where(india, rng.choice([0, 3, 4, 5], count, p=[0.7, 0.14, 0.11, 0.05]),
                        rng.choice([2, 3, 5], count, p=[0.45, 0.45, 0.1])),
        has_mandate=rng.random(count) < MANDATE_SHARE,
    )  # fmt: skip


def _draw_tenor(rng: np.random.Generator, product: Ints) -> Ints:
    width = max(len(tenors) for tenors in _TENORS)
    table = np.array([list(t) + [t[-1]] * (width - len(t)) for t in _TENORS])
    sizes = np.array([len(t) for t in _TENORS])[product]
    chosen: Ints = table[product, (rng.random(len(product)) * sizes).astype("int64")]
    return chosen


def _draw_opening(
    rng: np.random.Generator, tenor: Ints, is_first: npt.NDArray[np.bool_], first: int, last: int
) -> Ints:
    """Most are one month to three years old on the first day; one in twelve is opened later."""
    count = len(tenor)
    oldest = np.where(is_first, tenor * 30 - (last - first) - 120, tenor * 30 + 200)
    oldest = np.clip(oldest, 45, 1_080)
    age = 30 + rng.random(count) * (oldest - 30)
    later = rng.random(count) * max(last - first - 5, 1)
    is_later = rng.random(count) < 1 / 12
    return np.where(is_later, first + later, first - age).astype("int64")


def _first_due(rng: np.random.Generator, salary_day: Ints, opened: Ints) -> tuple[Ints, Ints]:
    """Two in three fall due within five days after salary; the first at least 20 days on."""
    count = len(opened)
    aligned = (salary_day + rng.integers(1, 6, count) - 1) % 28 + 1
    due_day = np.where(rng.random(count) < 0.66, aligned, rng.integers(1, 29, count))
    earliest = opened + 20
    month = months_since_epoch(earliest)
    month = month + (day_of_month(earliest) > due_day)
    return due_day, month


def account_ids(accounts: npt.ArrayLike) -> pa.Array:
    """``A0000001`` for account index 0."""
    return columns.numbered("A", np.asarray(accounts) + 1, 7)
