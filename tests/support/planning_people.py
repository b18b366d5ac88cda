"""Invented customers of the planning tests, what they permit, and facts that forbid nothing.

Customers alternate between India and the United States; two of three are delinquent, the rest were
never late. Everybody permits everything unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from paymentor_assets.compliance import facts as fact_tables
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.strategies.decide import DayInputs
from resources.lakehouse import TableContract
from tests.support.planning_tables import (
    ACCOUNTS,
    CHANNELS,
    CUTOFF,
    DAY,
    LENDER,
    LONG_AGO,
    PREFERENCES,
    PROFILE,
    RANKINGS,
    RAW,
)


@dataclass
class People:
    """Rows of the feature and ranking tables; tests change them before they are published."""

    profile: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    rankings: list[dict[str, Any]] = field(default_factory=list)
    preferences: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def invent(cls, count: int, day: date = DAY) -> People:
        """`count` customers with one account each."""
        people = cls()
        for number in range(count):
            people.add(number, day)
        return people

    def add(self, number: int, day: date = DAY, **account: object) -> None:
        """One more customer with one account; `account` overrides account columns."""
        is_us = number % 2 == 1
        late = 0 if number % 3 == 2 else 1 + (number * 7) % 120
        base = {"lender_id": LENDER, "as_of_date": day}
        who = {"customer_id": f"C{number:05d}"}
        scale = 40 if is_us else 1
        self.profile.append(
            base
            | who
            | {
                "country": "US" if is_us else "IN",
                "state": "TX" if is_us else "MH",
                "city": "Houston" if is_us else "Mumbai",
                "postal_code": "77001" if is_us else "400001",
                "time_zone": "America/Chicago" if is_us else "Asia/Kolkata",
                "language": "en",
                "phone_token": f"phone-{number}",
                "email_token": f"email-{number}",
                "currency": "USD" if is_us else "INR",
                "declared_monthly_income": Decimal(80000 + 100 * number) / scale,
                "bureau_score": 700 + number % 150,
                "bureau_overdue": Decimal(0),
                "total_emi_monthly": Decimal(9000) / scale,
                "enquiries_90d": 1,
                "worst_status_12m": "0",
                "income_monthly": Decimal(10**7),
            }
        )
        state = {
            "account_id": f"A{number:05d}",
            "product": "credit_card",
            "currency": "USD" if is_us else "INR",
            "bucket": bucket_of(late),
            "sma_class": "STANDARD" if late == 0 else "SMA-0",
            "account_status": "open",
            "overdue_amount": Decimal(late * 100) / scale,
            "emi_amount": Decimal(9000) / scale,
            "days_past_due": late,
            "max_dpd_180d": late,
            "months_on_book": 20,
            "promises_broken_180d": number % 4,
            "is_delinquent": late > 0,
        } | account
        self.accounts.append(base | who | state)
        self.rankings.append(
            base
            | {
                "account_id": state["account_id"],
                "expected_recovery": (Decimal(200 + (number * 37) % 3000) / scale).quantize(
                    Decimal("0.01")
                ),
                "is_delinquent": state["is_delinquent"],
                "rank": number + 1,
                "model_name": "customer_ranking",
                "model_version": "7",
            }
        )
        for index, channel in enumerate(CHANNELS):
            engage = round(0.1 + 0.05 * ((number + index) % 5), 6)
            self.preferences.append(
                base
                | who
                | {
                    "channel": channel,
                    "p_engage": engage,
                    "p_morning": round(engage * 1.1, 6),
                    "p_midday": None,
                    "p_afternoon": round(engage * 0.9, 6),
                    "p_evening": round(engage * 1.2, 6),
                }
            )

    def tables(self) -> dict[TableContract, pa.Table]:
        """Arrow tables by contract."""
        return {
            PROFILE: pa.Table.from_pylist(self.profile, PROFILE.schema),
            ACCOUNTS: pa.Table.from_pylist(self.accounts, ACCOUNTS.schema),
            RANKINGS: pa.Table.from_pylist(self.rankings, RANKINGS.schema),
            PREFERENCES: pa.Table.from_pylist(self.preferences, PREFERENCES.schema),
        }

    def inputs(self, campaigns: pa.Table | None = None) -> DayInputs:
        """The same without a lakehouse."""
        tables = self.tables()
        return DayInputs(
            tables[PROFILE],
            tables[ACCOUNTS],
            tables[RANKINGS],
            tables[PREFERENCES],
            campaign_rows([]) if campaigns is None else campaigns,
            ["features-1", "rankings-1"],
        )


def bucket_of(days_past_due: int) -> str:
    for least, name in ((91, "90+"), (61, "61-90"), (31, "31-60"), (1, "1-30")):
        if days_past_due >= least:
            return name
    return "current"


def campaign_rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    wanted = ["response_id", "product", "response", "is_control"]
    schema = RAW["campaign_responses"].schema
    return pa.Table.from_pylist(list(rows), pa.schema([schema.field(n) for n in wanted]))


def permission_rows(customers: Sequence[str]) -> list[dict[str, Any]]:
    """Everybody permits every channel for both purposes."""
    return [
        {
            "permission_id": f"{customer}-{channel}-{purpose}",
            "customer_id": customer,
            "channel": channel,
            "purpose": purpose,
            "status": "granted",
            "effective_at_utc": LONG_AGO,
        }
        for customer in customers
        for channel in CHANNELS
        for purpose in ("collections", "marketing")
    ]


def free_facts(customers: Sequence[str], **changes: Any) -> GateFacts:
    """Facts under which nothing but the clock forbids a contact."""
    rows = [
        {k: v for k, v in row.items() if k != "permission_id"} for row in permission_rows(customers)
    ]
    facts: dict[str, Any] = {
        "as_of_utc": CUTOFF.replace(tzinfo=None),
        "lender_role": "first_party",
        "permissions": pa.Table.from_pylist(rows, fact_tables.PERMISSIONS),
        "dnd": fact_tables.DND.empty_table(),
        "blacklist": fact_tables.CUSTOMERS.empty_table(),
        "fraud": fact_tables.CUSTOMERS.empty_table(),
        "suppressions": fact_tables.SUPPRESSIONS.empty_table(),
        "contacts": fact_tables.CONTACTS.empty_table(),
        "kill_switch": False,
    }
    return GateFacts(**(facts | changes))
