"""The facts a judgement reads, as they were known at one instant.

Two halves: `lake_facts` from the newest ingestion publication (permissions, registries, lists, the
legacy contact log), pinned and cut at `_known_at`; `hot_facts` from the operational store
(suppressions, own deliveries, kill switch), read on the caller's connection so that dispatch
judges inside the transaction that marks an action `sending`.
A table that is None was not available, which a rule that needs it turns into a block.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, and_, or_, select

from paymentor_assets.compliance.controls import kill_switch_is_on, kill_switch_was_on
from paymentor_assets.compliance.fact_tables import (
    CONTACT_MEMORY,
    CONTACTS,
    CUSTOMERS,
    DND,
    PERMISSIONS,
    SUPPRESSIONS,
    GateFacts,
    HotFacts,
)
from paymentor_assets.compliance.known_facts import lake_facts
from resources.clock import naive_utc
from resources.operational_schema import actions, deliveries, suppressions

__all__ = [
    "CONTACTS",
    "CUSTOMERS",
    "DND",
    "PERMISSIONS",
    "SUPPRESSIONS",
    "GateFacts",
    "HotFacts",
    "hot_facts",
    "lake_facts",
]


def hot_facts(
    connection: Connection, lender_id: str, instant: datetime, *, include_queue: bool = False
) -> HotFacts:
    """Facts of the operational store at `instant` (aware), read on the caller's transaction.

    `include_queue` (for dispatch) also counts actions that are being sent right now and have no
    delivery yet, and takes the kill switch as it stands now; planning leaves it off, because a
    queue has no memory of an earlier instant and a plan must come out the same when it is redone.
    """
    at = naive_utc(instant)
    suppressed = connection.execute(
        select(
            suppressions.c.customer_id,
            suppressions.c.channel,
            suppressions.c.purpose,
            suppressions.c.effective_at_utc,
        )
        .where(suppressions.c.lender_id == lender_id, suppressions.c.effective_at_utc <= at)
        .order_by(suppressions.c.suppression_id)
    ).mappings()
    return HotFacts(
        as_of_utc=at,
        suppressions=pa.Table.from_pylist([dict(row) for row in suppressed], SUPPRESSIONS),
        contacts=_own_contacts(connection, lender_id, at, include_queue),
        kill_switch=(
            kill_switch_is_on(connection)
            if include_queue
            else kill_switch_was_on(connection, instant)
        ),
    )


def _own_contacts(
    connection: Connection, lender_id: str, at: datetime, include_queue: bool
) -> pa.Table:
    sent = (
        select(
            deliveries.c.action_id,
            deliveries.c.customer_id,
            deliveries.c.account_id,
            deliveries.c.channel,
            deliveries.c.purpose,
            deliveries.c.occurred_at_utc,
            actions.c.candidate_id,
        )
        .outerjoin(actions, actions.c.action_id == deliveries.c.action_id)
        .where(
            deliveries.c.lender_id == lender_id,
            deliveries.c.status == "sent",
            deliveries.c.occurred_at_utc <= at,
            deliveries.c.occurred_at_utc >= at - CONTACT_MEMORY,
        )
        .order_by(deliveries.c.occurred_at_utc, deliveries.c.seq)
    )
    contacts: dict[str, dict[str, object]] = {}
    for row in connection.execute(sent):
        contacts.setdefault(row.action_id, _contact(row, row.occurred_at_utc))
    if include_queue:
        in_flight = select(actions).where(
            actions.c.lender_id == lender_id,
            or_(
                actions.c.state_name == "sending",
                and_(
                    actions.c.state_name == "sent", actions.c.updated_at_utc >= at - CONTACT_MEMORY
                ),
            ),
        )
        for row in connection.execute(in_flight.order_by(actions.c.action_id)):
            contacts.setdefault(row.action_id, _contact(row, min(row.updated_at_utc, at)))
    return pa.Table.from_pylist(list(contacts.values()), CONTACTS)


def _contact(row: object, at: datetime) -> dict[str, object]:
    read = {
        name: getattr(row, name)
        for name in ("customer_id", "account_id", "channel", "purpose", "candidate_id")
    }
    return {
        **read,
        "contacted_at_utc": at,
        "is_outbound": True,
        "is_connected": True,
        "is_conversation": False,
    }
