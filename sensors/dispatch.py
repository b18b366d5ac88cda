"""The dispatch sensor: starts the dispatch of a lender's day when an action of it is due.

Due is what the queue says: scheduled by now and waiting, or leased by a dispatcher that died. The
gate and the lease, not this sensor, decide what is sent; two dispatchers at once would do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import dagster as dg
from sqlalchemy import Connection, and_, func, or_, select

from paymentor_assets.engagement.queue import WAITING
from paymentor_assets.ids import deterministic_id
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Settings
from resources.clock import Clock, naive_utc
from resources.operational_schema import actions, dispatch_verdicts
from resources.operational_store import OperationalStore
from sensors.runs import (
    INPUTS_TAG,
    MINIMUM_INTERVAL_SECONDS,
    PARTITION_TAG,
    JobNames,
    default_status,
    run_in_flight,
    single_flight,
    why_latched,
)

SENSOR_NAME = "dispatch_sensor"


def due_days(connection: Connection, now: datetime) -> list[tuple[str, date, int]]:
    """(lender, planned day, due actions) at a naive UTC instant, in order."""
    query = (
        select(actions.c.lender_id, actions.c.as_of_date, func.count())
        .where(
            or_(
                and_(actions.c.state_name.in_(WAITING), actions.c.scheduled_at_utc <= now),
                and_(actions.c.state_name == "sending", actions.c.lease_until_utc <= now),
            )
        )
        .group_by(actions.c.lender_id, actions.c.as_of_date)
        .order_by(actions.c.lender_id, actions.c.as_of_date)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def progress(connection: Connection, lender_id: str, day: date) -> str:
    """Changes whenever a dispatcher has written a verdict for this day of the lender."""
    newest = connection.execute(
        select(func.max(dispatch_verdicts.c.seq)).where(
            dispatch_verdicts.c.lender_id == lender_id, dispatch_verdicts.c.as_of_date == day
        )
    ).scalar()
    return deterministic_id("dispatch", lender_id, day, newest)


def build_dispatch_sensor(settings: Settings, jobs: JobNames) -> dg.SensorDefinition:
    """The sensor that starts the dispatch job, partitioned by the planned day."""

    @dg.sensor(
        name=SENSOR_NAME,
        job_name=jobs.dispatch,
        minimum_interval_seconds=MINIMUM_INTERVAL_SECONDS,
        default_status=default_status(settings),
        description="Starts the dispatch of a lender's day while actions of it are due.",
    )
    def dispatch_sensor(
        context: dg.SensorEvaluationContext,
        operational_store: dg.ResourceParam[OperationalStore],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult | dg.SkipReason:
        if not lenders:
            return dg.SkipReason("There is no lender.")
        now = naive_utc(clock.now())
        with operational_store.read() as connection:
            due = [
                (lender_id, day, count, progress(connection, lender_id, day))
                for lender_id, day, count in due_days(connection, now)
                if lender_id in lenders
            ]
        requests, reasons = [], []
        for lender_id, day, count, inputs in due:
            of_day = {LENDER_TAG: lender_id, PARTITION_TAG: day.isoformat()}
            running = run_in_flight(context.instance, jobs.dispatch, of_day)
            if running is not None:
                reasons.append(f"{lender_id} {day}: run {running.run_id} is dispatching")
                continue
            latched = why_latched(context.instance, jobs.dispatch, inputs)
            if latched is not None:
                reasons.append(f"{lender_id} {day}: {count} actions are due; {latched}")
                continue
            requests.append(
                dg.RunRequest(
                    partition_key=day.isoformat(),
                    tags={**single_flight("dispatch", lender_id), INPUTS_TAG: inputs},
                )
            )
        if not requests:
            return dg.SkipReason("; ".join(reasons) or "No action is due.")
        return dg.SensorResult(run_requests=requests)

    return dispatch_sensor
