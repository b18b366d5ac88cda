"""What model development starts by itself: the aliases' mirror, and training when a model drifts.

It looks only at its own lakehouse, into which production hands approvals and monitoring, and at the
registry. Training on drift is asked for once for each extract: the same rows give the same model,
and whether a new one scores is a person's decision.
"""

from __future__ import annotations

import dagster as dg

from paymentor_assets.ids import deterministic_id
from paymentor_assets.models.development import DevelopmentSettings, development_lakehouse
from paymentor_assets.models.handover import aliases_due, drifting_models, newest_extracts
from resources.registry import ModelRegistry
from sensors.runs import INPUTS_TAG, latest_run, run_in_flight, single_flight, why_latched

MIRROR_JOB = "mirror_approvals"
#: Sundays, after production's weekly extract and before the week's first cut-offs.
WEEKLY = "30 4 * * 0"
_ALIAS_SECONDS = 60
_DRIFT_SECONDS = 3600


def build_development_sensors(
    settings: DevelopmentSettings, train_job: str
) -> list[dg.SensorDefinition]:
    """Both sensors; running where unattended automation is on, stopped elsewhere.

    They need the resources `development` and `registry`.
    """
    status = (
        dg.DefaultSensorStatus.RUNNING
        if settings.is_automation_on
        else dg.DefaultSensorStatus.STOPPED
    )
    return [_alias_sensor(status), _drift_sensor(status, train_job)]


def build_development_schedules(
    settings: DevelopmentSettings, train_job: str
) -> list[dg.ScheduleDefinition]:
    """Weekly training; running where unattended automation is on, stopped elsewhere."""
    status = (
        dg.DefaultScheduleStatus.RUNNING
        if settings.is_automation_on
        else dg.DefaultScheduleStatus.STOPPED
    )
    return [
        dg.ScheduleDefinition(
            name="training_schedule",
            job_name=train_job,
            cron_schedule=WEEKLY,
            default_status=status,
            tags=single_flight("training"),
            description="Trains on the week's extract; the same extract makes no new version.",
        )
    ]


def _alias_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="champion_alias_sensor",
        job_name=MIRROR_JOB,
        minimum_interval_seconds=_ALIAS_SECONDS,
        default_status=status,
        description="Points MLflow's aliases at the versions in force, as production handed over.",
    )
    def champion_alias_sensor(
        context: dg.SensorEvaluationContext,
        development: dg.ResourceParam[DevelopmentSettings],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> dg.RunRequest | dg.SkipReason:
        due = aliases_due(development_lakehouse(development.development_dir), registry)
        if not due:
            return dg.SkipReason("Every alias is what the approvals say.")
        running = run_in_flight(context.instance, MIRROR_JOB)
        if running is not None:
            return dg.SkipReason(f"Run {running.run_id} is setting the aliases.")
        inputs = deterministic_id(*(f"{family}={version}" for family, version in due.items()))
        latched = why_latched(context.instance, MIRROR_JOB, inputs)
        if latched is not None:
            return dg.SkipReason(latched)
        return dg.RunRequest(tags={**single_flight("aliases"), INPUTS_TAG: inputs})

    return champion_alias_sensor


def _drift_sensor(status: dg.DefaultSensorStatus, train_job: str) -> dg.SensorDefinition:
    @dg.sensor(
        name="drift_sensor",
        job_name=train_job,
        minimum_interval_seconds=_DRIFT_SECONDS,
        default_status=status,
        description="Asks for training when monitoring says that the model in force drifts.",
    )
    def drift_sensor(
        context: dg.SensorEvaluationContext,
        development: dg.ResourceParam[DevelopmentSettings],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> dg.RunRequest | dg.SkipReason:
        lake = development_lakehouse(development.development_dir)
        drifting = drifting_models(lake)
        if not drifting:
            return dg.SkipReason("No model in force drifts.")
        waiting = {
            family: version
            for family, version in drifting.items()
            if any(known.version > version for known in registry.versions(family))
        }
        if waiting == drifting:
            return dg.SkipReason(
                "A newer version of every drifting model is registered and waits for a decision: "
                + ", ".join(f"{family} after {version}" for family, version in waiting.items())
            )
        running = run_in_flight(context.instance, train_job)
        if running is not None:
            return dg.SkipReason(f"Run {running.run_id} is training.")
        inputs = deterministic_id(
            *(f"{family}={version}" for family, version in drifting.items()),
            *newest_extracts(lake),
        )
        tried = latest_run(context.instance, train_job, {INPUTS_TAG: inputs})
        if tried is not None:
            return dg.SkipReason(
                f"Run {tried.run_id} ({tried.status.value}) trained on the newest extract; it is "
                "tried again when there is a newer one."
            )
        return dg.RunRequest(tags={**single_flight("training"), INPUTS_TAG: inputs})

    return drift_sensor
