"""The stream sensor: exact ranges from the committed offsets to the heads, one run in flight.

The offsets stand in the summary of the commit that they describe, so a range that was read is
never asked for again, and one whose run died is asked for until it is. All shards go into one run:
they are committed together.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.engagement.stream_ingest import committed_offsets, pending_ranges
from paymentor_assets.ids import deterministic_id
from paymentor_assets.lenders import Lender
from paymentor_assets.settings import Settings
from resources.lakehouse import Lakehouse
from resources.streams import Stream
from sensors.readiness import facts_behind
from sensors.run_config import stream_config
from sensors.runs import (
    INPUTS_TAG,
    MINIMUM_INTERVAL_SECONDS,
    JobNames,
    default_status,
    run_in_flight,
    single_flight,
    why_latched,
)

SENSOR_NAME = "engagement_stream_sensor"
#: About a minute of work; the next tick takes the rest.
MAX_RECORDS_PER_SHARD = 500_000


def build_engagement_stream_sensor(
    settings: Settings, jobs: JobNames, *, max_records_per_shard: int = MAX_RECORDS_PER_SHARD
) -> dg.SensorDefinition:
    """The sensor that starts the engagement job."""

    @dg.sensor(
        name=SENSOR_NAME,
        job_name=jobs.engagement,
        minimum_interval_seconds=MINIMUM_INTERVAL_SECONDS,
        default_status=default_status(settings),
        description="Starts one run for exactly the provider events that are not committed yet.",
    )
    def engagement_stream_sensor(
        context: dg.SensorEvaluationContext,
        lakehouse: dg.ResourceParam[Lakehouse],
        streams: dg.ResourceParam[Stream],
        lenders: dg.ResourceParam[Mapping[str, Lender]],
    ) -> dg.RunRequest | dg.SkipReason:
        running = run_in_flight(context.instance, jobs.engagement)
        if running is not None:
            return dg.SkipReason(f"Run {running.run_id} is reading the stream.")
        committed = committed_offsets(lakehouse)
        # A shard without a lender contract must not hold the others up.
        ranges = {
            shard: wanted
            for shard, wanted in pending_ranges(
                lakehouse, streams, max_records_per_shard=max_records_per_shard
            ).items()
            if shard.split("/", 1)[0] in lenders
        }
        behind = [shard for lender_id in lenders for shard in facts_behind(lakehouse, lender_id)]
        if not ranges and not behind:
            return dg.SkipReason("Everything on the stream is committed.")
        # Where reading starts, not how far it goes: new events must not unlatch a bad one.
        starts = deterministic_id(
            "stream",
            *(f"{shard} {offset}" for shard, offset in sorted(committed.items())),
            *(f"{shard} is behind" for shard in behind),
        )
        latched = why_latched(context.instance, jobs.engagement, starts)
        if latched is not None:
            return dg.SkipReason(
                f"Events wait in {', '.join(sorted({*ranges, *behind}))}; {latched}."
            )
        return dg.RunRequest(
            run_config=stream_config(ranges),
            tags={**single_flight("engagement"), INPUTS_TAG: starts},
        )

    return engagement_stream_sensor
