"""Facts from a real lakehouse: change files, knowledge time, and what was never delivered."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from paymentor_assets.compliance.facts import hot_facts, lake_facts
from resources.clock import naive_utc
from resources.operational_schema import actions, controls, deliveries
from tests.support.planning_tables import CUTOFF, DAY, LENDER, LONG_AGO
from tests.support.planning_world import PlanningWorld, make_lender

NOW = CUTOFF.replace(tzinfo=None)
LATER = NOW + timedelta(days=2)
Row = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> PlanningWorld:
    return PlanningWorld(tmp_path)


def _permission(key: str, status: str, at: datetime = LONG_AGO) -> Row:
    return {
        "permission_id": key,
        "customer_id": "c1",
        "channel": "sms",
        "purpose": "collections",
        "status": status,
        "effective_at_utc": at,
    }


def _listing(phone: str, listed: date, delisted: date | None = None) -> Row:
    return {
        "phone_token": phone,
        "registry": "NCPR",
        "categories": "0",
        "listed_date": listed,
        "delisted_date": delisted,
    }


def _contact(key: str, outcome: str, channel: str = "voice", direction: str = "outbound") -> Row:
    return {
        "contact_id": key,
        "account_id": "a1",
        "customer_id": "c1",
        "channel": channel,
        "direction": direction,
        "outcome": outcome,
        "contacted_at_utc": NOW - timedelta(days=2),
    }


def test_nothing_published_is_nothing_available(world: PlanningWorld) -> None:
    facts = lake_facts(world.lake, world.lender, CUTOFF)

    assert facts.permissions is facts.dnd is facts.blacklist is facts.contacts is None
    assert facts.publications == []


def test_an_empty_file_is_knowledge_and_no_file_is_not(world: PlanningWorld) -> None:
    world.deliver(blacklist=[], contact_permissions=[_permission("p", "granted")])

    facts = lake_facts(world.lake, world.lender, CUTOFF)

    assert facts.blacklist is not None and facts.blacklist.num_rows == 0
    assert facts.permissions is not None and facts.permissions.num_rows == 1
    assert facts.dnd is None
    assert facts.fraud is None
    assert facts.contacts is None
    assert len(facts.publications) == 1


def test_a_lender_without_a_contact_log_has_no_other_contacts(world: PlanningWorld) -> None:
    world.deliver(blacklist=[])
    lender = make_lender(feeds=["portfolio", "blacklist"])

    contacts = lake_facts(world.lake, lender, CUTOFF).contacts

    assert contacts is not None and contacts.num_rows == 0


def test_only_what_was_known_counts(world: PlanningWorld) -> None:
    world.deliver(NOW, blacklist=[{"customer_id": "c1", "reason": "", "listed_date": DAY}])
    world.deliver(LATER, blacklist=[{"customer_id": "c2", "reason": "", "listed_date": DAY}])
    world.deliver(LATER, fraud_reports=[])

    at_cutoff = lake_facts(world.lake, world.lender, CUTOFF)
    assert at_cutoff.blacklist is not None
    assert at_cutoff.blacklist.to_pylist() == [{"customer_id": "c1"}]
    assert at_cutoff.fraud is None

    afterwards = lake_facts(world.lake, world.lender, CUTOFF + timedelta(days=3))
    assert afterwards.blacklist is not None and afterwards.blacklist.num_rows == 2
    assert afterwards.fraud is not None


def test_the_newest_version_of_a_change_file_row_counts(world: PlanningWorld) -> None:
    world.deliver(
        LONG_AGO,
        blacklist=[{"customer_id": "c1", "reason": "", "listed_date": date(2026, 2, 1)}],
        fraud_reports=[
            {"report_id": "f1", "customer_id": "c1", "status": "open"},
            {"report_id": "f2", "customer_id": "c2", "status": "confirmed"},
        ],
        dnd_registry=[
            _listing("t1", date(2026, 1, 1)),
            _listing("t2", date(2026, 1, 1), date(2026, 6, 2)),
            _listing("t3", date(2026, 6, 3)),
            _listing("t4", date(2026, 1, 1), date(2026, 6, 3)),
        ],
    )
    world.deliver(
        NOW,
        blacklist=[
            {
                "customer_id": "c1",
                "reason": "",
                "listed_date": date(2026, 2, 1),
                "delisted_date": date(2026, 3, 1),
            }
        ],
        fraud_reports=[{"report_id": "f1", "customer_id": "c1", "status": "dismissed"}],
        dnd_registry=[_listing("t1", date(2026, 1, 1), date(2026, 2, 1))],
    )

    facts = lake_facts(world.lake, world.lender, CUTOFF)

    assert facts.blacklist is not None and facts.blacklist.num_rows == 0
    assert facts.fraud is not None and facts.fraud.to_pylist() == [{"customer_id": "c2"}]
    assert facts.dnd is not None
    # t2 was taken off on the day of the instant, t3 is listed from tomorrow
    assert facts.dnd.column("phone_token").to_pylist() == ["t4"]


def test_contacts_say_what_connected_and_what_was_a_conversation(world: PlanningWorld) -> None:
    world.deliver(
        contact_history=[
            _contact("1", "failed"),
            _contact("2", "voicemail"),
            _contact("3", "right_party_contact"),
            _contact("4", "replied", "sms", "inbound"),
            _contact("5", "replied", "voice", "inbound"),
            _contact("6", "promise_to_pay") | {"contacted_at_utc": NOW - timedelta(days=90)},
        ]
    )

    contacts = lake_facts(world.lake, world.lender, CUTOFF).contacts

    assert contacts is not None
    flags = ["is_outbound", "is_connected", "is_conversation"]
    assert [tuple(row.values()) for row in contacts.select(flags).to_pylist()] == [
        (True, False, False),
        (True, True, False),
        (True, True, True),
        (False, True, False),
        (False, True, True),
    ]


def test_an_own_call_counts_once_and_the_queue_only_when_asked(world: PlanningWorld) -> None:
    row = {
        "lender_id": LENDER,
        "as_of_date": DAY,
        "account_id": "a1",
        "customer_id": "c1",
        "channel": "voice",
        "purpose": "collections",
    }
    queued = row | {
        "kind": "contact",
        "scheduled_at_utc": NOW,
        "time_zone": "Asia/Kolkata",
        "country": "IN",
        "currency": "INR",
        "template_id": "reminder.voice",
        "language": "en",
        "address_token": "t1",
        "treatment": "reminder",
        "cost": 0,
        "payload": "{}",
        "plan_publication_id": "p",
        "rulebook_version": "r",
        "strategy_version": "s",
        "updated_at_utc": NOW,
    }
    with world.store.write() as connection:
        for action_id, state in (("x1", "sent"), ("x2", "sending"), ("x3", "planned")):
            connection.execute(
                insert(actions).values(
                    **queued, action_id=action_id, candidate_id=f"k-{action_id}", state_name=state
                )
            )
        for attempt, status in ((1, "failed"), (2, "sent")):
            connection.execute(
                insert(deliveries).values(
                    **row,
                    action_id="x1",
                    attempt=attempt,
                    status=status,
                    occurred_at_utc=NOW - timedelta(hours=1),
                    cost=0,
                    currency="INR",
                )
            )
    with world.store.read() as connection:
        planning = hot_facts(connection, LENDER, CUTOFF)
        dispatch = hot_facts(connection, LENDER, CUTOFF, include_queue=True)
        other = hot_facts(connection, "another", CUTOFF)

    assert planning.contacts.column("candidate_id").to_pylist() == ["k-x1"]
    assert sorted(dispatch.contacts.column("candidate_id").to_pylist()) == ["k-x1", "k-x2"]
    assert other.contacts.num_rows == 0


@pytest.mark.parametrize(
    ("entries", "is_on"),
    [
        ([], False),
        ([("off", -2)], False),
        ([("on", -2)], True),
        ([("on", -2), ("off", -1)], False),
        ([("off", -2), ("on", -1)], True),
        ([("off", -2), ("on", 1)], False),
        ([("perhaps", -2)], True),
    ],
)
def test_the_kill_switch_as_of_an_instant(
    world: PlanningWorld, entries: list[tuple[str, int]], is_on: bool
) -> None:
    with world.store.write() as connection:
        for value, hours in entries:
            connection.execute(
                insert(controls).values(
                    name="kill_switch",
                    value=value,
                    actor="risk",
                    reason="",
                    at_utc=naive_utc(CUTOFF) + timedelta(hours=hours),
                )
            )
    with world.store.read() as connection:
        assert hot_facts(connection, LENDER, CUTOFF).kill_switch is is_on
