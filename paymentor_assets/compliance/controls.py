"""The kill switch: one flag that stops all sends, and who moved it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from paymentor_assets.audit import ledger
from resources.clock import Clock, naive_utc
from resources.errors import UsageError
from resources.operational_schema import controls
from resources.operational_store import OperationalStore

KILL_SWITCH = "kill_switch"


def set_kill_switch(
    store: OperationalStore, *, is_on: bool, actor: str, reason: str, clock: Clock
) -> None:
    """Move the switch; actor and reason are required and go to the ledger."""
    if not actor.strip() or not reason.strip():
        raise UsageError("The kill switch needs an actor and a reason; name both.")
    value = "on" if is_on else "off"
    with store.write() as connection:
        connection.execute(
            insert(controls).values(
                name=KILL_SWITCH,
                value=value,
                actor=actor,
                reason=reason,
                at_utc=naive_utc(clock.now()),
            )
        )
        ledger.append(
            connection,
            clock=clock,
            actor=actor,
            kind="control.kill_switch",
            subject=value,
            payload={"reason": reason},
        )


def kill_switch_is_on(connection: Connection) -> bool:
    """How the switch stands now: the last statement counts, whatever time it carries.

    An operator pulls it in real time while a simulated day may live in the past; a switch that
    only worked from its own timestamp on would let that day send.
    """
    return _stops(
        connection.execute(
            select(controls.c.value)
            .where(controls.c.name == KILL_SWITCH)
            .order_by(controls.c.seq.desc())
            .limit(1)
        ).scalar()
    )


def kill_switch_was_on(connection: Connection, instant: datetime) -> bool:
    """How the switch stood at an instant, by the times of its statements."""
    return _stops(
        connection.execute(
            select(controls.c.value)
            .where(controls.c.name == KILL_SWITCH, controls.c.at_utc <= naive_utc(instant))
            .order_by(controls.c.at_utc.desc(), controls.c.seq.desc())
            .limit(1)
        ).scalar()
    )


def _stops(value: str | None) -> bool:
    # Anything but a clear "off" (or no entry at all) stops the sends.
    return value not in (None, "off")
