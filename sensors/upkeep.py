"""Work that belongs to no day: asking sources, retention, the ledger's copy, upkeep, models."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.connections import ConnectorBook
from paymentor_assets.features.outcomes import outcomes_due
from paymentor_assets.lenders import Lender
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.lakehouse import Lakehouse
from sensors.run_config import features_config
from sensors.runs import single_flight

#: Apart from the minutes around common cut-offs, when days are planned.
NIGHTLY = "40 2 * * *"
#: Before the upkeep, which frees the files of what was deleted.
BEFORE_UPKEEP = "10 2 * * *"
HOURLY = "20 * * * *"
#: Sundays, before model development's weekly training.
WEEKLY = "20 3 * * 0"
#: Sundays, before the training extract, which learns from the outcomes.
BEFORE_EXTRACT = "20 2 * * 0"
#: Well before the full hours at which days usually close, so that a run's files are in by then.
CONNECTORS = "5,35 * * * *"


#: Job, when, and what it does.
_BY_THE_CLOCK = (
    ("retention", BEFORE_UPKEEP, "Deletes data past its data life, and leaves the proof."),
    ("audit", NIGHTLY, "Copies the ledger to the lakehouse and keeps the tables in shape."),
    ("training_extract", WEEKLY, "Hands model development the week's rows, without identities."),
    ("approvals", HOURLY, "Writes down which model versions development has registered since."),
)


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules; running where unattended automation is on, stopped elsewhere."""
    status = (
        dg.DefaultScheduleStatus.RUNNING
        if settings.is_automation_on
        else dg.DefaultScheduleStatus.STOPPED
    )
    return [
        _connectors_schedule(status),
        _outcomes_schedule(status),
        *(
            dg.ScheduleDefinition(
                name=f"{job}_schedule",
                job_name=job,
                cron_schedule=cron,
                default_status=status,
                tags=single_flight(job),
                description=description,
            )
            for job, cron, description in _BY_THE_CLOCK
        ),
    ]


def _connectors_schedule(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="connectors_schedule",
        job_name="pull",
        cron_schedule=CONNECTORS,
        default_status=status,
        description="Asks the sources of every lender that is connected to one.",
    )
    def connectors_schedule(
        lenders: dg.ResourceParam[Mapping[str, Lender]],
        connectors: dg.ResourceParam[ConnectorBook],
    ) -> list[dg.RunRequest] | dg.SkipReason:
        connected = [lender_id for lender_id in lenders if connectors.of(lender_id)]
        if not connected:
            return dg.SkipReason("No lender is connected to a source.")
        return [
            dg.RunRequest(tags=single_flight("connectors", lender_id)) for lender_id in connected
        ]

    return connectors_schedule


def _outcomes_schedule(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="outcomes_schedule",
        job_name="features_history",
        cron_schedule=BEFORE_EXTRACT,
        default_status=status,
        description="Publishes the outcomes that have become known, a week's days in one build.",
    )
    def outcomes_schedule(
        lakehouse: dg.ResourceParam[Lakehouse],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
        clock: dg.ResourceParam[Clock],
    ) -> list[dg.RunRequest] | dg.SkipReason:
        due = {name: outcomes_due(lakehouse, lenders[name], clock) for name in lenders}
        requests = [
            dg.RunRequest(
                partition_key=days[-1].isoformat(),
                run_config=features_config(days),
                tags=single_flight("outcomes", lender_id),
            )
            for lender_id, days in due.items()
            if days
        ]
        return requests or dg.SkipReason("No outcome has become known that is not published.")

    return outcomes_schedule
