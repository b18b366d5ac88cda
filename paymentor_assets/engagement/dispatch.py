"""Dispatch: planned actions through the gate of the moment and out of the house, once each.

The order of effects is what makes it safe. One transaction of the operational store reads the hot
facts, writes the verdict, marks the action `sending` under a lease and seals the day; only then is
anything sent; only then is it recorded as sent. A process that dies in between leaves a lease
behind, and whoever finds it run out asks the channel, by action id, before doing anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Protocol

from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.engagement import queue
from paymentor_assets.engagement.dispatch_result import DispatchResult
from paymentor_assets.engagement.dispatcher import Dispatcher
from paymentor_assets.lenders import Lender, lender_named
from resources.channels import Channel
from resources.clock import BusinessClock, Clock
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore
from resources.vault import Vault


class MovableClock(Clock, Protocol):
    """A clock that a simulation moves."""

    def advance_to(self, instant: datetime) -> None:
        """Move forward to `instant`; never backwards."""
        ...


def dispatch_due(
    store: OperationalStore,
    lake: Lakehouse,
    vault: Vault,
    channels: Mapping[str, Channel],
    lenders: Mapping[str, Lender],
    rulebook: Rulebook,
    clock: Clock,
    run: RunInfo,
    *,
    lender_id: str,
    until: datetime,
    as_of_date: date | None = None,
) -> DispatchResult:
    """Dispatch every action of a lender that is scheduled not after `until` and not after now.

    Any number of dispatchers may run at once. Raises GateError when the gate cannot judge; then
    nothing of that batch is sent.
    """
    dispatcher = Dispatcher(
        store, lake, vault, channels, lender_named(lenders, lender_id), rulebook, clock, run
    )
    return dispatcher.run(min(until, clock.now()), as_of_date)


def dispatch_day(
    store: OperationalStore,
    lake: Lakehouse,
    vault: Vault,
    channels: Mapping[str, Channel],
    lenders: Mapping[str, Lender],
    rulebook: Rulebook,
    clock: MovableClock,
    run: RunInfo,
    *,
    lender_id: str,
    as_of_date: date,
) -> DispatchResult:
    """Carry out one planned day in simulated time: each action at its own scheduled instant.

    Moves the clock to every instant at which something can be done, retries and run-out leases
    included, until nothing of the day is open.
    """
    total = DispatchResult()
    while True:
        with store.read() as connection:
            instant = queue.next_instant(connection, lender_id, as_of_date)
        if instant is None:
            return total
        clock.advance_to(instant)
        total.add(
            dispatch_due(
                store, lake, vault, channels, lenders, rulebook, clock, run,
                lender_id=lender_id, until=clock.now(), as_of_date=as_of_date,
            )
        )  # fmt: skip


def carry_out(
    store: OperationalStore,
    lake: Lakehouse,
    vault: Vault,
    channels: Mapping[str, Channel],
    lenders: Mapping[str, Lender],
    rulebook: Rulebook,
    clock: Clock,
    run: RunInfo,
    *,
    lender_id: str,
    as_of_date: date,
) -> DispatchResult:
    """The whole day where time is simulated; in real time, whatever of the day is due now."""
    doors = (store, lake, vault, channels, lenders, rulebook)
    if isinstance(clock, BusinessClock) and clock.is_simulated:
        return dispatch_day(*doors, clock, run, lender_id=lender_id, as_of_date=as_of_date)
    until = clock.now()
    return dispatch_due(*doors, clock, run, lender_id=lender_id, until=until, as_of_date=as_of_date)
