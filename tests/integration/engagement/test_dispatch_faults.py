"""Dispatch when a channel fails or the dispatcher dies: nothing is lost or leaves twice."""

from __future__ import annotations

import pytest

from paymentor_assets.audit import ledger
from paymentor_assets.engagement import sending
from paymentor_assets.engagement.sending import MOST_SENDS, back_off
from resources.channels import Channel, LocalOutbox, Message, MessageRef, Receipt
from resources.clock import naive_utc
from resources.crash_points import SimulatedCrash, armed
from resources.errors import ChannelError, PayMentorError
from tests.support.engagement_world import SLOT, World, minutes, suppress

CRASH_POINTS = [
    "engagement.before_lease",
    "engagement.after_lease",
    "engagement.after_send",
    "engagement.after_sends",
    "engagement.after_record",
]


class Flaky:
    """A channel that fails `times` times, before or after it took the message."""

    def __init__(
        self, inner: Channel, times: int, *, took_it: bool, transient: bool = True
    ) -> None:
        self.inner, self.left, self.took_it, self.transient = inner, times, took_it, transient
        self.calls = 0

    def send(self, message: Message) -> Receipt:
        self.calls += 1
        if self.left:
            self.left -= 1
            if self.took_it:
                self.inner.send(message)
            raise ChannelError("the provider timed out", is_transient=self.transient)
        return self.inner.send(message)

    def find(self, ref: MessageRef) -> Receipt | None:
        return self.inner.find(ref)


def test_a_transient_error_is_tried_again_after_a_back_off(world: World) -> None:
    world.publish_permissions(["C1"])
    action_id = world.plan("C1")
    flaky = Flaky(world.channels["sms"], 2, took_it=False)
    result = world.dispatch_day(channels={"sms": flaky})
    assert (result.retried, result.sent, flaky.calls) == (2, 1, 3)
    waited = back_off(action_id, 1) + back_off(action_id, 2)
    assert world.clock.now() == SLOT + waited
    assert [v["verdict"] for v in world.verdicts()] == ["allow"] * 3
    assert len(world.deliveries()) == len(world.outbox()) == 1


def test_a_channel_that_took_it_and_timed_out_is_asked_and_not_used_again(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    flaky = Flaky(world.channels["sms"], 1, took_it=True)
    result = world.dispatch_day(channels={"sms": flaky})
    assert (result.sent, result.retried, flaky.calls) == (1, 0, 1)


def test_attempts_are_bounded(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    flaky = Flaky(world.channels["sms"], 99, took_it=False)
    result = world.dispatch_day(channels={"sms": flaky})
    assert (result.failed, flaky.calls) == (1, MOST_SENDS)
    assert world.deliveries()[0]["status"] == "failed"


def test_a_permanent_error_is_not_tried_again(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    flaky = Flaky(world.channels["sms"], 9, took_it=False, transient=False)
    result = world.dispatch_day(channels={"sms": flaky})
    assert (result.failed, flaky.calls) == (1, 1)


def test_back_off_doubles_and_spreads() -> None:
    waits = [back_off("a", n).total_seconds() for n in range(1, 6)]
    assert all(15 * 2**n <= wait <= 45 * 2**n for n, wait in enumerate(waits))
    assert back_off("a", 1) == back_off("a", 1) != back_off("b", 1)


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_any_point_neither_loses_nor_doubles_a_message(world: World, point: str) -> None:
    customers = [f"C{n}" for n in range(4)]
    world.publish_permissions(customers)
    for customer in customers:
        world.plan(customer)
    with armed(point), pytest.raises(SimulatedCrash):
        world.dispatch()
    before = {m["action_id"]: m["sent_at_utc"] for m in world.outbox()}
    world.dispatch_day()
    after = {m["action_id"]: m["sent_at_utc"] for m in world.outbox()}
    assert len(after) == 4
    assert before.items() <= after.items()
    assert set(world.states().values()) == {"sent"}
    sent = [d for d in world.deliveries() if d["status"] == "sent"]
    assert sorted(d["action_id"] for d in sent) == sorted(after)
    ledger.verify(world.store)


def test_a_lease_that_has_not_run_out_is_left_alone(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    with armed("engagement.after_lease"), pytest.raises(SimulatedCrash):
        world.dispatch()
    world.clock.advance_to(SLOT + minutes(4))
    result = world.dispatch()
    assert (result.recovered, result.sent) == (0, 0)
    world.clock.advance_to(SLOT + minutes(5))
    result = world.dispatch()
    assert (result.sent, result.recovered) == (1, 0)
    assert [v["attempt"] for v in world.verdicts()] == [1, 2]


def test_a_sent_but_unrecorded_message_is_recovered_even_when_it_would_be_blocked_now(
    world: World,
) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    with armed("engagement.after_send"), pytest.raises(SimulatedCrash):
        world.dispatch()
    suppress(world, "C1")
    world.clock.advance_to(SLOT + minutes(6))
    result = world.dispatch()
    assert (result.recovered, result.sent, result.blocked) == (1, 1, 0)
    assert world.deliveries()[0]["occurred_at_utc"] == naive_utc(SLOT)


def test_an_unsent_leased_message_is_judged_anew(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    with armed("engagement.after_lease"), pytest.raises(SimulatedCrash):
        world.dispatch()
    suppress(world, "C1")
    world.clock.advance_to(SLOT + minutes(6))
    result = world.dispatch()
    assert (result.sent, result.blocked) == (0, 1)
    assert world.outbox() == []


def test_a_channel_that_cannot_answer_is_asked_later(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    with armed("engagement.after_send"), pytest.raises(SimulatedCrash):
        world.dispatch()
    real = world.channels["sms"]

    class Silent:
        def __init__(self) -> None:
            self.asked = 0

        def send(self, message: Message) -> Receipt:
            raise AssertionError("must not send before the channel has answered")

        def find(self, ref: MessageRef) -> Receipt | None:
            self.asked += 1
            if self.asked < 3:
                raise ChannelError("down", is_transient=True)
            return real.find(ref)

    result = world.dispatch_day(channels={"sms": Silent()})
    assert (result.recovered, len(world.deliveries())) == (1, 1)


def test_a_dispatcher_that_lost_its_lease_changes_nothing(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    with armed("engagement.after_sends"), pytest.raises(SimulatedCrash):
        world.dispatch()
    with world.store.read() as connection:
        [stale] = sending.queue.unsettled(connection, "meridian", naive_utc(SLOT + minutes(9)))
    receipt = world.channels["sms"].find(stale.ref)
    world.clock.advance_to(SLOT + minutes(6))
    assert world.dispatch().recovered == 1
    late = sending.Outcome(stale, "sent", receipt)
    assert sending.record(world.store, world.clock, [late]) == {}
    assert len(world.deliveries()) == 1


def test_an_unforeseen_fault_records_what_was_sent_and_leaves_the_rest(world: World) -> None:
    world.publish_permissions(["C1", "C2", "C3"])
    for customer in ("C1", "C2", "C3"):
        world.plan(customer)

    class Breaks(LocalOutbox):
        calls = 0

        def send(self, message: Message) -> Receipt:
            self.calls += 1
            if self.calls == 2:
                raise PayMentorError("the disk is full")
            return super().send(message)

    with pytest.raises(PayMentorError, match="disk is full"):
        world.dispatch(channels={"sms": Breaks(world.root / "outbox")})
    assert len(world.deliveries()) == 1
    world.dispatch_day()
    assert len(world.outbox()) == 3
    assert len(world.deliveries()) == 3
