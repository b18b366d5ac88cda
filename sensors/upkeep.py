"""Work that belongs to no day: retention, copying the ledger, upkeep of tables, new models."""

from __future__ import annotations

import dagster as dg

from paymentor_assets.settings import Settings
from sensors.runs import single_flight

#: Apart from the minutes around common cut-offs, when days are planned.
NIGHTLY = "40 2 * * *"
#: Before the upkeep, which frees the files of what was deleted.
BEFORE_UPKEEP = "10 2 * * *"
HOURLY = "20 * * * *"


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules; running where unattended automation is on, stopped elsewhere."""
    status = (
        dg.DefaultScheduleStatus.RUNNING
        if settings.is_automation_on
        else dg.DefaultScheduleStatus.STOPPED
    )
    return [
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
            name="approvals_schedule",
            job_name="approvals",
            cron_schedule=HOURLY,
            default_status=status,
            tags=single_flight("approvals"),
            description="Writes down which model versions development has registered since.",
        ),
    ]
