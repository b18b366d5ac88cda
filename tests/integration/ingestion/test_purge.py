"""Data past its life is gone, also from the disk, and what is left is the proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from paymentor_assets.audit.ledger import verify
from paymentor_assets.audit.maintenance import expire
from paymentor_assets.audit.orphans import remove_orphans
from paymentor_assets.audit.publications import RunInfo, newest
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.data_life import AA_PURGES
from paymentor_assets.ingestion.purge import LEDGER_KIND, Purge, purge
from paymentor_assets.ingestion.recovery import STAGE
from resources import crash_points
from resources.clock import FixedClock
from resources.crash_points import SimulatedCrash
from resources.operational_schema import ledger
from tests.support.landing_house import (
    NOW,
    LandingHouse,
    as_lines,
    consent,
    deposit,
    landing_house,
    make_lender,
    transaction,
)

AA_TABLES = ("raw.aa_accounts", "raw.aa_transactions")
#: The data was fetched on 30 June at 18:00 UTC and may live for a month.
BEFORE, AFTER = (datetime(2026, 7, 30, hour, tzinfo=UTC) for hour in (17, 18))
POINTS = [name for name in crash_points.names() if name.startswith("ingestion.purge.")]


def long_lived(number: int) -> dict[str, Any]:
    """A recovery agents' consent, whose data may live for three months."""
    made = consent(number) | {"consentTemplate": "CT042"}
    made["ConsentDetail"] |= {
        "fetchType": "PERIODIC",
        "Purpose": {"code": "104"},
        "FIDataRange": {"from": "2026-01-07T00:00:00.000Z", "to": "2026-07-06T00:00:00.000Z"},
        "DataLife": {"unit": "MONTH", "value": 3},
        "Frequency": {"unit": "MONTH", "value": 1},
    }
    return made


def fill(house: LandingHouse) -> None:
    """Accounts L1 (a month to live) and L2 (three), and the refused L3."""
    house.deliver("aa_consents", as_lines(consent(1), long_lived(2)))
    strange = [transaction(7, narration="REFUSED SECRET")]
    house.deliver("aa_deposits", as_lines(deposit(1), deposit(2), deposit(3, strange)))
    house.ingest(lender=make_lender(max_rejected_share=1.0))
    assert len(house.rows("raw.aa_accounts")) == 2


def clean(house: LandingHouse, at: datetime, run_id: str = "purge-1") -> Purge:
    run = RunInfo(run_id, "test", FixedClock(max(NOW, at)))
    return purge(house.lake, house.store, house.lender, run, clock=FixedClock(at))


def proofs(house: LandingHouse) -> list[dict[str, Any]]:
    if not house.lake.exists(AA_PURGES.name):
        return []
    rows = house.lake.scan(AA_PURGES.name).sort_by("purge_id").to_pylist()
    return [{k: v for k, v in row.items() if k != "_ingested_at"} for row in rows]


def sworn(house: LandingHouse) -> list[str]:
    with house.store.read() as connection:
        kind = ledger.c.kind == LEDGER_KIND
        return list(connection.execute(select(ledger.c.subject).where(kind)).scalars())


def links(house: LandingHouse, table: str = "raw.aa_accounts") -> list[str]:
    return [row["link_ref_number"] for row in house.rows(table)]


def test_nothing_goes_before_its_time(house: LandingHouse) -> None:
    fill(house)
    heads = {table: house.lake.head(table) for table in raw_tables()}
    assert clean(house, BEFORE).rows_deleted == {}
    assert {table: house.lake.head(table) for table in raw_tables()} == heads
    assert proofs(house) == [] and sworn(house) == []


def test_data_past_its_life_goes_and_leaves_proof(house: LandingHouse) -> None:
    fill(house)
    done = clean(house, AFTER)
    assert done.rows_deleted == {"raw.aa_accounts": 1, "raw.aa_transactions": 2}
    assert links(house) == ["L2"] and set(links(house, "raw.aa_transactions")) == {"L2"}
    found = {(p["table_name"], p["consent_id"], p["link_ref_number"]): p for p in proofs(house)}
    assert set(found) == {(table, "CO1", "L1") for table in AA_TABLES}
    for (table, _, _), proof in found.items():
        assert proof["rows_deleted"] == done.rows_deleted[table]
        assert (proof["reason"], proof["data_life"]) == ("DATA_LIFE", "1 MONTH")
        assert proof["purged_at_utc"] == AFTER.replace(tzinfo=None)
        assert len(proof["digest"]) == 64
    assert sworn(house) == [proof["purge_run_id"] for proof in proofs(house)][:1]
    assert verify(house.store) > 0
    publication = newest(house.lake, STAGE, "meridian")
    assert publication == done.publication and publication is not None
    for table in (*AA_TABLES, AA_PURGES.name):
        assert publication.table(table).snapshot_id == house.lake.head(table)


