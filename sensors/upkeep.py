"""Work that belongs to no day: asking sources, retention, the ledger's copy, upkeep, models."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.connections import ConnectorBook
from paymentor_assets.lenders import Lender
from paymentor_assets.settings import Settings
from sensors.runs import single_flight

#: Apart from the minutes around common cut-offs, when days are planned.
NIGHTLY = "40 2 * * *"
#: Before the upkeep, which frees the files of what was deleted.
BEFORE_UPKEEP = "10 2 * * *"
HOURLY = "20 * * * *"
#: Sundays, before model development's weekly training.
WEEKLY = "20 3 * * 0"
#: Well before the full hours at which days usually close, so that a run's files are in by then.
CONNECTORS = "5,35 * * * *"


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules; running where unattended automation is on, stopped elsewhere."""
    status = (
        dg.DefaultScheduleStatus.RUNNING
        if settings.is_automation_on
        else dg.DefaultScheduleStatus.STOPPED
    )
    return [
        _connectors_schedule(status),
        dg.ScheduleDefinition(
            name="retention_schedule",
            job_name="retention",
            cron_schedule=BEFORE_UPKEEP,
            default_status=status,
            tags=single_flight("retention"),
            description="Deletes data past its data life, and leaves the proof.",
        ),
        dg.ScheduleDefinition(
            name="audit_schedule",
            job_name="audit",
            cron_schedule=NIGHTLY,
            default_status=status,
            tags=single_flight("audit"),
            description="Copies the ledger to the lakehouse and keeps the tables in shape.",
        ),
        dg.ScheduleDefinition(
            name="training_extract_schedule",
            job_name="training_extract",
            cron_schedule=WEEKLY,
            default_status=status,
            tags=single_flight("training_extract"),
            description="Hands model development the week's rows, without identities.",
        ),
        dg.ScheduleDefinition(
            name="approvals_schedule",
            job_name="approvals",
            cron_schedule=HOURLY,
            default_status=status,
            tags=single_flight("approvals"),
            description="Writes down which model versions development has registered since.",
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
