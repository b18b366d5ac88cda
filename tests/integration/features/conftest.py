"""One small lake for the whole folder: dbt's start is most of what a build costs."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.features.project import MANIFEST_PATH, PROJECT_DIR, TARGET
from tests.support.raw_lake import RawLake

# dagster-dbt imports sqlglot, which warns at import about an optional accelerator that a
# dependency of ours still asks for; the first import decides.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="sqlglotrs is deprecated")
    import sqlglot  # noqa: F401

DAY = date(2026, 6, 10)
NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="session", autouse=True)
def manifest() -> Path:
    """What `make setup` makes."""
    if not MANIFEST_PATH.exists():
        dbt = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--quiet"]
        subprocess.run([*dbt, "parse", "--target", TARGET], cwd=PROJECT_DIR, check=True)
    return MANIFEST_PATH


def deliver_day(lake: RawLake, day: date) -> None:
    """The nightly files of a day: one account that pays, one that does not."""
    known_at = lake.delivered(day)
    overdue = (day - date(2026, 6, 1)).days
    snapshot: dict[str, Any] = {"snapshot_date": day, "next_due_date": date(2026, 7, 1)}
    lake.deliver(
        "raw.portfolio_accounts",
        known_at,
        [
            {**snapshot, "account_id": "A1", "customer_id": "C1"},
            {
                **snapshot,
                "account_id": "A2",
                "customer_id": "C2",
                "oldest_unpaid_due_date": date(2026, 6, 1),
                "overdue_amount": Decimal("5000.00"),
                "days_past_due": overdue + 1,
                "emis_overdue": 1,
            },
        ],
    )
    lake.deliver("raw.payments", known_at, [payment(f"P-{day}", "A1", day)])
    lake.deliver(
        "raw.contact_history",
        known_at,
        [
            {
                "contact_id": f"H-{day}",
                "account_id": "A2",
                "customer_id": "C2",
                "channel": "voice",
                "contacted_at_utc": datetime(day.year, day.month, day.day, 6),  # noqa: DTZ001
                "outcome": "right_party_contact",
                "is_randomised": True,
            }
        ],
    )


def payment(payment_id: str, account_id: str, day: date, amount: str = "5000.00") -> dict[str, Any]:
    """One successful payment."""
    return {
        "payment_id": payment_id,
        "account_id": account_id,
        "customer_id": "C" + account_id[1:],
        "value_date": day,
        "paid_at_utc": datetime(day.year, day.month, day.day, 8),  # noqa: DTZ001
        "amount": Decimal(amount),
    }
