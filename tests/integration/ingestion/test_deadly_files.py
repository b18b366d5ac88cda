"""A file of which the process dies is found out, given up, and holds up nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select, update

from paymentor_assets.commands.run_day import ingest_named
from paymentor_assets.commands.status import status
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion.reconcile import (
    MAX_INTERRUPTIONS,
    given_up,
    in_hands,
    note_seen,
    pending,
    statuses,
)
from paymentor_assets.settings import Settings
from resources import crash_points
from resources.crash_points import SimulatedCrash
from resources.errors import NotFound
from resources.operational_schema import file_index
from tests.support.killed import ROOT, died_by_kill, ingest_in_a_process
from tests.support.landing_house import LandingHouse, landing_house, make_lender, payments

DEADLY = "meridian/payments/payments_2026-06-30_20260630T200000Z_deadly.csv"


def deliver_three(house: LandingHouse) -> None:
    house.deliver("payments", payments(1), suffix="before")
    house.deliver("payments", payments(2), suffix="deadly")
    house.deliver("payments", payments(3), suffix="later")


def interruptions(house: LandingHouse) -> dict[str, int]:
    query = select(file_index.c.uri, file_index.c.interruptions)
    with house.store.read() as connection:
        return {r.uri.split("_")[-1]: r.interruptions or 0 for r in connection.execute(query)}


def test_a_file_that_kills_the_process_is_given_up_and_the_others_are_taken(
    tmp_path: Path,
) -> None:
    with landing_house(tmp_path) as house:
        deliver_three(house)
    deaths = 0
    while died_by_kill(ingest_in_a_process(tmp_path, deadly="deadly")):
        deaths += 1
        assert deaths <= MAX_INTERRUPTIONS, "it would be tried for ever"
    assert deaths == MAX_INTERRUPTIONS
    with landing_house(tmp_path, has_tables=False) as house:
        assert len(house.rows("raw.payments")) == 4
        assert interruptions(house) == {"before.csv": 1, "deadly.csv": 3, "later.csv": 1}
        (reason,) = given_up(house.store, "meridian")
        assert reason.startswith(f"KILLS_THE_RUN: {DEADLY} was being read when 3 runs died")
        assert f"`paymentor ingest --file {DEADLY}`" in reason
        assert pending(house.landing, house.store) == []


def give_up(house: LandingHouse) -> None:
    """Let a house come to the point where it gives up a file, without the deaths."""
    deliver_three(house)
    with crash_points.armed("ingestion.after_files_noted"), pytest.raises(SimulatedCrash):
        house.ingest()
    with house.store.write() as connection:
        connection.execute(
            update(file_index)
            .where(file_index.c.uri == DEADLY)
            .values(interruptions=MAX_INTERRUPTIONS)
        )
    result = house.ingest(run_id="run-2")
    assert [f.status for f in result.files] == ["ingested", "unfinished", "ingested"]


def test_a_death_is_counted_before_it_can_happen_and_an_exception_is_none(
    house: LandingHouse,
) -> None:
    deliver_three(house)
    with crash_points.armed("ingestion.while_files_are_read"), pytest.raises(SimulatedCrash):
        house.ingest()
    assert set(interruptions(house).values()) == {0}
    (file,) = [f for f in house.landing.list() if f.uri == DEADLY]
    with in_hands(house.store, [file]):
        assert interruptions(house) == {"before.csv": 0, "deadly.csv": 1, "later.csv": 0}


def test_a_file_that_was_given_up_is_taken_as_a_new_version(house: LandingHouse) -> None:
    give_up(house)
    house.deliver("payments", payments(7), suffix="deadly")
    (file,) = house.ingest(run_id="run-3").files
    assert (file.name, file.status, file.rows_accepted) == (DEADLY, "ingested", 7)


def test_a_file_that_was_given_up_is_tried_once_by_command(house: LandingHouse) -> None:
    give_up(house)
    assert house.ingest(run_id="run-3").files == []
    (file,) = [f for f in house.landing.list() if f.uri == DEADLY]
    with (
        crash_points.armed("ingestion.while_files_are_read"),
        pytest.raises(SimulatedCrash),
    ):
        house.ingest(run_id="run-4", files=[file])
    assert pending(house.landing, house.store) == [], "a run that asks in vain changes nothing"
    house.ingest(run_id="run-5", files=[file])
    assert statuses(house.store, [file]) == {"ingested": 1}
    assert given_up(house.store, "meridian") == []
    assert len(house.rows("raw.payments")) == 6


def test_the_command_names_and_releases_what_was_given_up(home: Path) -> None:
    lender = make_lender()
    (home / "lenders").mkdir(parents=True)
    path = home / "lenders" / "meridian.yaml"
    path.write_text(yaml.safe_dump(lender.model_dump(mode="json")))
    file = home / "landing" / DEADLY
    file.parent.mkdir(parents=True)
    file.write_bytes(payments(2))
    deployment = Deployment(Settings.load())
    store, clock = deployment.store, deployment.receipt_clock
    note_seen(store, pending(deployment.landing_zone, store), clock)
    with store.write() as connection:
        connection.execute(
            update(file_index).values(
                status="failed", interruptions=MAX_INTERRUPTIONS, reason="KILLS_THE_RUN: it did."
            )
        )
    assert status(deployment)["given_up_files"] == ["KILLS_THE_RUN: it did."]
    with pytest.raises(NotFound, match="name it as in <lender>/<feed>/<file>"):
        ingest_named(deployment, ["meridian/payments/none.csv"])
    done = subprocess.run(
        [sys.executable, "-m", "paymentor_assets.cli", "ingest", "--file", DEADLY],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ingest 1 named files of meridian" in done.stdout and "1 ingested" in done.stdout
    assert status(deployment)["given_up_files"] == []
    assert deployment.lakehouse.scan("raw.payments").num_rows == 2
    deployment.close()
