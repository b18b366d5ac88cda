"""Sending what was leased: address from the vault, message to the channel, outcome to the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection

from paymentor_assets.audit import ledger
from paymentor_assets.compliance.controls import kill_switch_is_on
from paymentor_assets.engagement import outcomes, queue
from paymentor_assets.engagement.outcomes import ACTOR
from paymentor_assets.engagement.queue import QueuedAction
from paymentor_assets.engagement.rendering import Rendered
from resources.channels import Channel, Message, Receipt
from resources.clock import Clock, naive_utc
from resources.crash_points import reach, register
from resources.errors import ChannelError, VaultError
from resources.operational_store import OperationalStore
from resources.vault import Vault

register("engagement.after_send", "engagement.after_sends", "engagement.after_record")

#: How often one action may be let through to a channel before it is given up.
MOST_SENDS = 5
FIRST_BACK_OFF = timedelta(seconds=30)
#: A lease this close to its end is not begun with: the send might outlive it.
LEASE_MARGIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Leased:
    """An action that is being sent, as it stands in the queue, and its words."""

    action: QueuedAction
    rendered: Rendered


@dataclass(frozen=True)
class Outcome:
    """How one send ended: `sent`, `failed`, `retry` or `released` (not begun with)."""

    action: QueuedAction
    status: str
    receipt: Receipt | None = None
    reason: str | None = None


def send_all(
    store: OperationalStore,
    vault: Vault,
    channels: Mapping[str, Channel],
    clock: Clock,
    leased: Sequence[Leased],
) -> dict[str, int]:
    """Send every leased action and record how it ended; returns counts by status.

    A fault that is no channel's answer leaves the rest to their leases, but not before what was
    sent is recorded.
    """
    if not leased:
        return {}
    ended: list[Outcome] = []
    try:
        addresses, unknown = _addresses(vault, leased)
        for item in leased:
            ended.append(
                Outcome(item.action, "failed", reason=unknown[item.action.action_id])
                if item.action.action_id in unknown
                else _send(store, channels, clock, item, addresses[item.action.address_token])
            )
    except Exception:
        record(store, clock, ended)
        raise
    reach("engagement.after_sends")
    counts = record(store, clock, ended)
    reach("engagement.after_record")
    return counts


def record(store: OperationalStore, clock: Clock, ended: Sequence[Outcome]) -> dict[str, int]:
    """Write outcomes in one transaction; those whose action was moved meanwhile change nothing."""
    counts: dict[str, int] = {}
    if not ended:
        return counts
    with store.write() as connection:
        for outcome in ended:
            status = outcome.status
            if status == "retry":
                status = _retry(connection, clock, outcome)
            elif status == "released":
                now = naive_utc(clock.now())
                queue.move(connection, outcome.action, "planned", now)
            elif not outcomes.record_end(
                connection,
                outcome.action,
                status=status,
                receipt=outcome.receipt,
                reason=outcome.reason,
                clock=clock,
            ):
                continue
            counts[status] = counts.get(status, 0) + 1
    return counts


def _send(
    store: OperationalStore,
    channels: Mapping[str, Channel],
    clock: Clock,
    item: Leased,
    address: str,
) -> Outcome:
    action, now = item.action, clock.now()
    lease = action.lease_until_utc
    if lease is None or naive_utc(now) + LEASE_MARGIN > lease:
        return Outcome(action, "released", reason="the lease was about to end")
    with store.read() as connection:
        if kill_switch_is_on(connection):
            return Outcome(action, "released", reason="the kill switch was pulled")
    channel = channels.get(action.channel)
    if channel is None:
        return Outcome(action, "failed", reason=f"no channel {action.channel} is configured")
    message = Message(
        action_id=action.action_id,
        lender_id=action.lender_id,
        account_id=action.account_id,
        channel=action.channel,
        purpose=action.purpose,
        to=address,
        language=item.rendered.language,
        template_id=action.template_id,
        subject=item.rendered.subject,
        body=item.rendered.body,
        day=action.carried_out_on,
        sent_at_utc=now,
        cost=action.cost,
        currency=action.currency,
    )
    try:
        receipt = channel.send(message)
    except ChannelError as error:
        return _after_error(channel, action, error)
    reach("engagement.after_send")
    return Outcome(action, "sent", receipt)


def _after_error(channel: Channel, action: QueuedAction, error: ChannelError) -> Outcome:
    """A channel that timed out may have taken the message all the same: it is asked."""
    if not error.is_transient:
        return Outcome(action, "failed", reason=str(error))
    try:
        receipt = channel.find(action.ref)
    except ChannelError as second:
        return Outcome(action, "retry", reason=str(second))
    if receipt is not None:
        return Outcome(action, "sent", receipt)
    return Outcome(action, "retry", reason=str(error))


def _retry(connection: Connection, clock: Clock, outcome: Outcome) -> str:
    action, now = outcome.action, naive_utc(clock.now())
    tries = outcomes.allowed_attempts(connection, action.action_id)
    again = now + back_off(action.action_id, tries)
    if tries >= MOST_SENDS or not action.is_within_its_day(again):
        reason = f"given up after {tries} tries: {outcome.reason}"
        ended = outcomes.record_end(
            connection, action, status="failed", receipt=None, reason=reason, clock=clock
        )
        return "failed" if ended else "retry"
    if queue.move(connection, action, "planned", now, scheduled_at=again):
        ledger.append(
            connection,
            clock=clock,
            actor=ACTOR,
            kind="message.retry",
            subject=action.action_id,
            payload={"attempt": action.attempt, "again_at_utc": again, "reason": outcome.reason},
        )
    return "retry"


def back_off(action_id: str, tries: int) -> timedelta:
    """Exponential waiting time after the n-th try, with a jitter of half to one and a half.

    The jitter is drawn from the action's id, so that a crowd spreads out and a repetition of the
    same day waits exactly as long.
    """
    draw = int.from_bytes(sha256(f"{action_id}/{tries}".encode()).digest()[:4], "big") / 2**32
    return FIRST_BACK_OFF * (2.0 ** max(tries - 1, 0) * (0.5 + draw))


def _addresses(vault: Vault, leased: Sequence[Leased]) -> tuple[dict[str, str], dict[str, str]]:
    """Addresses by token, and for actions whose token the vault cannot open, why (by action id)."""
    day = leased[0].action.carried_out_on.isoformat()
    purpose = f"send {leased[0].action.lender_id} {day}"
    tokens = [item.action.address_token for item in leased]
    try:
        return vault.reveal(tokens, actor=ACTOR, purpose=purpose), {}
    except VaultError:
        # One stale token must not keep the others from being sent: find it.
        addresses: dict[str, str] = {}
        unknown: dict[str, str] = {}
        for item in leased:
            token = item.action.address_token
            try:
                addresses |= vault.reveal([token], actor=ACTOR, purpose=purpose)
            except VaultError as error:
                unknown[item.action.action_id] = str(error)
        return addresses, unknown


def settle(
    store: OperationalStore,
    channels: Mapping[str, Channel],
    clock: Clock,
    lender_id: str,
    lease: timedelta,
) -> dict[str, int]:
    """Find out what became of attempts nobody recorded, by asking the channel; counts by status.

    A message the channel has is recorded as sent at the time it was taken. One it does not have is
    planned again, and will pass the gate again. A channel that cannot answer is asked later.
    """
    now = naive_utc(clock.now())
    with store.read() as connection:
        open_questions = queue.unsettled(connection, lender_id, now)
    counts: dict[str, int] = {}
    for action in open_questions:
        status, receipt = _ask(channels, action)
        with store.write() as connection:
            if status == "recovered":
                moved = outcomes.record_end(
                    connection, action, status="sent", receipt=receipt, reason=None, clock=clock
                )
            elif status == "unknown":
                moved = _ask_later(connection, action, now, lease)
            elif action.state_name == "sending":
                moved = queue.move(connection, action, "planned", now, scheduled_at=now)
            else:
                moved = False  # it waits in the queue already
        if moved:
            counts[status] = counts.get(status, 0) + 1
    return counts


def _ask(channels: Mapping[str, Channel], action: QueuedAction) -> tuple[str, Receipt | None]:
    channel = channels.get(action.channel)
    if channel is None:
        return "replanned", None
    try:
        receipt = channel.find(action.ref)
    except ChannelError:
        return "unknown", None
    return ("replanned", None) if receipt is None else ("recovered", receipt)


def _ask_later(
    connection: Connection, action: QueuedAction, now: datetime, lease: timedelta
) -> bool:
    if action.state_name == "sending":
        return queue.move(connection, action, "sending", now, lease_until=now + lease)
    return queue.move(connection, action, "planned", now, scheduled_at=now + lease)
