"""Days whose outcomes have become known: named once, until they are published."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from paymentor_assets.audit.publications import publish_days, publish_heads
from paymentor_assets.features.outcomes import LOOK_BACK_DAYS, outcomes_due
from paymentor_assets.features.project import load_manifest
from paymentor_assets.features.publish import LABELS, STAGE
from paymentor_assets.features.tables import tables_by_stage
from paymentor_assets.settings import Settings
from resources.clock import FixedClock
from sensors.upkeep import build_schedules
from tests.support.feature_days import LENDER, contract, feature_tables
from tests.support.model_lender import RUN, ModelLender, model_lender

TODAY = date(2026, 6, 30)
CLOCK = FixedClock(datetime.combine(TODAY + timedelta(days=1), time(12), UTC))
BUILT = [TODAY - timedelta(days=k) for k in (LOOK_BACK_DAYS + 1, 40, 30, 29, 7, 6, 0)]
((LABELS_TABLE,),) = [tuple(tables_by_stage(load_manifest())[LABELS].values())]


@pytest.fixture
def place(tmp_path: Path) -> ModelLender:
    """Features of BUILT, nothing of their outcomes; files speak of TODAY."""
    place = model_lender(tmp_path)
    name = "features.customer_profile"
    rows = feature_tables(3, BUILT)[name]
    publish_days(
        place.lake, stage=STAGE, lender_id=LENDER, days=BUILT, inputs=[], run=RUN,
        tables={contract(name, rows): rows},
    )  # fmt: skip
    _ingest(place, TODAY)
    return place


def _ingest(place: ModelLender, day: date) -> None:
    publish_heads(
        place.lake, stage="ingestion", lender_id=LENDER, day=day,
        tables={"raw.payments": day.toordinal()}, run=RUN,
    )  # fmt: skip


def _publish_outcomes(place: ModelLender, days: list[date], known_through: date) -> None:
    def known(day: date, horizon: int) -> bool | None:
        return True if day + timedelta(days=horizon) <= known_through else None

    rows = pa.Table.from_pylist(
        [
            {
                "lender_id": LENDER, "account_id": "A1", "as_of_date": day, "customer_id": "C1",
                "currency": "INR", "paid_7d": known(day, 7), "paid_30d": known(day, 30),
                "recovered_amount_30d": None,
            }
            for day in days
        ],
        schema=LABELS_TABLE.schema,
    )  # fmt: skip
    publish_days(
        place.lake, stage=LABELS, lender_id=LENDER, days=days, inputs=[], run=RUN,
        tables={LABELS_TABLE: rows},
    )  # fmt: skip


def _due(place: ModelLender) -> list[int]:
    return [(TODAY - day).days for day in outcomes_due(place.lake, place.lender, CLOCK)]


def test_a_day_is_due_when_an_outcome_is_known_and_not_published(place: ModelLender) -> None:
    assert _due(place) == [40, 30, 29, 7]
    _publish_outcomes(place, [day for day in BUILT[1:] if (TODAY - day).days >= 7], TODAY)
    assert _due(place) == []


def test_it_is_due_again_when_its_longer_horizon_ends(place: ModelLender) -> None:
    # Published when a week had passed since the day, but not thirty days.
    _publish_outcomes(place, BUILT[1:5], TODAY - timedelta(days=5))
    assert _due(place) == [30, 7]


def test_files_of_an_open_day_close_no_horizon(place: ModelLender) -> None:
    _ingest(place, TODAY + timedelta(days=5))
    assert _due(place) == [40, 30, 29, 7]


def test_without_files_nothing_is_due(tmp_path: Path) -> None:
    empty = model_lender(tmp_path)
    assert outcomes_due(empty.lake, empty.lender, CLOCK) == []


def test_the_schedule_builds_them_in_one_run(place: ModelLender) -> None:
    settings = Settings.load({"PAYMENTOR_HOME": str(place.home), "PAYMENTOR_ENV": "test"})
    schedule = next(s for s in build_schedules(settings) if s.name == "outcomes_schedule")

    def tick() -> Any:
        context = dg.build_schedule_context(
            resources={"lakehouse": place.lake, "lenders": {LENDER: place.lender}, "clock": CLOCK}
        )
        return schedule(context)

    (request,) = tick()
    days = [(TODAY - timedelta(days=k)).isoformat() for k in (40, 30, 29, 7)]
    assert request.run_config == {"ops": {"features": {"config": {"as_of_dates": days}}}}
    assert request.partition_key == days[-1]
    _publish_outcomes(place, [date.fromisoformat(day) for day in days], TODAY)
    assert "No outcome has become known" in str(tick())
