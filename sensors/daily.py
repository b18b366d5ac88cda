"""The cut-off trigger: each lender's day is planned once, after it closed and its feeds are there.

For every lender it looks at the last closed day only. A day before that one has been and gone:
the slots in which it would be carried out are over, so it is not planned late (its features can be
backfilled).

- A day with a `decisions` publication is done.
- While a run of the day, an ingestion of the lender, or a file or event of the day is under way,
  it waits.
- While a required feed is missing it waits until the contract's `latest_by`; then, as `on_missing`
  says, it fails loudly (an alert, a ledger entry and a failed tick, each once a day) or plans the
  day flagged (an alert, and the tag `paymentor/flagged` on the run).
- A day that was tried and has no decisions is latched: it is tried again only when what it may
  read has changed (a file known by its cut-off, an approval), or by a person who re-runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import dagster as dg
from sqlalchemy import select

from paymentor_assets.audit import ledger as audit_ledger
from paymentor_assets.audit.publications import newest
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.errors import ContractError
from resources.lakehouse import Lakehouse
from resources.landing_zone import LandingZone
from resources.notifications import Notice, Notifier, Severity
from resources.operational_schema import ledger
from resources.operational_store import OperationalStore
from resources.streams import Stream
from sensors.readiness import events_not_read, files_not_read, inputs_of_day
from sensors.runs import (
    FLAGGED_TAG,
    INPUTS_TAG,
    MINIMUM_INTERVAL_SECONDS,
    PARTITION_TAG,
    JobNames,
    default_status,
    latest_run,
    run_in_flight,
    single_flight,
)

SENSOR_NAME = "cutoff_sensor"
NOT_PLANNED = "day_not_planned"
_ACTOR = f"sensor:{SENSOR_NAME}"


@dataclass(frozen=True)
class Doors:
    """What the judgement of a day looks at."""

    instance: dg.DagsterInstance
    lake: Lakehouse
    store: OperationalStore
    landing_zone: LandingZone
    stream: Stream
    clock: Clock
    jobs: JobNames


@dataclass(frozen=True)
class Plan:
    """Start the day; `flag` says what is missing when the contract lets it run without."""

    lender: Lender
    day: date
    fingerprint: str
    flag: str | None = None


@dataclass(frozen=True)
class Wait:
    """Nothing to start now, and why."""

    reason: str


@dataclass(frozen=True)
class Late:
    """The day cannot be planned, and nobody has been told yet."""

    lender: Lender
    day: date
    message: str


def judge(doors: Doors, lender: Lender, now: datetime) -> Plan | Wait | Late:
    """What to do about the last closed day of a lender at an instant."""
    day = lender.last_closed_day(now)
    name = f"{lender.lender_id} {day.isoformat()}"
    if newest(doors.lake, "decisions", lender.lender_id, day) is not None:
        return Wait(f"{name} is planned")
    of_day = {LENDER_TAG: lender.lender_id, PARTITION_TAG: day.isoformat()}
    running = run_in_flight(doors.instance, doors.jobs.daily, of_day)
    if running is not None:
        return Wait(f"{name} is being planned by run {running.run_id}")

    inputs = inputs_of_day(doors.lake, lender, day)
    tried = latest_run(doors.instance, doors.jobs.daily, of_day)
    if tried is not None and tried.tags.get(INPUTS_TAG) == inputs.fingerprint:
        return Wait(
            f"{name} was tried by run {tried.run_id} ({tried.status.value}), and nothing it may "
            "read has changed since; repair the cause and re-run it"
        )
    is_late = now >= lender.latest_by_utc(day)
    under_way = _under_way(doors, lender, day)
    if under_way is not None and not is_late:
        return Wait(f"{name} waits: {under_way}")

    faults = dict(inputs.faults)
    if under_way is not None:
        faults["input"] = under_way
    if not faults:
        return Plan(lender, day, inputs.fingerprint)
    missing = "; ".join(f"{feed} {fault}" for feed, fault in faults.items())
    if not is_late:
        return Wait(f"{name} waits until {lender.latest_by_utc(day).isoformat()}: {missing}")
    if lender.on_missing == "run_flagged":
        return Plan(lender, day, inputs.fingerprint, flag=missing)
    message = f"{name} is not planned: {missing} (latest_by has passed, on_missing is 'fail')"
    if _is_recorded(doors.store, lender, day):
        return Wait(message)
    return Late(lender, day, message)


def _under_way(doors: Doors, lender: Lender, day: date) -> str | None:
    ingesting = run_in_flight(doors.instance, doors.jobs.ingestion, {LENDER_TAG: lender.lender_id})
    if ingesting is not None:
        return f"run {ingesting.run_id} is ingesting its files"
    reading = run_in_flight(doors.instance, doors.jobs.engagement)
    if reading is not None:
        return f"run {reading.run_id} is reading the engagement stream"
    files = files_not_read(doors.landing_zone, doors.store, lender, day)
    if files:
        return f"{len(files)} files delivered by the cut-off are not ingested yet ({files[0]}, …)"
    shards = events_not_read(doors.lake, doors.stream, lender, day)
    if shards:
        return f"events that arrived by the cut-off are not read yet from {', '.join(shards)}"
    return None


def _is_recorded(store: OperationalStore, lender: Lender, day: date) -> bool:
    with store.read() as connection:
        found = connection.execute(
            select(ledger.c.seq)
            .where(ledger.c.kind == NOT_PLANNED, ledger.c.subject == _subject(lender, day))
            .limit(1)
        ).first()
    return found is not None


def _subject(lender: Lender, day: date) -> str:
    return f"{lender.lender_id}/{day.isoformat()}"


def _record(store: OperationalStore, clock: Clock, late: Late) -> None:
    with store.write() as connection:
        audit_ledger.append(
            connection,
            clock=clock,
            actor=_ACTOR,
            kind=NOT_PLANNED,
            subject=_subject(late.lender, late.day),
            payload={"message": late.message},
        )


def _notice(kind: str, lender: Lender, day: date, message: str, clock: Clock) -> Notice:
    return Notice(
        notice_id=f"{kind}_{lender.lender_id}_{day.isoformat()}",
        severity=Severity.ALERT,
        subject=f"PayMentor: {lender.lender_id} {day.isoformat()} {kind.replace('_', ' ')}",
        message=message,
        at_utc=clock.now(),
        facts={"lender_id": lender.lender_id, "as_of_date": day.isoformat()},
    )


def _request(plan: Plan) -> dg.RunRequest:
    tags: dict[str, str] = {
        **single_flight("daily", plan.lender.lender_id),
        INPUTS_TAG: plan.fingerprint,
    }
    if plan.flag is not None:
        tags[FLAGGED_TAG] = plan.flag
    return dg.RunRequest(partition_key=plan.day.isoformat(), tags=tags)


def build_cutoff_sensor(settings: Settings, jobs: JobNames) -> dg.SensorDefinition:
    """The sensor that starts the daily job once for every closed day of a lender."""

    @dg.sensor(
        name=SENSOR_NAME,
        job_name=jobs.daily,
        minimum_interval_seconds=MINIMUM_INTERVAL_SECONDS,
        default_status=default_status(settings),
        description="Plans each lender's day once its cut-off has passed and its feeds are there.",
    )
    def cutoff_sensor(
        context: dg.SensorEvaluationContext,
        lakehouse: dg.ResourceParam[Lakehouse],
        operational_store: dg.ResourceParam[OperationalStore],
        landing_zone: dg.ResourceParam[LandingZone],
        streams: dg.ResourceParam[Stream],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
        clock: dg.ResourceParam[Clock],
        notifier: dg.ResourceParam[Notifier],
    ) -> dg.SensorResult | dg.SkipReason:
        if not lenders:
            return dg.SkipReason("There is no lender; put a contract into the lenders folder.")
        doors = Doors(
            context.instance, lakehouse, operational_store, landing_zone, streams, clock, jobs
        )
        now = clock.now()
        verdicts: list[Plan | Wait | Late] = []
        broken: list[ContractError] = []
        for lender_id in lenders:
            try:
                lender = lenders[lender_id]
            except ContractError as error:
                broken.append(error)  # raised below: it must not stop the other lenders' days
            else:
                verdicts.append(judge(doors, lender, now))
        plans = [v for v in verdicts if isinstance(v, Plan)]
        if plans:
            # What is late is told by the next tick: a tick that fails starts nothing, and one
            # lender's missing file must not stop another lender's day.
            for plan in plans:
                if plan.flag is not None:
                    notifier.notify(
                        _notice("planned_flagged", plan.lender, plan.day, plan.flag, clock)
                    )
            return dg.SensorResult(run_requests=[_request(plan) for plan in plans])
        late = [v for v in verdicts if isinstance(v, Late)]
        for item in late:
            notifier.notify(_notice("not_planned", item.lender, item.day, item.message, clock))
            _record(operational_store, clock, item)
        if late:
            raise ContractError("; ".join(item.message for item in late))
        if broken:
            raise broken[0]
        return dg.SkipReason("; ".join(v.reason for v in verdicts if isinstance(v, Wait)))

    return cutoff_sensor
