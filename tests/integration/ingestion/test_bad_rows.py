"""Every bad row of the brief gets a sentence with file, row, column and reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.landing_house import (
    DAY,
    LandingHouse,
    as_csv,
    payment_row,
    payments,
    portfolio,
)

GOOD = payments(3)


def rejected_row(house: LandingHouse) -> dict[str, object]:
    (row,) = house.rows("raw.rejected_rows")
    (file,) = house.rows("raw.ingested_files")
    assert file["rows_accepted"] + file["rows_rejected"] == file["rows_total"]
    assert file["rows_rejected"] == 1
    message = row["message"]
    assert isinstance(message, str)
    assert message.startswith(f"{file['uri']}, row {row['row_number']}")
    return row


@pytest.mark.parametrize(
    ("changes", "column", "code", "words"),
    [
        ({"amount": "-5.00"}, "amount", "NEGATIVE_AMOUNT", ["'-5.00' is negative"]),
        ({"amount": "0.00"}, "amount", "OUT_OF_RANGE", ["above 0"]),
        ({"amount": "1,000.00"}, "amount", "BAD_TYPE", ["'1,000.00' is not an amount"]),
        ({"amount": "12.345"}, "amount", "BAD_TYPE", ["two decimals"]),
        ({"amount": "1e3"}, "amount", "BAD_TYPE", []),
        ({"amount": "1_000"}, "amount", "BAD_TYPE", []),
        ({"amount": ""}, "amount", "MISSING_VALUE", ["is empty"]),
        ({"amount": "   "}, "amount", "MISSING_VALUE", ["is empty"]),
        ({"value_date": "2026-02-30"}, "value_date", "BAD_TYPE", ["YYYY-MM-DD"]),
        ({"value_date": "30/06/2026"}, "value_date", "BAD_TYPE", []),
        ({"value_date": "2031-01-01"}, "value_date", "FUTURE_DATE", ["2031-01-01", str(DAY)]),
        ({"paid_at_utc": "2026-06-30T20:00:01Z"}, "paid_at_utc", "FUTURE_DATE", ["delivery"]),
        ({"paid_at_utc": "2026-06-30T08:30:00"}, "paid_at_utc", "BAD_TYPE", ["offset"]),
        ({"method": "barter"}, "method", "NOT_IN_LIST", ["'barter'", "upi"]),
        ({"account_id": "A 1"}, "account_id", "BAD_PATTERN", []),
    ],
)
def test_a_rejected_row_says_where_and_why(
    house: LandingHouse, changes: dict[str, object], column: str, code: str, words: list[str]
) -> None:
    rows = [payment_row(1), payment_row(2, **changes), payment_row(3)]
    house.deliver("payments", as_csv(rows))
    house.ingest()
    row = rejected_row(house)
    assert (row["row_number"], row["column_name"], row["reason_code"]) == (2, column, code)
    assert f"column {column}:" in str(row["message"])
    assert all(word in str(row["message"]) for word in words), row["message"]
    assert [r["payment_id"] for r in house.rows("raw.payments")] == ["P1", "P3"]


@pytest.mark.parametrize(
    ("line", "column", "code", "words"),
    [
        (b"P2,A1,C1,2026-06-30", None, "WRONG_COLUMN_COUNT", ["has 4 columns instead of 9"]),
        (b"P2" + b",x" * 9, None, "WRONG_COLUMN_COUNT", ["has 10 columns instead of 9"]),
        (
            b"P2,A\xff1,C1,2026-06-30,2026-06-30T08:30:00Z,1.00,INR,upi,success",
            "account_id",
            "NOT_UTF8",
            ["not UTF-8"],
        ),
    ],
)
def test_a_row_that_does_not_parse(
    house: LandingHouse, line: bytes, column: str | None, code: str, words: list[str]
) -> None:
    header, first, _, third, *_ = GOOD.split(b"\n")
    house.deliver("payments", b"\n".join([header, first, line, third, b""]))
    house.ingest()
    row = rejected_row(house)
    assert (row["row_number"], row["column_name"], row["reason_code"]) == (2, column, code)
    assert all(word in str(row["message"]) for word in words), row["message"]
    assert row["preview"] == "•••", "what did not parse is masked as a whole"
    assert (
        house.vault.open_record(
            row["raw_record"],  # type: ignore[arg-type]
            str(row["file_id"]),
            2,
            actor="auditor",
            purpose="test",
        ).rstrip(b"\n")
        == line
    )


def test_embedded_newlines_stay_in_their_row(house: LandingHouse) -> None:
    content = portfolio(2).replace(b"Pune", b'"Pu\nne, ""old"""', 1)
    house.deliver("portfolio", content)
    house.ingest()
    first, second = house.rows("raw.portfolio_accounts")
    assert first["city"] == 'Pu\nne, "old"'
    assert (first["_row_number"], second["_row_number"]) == (1, 2)


def test_a_repeated_key_keeps_the_first_sound_row(house: LandingHouse) -> None:
    rows = [payment_row(1, amount="-1"), payment_row(1), payment_row(1, amount="7.00")]
    house.deliver("payments", as_csv([*rows, payment_row(2), payment_row(3)]))
    house.ingest()
    codes = {r["row_number"]: r["reason_code"] for r in house.rows("raw.rejected_rows")}
    assert codes == {1: "NEGATIVE_AMOUNT", 3: "DUPLICATE_KEY"}
    assert "already stands in row 2" in house.rows("raw.rejected_rows")[1]["message"]
    assert len(house.rows("raw.payments")) == 3


def test_all_faults_of_a_row_stand_in_its_message(house: LandingHouse) -> None:
    rows = [payment_row(1, amount="-1", status="lost"), payment_row(2), payment_row(3)]
    house.deliver("payments", as_csv(rows))
    house.ingest()
    row = rejected_row(house)
    assert row["reason_code"] == "NEGATIVE_AMOUNT"
    assert "column amount:" in str(row["message"]) and "column status:" in str(row["message"])


def test_previews_mask_personal_data_by_position(house: LandingHouse) -> None:
    good = portfolio(3).split(b"\n")
    bad = good[2].replace(b"personal_loan", b"time_share")
    slipped = good[3].replace(b"C3,Asha", b"C3,,Asha").replace(b",5000.00,2026-07-05", b",", 1)
    house.deliver("portfolio", b"\n".join([*good[:2], bad, slipped, b""]))
    house.ingest()
    first, second = house.rows("raw.rejected_rows")
    assert first["reason_code"] == "NOT_IN_LIST" and "'time_share'" in first["message"]
    assert "A2,C2,•••,•••,•••,•••,1990" in first["preview"]
    assert second["preview"] == "•••", "columns that slipped may show a name anywhere"
    for row in (first, second):
        for secret in ("Asha", "+9190000", "example.com", "AAAPZ"):
            assert secret not in row["preview"] + row["message"]


def test_the_business_date_of_a_snapshot_is_that_of_its_name(house: LandingHouse) -> None:
    content = portfolio(2) + portfolio(3, snapshot_date=DAY - timedelta(days=1)).split(b"\n")[3]
    house.deliver("portfolio", content)
    house.ingest()
    row = rejected_row(house)
    assert (row["reason_code"], row["column_name"]) == ("BUSINESS_DATE_MISMATCH", "snapshot_date")
