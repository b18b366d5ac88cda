"""What Dagster already runs or ran: the half of every sensor's guard that is not in the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from paymentor_assets.partitions import LENDER_TAG
from paymentor_assets.settings import Settings

#: Runs that carry the same value of this tag never run at once (`dagster.yaml` enforces it too).
SINGLE_FLIGHT_TAG = "paymentor/single_flight"
#: Why a day was planned although its input was incomplete.
FLAGGED_TAG = "paymentor/flagged"
#: A fingerprint of the work a run was started for; the same again means that nothing has changed.
INPUTS_TAG = "paymentor/inputs"
#: Dagster's own tag of a run's partition.
PARTITION_TAG = "dagster/partition"

UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUSPENDED,
    dg.DagsterRunStatus.CANCELING,
)
FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

#: Seconds between two looks of a sensor; Dagster adds its own evaluation time.
MINIMUM_INTERVAL_SECONDS = 30
#: The same work is started so often in vain, then only by a person.
MAX_VAIN_RUNS = 3


@dataclass(frozen=True)
class JobNames:
    """The jobs that the sensors start or watch."""

    ingestion: str = "ingest"
    engagement: str = "engagement"
    daily: str = "daily"
    dispatch: str = "dispatch"


def default_status(settings: Settings) -> dg.DefaultSensorStatus:
    """Sensors run by themselves where unattended automation is on, and wait elsewhere."""
    if settings.is_automation_on:
        return dg.DefaultSensorStatus.RUNNING
    return dg.DefaultSensorStatus.STOPPED


def run_in_flight(
    instance: dg.DagsterInstance, job_name: str, tags: Mapping[str, str] | None = None
) -> dg.DagsterRun | None:
    """A run of the job with these tags that has not finished, if there is one."""
    runs = instance.get_runs(
        dg.RunsFilter(job_name=job_name, tags=dict(tags or {}), statuses=list(UNFINISHED)),
        limit=1,
    )
    return runs[0] if runs else None


def latest_run(
    instance: dg.DagsterInstance, job_name: str, tags: Mapping[str, str]
) -> dg.DagsterRun | None:
    """The newest run of a job with these tags, whatever became of it."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, tags=dict(tags)), limit=1)
    return runs[0] if runs else None


def why_latched(
    instance: dg.DagsterInstance, job_name: str, fingerprint: str, max_runs: int = MAX_VAIN_RUNS
) -> str | None:
    """A sentence when the same work has failed so often that only a person may start it again.

    `fingerprint` must change when the work makes progress or its input changes: that unlatches.
    """
    failed = instance.get_runs(
        dg.RunsFilter(job_name=job_name, tags={INPUTS_TAG: fingerprint}, statuses=list(FAILED)),
        limit=max_runs,
    )
    if len(failed) < max_runs:
        return None
    return (
        f"{max_runs} runs of {job_name} failed with the same input, the last one is "
        f"{failed[0].run_id}; repair the cause and re-run it"
    )


def single_flight(what: str, lender_id: str | None = None) -> dict[str, str]:
    """Tags of a run that must be the only one of its kind, for one lender or for all."""
    if lender_id is None:
        return {SINGLE_FLIGHT_TAG: what}
    return {SINGLE_FLIGHT_TAG: f"{what}/{lender_id}", LENDER_TAG: lender_id}
