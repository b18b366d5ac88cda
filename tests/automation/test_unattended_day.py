"""A lender's day, with nobody there: sensors and jobs move each other on, and come to rest.

The jobs are stand-ins that leave behind the evidence the real ones leave; what is tested is that
the sensors read that evidence and nothing else, so that any of them may be lost at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import insert, update

from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.engagement.events import normalise_events
from paymentor_assets.engagement.stream_ingest import ingest_ranges, pending_ranges
from resources.clock import naive_utc
from resources.operational_schema import actions
from resources.streams import StreamRecord
from sensors.daily import build_cutoff_sensor
from sensors.dispatch import build_dispatch_sensor
from sensors.engagement_stream import build_engagement_stream_sensor
from sensors.landing import build_landing_sensor
from sensors.runs import JobNames
from tests.support.sensor_house import CUTOFF, House, an_action

JOBS = JobNames()
SLOT = CUTOFF + timedelta(hours=4)


@pytest.fixture
def working(house: House) -> House:
    """The stand-in jobs do what leaves the evidence."""
    run = RunInfo("run", "test", house.clock)

    def ingest() -> None:
        house.settle()
        house.publish_files({"feed": "portfolio"}, {"feed": "payments"})

    def read_stream() -> None:
        ranges = pending_ranges(house.lakehouse, house.streams)
        ingest_ranges(house.lakehouse, house.streams, house.vault, house.lenders, ranges, run)
        normalise_events(house.lakehouse, house.operational_store, house.vault, house.lenders, run)

    def plan() -> None:
        house.publish_decisions()
        with house.operational_store.write() as connection:
            row = an_action("a", scheduled_at_utc=naive_utc(SLOT))
            connection.execute(insert(actions).values(row))

    def dispatch() -> None:
        with house.operational_store.write() as connection:
            connection.execute(update(actions).values(state_name="sent"))
        event = {"eventType": "Delivery", "mail": {"messageId": "m-a"}}
        house.streams.put("meridian/shard-0000", [StreamRecord(SLOT, "ses", event)])

    house.acts.update(ingest=ingest, engagement=read_stream, daily=plan, dispatch=dispatch)
    return house


def sensors(house: House) -> Iterator[tuple[str, dg.SensorDefinition]]:
    """Each sensor anew, as after a restart of the daemon."""
    yield JOBS.ingestion, build_landing_sensor(house.settings, JOBS)
    yield JOBS.engagement, build_engagement_stream_sensor(house.settings, JOBS)
    yield JOBS.daily, build_cutoff_sensor(house.settings, JOBS)
    yield JOBS.dispatch, build_dispatch_sensor(house.settings, JOBS)


def round_of(house: House) -> list[str]:
    """One tick of every sensor without a cursor; runs what it asks for; the jobs that ran."""
    ran = []
    for job_name, sensor in sensors(house):
        for request in house.tick(sensor).requests:
            house.run(request, job_name)
            ran.append(job_name)
    return ran


def test_a_day_runs_by_itself_and_comes_to_rest(working: House) -> None:
    assert round_of(working) == []
    working.land("portfolio")
    working.land("payments")
    assert round_of(working) == ["ingest", "daily"]
    assert round_of(working) == []
    assert round_of(working.at(SLOT)) == ["dispatch"]
    assert round_of(working) == ["engagement"]
    assert round_of(working) == []


def test_before_the_cutoff_files_are_ingested_and_nothing_is_planned(working: House) -> None:
    working.publish_decisions(working.lenders["meridian"].last_closed_day(CUTOFF - timedelta(1)))
    working.at(CUTOFF - timedelta(hours=1)).land("portfolio")
    assert round_of(working) == ["ingest"]
    assert round_of(working.at(CUTOFF)) == ["daily"]


@pytest.mark.parametrize("job_name", ["ingest", "engagement", "dispatch"])
def test_a_job_that_always_fails_is_tried_three_times_and_not_for_ever(
    working: House, job_name: str
) -> None:
    working.broken[job_name] = RuntimeError("broken")
    event = StreamRecord(CUTOFF + timedelta(1), "ses", {"eventType": "Delivery"})
    working.streams.put("meridian/shard-0000", [event])
    working.land("portfolio")
    working.land("payments")
    ran = round_of(working)
    if job_name == "dispatch":
        working.at(SLOT)
    ran += [name for _ in range(5) for name in round_of(working)]
    assert ran.count(job_name) == 3


def test_a_day_that_fails_is_tried_once(working: House) -> None:
    working.broken["daily"] = RuntimeError("broken")
    working.land("portfolio")
    working.land("payments")
    ran = [name for _ in range(5) for name in round_of(working)]
    assert ran.count("daily") == 1
