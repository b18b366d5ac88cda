"""A run of ingestion: once and only once, in any order, whatever is delivered again."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from sqlalchemy import select

from paymentor_assets.audit import ledger
from paymentor_assets.audit.publications import all_publications
from paymentor_assets.ingestion import chunks, feed_batch, ingest, reconcile
from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.parsers import lines
from paymentor_assets.ingestion.recovery import heads
from paymentor_assets.ingestion.tokens import token_of
from resources import piecewise
from resources.errors import NotFound, PayMentorError
from resources.locks import exclusive
from resources.operational_schema import file_index
from tests.support.landing_house import (
    DAY,
    DELIVERED,
    LandingHouse,
    as_csv,
    as_lines,
    consent,
    days_before,
    deposit,
    landing_house,
    make_lender,
    payment_row,
    payments,
    portfolio,
)


def index(house: LandingHouse) -> dict[str, tuple[str, int]]:
    """File name to (status, attempts) in the file index; the newest etag wins."""
    query = select(file_index).order_by(file_index.c.last_tried_utc)
    with house.store.read() as connection:
        rows = connection.execute(query).all()
    return {Path(r.uri).name: (r.status, r.attempts) for r in rows}


def test_a_run_fills_tables_publishes_once_and_settles_the_index(house: LandingHouse) -> None:
    house.deliver("portfolio", portfolio(3))
    house.deliver("payments", payments(4))
    house.deliver("aa_consents", as_lines(consent(1)))
    house.deliver("aa_deposits", as_lines(deposit(1)))
    result = house.ingest()
    assert result.publication is not None
    assert result.publication.as_of_date == DAY
    assert set(result.publication.tables) >= set(result.snapshots)
    assert house.published(result, "raw.payments").num_rows == 4
    assert set(index(house).values()) == {("ingested", 1)}
    assert ledger.verify(house.store) == 1
    for table in ("raw.payments", "raw.portfolio_accounts", "raw.aa_transactions"):
        summary = house.lake.summary(table)
        assert summary["run-id"] == "run-1"
        assert summary["code-version"] == "test"
        assert summary["as-of-date"] == DAY.isoformat()


def test_a_second_run_changes_nothing(house: LandingHouse) -> None:
    house.deliver("payments", payments(4))
    first = house.ingest()
    before = heads(house.lake)
    second = house.ingest(run_id="run-2")
    assert second.is_nothing_new and second.files == []
    assert second.publication == first.publication.__class__(
        **{**vars(first.publication), "is_new": False}
    )
    assert heads(house.lake) == before
    assert len(all_publications(house.lake)) == 1


def test_history_is_one_commit_a_table(house: LandingHouse) -> None:
    for day in days_before(DAY, 12):
        content = portfolio(2, snapshot_date=day, last_payment_date="")
        house.deliver("portfolio", content, day=day, delivered=DELIVERED - (DAY - day))
    house.ingest()
    assert len(house.rows("raw.portfolio_accounts")) == 24
    assert len(house.lake.load("raw.portfolio_accounts").snapshots()) == 1
    assert len(house.lake.load("raw.ingested_files").snapshots()) == 1
    assert len(all_publications(house.lake)) == 1


def test_the_same_bytes_under_another_name_are_not_taken_twice(house: LandingHouse) -> None:
    house.deliver("payments", payments(2))
    house.deliver("payments", payments(2), suffix="again")
    house.ingest()
    house.deliver("payments", payments(2), suffix="once_more")
    house.ingest(run_id="run-2")
    assert len(house.rows("raw.payments")) == 2
    statuses = [f["status"] for f in house.rows("raw.ingested_files")]
    assert sorted(statuses) == ["duplicate", "duplicate", "ingested"]
    duplicate = next(f for f in house.rows("raw.ingested_files") if f["status"] == "duplicate")
    assert "same bytes" in duplicate["message"]
    assert duplicate["rows_total"] == 0


def test_a_twin_of_a_refused_file_is_refused_alike(house: LandingHouse) -> None:
    house.deliver("payments", payments(2)[:-20])
    house.deliver("payments", payments(2)[:-20], suffix="again")
    house.ingest()
    files = house.rows("raw.ingested_files")
    assert [f["reason_code"] for f in files] == ["TRUNCATED_FILE"] * 2
    assert all(f["uri"] in f["message"] for f in files)


def test_the_same_bytes_put_there_again_are_known(house: LandingHouse) -> None:
    house.deliver("payments", payments(2))
    house.ingest()
    house.deliver("payments", payments(2))
    second = house.ingest(run_id="run-2")
    assert second.is_nothing_new and len(second.files) == 1
    assert len(house.rows("raw.ingested_files")) == 1
    assert index(house) == {Path(second.files[0].name).name: ("ingested", 1)}


def test_other_bytes_under_the_same_name_are_a_new_version_known_at_receipt(
    house: LandingHouse,
) -> None:
    house.deliver("payments", payments(2))
    house.ingest()
    house.deliver("payments", payments(2, amount="7.00"))
    house.ingest(run_id="run-2")
    rows = house.rows("raw.payments")
    assert len(rows) == 4, "raw is a log; staging takes the newest version"
    known = {str(r["amount"]): r["_known_at"] for r in rows}
    assert known["5000.00"] == DELIVERED.replace(tzinfo=None)
    assert known["7.00"] == house.now.replace(tzinfo=None)


def test_two_lenders_share_tables_and_nothing_else(house: LandingHouse) -> None:
    other = make_lender("northstar")
    house.deliver("portfolio", portfolio(2))
    house.deliver("portfolio", portfolio(2), lender_id="northstar")
    house.ingest()
    house.ingest(run_id="run-2", lender=other)
    rows = house.rows("raw.portfolio_accounts")
    assert sorted(r["_lender_id"] for r in rows) == ["meridian"] * 2 + ["northstar"] * 2
    tokens = {(r["_lender_id"], r["account_id"]): r["phone_token"] for r in rows}
    assert tokens["meridian", "A1"] != tokens["northstar", "A1"]
    third = house.ingest(run_id="run-3")
    assert third.is_nothing_new, "another lender's commit is nothing new to this one"


def test_an_unknown_lender_is_not_found(house: LandingHouse) -> None:
    with pytest.raises(NotFound, match="known ones"):
        ingest.ingest(
            replace(house.doors(), lenders={}),
            None,  # type: ignore[arg-type]
            lender_id="nobody",
        )


def test_a_file_that_cannot_be_read_fails_after_three_tries_and_others_go_on(
    house: LandingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = house.deliver("payments", payments(2), suffix="bad")
    house.deliver("payments", payments(3), suffix="good")
    genuine = feed_batch.plain_bytes

    def breaks(delivered: BinaryIO, contract: FeedContract, **of: Any) -> object:
        if "bad" in of["name"]:
            delivered.close()
            raise OSError("disk on fire")
        return genuine(delivered, contract, **of)

    monkeypatch.setattr(feed_batch, "plain_bytes", breaks)
    seen = []
    for run in range(4):
        house.ingest(run_id=f"run-{run}")
        seen.append(index(house)[bad.name])
    assert seen == [("pending", 1), ("pending", 2), ("failed", 3), ("failed", 3)]
    assert len(house.rows("raw.payments")) == 3
    monkeypatch.undo()
    assert house.ingest(run_id="run-5").files == [], "a failed file waits"
    listed = [f for f in house.landing.list() if f.name == bad.name]
    house.ingest(run_id="run-6", files=listed)
    assert index(house)[bad.name] == ("ingested", 4), "until somebody asks for it"
    assert len(house.rows("raw.payments")) == 5


def test_a_file_that_changes_while_it_is_read_is_left_for_later(
    house: LandingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = house.deliver("payments", payments(2))
    genuine = feed_batch.plain_bytes

    def overwritten(delivered: BinaryIO, contract: FeedContract, **of: Any) -> object:
        path.write_bytes(payments(3))
        return genuine(delivered, contract, **of)

    monkeypatch.setattr(feed_batch, "plain_bytes", overwritten)
    assert house.ingest().count("unfinished") == 1
    assert house.rows("raw.payments") == []
    monkeypatch.undo()
    house.ingest(run_id="run-2")
    assert len(house.rows("raw.payments")) == 3


def test_incomplete_files_are_not_seen(house: LandingHouse) -> None:
    folder = "meridian/payments"
    house.put(f"{folder}/.payments_2026-06-30_20260630T200000Z.csv", payments(1))
    house.put(f"{folder}/payments_2026-06-30_20260630T200000Z.csv.part", payments(1))
    house.put(f"{folder}/payments_2026-06-30_20260630T200000Z.csv.tmp", payments(1))
    assert reconcile.pending(house.landing, house.store) == []


def test_listing_is_bounded_by_business_date(house: LandingHouse) -> None:
    house.deliver("payments", payments(1), day=DAY - timedelta(days=9))
    recent = house.deliver("payments", payments(2))
    found = reconcile.pending(house.landing, house.store, since=DAY - timedelta(days=1))
    assert [w.landed.name for w in found] == [recent.name]


def test_two_runs_at_once_take_everything_once(house: LandingHouse) -> None:
    for number in range(4):
        house.deliver("payments", as_csv([payment_row(number)]), suffix=str(number))
    failures: list[BaseException] = []

    def work(run_id: str) -> None:
        try:
            house.ingest(run_id=run_id)
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"run-{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(r["payment_id"] for r in house.rows("raw.payments")) == ["P0", "P1", "P2", "P3"]
    assert len(house.rows("raw.ingested_files")) == 4


def test_a_run_that_waits_too_long_says_so(house: LandingHouse) -> None:
    with (
        exclusive(house.store, "ingestion.meridian"),
        pytest.raises(PayMentorError, match="Another run holds"),
        exclusive(house.store, "ingestion.meridian", wait_seconds=0),
    ):
        pytest.fail("two holders")


def test_personal_data_is_nowhere_but_in_the_vault(house: LandingHouse) -> None:
    house.deliver("portfolio", portfolio(2))
    house.deliver("aa_consents", as_lines(consent(1)))
    house.deliver("aa_deposits", as_lines(deposit(1)))
    house.ingest()
    secrets = [b"Asha Example", b"+919000000001", b"asha1@example.com", b"AAAPZ0000A", b"NBFC EMI"]
    for path in house.root.rglob("*"):
        if not path.is_file() or "landing" in path.relative_to(house.root).parts:
            continue
        content = path.read_bytes()
        assert not [s for s in secrets if s in content], path
    row = house.rows("raw.portfolio_accounts")[0]
    assert row["phone_token"] == token_of(house.vault, "meridian", "phone", "+91 90000 00001")
    tokens = [row["phone_token"], row["full_name_token"], row["email_token"]]
    revealed = house.vault.reveal(tokens, actor="dispatch", purpose="test")
    assert [revealed[t] for t in tokens] == [
        "+919000000001",
        "Asha Example 1",
        "asha1@example.com",
    ]
    assert [(r.actor, r.purpose) for r in house.reveals] == [("dispatch", "test")]
    (account,) = house.rows("raw.aa_accounts")
    assert account["pan_token"] == row["national_id_token"], "one person, one token"
    first, *_ = house.rows("raw.aa_transactions")
    assert first["category"] == "emi"
    assert first["narration_token"].startswith("na1_")


def test_values_of_rejected_rows_stay_out_of_the_vault(house: LandingHouse) -> None:
    rows = portfolio(3).replace(b"personal_loan", b"time_share", 1)
    house.deliver("portfolio", rows)
    house.ingest()
    token = token_of(house.vault, "meridian", "phone", "+919000000001")
    with pytest.raises(PayMentorError, match="holds no value"):
        house.vault.reveal([token], actor="dispatch", purpose="test")


def test_every_feed_has_a_table_that_readers_find(tmp_path: Path) -> None:
    with landing_house(tmp_path, has_tables=False) as house:
        house.deliver("payments", payments(1))
        house.ingest()
        for table in raw_tables():
            assert house.lake.exists(table), table
    assert len(raw_tables()) == sum(len(f.records) for f in load_feeds().values()) + 2


def test_large_files_are_taken_in_pieces(
    house: LandingHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(into: LandingHouse) -> None:
        for number in range(3):
            rows = [payment_row(100 * number + i) for i in range(40)]
            # The last row repeats the key of the first one, which came pieces before.
            rows += [payment_row(100 * number + 50, amount="-1"), rows[0]]
            into.deliver("payments", as_csv(rows), suffix=str(number))

    fill(house)
    house.ingest()
    whole = house.contents()
    monkeypatch.setattr(lines, "BLOCK_BYTES", 700)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 900)
    monkeypatch.setattr(piecewise, "PIECE_BYTES", 2000)
    with landing_house(tmp_path / "pieces") as pieces:
        fill(pieces)
        pieces.ingest()
        assert len(pieces.lake.load("raw.payments").snapshots()) == 1, "still one commit"
        assert len(pieces.lake.load("raw.payments").inspect.files()) > 1
        for table, rows in pieces.contents().items():
            without = [{k: v for k, v in r.items() if k != "etag"} for r in rows]
            assert without == [{k: v for k, v in r.items() if k != "etag"} for r in whole[table]]


@pytest.mark.parametrize("ending", ["cut off", "too many rejects"])
def test_a_large_file_that_is_refused_at_its_end_leaves_nothing(
    house: LandingHouse, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 700)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 900)
    monkeypatch.setattr(piecewise, "PIECE_BYTES", 500)
    rows = [payment_row(i) for i in range(40)]
    if ending == "cut off":
        bad = as_csv(rows)[:-30]
    else:
        bad = as_csv(rows + [payment_row(100 + i, amount="-1") for i in range(60)])
    house.deliver("payments", payments(3), suffix="a_good")
    house.deliver("payments", bad, suffix="b_bad")
    house.deliver("payments", as_csv([payment_row(900)]), suffix="c_good")
    result = house.ingest()
    assert [f.status for f in result.files] == ["ingested", "rejected", "ingested"]
    assert len(house.rows("raw.payments")) == 4
    assert house.rows("raw.rejected_rows") == []
    files = house.lake.load("raw.payments").inspect.files().column("file_path").to_pylist()
    folder = Path(files[0].removeprefix("file://")).parent
    assert len(list(folder.glob("*.parquet"))) == len(files), "no data file is left behind"
