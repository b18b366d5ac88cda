"""A run may die at any durable step; the next one ends where an undisturbed one would have."""

from __future__ import annotations

from typing import Any

import pytest

from paymentor_assets.audit.publications import newest
from paymentor_assets.ingestion import commits
from paymentor_assets.ingestion.recovery import STAGE
from resources import crash_points
from resources.crash_points import SimulatedCrash
from tests.support.landing_house import (
    LandingHouse,
    make_lender,
    payments,
    portfolio,
)
from tests.support.two_deliveries import end_state, first_delivery, second_delivery

POINTS = [
    name
    for name in crash_points.names()
    # Those of the purge have their own tests; whether they are known here depends on other imports.
    if (name.startswith("ingestion.") and not name.startswith("ingestion.purge."))
    or name in ("audit.publish.before_row", "audit.publish.after_row")
]


def test_the_points_are_known() -> None:
    assert len(POINTS) == 11


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_changes_nothing_in_the_end(
    house: LandingHouse, undisturbed: dict[str, Any], point: str
) -> None:
    first_delivery(house)
    house.ingest()
    second_delivery(house)
    before = {
        t: house.lake.scan(t, p.snapshot_id).num_rows for t, p in newest_tables(house).items()
    }
    with crash_points.armed(point), pytest.raises(SimulatedCrash):
        house.ingest(run_id="run-2")
    visible = newest_tables(house)
    if point not in ("audit.publish.after_row", "ingestion.after_publication") and not (
        point.endswith("index_commit")
    ):
        after = {t: house.lake.scan(t, p.snapshot_id).num_rows for t, p in visible.items()}
        assert after == before, "readers see nothing of a run that died"
    house.ingest(run_id="run-3")
    assert end_state(house) == undisturbed


def newest_tables(house: LandingHouse) -> dict[str, Any]:
    publication = newest(house.lake, STAGE, "meridian")
    return {} if publication is None else dict(publication.tables)


@pytest.mark.parametrize("commit", [1, 2, 3, 4, 5])
def test_a_crash_after_any_of_the_table_commits(
    house: LandingHouse,
    undisturbed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    commit: int,
) -> None:
    first_delivery(house)
    house.ingest()
    second_delivery(house)
    reached = 0

    def reach(name: str) -> None:
        nonlocal reached
        reached += name == "ingestion.after_raw_commit"
        if reached == commit:
            raise SimulatedCrash(name)

    with monkeypatch.context() as patch:
        patch.setattr(commits, "reach", reach)
        with pytest.raises(SimulatedCrash):
            house.ingest(run_id="run-2")
    result = house.ingest(run_id="run-3")
    assert sum(result.dead_rows_deleted.values()) > 0
    assert end_state(house) == undisturbed


def test_run_after_run_may_die(house: LandingHouse, undisturbed: dict[str, Any]) -> None:
    first_delivery(house)
    house.ingest()
    second_delivery(house)
    for number, point in enumerate(POINTS):
        if point == "ingestion.after_index_commit":
            continue
        with crash_points.armed(point):
            try:
                house.ingest(run_id=f"run-{number}")
            except SimulatedCrash:
                continue
    house.ingest(run_id="last")
    assert end_state(house) == undisturbed


def test_rows_of_a_dead_run_go_even_when_its_file_is_gone(house: LandingHouse) -> None:
    first_delivery(house)
    house.ingest()
    lost = house.deliver("payments", payments(5, amount="9.00"), suffix="lost")
    with (
        crash_points.armed("ingestion.after_rejected_rows"),
        pytest.raises(SimulatedCrash),
    ):
        house.ingest(run_id="run-2")
    assert len(house.rows("raw.payments")) == 7
    lost.unlink()
    house.deliver("portfolio", portfolio(1))
    house.ingest(run_id="run-3")
    assert len(house.rows("raw.payments")) == 2


def test_another_lender_does_not_delete_what_is_not_its_own(
    house: LandingHouse,
) -> None:
    first_delivery(house)
    with (
        crash_points.armed("ingestion.after_rejected_rows"),
        pytest.raises(SimulatedCrash),
    ):
        house.ingest()
    house.deliver("payments", payments(3), lender_id="northstar")
    house.ingest(run_id="run-2", lender=make_lender("northstar"))
    lenders = [r["_lender_id"] for r in house.rows("raw.payments")]
    assert sorted(lenders) == ["meridian"] * 2 + ["northstar"] * 3
    house.ingest(run_id="run-3")
    assert len(house.rows("raw.payments")) == 5
