"""The stream sensor asks for exactly what is not committed, and for one range at a time."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.engagement.events import normalise_events
from paymentor_assets.engagement.stream_ingest import ShardRange, ingest_ranges, pending_ranges
from resources.crash_points import SimulatedCrash, armed
from resources.streams import StreamRecord
from sensors.engagement_stream import build_engagement_stream_sensor
from sensors.run_config import stream_config
from sensors.runs import SINGLE_FLIGHT_TAG, JobNames
from tests.support.sensor_house import CUTOFF, House, Tick

JOBS = JobNames()
SHARD = "meridian/shard-0000"


def tick(house: House, **options: int) -> Tick:
    return house.tick(build_engagement_stream_sensor(house.settings, JOBS, **options))


def put(house: House, count: int, shard: str = SHARD) -> None:
    house.streams.put(
        shard,
        [
            StreamRecord(
                CUTOFF + timedelta(seconds=number),
                "ses",
                {"eventType": "Delivery", "mail": {"messageId": f"m-{number}"}},
            )
            for number in range(count)
        ],
    )


def read(house: House, *, normalise: bool = True) -> None:
    """What a run of the engagement job does."""
    run = RunInfo("run", "test", house.clock)
    ranges = pending_ranges(house.lakehouse, house.streams)
    ingest_ranges(house.lakehouse, house.streams, house.vault, house.lenders, ranges, run)
    if normalise:
        normalise_events(house.lakehouse, house.operational_store, house.vault, house.lenders, run)


def test_an_empty_stream_is_skipped(house: House) -> None:
    assert tick(house).skipped == "Everything on the stream is committed."


def test_a_range_goes_from_the_committed_offset_to_the_head(house: House) -> None:
    put(house, 3)
    request = tick(house).only
    assert request.run_config == stream_config({SHARD: ShardRange(0, 3)})
    assert request.run_key is None
    assert request.tags[SINGLE_FLIGHT_TAG] == "engagement"
    read(house)
    assert tick(house).requests == []
    put(house, 2)
    assert tick(house).only.run_config == stream_config({SHARD: ShardRange(3, 5)})


def test_all_shards_go_into_one_run(house: House) -> None:
    put(house, 3)
    put(house, 1, "meridian/shard-0001")
    expected = {SHARD: ShardRange(0, 3), "meridian/shard-0001": ShardRange(0, 1)}
    assert tick(house).only.run_config == stream_config(expected)


def test_a_long_backlog_is_cut_into_ranges(house: House) -> None:
    put(house, 10)
    request = tick(house, max_records_per_shard=4).only
    assert request.run_config == stream_config({SHARD: ShardRange(0, 4)})


def test_one_range_is_in_flight(house: House) -> None:
    put(house, 3)
    run = house.start(tick(house).only, JOBS.engagement)
    put(house, 3)
    assert tick(house).skipped == f"Run {run.run_id} is reading the stream."


def test_a_run_that_died_before_its_commit_is_asked_for_again(house: House) -> None:
    put(house, 3)
    request = tick(house).only
    run = house.start(request, JOBS.engagement)
    with pytest.raises(SimulatedCrash), armed("engagement.after_stream_read"):
        read(house)
    house.fail(run)
    assert tick(house).only.run_config == request.run_config


def test_a_run_that_died_after_its_commit_is_not_read_again_but_finished(house: House) -> None:
    put(house, 3)
    run = house.start(tick(house).only, JOBS.engagement)
    with pytest.raises(SimulatedCrash), armed("engagement.after_raw_commit"):
        read(house)
    house.fail(run)
    assert tick(house).only.run_config == stream_config({})
    read(house)
    assert tick(house).requests == []


@pytest.mark.parametrize(
    "point", ["engagement.after_unparsed_commit", "engagement.after_events_commit"]
)
def test_facts_that_were_not_published_are_finished(house: House, point: str) -> None:
    put(house, 3)
    with pytest.raises(SimulatedCrash), armed(point):
        read(house)
    assert len(tick(house).requests) == 1
    read(house)
    assert tick(house).requests == []


def test_runs_that_commit_nothing_are_latched_although_events_keep_coming(house: House) -> None:
    for _ in range(3):
        put(house, 1)
        house.fail(house.start(tick(house).only, JOBS.engagement))
    put(house, 1)
    latched = tick(house)
    assert latched.requests == []
    assert f"Events wait in {SHARD}; 3 runs of engagement failed" in str(latched.skipped)
    read(house)
    put(house, 1)
    assert len(tick(house).requests) == 1


def test_a_shard_without_a_contract_holds_nobody_up(house: House) -> None:
    put(house, 3)
    put(house, 3, "stranger/shard-0000")
    assert tick(house).only.run_config == stream_config({SHARD: ShardRange(0, 3)})


def test_the_stand_in_accepts_the_request(house: House) -> None:
    put(house, 1)
    assert house.run(dg.RunRequest(tags=tick(house).only.tags), JOBS.engagement).success
