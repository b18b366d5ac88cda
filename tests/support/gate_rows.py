"""Candidates for the compliance gate, the facts beside them, and its full answer.

One lawful row of each kind, to be changed in what a test is about; every instant naive UTC. What
does not belong here: what is violated (tests/unit/compliance).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from paymentor_assets.compliance import facts as shapes
from paymentor_assets.compliance.candidate import JUDGED
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.compliance.gate import evaluate
from paymentor_assets.compliance.rules import Rulebook
from tests.support.planning_people import free_facts

RULEBOOK = Rulebook.load()
Row = dict[str, Any]
#: A name, what is judged, the facts beside it, the rules that must be violated (and no others).
Case = tuple[str, Row, dict[str, object], set[str]]


def naive(*parts: int) -> datetime:
    """An instant, UTC."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


def contact(**changes: object) -> Row:
    """A lawful collections SMS at noon in Mumbai."""
    return {
        "candidate_id": "k",
        "candidate_kind": "contact",
        "account_id": "a1",
        "customer_id": "c1",
        "purpose": "collections",
        "channel": "sms",
        "scheduled_at_utc": naive(2026, 6, 2, 6, 30),
        "time_zone": "Asia/Kolkata",
        "country": "IN",
        "state": "MH",
        "locality": "elsewhere",
        "address_token": "t1",
        "amount_due": Decimal("100.00"),
        "offer_amount": None,
        "offer_annual_rate": None,
        "offer_tenor_months": None,
        "offer_emi": None,
        "offer_expires_at_utc": None,
    } | changes


def american(state: str = "TX", zone: str = "America/New_York", **changes: object) -> Row:
    """The same at noon in New York (16:00 UTC in summer)."""
    place = {"country": "US", "state": state, "time_zone": zone}
    return contact(**({"scheduled_at_utc": naive(2026, 6, 2, 16)} | place | changes))


def offer(**changes: object) -> Row:
    """A lawful offer by SMS at noon in Mumbai."""
    terms = {
        "candidate_kind": "offer",
        "purpose": "marketing",
        "account_id": None,
        "amount_due": None,
        "offer_amount": Decimal("100000.00"),
        "offer_annual_rate": 0.12,
        "offer_tenor_months": 12,
        "offer_emi": Decimal("8884.88"),
        "offer_expires_at_utc": naive(2026, 6, 16),
    }
    return contact(**(terms | changes))


def past(*instants: datetime, **changes: object) -> pa.Table:
    """Connected outbound SMS contacts about the debt."""
    rows = [
        {
            "customer_id": "c1",
            "account_id": "a1",
            "channel": "sms",
            "purpose": "collections",
            "contacted_at_utc": instant,
            "is_outbound": True,
            "is_connected": True,
            "is_conversation": False,
            "candidate_id": None,
        }
        | changes
        for instant in instants
    ]
    return pa.Table.from_pylist(rows, shapes.CONTACTS)


def statement(status: str, at: datetime, purpose: str = "collections") -> Row:
    """What the customer said about SMS."""
    return {
        "customer_id": "c1",
        "channel": "sms",
        "purpose": purpose,
        "status": status,
        "effective_at_utc": at,
    }


def permissions(*rows: Row) -> pa.Table:
    """All that was said."""
    return pa.Table.from_pylist(list(rows), shapes.PERMISSIONS)


def dnd(registry: str, categories: str, phone: str = "t1") -> pa.Table:
    """One number in a registry."""
    row = {"phone_token": phone, "registry": registry, "categories": categories}
    return pa.Table.from_pylist([row], shapes.DND)


def people(*ids: str) -> pa.Table:
    """A list of customers."""
    return pa.table({"customer_id": list(ids)}, shapes.CUSTOMERS)


def stop(**changes: object) -> pa.Table:
    """A wish not to be written to, of yesterday."""
    row = {
        "customer_id": "c1",
        "channel": "sms",
        "purpose": "*",
        "effective_at_utc": naive(2026, 6, 1),
    }
    return pa.Table.from_pylist([row | changes], shapes.SUPPRESSIONS)


def answer(row: Row, facts: GateFacts | None = None, **changes: object) -> Row:
    """The gate's full answer on one candidate."""
    facts = facts or free_facts(["c1"], **changes)
    (found,) = evaluate(pa.Table.from_pylist([row], JUDGED), facts, RULEBOOK).to_pylist()
    return dict(found) | {"rules": json.loads(found["violated_rules"])}


def ids(row: Row, **changes: object) -> set[str]:
    """The rules that one candidate violates."""
    return {rule["id"] for rule in answer(row, **changes)["rules"]}


NOON = naive(2026, 6, 2, 6, 30)
MORNING = timedelta(hours=-2)
OLD = naive(2026, 3, 1)
#: Seven calls on seven days up to and with the day of the candidate, in New York.
WEEK = [naive(2026, 6, 2, 15) - timedelta(days=d) for d in range(7)]
