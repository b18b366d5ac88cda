"""What features and rankings of Berka must be, computed from the `.asc` rows by hand.

Reads with gzip and csv, counts with Decimal, and uses no code of the platform: where the two agree,
two people have understood the same definition. Windows of n days end on the day itself; a month is
30 days of the last 90.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import fmean, linear_regression, pstdev

CENT = Decimal("0.01")
CREDITS = {"PRIJEM", "credit"}
TRANSACTION_FILES = ("trans_19930101_19940331.asc.gz", "trans_preloan_354_loans.csv.gz")


@dataclass(frozen=True)
class Transaction:
    """One row of the transaction files."""

    account: str
    day: date
    is_credit: bool
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Cashflow:
    """Features of a customer's bank account on a day."""

    monthly_inflow_mean: Decimal
    monthly_outflow_mean: Decimal
    savings_rate: float | None
    min_balance_30d: Decimal | None
    inflow_180d: Decimal
    outflow_7d: Decimal
    min_balance_90d: Decimal | None
    inflow_volatility: float | None
    outflow_trend: float | None


@dataclass(frozen=True)
class Loan:
    """One row of the loan table."""

    loan: str
    account: str
    opened: date
    amount: Decimal
    duration: int
    emi: Decimal
    status: str


def day_of(text: str) -> date:
    """A source date, YYMMDD."""
    return date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))


def rows_of(directory: Path, file: str) -> list[dict[str, str]]:
    """The rows of one source file as they stand in it."""
    with gzip.open(directory / file, "rt", encoding="ascii", newline="") as opened:
        return list(csv.DictReader(opened, delimiter=";"))


def transactions(directory: Path) -> dict[str, list[Transaction]]:
    """Every transaction once, by account."""
    unique = {
        row["trans_id"]: row for file in TRANSACTION_FILES for row in rows_of(directory, file)
    }
    found: dict[str, list[Transaction]] = {}
    for row in unique.values():
        found.setdefault(row["account_id"], []).append(
            Transaction(
                row["account_id"],
                day_of(row["date"]),
                row["type"] in CREDITS,
                Decimal(row["amount"]),
                Decimal(row["balance"]),
            )
        )
    return found


def loans(directory: Path) -> list[Loan]:
    """The loan table."""
    return [
        Loan(
            row["loan_id"],
            row["account_id"],
            day_of(row["date"]),
            Decimal(row["amount"]),
            int(row["duration"]),
            Decimal(row["payments"]),
            row["status"],
        )
        for row in rows_of(directory, "loan.asc.gz")
    ]


def owners(directory: Path) -> dict[str, str]:
    """The client who owns each account."""
    return {
        row["account_id"]: row["client_id"]
        for row in rows_of(directory, "disp.asc.gz")
        if row["type"] == "OWNER"
    }


def cashflow(history: list[Transaction], day: date) -> Cashflow | None:
    """The cash-flow features on a day; None without a transaction in the last 180 days."""

    def last(length: int) -> list[Transaction]:
        return [t for t in history if day - timedelta(days=length) < t.day <= day]

    if not last(180):
        return None
    observed = (day - min(t.day for t in last(180))).days + 1
    months = Decimal(min(90, max(30, observed))) / 30
    inflow = sum((t.amount for t in last(90) if t.is_credit), Decimal(0))
    outflow = sum((t.amount for t in last(90) if not t.is_credit), Decimal(0))
    return Cashflow(
        monthly_inflow_mean=(inflow / months).quantize(CENT, ROUND_HALF_UP),
        monthly_outflow_mean=(outflow / months).quantize(CENT, ROUND_HALF_UP),
        savings_rate=round(float((inflow - outflow) / inflow), 6) if inflow else None,
        min_balance_30d=min((t.balance for t in last(30)), default=None),
        inflow_180d=sum((t.amount for t in last(180) if t.is_credit), Decimal(0)),
        outflow_7d=sum((t.amount for t in last(7) if not t.is_credit), Decimal(0)),
        min_balance_90d=min((t.balance for t in last(90)), default=None),
        inflow_volatility=_volatility(_months(last(180), is_credit=True)),
        outflow_trend=_trend(_months(last(180), is_credit=False)),
    )


def daily_balance(history: list[Transaction], day: date) -> tuple[float, float | None]:
    """Mean of the daily balance of the last 180 days, and its standard deviation over that mean.

    Day by day: the lowest balance of a day, or that of the day before. The account is fetched on
    `day`; the second is None when the mean is not positive.
    """
    lowest: dict[date, Decimal] = {}
    for t in history:
        if day - timedelta(days=180) < t.day <= day:
            lowest[t.day] = min(t.balance, lowest.get(t.day, t.balance))
    days = [min(lowest) + timedelta(days=i) for i in range((day - min(lowest)).days + 1)]
    held: list[float] = []
    for each in days:
        held.append(float(lowest[each]) if each in lowest else held[-1])
    mean = fmean(held)
    return mean, pstdev(held) / mean if mean > 0 else None


def _months(recent: list[Transaction], *, is_credit: bool) -> list[Decimal]:
    """Sums of the complete months of 30 days before the newest fetch, the newest first.

    An account is fetched at the end of each month that has a transaction.
    """
    newest = max(t.day for t in recent)
    fetched = (newest.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    age = {t: (fetched - t.day).days // 30 for t in recent}
    complete = ((fetched - min(t.day for t in recent)).days + 1) // 30
    return [
        sum((t.amount for t in recent if age[t] == month and t.is_credit is is_credit), Decimal(0))
        for month in range(min(6, complete))
    ]


def _volatility(months: list[Decimal]) -> float | None:
    if len(months) < 3 or not any(months):
        return None
    return round(pstdev(map(float, months)) / float(fmean(months)), 6)


def _trend(months: list[Decimal]) -> float | None:
    if len(months) < 3 or not any(months):
        return None
    line = linear_regression([-i for i in range(len(months))], [float(m) for m in months])
    return round(line.slope / fmean(months), 6)
