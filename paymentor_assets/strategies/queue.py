"""The action queue: a published plan becomes rows that dispatch can lease, once.

`withdraw` clears the planned actions of an unsealed day before a different plan is published, so
that no action of the old plan can be leased between the two; `enqueue` makes the queue equal to
the plan. Both refuse a sealed day inside their own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, insert, select, update

from paymentor_assets.audit import ledger
from paymentor_assets.audit.publications import Publication
from paymentor_assets.audit.sealing import is_sealed
from resources.clock import Clock, naive_utc
from resources.crash_points import reach, register
from resources.errors import SealedDayError
from resources.operational_schema import actions
from resources.operational_store import OperationalStore

register("strategies.inside_enqueue", "strategies.after_enqueue")

ACTOR = "strategies"
_PLANNED_COLUMNS = (
    "lender_id",
    "as_of_date",
    "account_id",
    "customer_id",
    "candidate_id",
    "purpose",
    "channel",
    "scheduled_at_utc",
    "time_zone",
    "country",
    "state",
    "product",
    "currency",
    "template_id",
    "language",
    "address_token",
    "treatment",
    "cost",
    "payload",
    "rulebook_version",
    "strategy_version",
)


#: States from which dispatch would still take an action.
_WAITING = ("planned", "deferred")


@dataclass(frozen=True)
class QueueChange:
    """What changed in the queue."""

    added: int = 0
    updated: int = 0
    withdrawn: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the queue was already what the plan says."""
        return not (self.added or self.updated or self.withdrawn)


def withdraw(store: OperationalStore, lender_id: str, day: date, clock: Clock) -> int:
    """Cancel every action of an unsealed day that still waits; returns how many.

    Raises SealedDayError when the day was sealed in the meantime.
    """
    with store.write() as connection:
        _refuse_sealed(connection, lender_id, day)
        result = connection.execute(
            update(actions)
            .where(
                actions.c.lender_id == lender_id,
                actions.c.as_of_date == day,
                actions.c.state_name.in_(_WAITING),
            )
            .values(state_name="cancelled", updated_at_utc=naive_utc(clock.now()))
        )
        return int(result.rowcount)


def enqueue(
    store: OperationalStore, plan: pa.Table, publication: Publication, day: date, clock: Clock
) -> QueueChange:
    """Make the day's queue equal to the published actions (rows of decisions.actions).

    Idempotent; actions that left the plan become cancelled, ones that came back become planned
    again. What dispatch has judged for good (blocked, failed) or deferred under this very plan
    stays as it is. Raises SealedDayError when the day was sealed in the meantime.
    """
    wanted = {row["action_id"]: row for row in plan.to_pylist()}
    now = naive_utc(clock.now())
    with store.write() as connection:
        _refuse_sealed(connection, publication.lender_id, day)
        present = {
            row.action_id: row
            for row in connection.execute(
                select(actions).where(
                    actions.c.lender_id == publication.lender_id, actions.c.as_of_date == day
                )
            )
        }
        added = [
            _values(row, publication, now) for key, row in wanted.items() if key not in present
        ]
        if added:
            connection.execute(insert(actions), added)
        updated = 0
        for key in wanted.keys() & present.keys():
            values = _values(wanted[key], publication, now)
            if _is_replannable(present[key], publication) and _differs(present[key], values):
                connection.execute(update(actions).where(actions.c.action_id == key).values(values))
                updated += 1
        withdrawn = 0
        for key, row in present.items():
            if key not in wanted and row.state_name in _WAITING:
                connection.execute(
                    update(actions)
                    .where(actions.c.action_id == key)
                    .values(state_name="cancelled", updated_at_utc=now)
                )
                withdrawn += 1
        change = QueueChange(len(added), updated, withdrawn)
        if not change.is_empty:
            ledger.append(
                connection,
                clock=clock,
                actor=ACTOR,
                kind="plan.enqueued",
                subject=f"{publication.lender_id}/{day.isoformat()}",
                payload={
                    "publication_id": publication.publication_id,
                    "actions": sorted(wanted),
                },
            )
        reach("strategies.inside_enqueue")
    reach("strategies.after_enqueue")
    return change


def _values(row: Mapping[str, Any], publication: Publication, now: datetime) -> dict[str, object]:
    return {
        **{name: row[name] for name in _PLANNED_COLUMNS},
        "action_id": row["action_id"],
        "kind": row["candidate_kind"],
        "state_name": "planned",
        "attempt": 0,
        "lease_until_utc": None,
        "plan_publication_id": publication.publication_id,
        "updated_at_utc": now,
    }


def _is_replannable(row: Any, publication: Publication) -> bool:
    if row.state_name == "deferred":
        return bool(row.plan_publication_id != publication.publication_id)
    return row.state_name in ("planned", "cancelled")


def _differs(row: Any, values: Mapping[str, object]) -> bool:
    return any(
        getattr(row, name) != value for name, value in values.items() if name != "updated_at_utc"
    )


def _refuse_sealed(connection: Connection, lender_id: str, day: date) -> None:
    if is_sealed(connection, lender_id, day):
        raise SealedDayError(
            f"Day {day.isoformat()} of lender {lender_id} was sealed while it was being planned "
            "again; the queue was left as it is.",
            {},
        )
