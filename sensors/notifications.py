"""Who hears of the outcome: a notice when a day is planned, an alert when a run fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import dagster as dg
import pyarrow.compute as pc
from dagster import DagsterRun
from dagster_shared.error import SerializableErrorInfo
from pyiceberg.expressions import And, EqualTo
from sqlalchemy import func, select

from paymentor_assets.audit.publications import Publication, lender_days, newest
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.errors import PayMentorError
from resources.lakehouse import Lakehouse
from resources.notifications import Notice, Notifier, Severity
from resources.operational_schema import actions, file_index
from resources.operational_store import OperationalStore
from sensors.runs import FLAGGED_TAG, PARTITION_TAG, JobNames, default_status

COMPLETION_SENSOR = "day_completed_sensor"
FAILURE_SENSOR = "run_failure_sensor"
#: Table whose rows say how many candidates each rule blocked.
GATE_COUNTS = "decisions.gate_counts"


def day_facts(
    lake: Lakehouse, store: OperationalStore, lender_id: str, day: date
) -> dict[str, object]:
    """Counts of one planned day: rows of every published table, candidates blocked by rule,
    actions by state, and the files of the day with their accepted and rejected rows."""
    facts: dict[str, object] = {}
    for stage in ("features", "rankings", "decisions"):
        publication = newest(lake, stage, lender_id, day)
        facts[stage] = "not published" if publication is None else _rows_of(publication, day)
        if stage == "decisions" and publication is not None:
            facts["blocked_by_rule"] = _blocked_by_rule(lake, publication, day)
    with store.read() as connection:
        states = connection.execute(
            select(actions.c.state_name, func.count())
            .where(actions.c.lender_id == lender_id, actions.c.as_of_date == day)
            .group_by(actions.c.state_name)
        ).all()
        files = connection.execute(
            select(file_index.c.status, func.count())
            .where(file_index.c.lender_id == lender_id, file_index.c.business_date == day)
            .group_by(file_index.c.status)
        ).all()
    facts["actions_by_state"] = {row[0]: row[1] for row in states}
    facts["rows_of_files"] = _rows_of_files(lake, lender_id, day)
    facts["files_by_status"] = {row[0]: row[1] for row in files}
    return facts


def _rows_of(publication: Publication, day: date) -> dict[str, int]:
    rows = {name: table.rows.get(day.isoformat()) for name, table in publication.tables.items()}
    return {name: count for name, count in sorted(rows.items()) if count is not None}


def _blocked_by_rule(lake: Lakehouse, publication: Publication, day: date) -> dict[str, int]:
    if GATE_COUNTS not in publication.tables:
        return {}
    # The first pass saw every candidate; the second sees only those that were chosen.
    counts = lake.scan(
        GATE_COUNTS,
        publication.table(GATE_COUNTS).snapshot_id,
        And(
            lender_days(publication.lender_id, [day]),
            EqualTo("pass", "mask"),
            EqualTo("verdict", "block"),
        ),
        ("rule_id", "candidates"),
    )
    return {row["rule_id"]: row["candidates"] for row in counts.sort_by("rule_id").to_pylist()}


def _rows_of_files(lake: Lakehouse, lender_id: str, day: date) -> dict[str, int]:
    publication = newest(lake, "ingestion", lender_id)
    if publication is None or INGESTED_FILES.name not in publication.tables:
        return {"accepted": 0, "rejected": 0}
    files = lake.scan(
        INGESTED_FILES.name,
        publication.table(INGESTED_FILES.name).snapshot_id,
        And(EqualTo("lender_id", lender_id), EqualTo("business_date", day.isoformat())),
        ("rows_accepted", "rows_rejected"),
    )
    return {
        "accepted": pc.sum(files.column("rows_accepted")).as_py() or 0,
        "rejected": pc.sum(files.column("rows_rejected")).as_py() or 0,
    }


def completion_notice(
    lake: Lakehouse,
    store: OperationalStore,
    lender_id: str,
    run: DagsterRun,
    *,
    clock: Clock,
    ui_url: str,
) -> Notice:
    """What a successful daily run did for one lender."""
    day = date.fromisoformat(run.tags[PARTITION_TAG])
    facts = day_facts(lake, store, lender_id, day)
    planned = facts["actions_by_state"]
    assert isinstance(planned, Mapping)
    flag = run.tags.get(FLAGGED_TAG)
    total = sum(planned.values())
    return Notice(
        notice_id=f"day_completed_{lender_id}_{day.isoformat()}_{run.run_id}",
        severity=Severity.INFO,
        subject=f"PayMentor: {lender_id} {day.isoformat()} is planned, {total} actions",
        message=(
            f"{lender_id} {day.isoformat()} is planned: {total} actions in the queue."
            + (f" Flagged, because input was incomplete: {flag}." if flag else "")
        ),
        at_utc=clock.now(),
        facts={
            "lender_id": lender_id,
            "as_of_date": day.isoformat(),
            "run_id": run.run_id,
            "link": run_link(ui_url, run.run_id),
            "flagged": flag,
            **facts,
        },
    )


def run_link(ui_url: str, run_id: str) -> str:
    """Where a person sees the run."""
    return f"{ui_url.rstrip('/')}/runs/{run_id}"


def failure_notice(context: dg.RunFailureSensorContext, clock: Clock, ui_url: str) -> Notice:
    """What failed, where, and the sentence of the error when it is one of ours.

    Foreign errors may quote the data they choked on, so only their class is told; the whole text
    is in the run's log.
    """
    run = context.dagster_run
    steps = {}
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        steps[event.step_key or "run"] = "failed" if error is None else _told(error)
    causes = "; ".join(f"{step}: {told}" for step, told in steps.items())
    return Notice(
        notice_id=f"run_failed_{run.run_id}",
        severity=Severity.ALERT,
        subject=f"PayMentor: {run.job_name} failed",
        message=f"{run.job_name} failed. {causes or context.failure_event.message}",
        at_utc=clock.now(),
        facts={
            "job": run.job_name,
            "run_id": run.run_id,
            "link": run_link(ui_url, run.run_id),
            "lender_id": run.tags.get(LENDER_TAG),
            "as_of_date": run.tags.get(PARTITION_TAG),
            "failed_steps": steps,
        },
    )


def _told(error: SerializableErrorInfo) -> str:
    ours = {kind.__name__ for kind in _kinds(PayMentorError)}
    innermost = error
    while True:
        if innermost.cls_name in ours:
            # "resources.errors.GateError: sentence\n"
            return str(innermost.message).strip()
        if innermost.cause is None:
            return innermost.cls_name or "an error"
        innermost = innermost.cause


def _kinds(kind: type[PayMentorError]) -> Iterator[type[PayMentorError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


def build_completion_sensor(settings: Settings, jobs: JobNames, ui_url: str) -> dg.SensorDefinition:
    """Tells of every daily run that succeeded: one notice a lender."""

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name=COMPLETION_SENSOR,
        default_status=default_status(settings),
        description="Sends the counts of a planned day to whoever waits for it.",
    )
    def day_completed_sensor(
        context: dg.RunStatusSensorContext,
        lakehouse: dg.ResourceParam[Lakehouse],
        operational_store: dg.ResourceParam[OperationalStore],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
        clock: dg.ResourceParam[Clock],
        notifier: dg.ResourceParam[Notifier],
    ) -> dg.SkipReason | None:
        run = context.dagster_run
        if run.job_name != jobs.daily or PARTITION_TAG not in run.tags:
            return dg.SkipReason(f"{run.job_name} is not a day's planning.")
        tagged = run.tags.get(LENDER_TAG)
        for lender_id in [tagged] if tagged is not None else list(lenders):
            notifier.notify(
                completion_notice(
                    lakehouse, operational_store, lender_id, run, clock=clock, ui_url=ui_url
                )
            )
        return None

    return day_completed_sensor


def build_failure_sensor(settings: Settings, ui_url: str) -> dg.SensorDefinition:
    """Alerts on every failed run of every code location."""

    @dg.run_failure_sensor(
        name=FAILURE_SENSOR,
        monitor_all_code_locations=True,
        default_status=default_status(settings),
        description="Writes an alert for every run that failed.",
    )
    def run_failure_sensor(
        context: dg.RunFailureSensorContext,
        clock: dg.ResourceParam[Clock],
        notifier: dg.ResourceParam[Notifier],
    ) -> None:
        notifier.notify(failure_notice(context, clock, ui_url))

    return run_failure_sensor
