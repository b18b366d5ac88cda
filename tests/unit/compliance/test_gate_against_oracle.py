"""The set-based gate equals a slow, independent one on whatever hypothesis thinks up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paymentor_assets.compliance import facts as shapes
from paymentor_assets.compliance.candidate import JUDGED
from paymentor_assets.compliance.facts import GateFacts
from paymentor_assets.compliance.gate import evaluate, judge
from paymentor_assets.compliance.rules import Rulebook
from tests.unit.compliance.oracle import Oracle

RULEBOOK = Rulebook.load()
#: Instants around a DST change in America, Europe's later one, the leap day and NYC's first day.
_ANCHORS = [
    datetime(*parts, tzinfo=UTC).replace(tzinfo=None)
    for parts in ((2026, 3, 8, 6), (2026, 11, 1, 5), (2028, 2, 29, 12), (2026, 9, 1, 3))
]
_CUSTOMERS = ["c1", "c2", "c3"]
_CHANNELS = ["email", "sms", "whatsapp", "voice"]
_PLACES = [
    ("IN", "MH", "Asia/Kolkata"),
    ("IN", "TN", "Asia/Kolkata"),
    ("US", "NY", "America/New_York"),
    ("US", "MA", "America/New_York"),
    ("US", "WA", "America/Los_Angeles"),
    ("US", "FL", "America/Chicago"),
    ("US", "AZ", "America/Phoenix"),
    ("US", None, "America/New_York"),
    ("FR", "IDF", "Europe/Paris"),
    ("US", "TX", "Mars/Olympus"),
    (None, None, None),
]


def _maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([*values, None])


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[dict[str, Any]], GateFacts]:
    anchor = draw(st.sampled_from(_ANCHORS))

    def near(days_before: int, days_after: int) -> datetime:
        quarter = st.integers(-days_before * 96, days_after * 96)
        return anchor + timedelta(minutes=15) * draw(quarter)

    candidates = []
    for index in range(draw(st.integers(1, 6))):
        country, state, zone = draw(st.sampled_from(_PLACES))
        kind, purpose = draw(
            st.sampled_from([("contact", "collections")] * 3 + [("offer", "marketing")])
        )
        is_offer = kind == "offer"
        candidates.append(
            {
                "candidate_id": f"k{index}",
                "candidate_kind": kind,
                "account_id": None if is_offer else draw(st.sampled_from(["a1", "a2"])),
                "customer_id": draw(st.sampled_from(_CUSTOMERS)),
                "purpose": purpose,
                "channel": draw(st.sampled_from(_CHANNELS)),
                "scheduled_at_utc": near(1, 1),
                "time_zone": zone,
                "country": country,
                "state": state,
                "locality": draw(_maybe(["NYC", "elsewhere"])),
                "address_token": draw(_maybe(["t1", "t2", "t3", ""])),
                "amount_due": draw(_maybe([Decimal("0.00"), Decimal("10.00")])),
                "offer_amount": draw(_maybe([Decimal("1000.00")])) if is_offer else None,
                "offer_annual_rate": draw(st.sampled_from([0.12, 0.5])) if is_offer else None,
                "offer_tenor_months": 12 if is_offer else None,
                "offer_emi": draw(_maybe([Decimal("50.00"), Decimal("90.00")]))
                if is_offer
                else None,
                "offer_expires_at_utc": near(0, 9) if is_offer and draw(st.booleans()) else None,
            }
        )
    # Mostly kind facts, so that candidates live long enough to be deferred or allowed.
    permissions = [
        {
            "customer_id": customer,
            "channel": channel,
            "purpose": purpose,
            "status": "granted",
            "effective_at_utc": anchor - timedelta(days=30),
        }
        for customer in _CUSTOMERS
        for channel in _CHANNELS
        for purpose in ("collections", "marketing")
    ] + [
        {
            "customer_id": draw(st.sampled_from(_CUSTOMERS)),
            "channel": draw(st.sampled_from(_CHANNELS)),
            "purpose": draw(st.sampled_from(["collections", "marketing"])),
            "status": draw(st.sampled_from(["granted", "withdrawn"])),
            "effective_at_utc": near(3, 3),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    contacts = [
        {
            "customer_id": draw(st.sampled_from(_CUSTOMERS)),
            "account_id": draw(_maybe(["a1", "a2"])),
            "channel": draw(st.sampled_from(_CHANNELS)),
            "purpose": draw(_maybe(["collections", "marketing"])),
            "contacted_at_utc": near(8, 1),
            "is_outbound": draw(st.sampled_from([True, True, False])),
            "is_connected": draw(_maybe([True, False])),
            "is_conversation": draw(st.sampled_from([False, False, True])),
            "candidate_id": draw(_maybe(["k0", "k1", "other"])),
        }
        for _ in range(draw(st.integers(0, 12)))
    ]
    suppressions = [
        {
            "customer_id": draw(st.sampled_from(_CUSTOMERS)),
            "channel": draw(st.sampled_from(["*", "sms", "email"])),
            "purpose": draw(st.sampled_from(["*", "marketing"])),
            "effective_at_utc": near(2, 2),
        }
        for _ in range(draw(st.integers(0, 1)))
    ]
    dnd = [
        {
            "phone_token": draw(st.sampled_from(["t1", "t2"])),
            "registry": draw(st.sampled_from(["NCPR", "US_DNC"])),
            "categories": draw(st.sampled_from(["0", "1;3", "2", "4;1"])),
        }
        for _ in range(draw(st.integers(0, 2)))
    ]
    absent = draw(st.sampled_from(["", "", "", "permissions", "dnd", "contacts", "suppressions"]))

    def table(name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table | None:
        return None if name == absent else pa.Table.from_pylist(rows, schema)

    return candidates, GateFacts(
        as_of_utc=anchor,
        lender_role=draw(st.sampled_from(["first_party", "third_party"])),
        permissions=table("permissions", permissions, shapes.PERMISSIONS),
        dnd=table("dnd", dnd, shapes.DND),
        blacklist=table(
            "blacklist",
            [{"customer_id": "c3"}] if draw(st.booleans()) else [],
            shapes.CUSTOMERS,
        ),
        fraud=shapes.CUSTOMERS.empty_table(),
        suppressions=table("suppressions", suppressions, shapes.SUPPRESSIONS),
        contacts=table("contacts", contacts, shapes.CONTACTS),
        kill_switch=draw(st.sampled_from([False, False, False, True, None])),
    )


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(_worlds())
def test_masks_and_verdicts_are_those_of_the_oracle(
    world: tuple[list[dict[str, Any]], GateFacts],
) -> None:
    rows, facts = world
    judged = judge(pa.Table.from_pylist(rows, JUDGED), facts, RULEBOOK).to_pylist()

    oracle = Oracle(facts, RULEBOOK)
    by_id = {row["candidate_id"]: row for row in rows}
    assert len(judged) == len(rows)
    for answer in judged:
        verdict, violated, missing = oracle.judge(by_id[answer["candidate_id"]])
        names = {
            f"{rule.name}@{rule.version}"
            for bit, rule in enumerate(RULEBOOK.rules)
            if answer["rule_mask"] >> bit & 1
        }
        assert (answer["verdict"], names) == (verdict, violated)
        assert bool(answer["missing_mask"]) == missing


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(_worlds())
def test_deferral_ends_at_the_oracles_first_allowed_quarter_hour(
    world: tuple[list[dict[str, Any]], GateFacts],
) -> None:
    rows, facts = world
    answers = evaluate(pa.Table.from_pylist(rows, JUDGED), facts, RULEBOOK).to_pylist()

    oracle = Oracle(facts, RULEBOOK)
    by_id = {row["candidate_id"]: row for row in rows}
    for answer in answers:
        verdict, until = oracle.evaluate(by_id[answer["candidate_id"]], timedelta(days=9))
        assert (answer["verdict"], answer["defer_until_utc"]) == (verdict, until)
