"""Raw events to facts: every order and repetition gives the same, and an opt-out is never lost."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from paymentor_assets.audit import ledger
from paymentor_assets.audit.publications import newest, publish_heads
from paymentor_assets.engagement import events as events_module
from paymentor_assets.engagement.events import NormaliseResult, normalise_events, rebuild_events
from paymentor_assets.engagement.stream_ingest import ingest_ranges, pending_ranges
from paymentor_assets.engagement.tables import EVENTS, RAW_EVENTS, UNPARSED_EVENTS
from paymentor_assets.ingestion.tokens import token_of
from resources.channels import provider_message_id
from resources.crash_points import SimulatedCrash, armed
from resources.errors import PublicationError
from resources.lakehouse import TableContract, column
from resources.operational_schema import suppressions
from resources.operational_store import OperationalStore
from resources.streams import StreamRecord
from tests.support.engagement_world import SLOT, World, minutes
from tests.support.provider_events import (
    call,
    record,
    ses,
    sms,
    sms_reply,
    whatsapp,
    whatsapp_message,
    whatsapp_status,
)

SHARD = "meridian/shard-0000"
CRASH_POINTS = [
    "engagement.after_suppressions",
    "engagement.after_unparsed_commit",
    "engagement.after_events_commit",
    "audit.publish.before_row",
    "audit.publish.after_row",
]


def sent(world: World, customer: str, channel: str = "sms") -> tuple[str, str]:
    """A message that left: its action and provider message id."""
    world.publish_permissions([customer])
    action_id = world.plan(customer, channel=channel)
    assert world.dispatch().sent == 1
    return action_id, provider_message_id(channel, action_id)


def receive(world: World, *records: StreamRecord) -> NormaliseResult:
    world.stream.put(SHARD, list(records))
    return settle(world)


def settle(world: World) -> NormaliseResult:
    ranges = pending_ranges(world.lake, world.stream)
    ingest_ranges(world.lake, world.stream, world.vault, world.lenders, ranges, world.run)
    return normalise(world)


def normalise(world: World) -> NormaliseResult:
    return normalise_events(world.lake, world.store, world.vault, world.lenders, world.run)


def facts(world: World) -> list[dict[str, Any]]:
    return sorted(world.open_lake().scan(EVENTS.name).to_pylist(), key=lambda r: str(r["event_id"]))


def suppressed(world: World) -> list[tuple[str, str, str]]:
    with world.store.read() as connection:
        query = select(suppressions).order_by(suppressions.c.customer_id, suppressions.c.channel)
        return [(r.customer_id, r.channel, r.reason) for r in connection.execute(query)]


def test_an_event_is_tied_to_its_action_by_message_id(world: World) -> None:
    action_id, message_id = sent(world, "C1")
    later = SLOT + minutes(3)
    result = receive(world, record("sms", sms("TEXT_DELIVERED", message_id, at=later), later))
    assert (result.events, result.unresolved) == (1, 0)
    [fact] = facts(world)
    assert fact["action_id"] == action_id
    assert (fact["customer_id"], fact["account_id"]) == ("C1", "ACC-C1")
    assert (fact["event_type"], fact["channel"]) == ("delivered", "sms")
    assert (fact["resolved_by"], fact["occurred_at_utc"]) == ("message", later.replace(tzinfo=None))
    publication = newest(world.lake, "engagement", "meridian")
    assert publication is not None
    assert publication.table(EVENTS.name).snapshot_id == world.lake.head(EVENTS.name)
    assert publication.table(RAW_EVENTS.name).snapshot_id == world.lake.head(RAW_EVENTS.name)


def test_tags_are_the_second_source(world: World) -> None:
    world.publish_permissions(["C1"])
    action_id = world.plan("C1", channel="email")
    opened = ses("Open", "not-ours", at=SLOT, tags={"action_id": action_id})
    receive(world, record("ses", opened, SLOT))
    [fact] = facts(world)
    assert (fact["action_id"], fact["resolved_by"]) == (action_id, "tag")


def test_an_unknown_message_is_kept_and_counted(world: World) -> None:
    result = receive(world, record("ses", ses("Delivery", "unknown", at=SLOT), SLOT))
    assert (result.events, result.unresolved) == (1, 1)
    [fact] = facts(world)
    assert (fact["action_id"], fact["customer_id"], fact["resolved_by"]) == (None, None, "none")


def story(message_id: str) -> list[StreamRecord]:
    """What one e-mail, one SMS, one WhatsApp message and one call can bring back."""
    at = [SLOT + minutes(n) for n in range(12)]
    return [
        record("ses", ses("Send", message_id, at=at[0]), at[1]),
        record("ses", ses("Delivery", message_id, at=at[1]), at[2]),
        record("ses", ses("Open", message_id, at=at[2]), at[3]),
        record("ses", ses("Open", message_id, at=at[4]), at[5]),
        record("ses", ses("Click", message_id, at=at[4], link="https://a.example/1"), at[5]),
        record("ses", ses("Click", message_id, at=at[4], link="https://a.example/2"), at[5]),
        record("sms", sms("TEXT_SUCCESSFUL", message_id, at=at[0]), at[1]),
        record("sms", sms("TEXT_DELIVERED", message_id, at=at[1]), at[2]),
        record("sms_inbound", sms_reply("i1", "tomorrow", to_message=message_id), at[6]),
        # Delivered may follow failed.
        record("whatsapp", whatsapp_status(message_id, "failed", at=at[1]), at[2]),
        record("whatsapp", whatsapp_status(message_id, "delivered", at=at[3]), at[4]),
        record("whatsapp", whatsapp_status(message_id, "read", at=at[5]), at[6]),
        record("connect", call(message_id, "INITIATED", at=at[0]), at[0]),
        record("connect", call(message_id, "CONNECTED_TO_AGENT", at=at[1]), at[1]),
        record("connect", call(message_id, "DISCONNECTED", at=at[3], agentInfo={"a": 1}), at[3]),
    ]


@pytest.mark.parametrize("seed", range(10))
def test_any_order_with_any_repetition_gives_the_same_facts(world: World, seed: int) -> None:
    told = story("m1")
    shuffled = [*told, *told[::2]]
    random.Random(seed).shuffle(shuffled)
    cut = len(shuffled) // 2
    receive(world, *shuffled[:cut])
    receive(world, *shuffled[cut:])
    found = [(f["provider"], f["event_type"], f["occurred_at_utc"]) for f in facts(world)]
    by_type = sorted(f"{provider}.{kind}" for provider, kind, _ in found)
    assert by_type == sorted([
        "ses.sent", "ses.delivered", "ses.opened", "ses.opened", "ses.clicked", "ses.clicked",
        "sms.sent", "sms.delivered", "sms_inbound.replied",
        "whatsapp.failed", "whatsapp.delivered", "whatsapp.opened",
        "connect.sent", "connect.answered",
    ])  # fmt: skip
    ids = [f["event_id"] for f in facts(world)]
    assert len(set(ids)) == len(ids) == 14
    assert world.lake.scan(RAW_EVENTS.name).num_rows == len(shuffled)
    nothing_new = world.lake.scan(UNPARSED_EVENTS.name).column("reason_code").to_pylist()
    assert nothing_new == ["NO_FACT"] * len(nothing_new)


def test_event_ids_do_not_depend_on_the_order(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = []
    for seed in (1, 2):
        root = tmp_path_factory.mktemp("world")
        world = World(root, OperationalStore(f"sqlite:///{root}/operational.db"))
        told = story("m1")
        random.Random(seed).shuffle(told)
        receive(world, *told)
        found.append([f["event_id"] for f in facts(world)])
        world.close()
    assert found[0] == found[1]


def test_a_redelivery_in_a_later_range_changes_nothing(world: World) -> None:
    told = story("m1")
    first = receive(world, *told)
    before = facts(world)
    again = receive(world, *told)
    assert (again.raw_rows, again.events) == (15, 0)
    assert again.duplicates == first.events
    assert facts(world) == before


def test_what_yields_no_fact_is_accounted_for(world: World) -> None:
    result = receive(
        world,
        record("ses", "<html>502</html>", SLOT),
        record("pigeon", {"coo": 1}, SLOT),
        record("ses", {"eventType": "Open", "mail": {}}, SLOT),
        record("ses", {"eventType": "Levitate", "mail": {"messageId": "m"}}, SLOT),
        record("sms", sms("TEXT_QUEUED", "m", at=SLOT), SLOT),
        record("whatsapp", {"entry": []}, SLOT),
        record("connect", call("c", "QUEUED", at=SLOT), SLOT),
        record("sms", None, SLOT),
    )
    assert (result.raw_rows, result.events, result.unparsed) == (8, 0, 8)
    rows = world.lake.scan(UNPARSED_EVENTS.name).sort_by("sequence").to_pylist()
    assert [row["reason_code"] for row in rows] == [
        "BAD_JSON", "UNKNOWN_PROVIDER", "MISSING_FIELD", "UNKNOWN_TYPE", "NO_FACT", "NO_FACT",
        "NO_FACT", "BAD_JSON",
    ]  # fmt: skip
    assert "Levitate" in rows[3]["message"]


def test_a_garbled_time_falls_back_to_receipt(world: World) -> None:
    payload = sms("TEXT_DELIVERED", "m", at=SLOT) | {"eventTimestamp": "yesterday"}
    receive(world, record("sms", payload, SLOT + minutes(9)))
    assert facts(world)[0]["occurred_at_utc"] == (SLOT + minutes(9)).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("detail", "status", "expected"),
    [
        ({}, "CONNECTED_TO_AGENT", "answered"),
        ({"answeringMachineDetectionStatus": "VOICEMAIL_BEEP"}, "DISCONNECTED", "voicemail"),
        ({"answeringMachineDetectionStatus": "HUMAN_ANSWERED"}, "DISCONNECTED", "answered"),
        ({}, "DISCONNECTED", "no_answer"),
        ({}, "INITIATED", "sent"),
    ],
)
def test_calls(world: World, detail: dict[str, str], status: str, expected: str) -> None:
    receive(world, record("connect", call("c1", status, at=SLOT, **detail), SLOT))
    assert [f["event_type"] for f in facts(world)] == [expected]


def test_connect_in_the_other_casing(world: World) -> None:
    payload = {"time": SLOT.isoformat(), "detail": {"ContactId": "c", "EventType": "INITIATED"}}
    receive(world, record("connect", payload, SLOT))
    assert facts(world)[0]["provider_message_id"] == "c"


def test_a_stop_reply_suppresses_the_next_send(world: World) -> None:
    action_id, message_id = sent(world, "C1")
    reply = record("sms_inbound", sms_reply("i1", "Stop", to_message=message_id), SLOT + minutes(5))
    result = receive(world, reply)
    assert result.suppressions == 1
    [fact] = facts(world)
    assert (fact["event_type"], fact["action_id"]) == ("opted_out", action_id)
    assert suppressed(world) == [("C1", "sms", "opted_out")]
    world.clock.advance_to(SLOT + timedelta(days=1))
    world.plan(
        "C1",
        as_of_date=SLOT.date(),
        scheduled_at_utc=(SLOT + timedelta(days=1)).replace(tzinfo=None),
    )
    again = world.dispatch()
    assert (again.sent, again.blocked_by_rule) == (0, {"HOUSE-SUPPRESSION": 1})
    assert ledger.verify(world.store) > 0


def test_a_stop_without_reference_is_honoured_by_address(world: World) -> None:
    """Nobody was ever written to on this number: the portfolio says whose it is."""
    token = token_of(world.vault, "meridian", "phone", "+919000000007")
    publish_portfolio(world, [("C7", token), ("C8", token), ("C9", "ph1_other")])
    stop = whatsapp_message("w1", "STOP", at=SLOT, sender="919000000007")
    result = receive(world, record("whatsapp", whatsapp(messages=[stop]), SLOT))
    assert result.suppressions == 2
    assert suppressed(world) == [("C7", "whatsapp", "opted_out"), ("C8", "whatsapp", "opted_out")]
    [fact] = facts(world)
    # Two people share the number: the fact names neither, the opt-out holds for both.
    assert (fact["event_type"], fact["customer_id"]) == ("opted_out", None)


def test_two_people_in_one_notice_are_kept_apart(world: World) -> None:
    tokens = [token_of(world.vault, "meridian", "phone", f"+91900000000{n}") for n in (1, 2)]
    publish_portfolio(world, [("C1", tokens[0]), ("C2", tokens[1])])
    notice = whatsapp(
        messages=[
            whatsapp_message("w1", "ok", at=SLOT, sender="919000000001"),
            whatsapp_message("w2", "stop", at=SLOT, sender="919000000002"),
        ]
    )
    receive(world, record("whatsapp", notice, SLOT))
    found = {f["customer_id"]: f["event_type"] for f in facts(world)}
    assert found == {"C1": "replied", "C2": "opted_out"}
    assert suppressed(world) == [("C2", "whatsapp", "opted_out")]


def test_complaints_and_hard_bounces_suppress_and_soft_bounces_do_not(world: World) -> None:
    told = []
    details = {
        "C1": ("Complaint", {"complaintFeedbackType": "abuse"}),
        "C2": ("Bounce", {"bounceType": "Permanent", "bounceSubType": "General"}),
        "C3": ("Bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}),
    }
    for customer, (kind, detail) in details.items():
        _, message_id = sent(world, customer, "email")
        told.append(record("ses", ses(kind, message_id, at=SLOT, **detail), SLOT))
    receive(world, *told)
    assert suppressed(world) == [("C1", "email", "complained"), ("C2", "email", "hard_bounce")]


def test_an_opt_out_told_twice_is_one_suppression(world: World) -> None:
    _, message_id = sent(world, "C1")
    stop = record("sms_inbound", sms_reply("i1", "STOP", to_message=message_id), SLOT)
    assert receive(world, stop).suppressions == 1
    assert receive(world, stop).suppressions == 0
    assert len(suppressed(world)) == len(facts(world)) == 1


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_neither_loses_nor_doubles_a_fact(world: World, point: str) -> None:
    _, message_id = sent(world, "C1")
    told = story("m1")
    told.append(record("sms_inbound", sms_reply("i9", "stop", to_message=message_id), SLOT))
    told.append(record("pigeon", {}, SLOT))
    with armed(point), pytest.raises(SimulatedCrash):
        receive(world, *told)
    normalise(world)
    assert len(facts(world)) == 15
    assert world.lake.scan(UNPARSED_EVENTS.name).num_rows == 2
    assert suppressed(world) == [("C1", "sms", "opted_out")]
    publication = newest(world.lake, "engagement", "meridian")
    assert publication is not None
    assert publication.table(EVENTS.name).snapshot_id == world.lake.head(EVENTS.name)
    heads = [world.lake.head(c.name) for c in (RAW_EVENTS, EVENTS, UNPARSED_EVENTS)]
    normalise(world)
    assert heads == [world.lake.head(c.name) for c in (RAW_EVENTS, EVENTS, UNPARSED_EVENTS)]


def test_of_two_normalisers_one_fails_and_nothing_doubles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.stream.put(SHARD, story("m1"))
    ranges = pending_ranges(world.lake, world.stream)
    ingest_ranges(world.lake, world.stream, world.vault, world.lenders, ranges, world.run)
    real = events_module.stage_owners

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(events_module, "stage_owners", real)
        normalise(world)
        real(*arguments)

    monkeypatch.setattr(events_module, "stage_owners", overtaken)
    with pytest.raises(PublicationError, match="Another writer"):
        normalise(world)
    assert len(facts(world)) == 14
    assert normalise(world).raw_rows == 0


def test_large_backlogs_are_worked_off_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "CHUNK", 4)
    result = receive(world, *story("m1"), *story("m2"), *story("m1"))
    assert result.raw_rows == 45
    # One reply's id is the same in both stories, so that m1 and m2 share it.
    assert result.events == len(facts(world)) == 27


def test_facts_can_be_made_anew_from_the_raw_events(world: World) -> None:
    world.stream.put(SHARD, story("m1"))
    ranges = pending_ranges(world.lake, world.stream)
    ingest_ranges(world.lake, world.stream, world.vault, world.lenders, ranges, world.run)
    normalise(world)
    before = facts(world)
    rebuilt = rebuild_events(world.lake, world.store, world.vault, world.lenders, world.run)
    assert (rebuilt.events, facts(world)) == (14, before)
    assert normalise(world).raw_rows == 0


PORTFOLIO = TableContract(
    "raw.portfolio_accounts",
    pa.schema(
        [
            column(name, pa.string(), name)
            for name in ("customer_id", "phone_token", "email_token", "_lender_id")
        ]
    ),
    ("customer_id",),
    "Test portfolio.",
)


def publish_portfolio(world: World, people: list[tuple[str, str]]) -> None:
    rows = [
        {"customer_id": c, "phone_token": t, "email_token": None, "_lender_id": "meridian"}
        for c, t in people
    ]
    head = world.lake.append(PORTFOLIO, pa.Table.from_pylist(rows, PORTFOLIO.schema), {})
    publish_heads(
        world.lake,
        stage="ingestion",
        lender_id="meridian",
        day=date(2026, 6, 1),
        tables={PORTFOLIO.name: head},
        run=world.run,
    )
