"""The price of a loan: level instalments of an amortising loan, and the amount they carry.

EMI = P r / (1 - (1 + r)^-n), with the monthly rate r = annual rate / 12 and n instalments; the
first is due one month after the loan is paid out. The Python functions are for one loan and for
tests, the SQL expressions for all offers of a day; both round to the cent.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from resources.errors import UsageError

_CENT = Decimal("0.01")


def emi(amount: Decimal, annual_rate: float, tenor_months: int) -> Decimal:
    """The monthly instalment of a loan, to the cent.

    Raises UsageError for a loan without amount, rate or tenor.
    """
    if amount <= 0 or annual_rate <= 0 or tenor_months <= 0:
        raise UsageError(
            f"No instalment for amount {amount}, rate {annual_rate}, tenor {tenor_months}: "
            "all three must be positive."
        )
    monthly = annual_rate / 12
    exact = float(amount) * monthly / (1 - (1 + monthly) ** -tenor_months)
    return Decimal(repr(exact)).quantize(_CENT, ROUND_HALF_UP)


def amount_carried(instalment: Decimal, annual_rate: float, tenor_months: int) -> Decimal:
    """The largest loan whose instalment is at most `instalment` (before rounding to a step)."""
    if instalment <= 0:
        return Decimal(0)
    monthly = annual_rate / 12
    exact = float(instalment) * (1 - (1 + monthly) ** -tenor_months) / monthly
    return Decimal(repr(exact)).quantize(_CENT, ROUND_HALF_UP)


def emi_sql(amount: str, annual_rate: str, tenor_months: str) -> str:
    """DuckDB expression of `emi`, DECIMAL(18,2)."""
    monthly = f"({annual_rate} / 12)"
    return (
        f"CAST(round(CAST({amount} AS DOUBLE) * {monthly} / "
        f"(1 - pow(1 + {monthly}, -{tenor_months})), 2) AS DECIMAL(18,2))"
    )


def amount_carried_sql(instalment: str, annual_rate: str, tenor_months: str) -> str:
    """DuckDB expression of `amount_carried`, DOUBLE."""
    monthly = f"({annual_rate} / 12)"
    return f"(CAST({instalment} AS DOUBLE) * (1 - pow(1 + {monthly}, -{tenor_months})) / {monthly})"
