"""The action queue in the operational store: what is due, what is leased, how it ended.

Everything that writes runs on the caller's transaction. States: planned -> sending -> sent or
failed; planned -> deferred -> …; blocked and cancelled are ends. An action is moved only from the
state and attempt in which the mover saw it, so a dispatcher that lost its lease changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, update

from paymentor_assets.compliance.local_time import zone_named
from resources.channels import MessageRef
from resources.operational_schema import actions

WAITING = ("planned", "deferred")


@dataclass(frozen=True)
class QueuedAction:
    """One row of the queue; instants are naive UTC."""

    action_id: str
    lender_id: str
    as_of_date: date
    account_id: str | None
    customer_id: str
    candidate_id: str
    kind: str
    purpose: str
    channel: str
    scheduled_at_utc: datetime
    time_zone: str
    country: str
    state: str | None
    product: str | None
    currency: str
    template_id: str
    language: str
    address_token: str
    cost: Decimal
    payload: dict[str, Any]
    state_name: str
    attempt: int
    lease_until_utc: datetime | None
    plan_publication_id: str

    @property
    def carried_out_on(self) -> date:
        """D+1: the day, in the borrower's zone, on which the plan may be carried out."""
        return self.as_of_date + timedelta(days=1)

    @property
    def ref(self) -> MessageRef:
        """How a channel knows it."""
        return MessageRef(self.action_id, self.lender_id, self.channel, self.carried_out_on)

    def is_within_its_day(self, instant: datetime) -> bool:
        """Whether a naive UTC instant is not after D+1 in the borrower's zone.

        An unknown zone is left to the gate, which blocks it.
        """
        zone = zone_named(self.time_zone)
        if zone is None:
            return True
        return instant.replace(tzinfo=UTC).astimezone(zone).date() <= self.carried_out_on


def _action(row: Row[Any]) -> QueuedAction:
    values = {name: getattr(row, name) for name in QueuedAction.__dataclass_fields__}
    values["payload"] = json.loads(row.payload)
    return QueuedAction(**values)


def due(
    connection: Connection,
    lender_id: str,
    until: datetime,
    *,
    as_of_date: date | None,
    limit: int,
) -> list[QueuedAction]:
    """The earliest waiting actions scheduled not after `until`, at most one a customer.

    Two actions of one person are judged one after the other, because the second must count the
    first.
    """
    nth = (
        func.row_number()
        .over(
            partition_by=actions.c.customer_id,
            order_by=(actions.c.scheduled_at_utc, actions.c.action_id),
        )
        .label("nth")
    )
    waiting = select(actions.c.action_id, nth).where(
        actions.c.lender_id == lender_id,
        actions.c.state_name.in_(WAITING),
        actions.c.scheduled_at_utc <= until,
    )
    if as_of_date is not None:
        waiting = waiting.where(actions.c.as_of_date == as_of_date)
    first = waiting.subquery()
    query = (
        select(actions)
        .join(first, and_(first.c.action_id == actions.c.action_id, first.c.nth == 1))
        .order_by(actions.c.scheduled_at_utc, actions.c.action_id)
        .limit(limit)
    )
    return [_action(row) for row in connection.execute(query)]


def still_waiting(connection: Connection, seen: Sequence[QueuedAction]) -> list[QueuedAction]:
    """Those of the actions that nobody has moved since they were seen, in the same order."""
    query = select(actions.c.action_id, actions.c.state_name, actions.c.attempt).where(
        actions.c.action_id.in_([action.action_id for action in seen])
    )
    now = {row.action_id: (row.state_name, row.attempt) for row in connection.execute(query)}
    return [a for a in seen if now.get(a.action_id) == (a.state_name, a.attempt)]


def unsettled(connection: Connection, lender_id: str, now: datetime) -> list[QueuedAction]:
    """Actions whose last attempt may or may not have reached the channel.

    Those being sent under a lease that ran out, and those planned again after an allowed attempt
    that are due: the channel has to be asked about both before anything else happens to them.
    """
    expired = and_(actions.c.state_name == "sending", actions.c.lease_until_utc <= now)
    tried = and_(
        actions.c.state_name == "planned", actions.c.attempt > 0, actions.c.scheduled_at_utc <= now
    )
    query = (
        select(actions)
        .where(actions.c.lender_id == lender_id, expired | tried)
        .order_by(actions.c.action_id)
    )
    return [_action(row) for row in connection.execute(query)]


def next_instant(connection: Connection, lender_id: str, as_of_date: date) -> datetime | None:
    """When something of the day can next be done (aware UTC); None when the day is over."""
    of_day = and_(actions.c.lender_id == lender_id, actions.c.as_of_date == as_of_date)
    scheduled = select(func.min(actions.c.scheduled_at_utc)).where(
        of_day, actions.c.state_name.in_(WAITING)
    )
    leased = select(func.min(actions.c.lease_until_utc)).where(
        of_day, actions.c.state_name == "sending"
    )
    instants = [connection.execute(query).scalar() for query in (scheduled, leased)]
    found = [instant for instant in instants if instant is not None]
    return min(found).replace(tzinfo=UTC) if found else None


def move(
    connection: Connection,
    action: QueuedAction,
    state_name: str,
    now: datetime,
    *,
    attempt: int | None = None,
    lease_until: datetime | None = None,
    scheduled_at: datetime | None = None,
) -> bool:
    """Move an action from the state and attempt it was seen in; False when it is not there."""
    values: dict[str, Any] = {
        "state_name": state_name,
        "attempt": action.attempt if attempt is None else attempt,
        "lease_until_utc": lease_until,
        "updated_at_utc": now,
    }
    if scheduled_at is not None:
        values["scheduled_at_utc"] = scheduled_at
    result = connection.execute(
        update(actions)
        .where(
            actions.c.action_id == action.action_id,
            actions.c.state_name == action.state_name,
            actions.c.attempt == action.attempt,
        )
        .values(**values)
    )
    return result.rowcount == 1


def leased(action: QueuedAction, attempt: int, lease_until: datetime | None) -> QueuedAction:
    """The action as it stands in the queue once its attempt has begun."""
    return replace(action, state_name="sending", attempt=attempt, lease_until_utc=lease_until)
