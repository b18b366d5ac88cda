"""The dispatch sensor starts a lender's day while something of it is due."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from resources.clock import naive_utc
from resources.operational_schema import actions, dispatch_verdicts
from sensors.dispatch import build_dispatch_sensor
from sensors.runs import PARTITION_TAG, SINGLE_FLIGHT_TAG, JobNames
from tests.support.sensor_house import CUTOFF, DAY, House, Tick, an_action

JOBS = JobNames()
SLOT = CUTOFF + timedelta(hours=4)


def tick(house: House) -> Tick:
    return house.tick(build_dispatch_sensor(house.settings, JOBS))


def queue(house: House, action_id: str = "a", day: date = DAY, **changes: object) -> None:
    values = {"scheduled_at_utc": naive_utc(SLOT), "as_of_date": day, **changes}
    with house.operational_store.write() as connection:
        connection.execute(insert(actions).values(an_action(action_id, **values)))


def test_nothing_is_due_before_its_time(house: House) -> None:
    queue(house)
    assert tick(house.at(SLOT - timedelta(seconds=1))).skipped == "No action is due."


def test_a_due_action_starts_the_dispatch_of_its_day(house: House) -> None:
    queue(house)
    queue(house, "b")
    request = tick(house.at(SLOT)).only
    assert request.partition_key == request.tags[PARTITION_TAG] == "2026-06-30"
    assert request.tags["paymentor/lender"] == "meridian"
    assert request.tags[SINGLE_FLIGHT_TAG] == "dispatch/meridian"
    assert request.run_key is None


@pytest.mark.parametrize("state", ["sent", "blocked", "failed", "cancelled"])
def test_what_has_ended_is_not_due(house: House, state: str) -> None:
    queue(house, state_name=state)
    assert tick(house.at(SLOT)).requests == []


@pytest.mark.parametrize(("minutes", "is_due"), [(1, False), (0, True), (-1, True)])
def test_a_lease_that_ran_out_is_due(house: House, minutes: int, is_due: bool) -> None:
    lease = naive_utc(SLOT + timedelta(minutes=minutes))
    queue(house, state_name="sending", lease_until_utc=lease)
    assert bool(tick(house.at(SLOT)).requests) is is_due


def test_each_day_is_dispatched_by_one_run_at_a_time(house: House) -> None:
    queue(house)
    queue(house, "b", DAY - timedelta(days=1))
    requests = tick(house.at(SLOT)).requests
    assert [r.partition_key for r in requests] == ["2026-06-29", "2026-06-30"]
    run = house.start(requests[0], JOBS.dispatch)
    assert tick(house).only.partition_key == "2026-06-30"
    house.fail(run)
    assert len(tick(house).requests) == 2


def test_actions_of_an_unknown_lender_are_left_alone(house: House) -> None:
    queue(house, lender_id="stranger")
    assert tick(house.at(SLOT)).requests == []


def test_runs_without_a_verdict_are_latched_until_there_is_one(house: House) -> None:
    queue(house)
    house.at(SLOT)
    for _ in range(3):
        house.fail(house.start(tick(house).only, JOBS.dispatch))
    assert "1 actions are due; 3 runs of dispatch failed" in str(tick(house).skipped)
    with house.operational_store.write() as connection:
        connection.execute(
            insert(dispatch_verdicts).values(
                action_id="a",
                attempt=1,
                lender_id="meridian",
                as_of_date=DAY,
                verdict="defer",
                violated_rules="[]",
                rulebook_version="1",
                facts="{}",
                decided_at_utc=naive_utc(SLOT),
            )
        )
    assert len(tick(house).requests) == 1


def test_a_deferred_action_is_due_at_its_new_time(house: House) -> None:
    queue(house, state_name="deferred")
    later = datetime.fromisoformat("2026-07-01T09:00:00")
    with house.operational_store.write() as connection:
        connection.execute(update(actions).values(scheduled_at_utc=later))
    assert tick(house.at(SLOT)).requests == []
    assert len(tick(house.at(SLOT + timedelta(hours=5))).requests) == 1
