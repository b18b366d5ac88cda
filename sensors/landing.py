"""The landing sensor is a reconciler: pending = listing minus (uri, etag) in the file index.

One ingestion run in flight per lender takes everything of the lender that is ready, up to a byte
cap; what arrives meanwhile is found by a later tick, because nothing is remembered at launch. A
file leaves the pending set only when the run has written down what became of it (ingested,
duplicate, rejected, or failed after three tries or deaths; see `ingestion.reconcile`).

The listing is bounded by the business date in the file name, some weeks before the newest one
taken in; the first tick, and about one in an hour, lists everything, so that a correction of an
old day is found, too. Modification times decide nothing. The cursor holds only what saves work:
where to go on when the time budget of a tick is used up, how long ago everything was listed, and
which unknown lenders people were told of. Losing it loses no file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

import dagster as dg
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.reconcile import Waiting, waiting
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.landing_zone import LandingZone
from resources.notifications import Notice, Notifier, Severity
from resources.operational_schema import file_index
from resources.operational_store import OperationalStore
from sensors.run_config import ingestion_config
from sensors.runs import (
    INPUTS_TAG,
    MINIMUM_INTERVAL_SECONDS,
    JobNames,
    default_status,
    run_in_flight,
    single_flight,
    why_latched,
)

SENSOR_NAME = "landing_sensor"
#: Business dates this far before the newest one are listed at every tick.
LOOK_BACK = timedelta(days=35)
#: Ticks until everything is listed again: an hour of them.
SWEEP_EVERY = 3600 // MINIMUM_INTERVAL_SECONDS
BYTE_CAP = 8 << 30
TIME_BUDGET_SECONDS = 20.0


class Cursor(BaseModel):
    """What a tick leaves for the next one."""

    model_config = ConfigDict(frozen=True)

    resume_at: str | None = None
    ticks_to_sweep: int = 0
    told_of: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """The cursor as Dagster kept it; a first tick has none."""
        return cls() if text is None else cls.model_validate_json(text)


def choose(files: Sequence[Waiting], byte_cap: int) -> list[Waiting]:
    """The oldest business dates first, as many as fit the cap, but always one.

    Files without a readable date come first: they are refused quickly, and visibly.
    """
    ordered = sorted(
        files, key=lambda w: (str(w.landed.business_date or ""), w.landed.feed, w.landed.uri)
    )
    chosen: list[Waiting] = []
    total = 0
    for file in ordered:
        total += file.landed.size
        if chosen and total > byte_cap:
            break
        chosen.append(file)
    return chosen


def fingerprint(files: Sequence[Waiting]) -> str:
    """Changes when a file arrives, is replaced, is tried or is done."""
    return deterministic_id(
        *(f"{w.landed.uri} {w.landed.etag} {w.attempts} {w.interruptions}" for w in files)
    )


def listed_since(store: OperationalStore, lenders: Mapping[str, Lender]) -> date | None:
    """The first business date of a bounded listing; None when a lender has sent nothing yet."""
    newest = (
        select(file_index.c.lender_id, func.max(file_index.c.business_date))
        .where(file_index.c.business_date.is_not(None))
        .group_by(file_index.c.lender_id)
    )
    with store.read() as connection:
        found: dict[str, date] = {row[0]: row[1] for row in connection.execute(newest)}
    days = [found.get(lender_id) for lender_id in lenders]
    known = [day for day in days if day is not None]
    return min(known) - LOOK_BACK if known and len(known) == len(days) else None


def build_landing_sensor(
    settings: Settings,
    jobs: JobNames,
    *,
    byte_cap: int = BYTE_CAP,
    time_budget_seconds: float = TIME_BUDGET_SECONDS,
    timer: Callable[[], float] = time.monotonic,
) -> dg.SensorDefinition:
    """The sensor that starts the ingestion job. `timer` measures the budget of a tick."""

    @dg.sensor(
        name=SENSOR_NAME,
        job_name=jobs.ingestion,
        minimum_interval_seconds=MINIMUM_INTERVAL_SECONDS,
        default_status=default_status(settings),
        description="Starts one ingestion run per lender for all files that wait.",
    )
    def landing_sensor(
        context: dg.SensorEvaluationContext,
        landing_zone: dg.ResourceParam[LandingZone],
        operational_store: dg.ResourceParam[OperationalStore],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
        clock: dg.ResourceParam[Clock],
        notifier: dg.ResourceParam[Notifier],
    ) -> dg.SensorResult:
        began = timer()
        cursor = Cursor.read(context.cursor)
        is_sweep = cursor.ticks_to_sweep <= 0
        since = None if is_sweep else listed_since(operational_store, lenders)
        files = waiting(landing_zone.list(since), operational_store, is_command=False)
        by_lender: dict[str, list[Waiting]] = {}
        for file in files:
            by_lender.setdefault(file.landed.lender_id, []).append(file)

        told_of = _tell_of_unknown(by_lender, lenders, cursor, notifier, clock.now())
        requests: list[dg.RunRequest] = []
        reasons: list[str] = []
        resume_at: str | None = None
        for lender_id in _in_turn(sorted(set(by_lender) & set(lenders)), cursor.resume_at):
            if timer() - began > time_budget_seconds:
                resume_at = lender_id
                reasons.append(f"the time budget of the tick ended before {lender_id}")
                break
            verdict = _judge(context.instance, jobs, lender_id, by_lender[lender_id], byte_cap)
            if isinstance(verdict, dg.RunRequest):
                requests.append(verdict)
            else:
                reasons.append(verdict)
        reasons += [f"there is no contract for lender {name!r}" for name in told_of]
        updated = Cursor(
            resume_at=resume_at,
            # A sweep that ran out of time is repeated, or its rest would wait an hour.
            ticks_to_sweep=_ticks_to_sweep(cursor, is_sweep and resume_at is None),
            told_of=told_of,
        )
        return dg.SensorResult(
            run_requests=requests or None,
            skip_reason=None if requests else "; ".join(reasons) or "No file is waiting.",
            cursor=updated.model_dump_json(),
        )

    return landing_sensor


def _judge(
    instance: dg.DagsterInstance,
    jobs: JobNames,
    lender_id: str,
    files: Sequence[Waiting],
    byte_cap: int,
) -> dg.RunRequest | str:
    tags = single_flight("ingestion", lender_id)
    running = run_in_flight(instance, jobs.ingestion, {LENDER_TAG: lender_id})
    if running is not None:
        return f"{lender_id}: {len(files)} files wait for run {running.run_id}"
    chosen = choose(files, byte_cap)
    inputs = fingerprint(chosen)
    latched = why_latched(instance, jobs.ingestion, inputs)
    if latched is not None:
        return f"{lender_id}: {len(files)} files wait; {latched}"
    return dg.RunRequest(
        run_config=ingestion_config(chosen, files),
        tags={**tags, INPUTS_TAG: inputs, "paymentor/files": str(len(chosen))},
    )


def _ticks_to_sweep(cursor: Cursor, has_swept: bool) -> int:
    return SWEEP_EVERY if has_swept else max(cursor.ticks_to_sweep - 1, 0)


def _in_turn(lender_ids: Sequence[str], resume_at: str | None) -> list[str]:
    """The lenders in order, beginning where the last tick ran out of time."""
    if resume_at is None:
        return list(lender_ids)
    return [i for i in lender_ids if i >= resume_at] + [i for i in lender_ids if i < resume_at]


def _tell_of_unknown(
    by_lender: Mapping[str, Sequence[Waiting]],
    lenders: Mapping[str, Lender],
    cursor: Cursor,
    notifier: Notifier,
    now: datetime,
) -> tuple[str, ...]:
    unknown = set(by_lender) - set(lenders)
    for name in sorted(unknown - set(cursor.told_of)):
        files = by_lender[name]
        notifier.notify(
            Notice(
                notice_id=f"unknown_lender_{deterministic_id(name)}",
                severity=Severity.ALERT,
                subject="PayMentor: files of an unknown lender",
                message=(
                    f"{len(files)} files stand in the landing zone for {name!r}, for which there "
                    f"is no contract (first: {files[0].landed.uri}). They are not read; write the "
                    "contract, or move them."
                ),
                at_utc=now,
                facts={"files": len(files), "first": files[0].landed.uri},
            )
        )
    # A bounded listing does not show all of them, so those of before are kept.
    return tuple(sorted((unknown | set(cursor.told_of)) - set(lenders)))
