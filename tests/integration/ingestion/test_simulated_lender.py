"""Every row that the simulator spoiled is caught, and no other; through the asset, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import update

from paymentor_assets.ingestion.assets import ASSETS
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.reconcile import MAX_INTERRUPTIONS
from paymentor_assets.lenders import load_lenders
from resources import crash_points
from resources.clock import SystemClock
from resources.crash_points import SimulatedCrash
from resources.operational_schema import file_index
from simulator.generate import generate
from tests.support.landing_house import LandingHouse, landing_house, payments


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("simulated")
    generate(root, customers=60, days=30, seed=5, dirty_share=0.02)
    with landing_house(root, load_lenders(root / "lenders")["meridian"]) as house:
        result = materialise(house)
        yield house, result


def resources(house: LandingHouse) -> dict[str, object]:
    return {
        "lakehouse": house.lake,
        "operational_store": house.store,
        "vault": house.vault,
        "landing_zone": house.landing,
        "lenders": {house.lender.lender_id: house.lender},
        "receipt_clock": SystemClock(),
        "contracts": ContractBook(house.root / "lenders"),
        "pgp_keys": house.doors().pgp_keys,
        "session_keys": house.doors().session_keys,
    }


def materialise(
    house: LandingHouse, config: dict[str, object] | None = None, *, is_strict: bool = True
) -> dg.ExecuteInProcessResult:
    with dg.instance_for_test() as instance:
        return dg.materialize(
            list(ASSETS),
            resources=resources(house),
            run_config={"ops": {"raw": {"config": config or {}}}},
            instance=instance,
            raise_on_error=is_strict,
        )


def manifest(house: LandingHouse) -> dict[tuple[str, int], tuple[str | None, str]]:
    path = house.root / "simulator" / "meridian" / "dirty_manifest.jsonl"
    wrong = [json.loads(line) for line in path.read_text().splitlines()]
    return {(w["file"], w["row_number"]): (w["column"], w["reason_code"]) for w in wrong}


def test_every_spoiled_row_is_caught_for_its_reason_and_no_other(taken_in: Any) -> None:
    house, _ = taken_in
    names = {f["file_id"]: Path(f["uri"]).name for f in house.rows("raw.ingested_files")}
    refused = {
        Path(f["uri"]).name for f in house.rows("raw.ingested_files") if f["status"] == "rejected"
    }
    caught = {
        (names[r["file_id"]], r["row_number"]): (r["column_name"], r["reason_code"])
        for r in house.rows("raw.rejected_rows")
    }
    spoiled = manifest(house)
    assert len(spoiled) > 50
    assert caught == {k: v for k, v in spoiled.items() if k[0] not in refused}


def test_the_asset_reports_every_table_and_its_checks_pass(taken_in: Any) -> None:
    house, result = taken_in
    events = {e.materialization.asset_key: e for e in result.get_asset_materialization_events()}
    assert {".".join(k.path) for k in events} == set(raw_tables())
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks == {"rows_conserved": True, "no_orphan_rows": True}
    payments = events[dg.AssetKey(["raw", "payments"])].materialization.metadata
    assert payments["dagster/row_count"].value == len(house.rows("raw.payments"))
    assert payments["iceberg_snapshot_id"].value == str(house.lake.head("raw.payments"))
    files = events[dg.AssetKey(["raw", "ingested_files"])].materialization.metadata
    assert files["files_ingested"].value > 100
    assert "ingestion_latency_seconds" in files


def test_metadata_holds_no_personal_data(taken_in: Any) -> None:
    house, result = taken_in
    said = "".join(
        str(value)
        for event in result.get_asset_materialization_events()
        for value in event.materialization.metadata.values()
    )
    token = house.rows("raw.portfolio_accounts")[0]
    tokens = [token["phone_token"], token["full_name_token"]]
    for value in house.vault.reveal(tokens, actor="auditor", purpose="test").values():
        assert value not in said


def test_a_named_file_that_is_gone_is_said_and_holds_up_no_other(tmp_path: Path) -> None:
    with landing_house(tmp_path) as house:
        gone = "meridian/payments/payments_2026-06-30_20260630T200000Z_gone.csv"
        there = house.deliver("payments", payments(2)).relative_to(tmp_path / "landing").as_posix()
        result = materialise(house, {"uris": [gone, there]})
        assert len(house.rows("raw.payments")) == 2
        assert [f["uri"] for f in house.rows("raw.ingested_files")] == [there]
    events = {e.materialization.asset_key: e for e in result.get_asset_materialization_events()}
    files = events[dg.AssetKey(["raw", "ingested_files"])].materialization.metadata
    assert files["files_gone"].value == f"- {gone}"


def test_a_file_that_was_given_up_is_said(tmp_path: Path) -> None:
    with landing_house(tmp_path) as house:
        house.deliver("payments", payments(2))
        with crash_points.armed("ingestion.after_files_noted"), pytest.raises(SimulatedCrash):
            house.ingest()
        with house.store.write() as connection:
            connection.execute(update(file_index).values(interruptions=MAX_INTERRUPTIONS))
        result = materialise(house)
    events = {e.materialization.asset_key: e for e in result.get_asset_materialization_events()}
    files = events[dg.AssetKey(["raw", "ingested_files"])].materialization.metadata
    assert files["files_unfinished"].value == 1
    assert files["messages"].value.startswith("- unfinished: KILLS_THE_RUN: meridian/payments/")


def test_exactly_the_named_lender_is_taken_in(taken_in: Any) -> None:
    house, _ = taken_in
    heads = {t: house.lake.head(t) for t in raw_tables()}
    assert materialise(house, {"lender": "meridian"}).success
    assert {t: house.lake.head(t) for t in raw_tables()} == heads
