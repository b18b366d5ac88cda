"""The monitoring trigger: the newest scored day of each lender is measured once.

A day that is scored anew, or of which other days' outcomes have become known since, is measured
anew. A measuring that failed is repeated, until it has failed so often with the same input that
only a person may.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.audit.publications import newest
from paymentor_assets.ids import deterministic_id
from paymentor_assets.lenders import Lender
from paymentor_assets.models.training_extract import LABELS_STAGE
from paymentor_assets.rankings.monitors import STAGES, scored_publications
from paymentor_assets.settings import Settings
from resources.lakehouse import Lakehouse
from sensors.runs import INPUTS_TAG, default_status, latest_run, single_flight, why_latched

JOB = "monitoring"
_SECONDS = 300


def build_monitoring_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that measures what was scored; needs the resources `lakehouse` and `lenders`."""

    @dg.sensor(
        name="monitoring_sensor",
        job_name=JOB,
        minimum_interval_seconds=_SECONDS,
        default_status=default_status(settings),
        description="Measures drift, calibration and lift of each lender's newest scored day.",
    )
    def monitoring_sensor(
        context: dg.SensorEvaluationContext,
        lakehouse: dg.ResourceParam[Lakehouse],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
    ) -> dg.SensorResult | dg.SkipReason:
        decided = [_judge(context.instance, lakehouse, lender_id) for lender_id in lenders]
        requests = [found for found in decided if isinstance(found, dg.RunRequest)]
        if requests:
            return dg.SensorResult(run_requests=requests)
        reasons = [found for found in decided if isinstance(found, str)]
        return dg.SkipReason("; ".join(reasons) or "There is no lender.")

    return monitoring_sensor


def _judge(instance: dg.DagsterInstance, lake: Lakehouse, lender_id: str) -> dg.RunRequest | str:
    """Measure the newest scored day, or why not."""
    scored = [newest(lake, stage, lender_id) for stage in STAGES]
    days = [published.as_of_date for published in scored if published is not None]
    if not days:
        return f"{lender_id} has no scored day"
    day = max(days)
    outcomes = newest(lake, LABELS_STAGE, lender_id)
    name = f"{lender_id} {day.isoformat()}"
    inputs = deterministic_id(
        *(found.publication_id for found in scored_publications(lake, lender_id, day).values()),
        *([] if outcomes is None else [outcomes.publication_id]),
    )
    tried = latest_run(instance, JOB, {INPUTS_TAG: inputs})
    if tried is not None and tried.is_success:
        return f"{name} is monitored"
    if tried is not None and not tried.is_finished:
        return f"run {tried.run_id} is measuring {name}"
    latched = why_latched(instance, JOB, inputs)
    if latched is not None:
        return f"{name}: {latched}"
    return dg.RunRequest(
        partition_key=day.isoformat(),
        tags={**single_flight("monitoring", lender_id), INPUTS_TAG: inputs},
    )
