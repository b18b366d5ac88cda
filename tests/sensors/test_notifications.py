"""People hear of a planned day and of a failed run, and never of a borrower."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pyarrow as pa
from sqlalchemy import insert

from paymentor_assets.audit.publications import RunInfo, publish_days
from resources.errors import GateError
from resources.lakehouse import TableContract, column
from resources.operational_schema import actions
from sensors.notifications import build_completion_sensor, build_failure_sensor
from sensors.runs import FLAGGED_TAG, JobNames
from tests.support.sensor_house import DAY, House, an_action

JOBS = JobNames()
UI = "https://dagster.example"
REQUEST = dg.RunRequest(partition_key=DAY.isoformat(), tags={"paymentor/lender": "meridian"})

GATE_COUNTS = TableContract(
    name="decisions.gate_counts",
    description="Stand-in.",
    key=("lender_id", "as_of_date", "pass", "rule_id", "verdict"),
    schema=pa.schema(
        [
            column("lender_id", pa.string(), "."),
            column("as_of_date", pa.date32(), "."),
            column("pass", pa.string(), "."),
            column("rule_id", pa.string(), "."),
            column("verdict", pa.string(), "."),
            column("candidates", pa.int64(), "."),
        ]
    ),
)


def complete(house: House, result: dg.ExecuteInProcessResult) -> None:
    context = dg.build_run_status_sensor_context(
        sensor_name="day_completed_sensor",
        dagster_event=result.get_run_success_event(),
        dagster_instance=house.instance,
        dagster_run=result.dagster_run,
        resources={
            name: house.resources()[name]
            for name in ("lakehouse", "operational_store", "lenders", "clock", "notifier")
        },
    )
    build_completion_sensor(house.settings, JOBS, UI)(context)


def fail(house: House, result: dg.ExecuteInProcessResult) -> None:
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=house.instance,
        dagster_run=result.dagster_run,
        resources={name: house.resources()[name] for name in ("clock", "notifier")},
    )
    build_failure_sensor(house.settings, UI)(context.for_run_failure())


def publish_gate_counts(house: House) -> None:
    rows = [
        ("mask", "IN-DND", "block", 7),
        ("chosen", "IN-DND", "block", 2),
        ("mask", "IN-HOURS", "block", 5),
        ("mask", "IN-HOURS", "defer", 3),
        ("mask", "none", "allow", 100),
    ]
    publish_days(
        house.lakehouse,
        stage="decisions",
        lender_id="meridian",
        days=[DAY],
        tables={
            GATE_COUNTS: pa.Table.from_pylist(
                [
                    dict(zip(GATE_COUNTS.schema.names, ("meridian", DAY, *row), strict=True))
                    for row in rows
                ],
                schema=GATE_COUNTS.schema,
            )
        },
        inputs=[],
        run=RunInfo("run", "test", house.clock),
    )


def queue_actions(house: House, *states: str) -> None:
    with house.operational_store.write() as connection:
        for number, state in enumerate(states):
            connection.execute(
                insert(actions).values(an_action(f"action-{number}", state_name=state))
            )


def test_a_planned_day_is_told_with_counts_and_a_link(house: House) -> None:
    publish_gate_counts(house)
    queue_actions(house, "planned", "planned", "blocked")
    house.land()
    house.settle()
    house.publish_files(
        {"feed": "portfolio", "rows_accepted": 10, "rows_rejected": 3},
        {"feed": "payments", "rows_accepted": 2, "rows_rejected": 0},
        {"feed": "payments", "rows_accepted": 99, "business_date": DAY - timedelta(days=1)},
    )
    result = house.run(REQUEST, JOBS.daily)
    complete(house, result)
    ((notice_id, notice),) = house.notices().items()
    assert notice_id == f"day_completed_meridian_2026-06-30_{result.run_id}"
    assert notice["severity"] == "info"
    assert notice["message"] == "meridian 2026-06-30 is planned: 3 actions in the queue."
    assert notice["facts"] == {
        "lender_id": "meridian",
        "as_of_date": "2026-06-30",
        "run_id": result.run_id,
        "link": f"{UI}/runs/{result.run_id}",
        "flagged": None,
        "features": "not published",
        "rankings": "not published",
        "decisions": {"decisions.gate_counts": 5},
        "blocked_by_rule": {"IN-DND": 7, "IN-HOURS": 5},
        "actions_by_state": {"blocked": 1, "planned": 2},
        "rows_of_files": {"accepted": 12, "rejected": 3},
        "files_by_status": {"ingested": 1},
    }


def test_a_flagged_day_says_why(house: House) -> None:
    tags = {**REQUEST.tags, FLAGGED_TAG: "payments has not arrived"}
    flagged = dg.RunRequest(partition_key=DAY.isoformat(), tags=tags)
    complete(house, house.run(flagged, JOBS.daily))
    (notice,) = house.notices().values()
    assert "input was incomplete: payments has not arrived" in str(notice["message"])


def test_a_day_of_all_lenders_is_told_for_each(house: House) -> None:
    house.lenders["sahyadri"] = house.lenders["meridian"]
    complete(house, house.run(dg.RunRequest(partition_key=DAY.isoformat()), JOBS.daily))
    assert len(house.notices()) == 2


def test_other_jobs_are_not_told_of(house: House) -> None:
    complete(house, house.run(dg.RunRequest(), JOBS.ingestion))
    assert house.notices() == {}


def test_a_failed_run_is_an_alert_that_quotes_no_data(house: House) -> None:
    house.broken[JOBS.daily] = RuntimeError("the row 'Asha Rao, +919812345678' is not a number")
    result = house.run(REQUEST, JOBS.daily)
    fail(house, result)
    ((notice_id, notice),) = house.notices().items()
    assert notice_id == f"run_failed_{result.run_id}"
    assert notice["severity"] == "alert"
    assert notice["message"] == "daily failed. daily_stand_in: RuntimeError"
    assert "Asha" not in str(notice)
    assert notice["facts"] == {
        "job": "daily",
        "run_id": result.run_id,
        "link": f"{UI}/runs/{result.run_id}",
        "lender_id": "meridian",
        "as_of_date": "2026-06-30",
        "failed_steps": {"daily_stand_in": "RuntimeError"},
    }


def test_an_error_of_our_own_is_told_as_its_sentence(house: House) -> None:
    house.broken[JOBS.dispatch] = GateError("The rulebook has no rules for country XX.")
    fail(house, house.run(REQUEST, JOBS.dispatch))
    (notice,) = house.notices().values()
    assert "GateError: The rulebook has no rules for country XX." in str(notice["message"])


def test_telling_again_changes_nothing(house: House) -> None:
    house.broken[JOBS.daily] = GateError("no")
    result = house.run(REQUEST, JOBS.daily)
    fail(house, result)
    before = house.notices()
    fail(house, result)
    assert house.notices() == before