def test_a_second_purge_finds_nothing_to_do(house: LandingHouse) -> None:
    fill(house)
    first = clean(house, AFTER)
    again = clean(house, AFTER, "purge-2")
    assert again.rows_deleted == {} and again.proofs.num_rows == 0
    assert again.publication is not None and first.publication is not None
    assert again.publication.publication_id == first.publication.publication_id
    assert len(sworn(house)) == 1


def test_a_revocation_takes_everything_an_expiry_does_not(house: LandingHouse) -> None:
    fill(house)
    later = {"createTimestamp": "2026-06-30T19:00:00.000Z"}
    lines = as_lines(
        consent(1) | later | {"status": "EXPIRED"}, long_lived(2) | later | {"status": "REVOKED"}
    )
    house.deliver("aa_consents", lines, suffix="ends")
    house.ingest(run_id="run-2")
    clean(house, BEFORE)
    assert links(house) == ["L1"]
    assert {p["reason"] for p in proofs(house)} == {"REVOKED"}


def test_what_was_refused_is_kept_for_correction_and_then_goes(house: LandingHouse) -> None:
    fill(house)
    assert len(house.rows("raw.rejected_rows")) == 2
    clean(house, datetime(2026, 7, 30, 19, tzinfo=UTC))
    assert len(house.rows("raw.rejected_rows")) == 2
    done = clean(house, datetime(2026, 7, 30, 20, tzinfo=UTC), "purge-2")
    assert done.rows_deleted == {"raw.rejected_rows": 2}
    assert house.rows("raw.rejected_rows") == []
    (proof,) = done.proofs.to_pylist()
    assert (proof["reason"], proof["consent_id"]) == ("REFUSED", None)


def test_another_lender_keeps_its_own(house: LandingHouse) -> None:
    fill(house)
    house.deliver("aa_consents", as_lines(consent(1)), lender_id="northstar")
    house.deliver("aa_deposits", as_lines(deposit(1)), lender_id="northstar")
    house.ingest(run_id="run-2", lender=make_lender("northstar"))
    clean(house, AFTER)
    left = [(r["_lender_id"], r["link_ref_number"]) for r in house.rows("raw.aa_accounts")]
    assert sorted(left) == [("meridian", "L2"), ("northstar", "L1")]


def test_rows_of_a_dead_ingestion_do_not_become_visible(house: LandingHouse) -> None:
    fill(house)
    house.deliver("aa_consents", as_lines(consent(4)), suffix="more")
    with (
        crash_points.armed("ingestion.after_rejected_rows"),
        pytest.raises(SimulatedCrash),
    ):
        house.ingest(run_id="run-2")
    clean(house, AFTER)
    assert "CO4" not in {row["consent_id"] for row in house.rows("raw.aa_consents")}
    house.ingest(run_id="run-3")
    assert "CO4" in {row["consent_id"] for row in house.rows("raw.aa_consents")}
    assert links(house) == ["L2"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with landing_house(tmp_path_factory.mktemp("undisturbed")) as house:
        fill(house)
        clean(house, AFTER)
        return end_state(house)


def end_state(house: LandingHouse) -> dict[str, Any]:
    publication = newest(house.lake, STAGE, "meridian")
    assert publication is not None
    for table in (*AA_TABLES, AA_PURGES.name):
        assert publication.table(table).snapshot_id == house.lake.head(table)
    contents = house.contents()
    left = {table: contents[table] for table in (*AA_TABLES, "raw.rejected_rows")}
    return {"proofs": proofs(house), "sworn": sworn(house), "tables": left}


def test_the_points_are_known() -> None:
    assert len(POINTS) == 4


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_changes_nothing_in_the_end(
    house: LandingHouse, undisturbed: dict[str, Any], point: str
) -> None:
    fill(house)
    with crash_points.armed(point), pytest.raises(SimulatedCrash):
        clean(house, AFTER)
    # Later, so that only the moment written down can lead to the same proof.
    clean(house, AFTER + timedelta(minutes=30), "purge-2")
    assert end_state(house) == undisturbed


def test_purged_data_leaves_the_disk_with_its_snapshots(house: LandingHouse) -> None:
    fill(house)
    assert links(house) == ["L1", "L2"]
    token = house.rows("raw.aa_accounts")[0]["mobile_token"]
    before = files_with(house.root, token)
    assert len(before) == 1
    clean(house, AFTER)
    assert files_with(house.root, token) == before, "old snapshots still read it"
    # Snapshots and files carry the machine's time, so that is what they age by.
    later = FixedClock(datetime.now(UTC) + timedelta(days=30))
    publication = newest(house.lake, STAGE, "meridian")
    assert publication is not None
    for table in AA_TABLES:
        expire(house.lake, table, later, {publication.table(table).snapshot_id})
        remove_orphans(house.lake, table, later)
    assert files_with(house.root, token) == []
    assert links(house) == ["L2"]


def files_with(root: Path, token: str) -> list[Path]:
    """Data files of the accounts that hold a token."""
    return [
        path
        for path in sorted(root.rglob("aa_accounts/data/**/*.parquet"))
        if token in pq.ParquetFile(path).read(["mobile_token"]).column(0).to_pylist()
    ]
