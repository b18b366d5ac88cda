"""What a lender's contract may say of files and rows, each seen to hold."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any

import pytest

from paymentor_assets.ingestion.contracts.book import ContractBook, load_feeds
from paymentor_assets.ingestion.contracts.model import FeedContract, RowRule
from tests.support.landing_house import (
    DAY,
    NOW,
    LandingHouse,
    as_csv,
    payment_row,
    payments,
)


@pytest.fixture
def agree(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Change the contract of the payments feed; columns by name, the rest by field."""

    def change(
        columns: dict[str, dict[str, Any]] | None = None,
        rules: tuple[RowRule, ...] = (),
        **feed: Any,
    ) -> None:
        genuine = load_feeds()
        contract = genuine["payments"]
        record = contract.records[0]
        changed = record.model_copy(
            update={
                "rules": rules,
                "columns": tuple(
                    c.model_copy(update=(columns or {}).get(c.name, {})) for c in record.columns
                ),
            }
        )
        agreed: FeedContract = contract.model_copy(update={"records": (changed,), **feed})
        monkeypatch.setattr(
            ContractBook, "feeds", lambda book, lender_id: {**genuine, "payments": agreed}
        )

    return change


def outcome(house: LandingHouse) -> tuple[str | None, str]:
    (file,) = house.ingest().files
    return file.reason_code or file.status, file.message or ""


def test_columns_and_dates_may_be_written_the_lenders_way(house: LandingHouse, agree: Any) -> None:
    agree(
        {
            "payment_id": {"delivered_as": "TXN REF"},
            "value_date": {"delivered_as": "DUE_DT", "format": "%d-%m-%Y"},
            "paid_at_utc": {"format": "%d/%m/%Y %H:%M"},
        },
        delimiter="|",
        encoding="latin-1",
        compression="gzip",
    )
    row = payment_row(1) | {"value_date": "30-06-2026", "paid_at_utc": "30/06/2026 00:15"}
    names = {"payment_id": "TXN REF", "value_date": "DUE_DT"}
    renamed = {names.get(k, k): v for k, v in row.items()}
    bad = renamed | {"TXN REF": "P2", "DUE_DT": "2026-06-30"}
    house.deliver("payments", gzip.compress(as_csv([renamed, bad], "|")))
    house.ingest()
    (stored,) = house.rows("raw.payments")
    assert (stored["payment_id"], str(stored["value_date"])) == ("P1", "2026-06-30")
    assert str(stored["paid_at_utc"]) == "2026-06-29 18:45:00", "the lender's wall clock"
    (rejected,) = house.rows("raw.rejected_rows")
    assert rejected["reason_code"] == "BAD_TYPE"
    assert "'2026-06-30' is not a date as dd-MM-yyyy" in rejected["message"]


def test_rules_between_columns_become_reason_codes(house: LandingHouse, agree: Any) -> None:
    agree(
        rules=(
            RowRule(
                reason_code="UNPAID_YET_PAID",
                column="amount",
                violated_when="status = 'bounced' AND amount > 100",
                message="a bounced payment moved money",
            ),
        )
    )
    rows = [
        payment_row(1, amount="50", status="bounced"),
        payment_row(2, amount="500", status="bounced"),
    ]
    house.deliver("payments", as_csv(rows))
    house.ingest()
    assert [r["payment_id"] for r in house.rows("raw.payments")] == ["P1"]
    (rejected,) = house.rows("raw.rejected_rows")
    assert (rejected["reason_code"], rejected["column_name"]) == ("UNPAID_YET_PAID", "amount")
    assert "row 2, column amount: a bounced payment moved money" in rejected["message"]


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, "ROW_COUNT"), (2, "ingested"), (5, "ROW_COUNT")]
)
def test_a_file_keeps_to_its_row_count(
    house: LandingHouse, agree: Any, rows: int, expected: str
) -> None:
    agree(min_rows=2, max_rows=4)
    house.deliver("payments", payments(rows))
    code, message = outcome(house)
    assert str(code).startswith(expected)
    if code != "ingested":
        assert f"has {rows} rows" in message and "at least 2 and at most 4" in message
        assert house.rows("raw.rejected_rows") == []


def test_a_feed_may_be_stricter_than_its_lender(house: LandingHouse, agree: Any) -> None:
    agree(max_rejected_share=0.0)
    house.deliver("payments", as_csv([payment_row(1), payment_row(2, amount="-1")]))
    code, message = outcome(house)
    assert code == "TOO_MANY_REJECTED" and "NEGATIVE_AMOUNT" in message


@pytest.mark.parametrize(("late", "expected"), [(1, "ingested"), (2, "STALE_FILE")])
def test_a_stale_file_is_refused(house: LandingHouse, agree: Any, late: int, expected: str) -> None:
    agree(max_age_days=1)
    # Delivered on the first of July in the lender's zone.
    day = DAY - timedelta(days=late - 1)
    house.deliver("payments", payments(1, value_date=day, paid_at_utc=f"{day}T04:00:00Z"), day=day)
    code, message = outcome(house)
    assert code == expected
    assert expected == "ingested" or "allows 1" in message


def test_names_may_be_a_machines(house: LandingHouse, agree: Any) -> None:
    agree(naming="any")
    house.put("meridian/payments/LOAD00000001.csv", payments(2))
    assert outcome(house)[0] == "ingested"
    (file,) = house.rows("raw.ingested_files")
    assert file["business_date"] == DAY + timedelta(days=1), "the lender's day of delivery"
    assert file["known_at"] == NOW.replace(tzinfo=None)
