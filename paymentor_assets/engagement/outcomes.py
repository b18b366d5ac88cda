"""What dispatch writes down: verdicts, deliveries, sealed days, and a ledger entry for each end.

All of it runs on the caller's write transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, insert, select

from paymentor_assets.audit import ledger
from paymentor_assets.engagement.queue import QueuedAction, move
from resources.channels import Receipt
from resources.clock import Clock, naive_utc
from resources.operational_schema import deliveries, dispatch_verdicts, sealed_days

ACTOR = "engagement.dispatch"


def record_verdict(
    connection: Connection,
    action: QueuedAction,
    *,
    attempt: int,
    verdict: str,
    violated_rules: str,
    defer_until: datetime | None,
    rulebook_version: str,
    facts: dict[str, Any],
    now: datetime,
) -> None:
    """Write one verdict, with what it was judged on."""
    connection.execute(
        insert(dispatch_verdicts).values(
            action_id=action.action_id,
            attempt=attempt,
            lender_id=action.lender_id,
            as_of_date=action.as_of_date,
            verdict=verdict,
            violated_rules=violated_rules,
            defer_until_utc=defer_until,
            rulebook_version=rulebook_version,
            facts=json.dumps(facts, sort_keys=True),
            decided_at_utc=now,
        )
    )


def last_attempts(connection: Connection, actions: Sequence[QueuedAction]) -> dict[str, int]:
    """The number of the newest verdict on each action that has one, by action id.

    The verdicts outlive the queue: a plan that is made again starts its actions anew.
    """
    query = (
        select(dispatch_verdicts.c.action_id, func.max(dispatch_verdicts.c.attempt).label("last"))
        .where(dispatch_verdicts.c.action_id.in_([action.action_id for action in actions]))
        .group_by(dispatch_verdicts.c.action_id)
    )
    return {row.action_id: row.last for row in connection.execute(query)}


def allowed_attempts(connection: Connection, action_id: str) -> int:
    """How often the gate let this action through so far."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(dispatch_verdicts)
            .where(dispatch_verdicts.c.action_id == action_id)
            .where(dispatch_verdicts.c.verdict == "allow")
        ).scalar_one()
    )


def record_end(
    connection: Connection,
    action: QueuedAction,
    *,
    status: str,
    receipt: Receipt | None,
    reason: str | None,
    clock: Clock,
) -> bool:
    """End an action as `sent` or `failed`, with its delivery row and ledger entry.

    Returns False, and writes nothing, when somebody else has moved the action.
    """
    now = naive_utc(clock.now())
    if not move(connection, action, status, now):
        return False
    occurred = now if receipt is None else naive_utc(receipt.accepted_at)
    message_id = None if receipt is None else receipt.provider_message_id
    cost = Decimal(0) if receipt is None else receipt.cost
    connection.execute(
        insert(deliveries).values(
            action_id=action.action_id,
            attempt=action.attempt,
            lender_id=action.lender_id,
            as_of_date=action.as_of_date,
            account_id=action.account_id,
            customer_id=action.customer_id,
            channel=action.channel,
            purpose=action.purpose,
            provider_message_id=message_id,
            status=status,
            occurred_at_utc=occurred,
            cost=cost,
            currency=action.currency if receipt is None else receipt.currency,
        )
    )
    ledger.append(
        connection,
        clock=clock,
        actor=ACTOR,
        kind=f"message.{status}",
        subject=action.action_id,
        payload={
            "attempt": action.attempt,
            "channel": action.channel,
            "provider_message_id": message_id,
            "occurred_at_utc": occurred,
            "cost": format(cost, "f"),
            "reason": reason,
        },
    )
    return True


def seal_day(connection: Connection, action: QueuedAction, clock: Clock) -> None:
    """Seal the action's day unless it is sealed: from now on its plan cannot change."""
    found = connection.execute(
        select(sealed_days.c.lender_id).where(
            sealed_days.c.lender_id == action.lender_id,
            sealed_days.c.as_of_date == action.as_of_date,
        )
    ).first()
    if found is not None:
        return
    connection.execute(
        insert(sealed_days).values(
            lender_id=action.lender_id,
            as_of_date=action.as_of_date,
            sealed_at_utc=naive_utc(clock.now()),
            plan_publication_id=action.plan_publication_id,
        )
    )
    ledger.append(
        connection,
        clock=clock,
        actor=ACTOR,
        kind="day.sealed",
        subject=f"{action.lender_id}/{action.as_of_date.isoformat()}",
        payload={"plan_publication_id": action.plan_publication_id},
    )


def sent_without_allow(connection: Connection) -> list[str]:
    """Ids of actions that were sent although no verdict of that attempt allowed it: none, ever."""
    allowed = (
        select(dispatch_verdicts.c.seq)
        .where(
            dispatch_verdicts.c.action_id == deliveries.c.action_id,
            dispatch_verdicts.c.attempt == deliveries.c.attempt,
            dispatch_verdicts.c.verdict == "allow",
        )
        .exists()
    )
    query = select(deliveries.c.action_id).where(deliveries.c.status == "sent", ~allowed)
    return list(connection.execute(query.order_by(deliveries.c.action_id)).scalars())
