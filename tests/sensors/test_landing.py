"""The landing sensor reconciles: what is listed and not settled is asked for, nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pytest

from resources.landing_zone import LandedFile, LocalLandingZone
from sensors.landing import LOOK_BACK, SWEEP_EVERY, build_landing_sensor
from sensors.runs import INPUTS_TAG, SINGLE_FLIGHT_TAG, UNFINISHED, JobNames
from tests.support.sensor_house import DAY, House, a_lender

JOBS = JobNames()


def sensor(house: House, **options: object) -> dg.SensorDefinition:
    return build_landing_sensor(house.settings, JOBS, **options)  # type: ignore[arg-type]


def test_an_empty_landing_zone_is_skipped_with_a_reason(house: House) -> None:
    tick = house.tick(sensor(house))
    assert (tick.requests, tick.skipped) == ([], "No file is waiting.")


def test_thousands_of_files_are_one_run(house: House) -> None:
    for number in range(3000):
        house.land(day=DAY - timedelta(days=number % 30), suffix=f"_{number:04d}")
    request = house.tick(sensor(house)).only
    assert request.run_key is None
    assert request.tags["paymentor/files"] == "3000"
    assert request.tags["paymentor/lender"] == "meridian"
    assert request.tags[SINGLE_FLIGHT_TAG] == "ingestion/meridian"


def test_every_lender_gets_its_own_run(house: House) -> None:
    house.lenders["sahyadri"] = a_lender("sahyadri")
    house.land()
    house.land(lender_id="sahyadri")
    tick = house.tick(sensor(house))
    assert [r.tags["paymentor/lender"] for r in tick.requests] == ["meridian", "sahyadri"]


def test_settled_files_are_not_asked_for_again(house: House) -> None:
    house.land()
    house.settle()
    assert house.tick(sensor(house)).requests == []


def test_a_copied_file_with_an_old_modification_time_is_found(house: House) -> None:
    house.land()
    house.settle()
    original = house.land("payments")
    copied = original.with_name("payments_2026-06-29_20260629T220000Z.csv")
    shutil.copy2(original, copied)
    os.utime(copied, (0, 0))
    assert house.tick(sensor(house)).only.tags["paymentor/files"] == "2"


def test_a_file_overwritten_under_its_name_is_new_again(house: House) -> None:
    path = house.land(content="a\n1\n")
    house.settle()
    times = (path.stat().st_atime, path.stat().st_mtime)
    path.write_text("a\n2\n")
    os.utime(path, times)
    assert house.tick(sensor(house)).only.tags["paymentor/files"] == "1"


@pytest.mark.parametrize("status", ["ingested", "duplicate", "rejected", "failed"])
def test_a_file_that_failed_three_times_waits_for_a_new_etag(house: House, status: str) -> None:
    path = house.land()
    house.settle(status, attempts=3)
    assert house.tick(sensor(house)).requests == []
    path.unlink()
    house.land(content="repaired")
    assert house.tick(sensor(house)).only.tags["paymentor/files"] == "1"


def test_a_file_that_failed_once_is_tried_again(house: House) -> None:
    house.land()
    house.settle("pending", attempts=1)
    assert len(house.tick(sensor(house)).requests) == 1


# A queued run cannot be made without a daemon; that it counts is seen in `test_runs`.
@pytest.mark.parametrize(
    "status", [s for s in UNFINISHED if s is not dg.DagsterRunStatus.QUEUED], ids=lambda s: s.value
)
def test_one_run_in_flight_per_lender(house: House, status: dg.DagsterRunStatus) -> None:
    house.land()
    house.start(house.tick(sensor(house)).only, JOBS.ingestion, status)
    house.land("payments")
    tick = house.tick(sensor(house))
    assert tick.requests == []
    assert tick.skipped is not None and "meridian: 2 files wait for run" in tick.skipped


def test_a_run_of_another_lender_does_not_hold_this_one_up(house: House) -> None:
    house.lenders["sahyadri"] = a_lender("sahyadri")
    house.land(lender_id="sahyadri")
    house.start(house.tick(sensor(house)).only, JOBS.ingestion)
    house.land()
    assert house.tick(sensor(house)).only.tags["paymentor/lender"] == "meridian"


def test_a_run_that_died_is_followed_by_another(house: House) -> None:
    house.land()
    first = house.tick(sensor(house)).only
    house.fail(house.start(first, JOBS.ingestion))
    again = house.tick(sensor(house)).only
    assert again.run_key is None and again.tags == first.tags


def test_runs_that_fail_without_progress_are_latched_until_something_changes(house: House) -> None:
    house.land()
    for _ in range(3):
        house.fail(house.start(house.tick(sensor(house)).only, JOBS.ingestion))
    tick = house.tick(sensor(house))
    assert tick.requests == []
    assert (
        tick.skipped is not None and "3 runs of ingest failed with the same input" in tick.skipped
    )
    house.land("payments")
    assert house.tick(sensor(house)).only.tags["paymentor/files"] == "2"


def test_a_run_takes_the_oldest_files_up_to_the_byte_cap(house: House) -> None:
    for back in range(5):
        house.land(day=DAY - timedelta(days=back), content="x" * 100)
    capped = sensor(house, byte_cap=250)
    first = house.tick(capped).only
    assert first.tags["paymentor/files"] == "2"
    folder = "meridian/portfolio/portfolio"
    assert first.run_config["ops"]["raw"]["config"]["uris"] == [
        f"{folder}_2026-06-26_20260630T220000Z.csv",
        f"{folder}_2026-06-27_20260630T220000Z.csv",
    ]
    assert house.tick(sensor(house, byte_cap=1)).only.tags["paymentor/files"] == "1"
    assert house.tick(sensor(house, byte_cap=500)).only.tags["paymentor/files"] == "5"
    assert first.tags[INPUTS_TAG] != house.tick(sensor(house)).only.tags[INPUTS_TAG]


def test_the_time_budget_ends_a_tick_and_the_next_goes_on_there(house: House) -> None:
    for name in ("aravalli", "nilgiri", "sahyadri"):
        house.lenders[name] = a_lender(name)
        house.land(lender_id=name)

    def seconds(*values: float) -> Iterator[float]:
        yield from values

    ticking = seconds(0, 1, 2, 99)
    slow = sensor(house, time_budget_seconds=20, timer=lambda: next(ticking))
    tick = house.tick(slow)
    assert [r.tags["paymentor/lender"] for r in tick.requests] == ["aravalli", "nilgiri"]
    for request in tick.requests:
        house.start(request, JOBS.ingestion)
    rest = house.tick(sensor(house), tick.cursor)
    assert rest.only.tags["paymentor/lender"] == "sahyadri"


def test_a_budget_used_up_by_the_listing_still_says_so(house: House) -> None:
    house.land()
    values = iter([0.0, 99.0])
    tick = house.tick(sensor(house, timer=lambda: next(values)))
    assert tick.requests == []
    assert tick.skipped == "the time budget of the tick ended before meridian"


def test_listings_are_bounded_and_a_sweep_finds_the_old(house: House) -> None:
    asked: list[date | None] = []

    class Watched(LocalLandingZone):
        def list(self, since: date | None = None) -> list[LandedFile]:
            asked.append(since)
            return super().list(since)

    tick = house.tick(sensor(house))
    house.land()
    house.settle()
    house.land(day=DAY - timedelta(days=200))
    house.landing_zone = Watched(house.settings.landing_dir)
    for _ in range(SWEEP_EVERY):
        tick = house.tick(sensor(house), tick.cursor)
        assert tick.requests == []
    assert house.tick(sensor(house), tick.cursor).only.tags["paymentor/files"] == "1"
    assert asked[:-1] == [DAY - LOOK_BACK] * SWEEP_EVERY
    assert asked[-1] is None


def test_losing_the_cursor_loses_no_file(house: House) -> None:
    house.land(day=DAY - timedelta(days=400))
    house.land()
    assert house.tick(sensor(house), None).only.tags["paymentor/files"] == "2"


def test_files_of_an_unknown_lender_are_told_once_and_hold_nobody_up(house: House) -> None:
    house.land(lender_id="stranger")
    house.land()
    tick = house.tick(sensor(house))
    assert tick.only.tags["paymentor/lender"] == "meridian"
    ((_, notice),) = house.notices().items()
    assert "no contract" in str(notice["message"])
    for path in house.settings.alerts_dir.iterdir():
        path.unlink()
    house.settle()
    house.land(lender_id="stranger", suffix="_2")
    later = house.tick(sensor(house), tick.cursor)
    assert later.skipped is not None and "no contract for lender 'stranger'" in later.skipped
    assert house.notices() == {}
