"""Dispatch: nothing forbidden leaves, and every decision says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from paymentor_assets.audit import ledger
from resources.channels import LocalOutbox, Message, Receipt
from resources.clock import naive_utc
from resources.operational_schema import sealed_days
from tests.support.engagement_world import DAY, SLOT, World, address_of, at, minutes, suppress


def test_an_allowed_action_leaves_once_and_is_written_down_everywhere(world: World) -> None:
    world.publish_permissions(["C1"])
    action_id = world.plan("C1")
    result = world.dispatch()
    assert (result.allowed, result.sent, result.blocked) == (1, 1, 0)
    [message] = world.outbox()
    assert message["to"] == address_of("C1", "sms")
    assert message["body"].startswith("Meridian Finance: INR 1500.00 on account ..")
    assert world.states() == {action_id: "sent"}
    [verdict] = world.verdicts()
    facts = json.loads(verdict["facts"])
    assert verdict["verdict"] == "allow"
    assert facts["permission"] == "granted"
    assert facts["kill_switch"] is False
    assert facts["language"] == "en"
    assert "ingestion" in facts["sources"]
    [delivery] = world.deliveries()
    assert delivery["provider_message_id"] == message["provider_message_id"]
    assert (delivery["status"], delivery["cost"]) == ("sent", Decimal("0.2500"))
    with world.store.read() as connection:
        sealed = connection.execute(select(sealed_days)).one()
    assert (sealed.as_of_date, sealed.plan_publication_id) == (DAY, "plan-1")
    assert ledger.verify(world.store) == 2

    again = world.dispatch()
    assert (again.allowed, again.sent) == (0, 0)
    assert len(world.outbox()) == len(world.deliveries()) == 1


def test_no_personal_data_in_the_store_or_the_reveal_record(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    world.dispatch()
    [reveal] = world.reveals
    assert (reveal.actor, reveal.purpose) == ("engagement.dispatch", "send meridian 2026-06-02")
    address = address_of("C1", "sms")
    text = repr(world.verdicts()) + repr(world.deliveries()) + repr(world.reveals)
    assert address not in text
    assert address.encode() not in (world.root / "operational.db").read_bytes()
    assert address not in repr(
        Message(
            "a", "l", None, "sms", "p", address, "en", "t", None, "b", DAY, SLOT, Decimal(1), "I"
        )
    )


def test_nothing_leaves_before_its_scheduled_instant(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1", scheduled_at_utc=naive_utc(SLOT + minutes(1)))
    assert world.dispatch(until=SLOT + timedelta(days=3)).allowed == 0
    world.clock.advance_to(SLOT + minutes(1))
    assert world.dispatch().sent == 1


def test_the_kill_switch_pulled_after_planning_stops_everything(world: World) -> None:
    world.publish_permissions(["C1", "C2"])
    world.plan("C1")
    world.plan("C2")
    world.set_kill_switch("on")
    result = world.dispatch()
    assert (result.sent, result.blocked) == (0, 2)
    assert result.blocked_by_rule == {"KILL-SWITCH": 2}
    assert world.outbox() == []
    with world.store.read() as connection:
        assert connection.execute(select(sealed_days)).all() == []


def test_the_kill_switch_pulled_between_lease_and_send_stops_the_rest(world: World) -> None:
    world.publish_permissions(["C1", "C2"])
    world.plan("C1")
    world.plan("C2")

    class PullsAfterFirst(LocalOutbox):
        def send(self, message: Message) -> Receipt:
            receipt = super().send(message)
            world.set_kill_switch("on")
            return receipt

    outbox = PullsAfterFirst(world.root / "outbox")
    result = world.dispatch(channels={"sms": outbox})
    assert (result.sent, result.blocked) == (1, 1)
    assert len(world.outbox()) == 1
    assert sorted(world.states().values()) == ["blocked", "sent"]


def test_a_permission_withdrawn_after_planning_blocks(world: World) -> None:
    world.publish_permissions(["C1", "C2"])
    world.plan("C1")
    world.plan("C2")
    world.publish_permissions(["C2"], status="withdrawn", known_at=at(2026, 6, 2, 3, 0))
    result = world.dispatch()
    assert (result.sent, result.blocked) == (1, 1)
    assert "HOUSE-PERMISSION" in result.blocked_by_rule
    assert [m["account_id"] for m in world.outbox()] == ["ACC-C1"]


def test_no_permission_at_all_blocks(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C9")
    assert world.dispatch().blocked == 1


def test_nothing_published_blocks_everything(world: World) -> None:
    world.plan("C1")
    result = world.dispatch()
    assert (result.sent, result.blocked) == (0, 1)
    assert "fact not available" in world.verdicts()[0]["violated_rules"]


def test_a_suppression_after_planning_blocks(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    suppress(world, "C1", channel="sms")
    assert world.dispatch().blocked_by_rule == {"HOUSE-SUPPRESSION": 1}


@pytest.mark.parametrize("ids", ["ab", "ba"])
def test_two_actions_of_one_person_count_each_other(world: World, ids: str) -> None:
    """At one and the same instant too, and whichever has the smaller id."""
    world.publish_permissions(["C1"])
    world.plan("C1", channel="sms", action_id="1", candidate_id=ids[0])
    world.plan("C1", channel="email", action_id="2", candidate_id=ids[1])
    result = world.dispatch()
    assert (result.sent, result.blocked) == (1, 1)
    assert result.blocked_by_rule == {"HOUSE-CAP": 1}
    assert len(world.outbox()) == 1


def test_too_early_is_deferred_within_the_day_and_sent_then(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1", scheduled_at_utc=at(2026, 6, 2, 1, 0))  # 06:30 in India
    world.clock.at = datetime(2026, 6, 2, 1, 0, tzinfo=UTC)
    result = world.dispatch_day()
    assert (result.deferred, result.sent) == (1, 1)
    [first, second] = world.verdicts()
    assert (first["verdict"], first["defer_until_utc"]) == ("defer", at(2026, 6, 2, 2, 30))
    assert (second["verdict"], second["attempt"]) == ("allow", 2)
    assert world.outbox()[0]["sent_at_utc"] == "2026-06-02T02:30:00Z"


def test_too_late_would_wait_into_another_day_and_is_blocked(world: World) -> None:
    world.publish_permissions(["C1"])
    late = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)  # 19:30 in India
    world.plan("C1", scheduled_at_utc=naive_utc(late))
    world.clock.at = late
    result = world.dispatch()
    assert (result.blocked, result.deferred) == (1, 0)
    assert world.verdicts()[0]["verdict"] == "defer"
    assert list(world.states().values()) == ["blocked"]


def test_a_day_that_is_over_is_cancelled_not_sent_late(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    world.clock.advance_to(SLOT + timedelta(days=1))
    result = world.dispatch()
    assert (result.cancelled, result.sent) == (1, 0)
    assert "DAY-OVER" in world.verdicts()[0]["violated_rules"]


def test_a_message_that_cannot_be_worded_fails_alone(world: World) -> None:
    world.publish_permissions(["C1", "C2"])
    broken = world.plan("C1", payload=json.dumps({"amount_due": "10.00", "locality": "elsewhere"}))
    world.plan("C2")
    result = world.dispatch()
    assert (result.failed, result.sent) == (1, 1)
    assert world.states()[broken] == "failed"
    assert [d["status"] for d in world.deliveries()] == ["failed", "sent"]


def test_a_language_without_template_falls_back_and_says_so(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1", language="bn")
    assert world.dispatch().sent == 1
    facts = json.loads(world.verdicts()[0]["facts"])
    assert (facts["language"], facts["language_fell_back_from"]) == ("en", "bn")


def test_an_address_the_vault_does_not_know_fails_alone(world: World) -> None:
    world.publish_permissions(["C1", "C2"])
    lost = world.plan("C1", address_token="phone-unknown")
    world.plan("C2")
    result = world.dispatch()
    assert (result.failed, result.sent) == (1, 1)
    assert world.states()[lost] == "failed"
