"""A lender's day is planned once: after its cut-off, on what was known by then, or not silently."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from paymentor_assets.audit.ledger import verify
from paymentor_assets.lenders import LenderBook
from resources.clock import naive_utc
from resources.errors import ContractError
from resources.streams import StreamRecord
from sensors.daily import build_cutoff_sensor
from sensors.runs import FLAGGED_TAG, INPUTS_TAG, PARTITION_TAG, SINGLE_FLIGHT_TAG, JobNames
from tests.support.sensor_house import CUTOFF, DAY, House, Tick, a_lender

JOBS = JobNames()
LATEST_BY = datetime(2026, 7, 1, 3, 30, tzinfo=UTC)
PORTFOLIO = {"feed": "portfolio"}
PAYMENTS = {"feed": "payments"}


def tick(house: House) -> Tick:
    return house.tick(build_cutoff_sensor(house.settings, JOBS))


def ready(house: House) -> House:
    house.publish_files(PORTFOLIO, PAYMENTS)
    return house


def test_without_lenders_there_is_nothing_to_plan(house: House) -> None:
    house.lenders.clear()
    assert "no lender" in str(tick(house).skipped)


def test_a_complete_day_is_planned_as_soon_as_it_is_closed(house: House) -> None:
    request = tick(ready(house)).only
    assert request.partition_key == "2026-06-30"
    assert request.run_key is None
    assert request.tags["paymentor/lender"] == "meridian"
    assert request.tags[PARTITION_TAG] == "2026-06-30"
    assert request.tags[SINGLE_FLIGHT_TAG] == "daily/meridian"
    assert FLAGGED_TAG not in request.tags


def test_a_second_before_the_cutoff_the_day_is_still_open(house: House) -> None:
    ready(house).at(CUTOFF - timedelta(seconds=1))
    house.publish_decisions(DAY - timedelta(days=1))
    assert tick(house).skipped == "meridian 2026-06-29 is planned"


def test_a_planned_day_is_not_run_again(house: House) -> None:
    ready(house).publish_decisions()
    assert tick(house).skipped == "meridian 2026-06-30 is planned"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ((), "payments has not arrived"),
        ((PORTFOLIO,), "payments has not arrived"),
        (
            (PORTFOLIO, {"feed": "payments", "known_at": naive_utc(CUTOFF + timedelta(hours=1))}),
            "payments came at 2026-07-01T01:30:00Z, after the cut-off 2026-07-01T00:30:00Z",
        ),
        (
            (PORTFOLIO, {"feed": "payments", "status": "rejected", "message": "no header"}),
            "payments was refused: no header",
        ),
        (
            (PORTFOLIO, {"feed": "payments", "business_date": DAY - timedelta(days=1)}),
            "payments has not arrived",
        ),
    ],
    ids=["nothing", "one", "after the cut-off", "refused", "of another day"],
)
def test_it_waits_for_required_feeds_and_names_them(
    house: House, files: tuple[dict[str, object], ...], reason: str
) -> None:
    if files:
        house.publish_files(*files)
    waiting = tick(house)
    assert waiting.requests == []
    assert reason in str(waiting.skipped)
    assert "waits until 2026-07-01T03:30:00+00:00" in str(waiting.skipped)
    assert house.notices() == {}


def test_a_duplicate_is_a_delivery(house: House) -> None:
    house.publish_files(PORTFOLIO, {"feed": "payments", "status": "duplicate"})
    assert len(tick(house).requests) == 1


def test_unpublished_files_do_not_count(house: House) -> None:
    house.publish_files(PORTFOLIO, lender_id="sahyadri")
    house.publish_files(PAYMENTS, lender_id="sahyadri")
    assert "portfolio has not arrived" in str(tick(house).skipped)


def test_a_file_delivered_by_the_cutoff_and_not_ingested_is_waited_for(house: House) -> None:
    ready(house).land("clickstream_events")
    assert "clickstream_events_2026-06-30" in str(tick(house).skipped)
    house.settle()
    assert len(tick(house).requests) == 1


def test_a_file_delivered_after_the_cutoff_is_not_waited_for(house: House) -> None:
    ready(house).land("clickstream_events", delivered="20260701T003100Z")
    assert len(tick(house).requests) == 1


def test_under_receipt_a_file_not_taken_in_by_the_cutoff_belongs_to_the_next_day(
    house: House,
) -> None:
    house.lenders["meridian"] = a_lender(known_at="receipt")
    ready(house).land("clickstream_events")
    assert len(tick(house).requests) == 1


def test_an_event_that_arrived_by_the_cutoff_and_is_not_read_is_waited_for(house: House) -> None:
    record = StreamRecord(CUTOFF, "ses", {"eventType": "Open"})
    ready(house).streams.put("meridian/shard-0000", [record])
    assert "events that arrived by the cut-off" in str(tick(house).skipped)


def test_an_event_that_arrived_after_the_cutoff_is_not_waited_for(house: House) -> None:
    record = StreamRecord(CUTOFF + timedelta(seconds=1), "ses", {"eventType": "Open"})
    ready(house).streams.put("meridian/shard-0000", [record])
    assert len(tick(house).requests) == 1


@pytest.mark.parametrize("job_name", [JOBS.ingestion, JOBS.engagement])
def test_it_waits_for_what_is_under_way(house: House, job_name: str) -> None:
    run = house.start(dg.RunRequest(tags={"paymentor/lender": "meridian"}), job_name)
    assert run.run_id in str(tick(ready(house)).skipped)
    house.fail(run)
    assert len(tick(house).requests) == 1


def test_a_day_is_planned_by_one_run_at_a_time(house: House) -> None:
    run = house.start(tick(ready(house)).only, JOBS.daily)
    assert f"is being planned by run {run.run_id}" in str(tick(house).skipped)


def test_a_failed_day_is_latched_until_what_it_may_read_changes(house: House) -> None:
    first = tick(ready(house)).only
    house.fail(house.start(first, JOBS.daily))
    assert "nothing it may read has changed since" in str(tick(house).skipped)

    known_later = naive_utc(CUTOFF + timedelta(minutes=1))
    house.publish_files({"feed": "clickstream_events", "known_at": known_later})
    assert "nothing it may read has changed since" in str(tick(house).skipped)

    house.publish_files({"feed": "clickstream_events"})
    again = tick(house).only
    assert again.tags[INPUTS_TAG] != first.tags[INPUTS_TAG]


def test_an_approval_unlatches_a_day_that_failed_without_one(house: House) -> None:
    house.fail(house.start(tick(ready(house)).only, JOBS.daily))
    assert tick(house).requests == []
    house.approve()
    assert len(tick(house).requests) == 1


def test_a_persons_rerun_is_respected(house: House) -> None:
    request = tick(ready(house)).only
    house.fail(house.start(request, JOBS.daily))
    rerun = house.start(request, JOBS.daily)
    assert rerun.run_id in str(tick(house).skipped)


def test_a_late_day_fails_loudly_and_once(house: House) -> None:
    house.publish_files(PORTFOLIO)
    house.at(LATEST_BY)
    with pytest.raises(ContractError, match="payments has not arrived"):
        tick(house)
    notice = house.notices()["not_planned_meridian_2026-06-30"]
    assert notice["severity"] == "alert"
    assert "payments has not arrived" in str(notice["message"])
    assert verify(house.operational_store) == 1

    later = tick(house)
    assert later.requests == []
    assert "is not planned: payments has not arrived" in str(later.skipped)
    assert verify(house.operational_store) == 1


def test_a_late_day_runs_flagged_where_the_contract_says_so(house: House) -> None:
    house.lenders["meridian"] = a_lender(on_missing="run_flagged")
    house.publish_files(PORTFOLIO)
    assert tick(house).requests == []
    request = tick(house.at(LATEST_BY)).only
    assert request.tags[FLAGGED_TAG] == "payments has not arrived"
    assert "planned_flagged_meridian_2026-06-30" in house.notices()
    house.fail(house.start(request, JOBS.daily))
    assert tick(house).requests == []


def test_what_is_still_under_way_at_latest_by_is_late_too(house: House) -> None:
    ready(house).land("clickstream_events")
    with pytest.raises(ContractError, match="1 files delivered by the cut-off are not ingested"):
        tick(house.at(LATEST_BY))


def test_one_lenders_late_day_does_not_stop_anothers(house: House) -> None:
    house.lenders["sahyadri"] = a_lender("sahyadri")
    house.publish_files(PORTFOLIO, PAYMENTS, lender_id="sahyadri")
    house.at(LATEST_BY)
    request = tick(house).only
    assert request.tags["paymentor/lender"] == "sahyadri"
    assert house.notices() == {}
    house.start(request, JOBS.daily)
    with pytest.raises(ContractError, match="meridian 2026-06-30 is not planned"):
        tick(house)


def test_lenders_close_at_their_own_time(house: House) -> None:
    house.lenders["hudson"] = a_lender("hudson", zone="America/New_York")
    house.publish_files(PORTFOLIO, PAYMENTS, lender_id="hudson")
    house.publish_decisions()
    house.publish_decisions(DAY - timedelta(days=1), lender_id="hudson")
    assert tick(house).skipped == "meridian 2026-06-30 is planned; hudson 2026-06-29 is planned"
    house.at(datetime(2026, 7, 1, 10, tzinfo=UTC))  # 06:00 in New York
    assert tick(house).only.tags["paymentor/lender"] == "hudson"


def test_a_missed_day_is_not_planned_late(house: House) -> None:
    ready(house).at(CUTOFF + timedelta(days=1))
    assert "meridian 2026-07-01 waits" in str(tick(house).skipped)


def test_a_broken_contract_is_loud_and_stops_nobody_else(house: House) -> None:
    house.settings.lenders_dir.mkdir()
    (house.settings.lenders_dir / "broken.yaml").write_text("lender_id: broken")
    good = house.lenders["meridian"].model_dump_json()
    (house.settings.lenders_dir / "meridian.yaml").write_text(good)
    house.lenders = LenderBook(house.settings.lenders_dir)
    request = tick(ready(house)).only
    house.start(request, JOBS.daily)
    with pytest.raises(ContractError, match=r"broken\.yaml is not a lender contract"):
        tick(house)
