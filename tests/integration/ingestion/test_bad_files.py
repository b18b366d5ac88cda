"""Every bad file of the brief gets a sentence with file and reason; harmless forms are taken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.landing_house import (
    DAY,
    DELIVERED,
    LandingHouse,
    as_csv,
    make_lender,
    payment_row,
    payments,
    portfolio,
    refused,
)

GOOD = payments(3)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        pytest.param(b"", "EMPTY_FILE", ["holds no byte"], id="empty"),
        pytest.param(b"\n\n", "EMPTY_FILE", ["no header"], id="blank lines only"),
        pytest.param(GOOD[:-20], "TRUNCATED_FILE", ["row 3", "columns"], id="cut in the last row"),
        pytest.param(
            GOOD.replace(b"A1,C1", b'"A1,C1', 1),
            "TRUNCATED_FILE",
            ["row 1", "quote"],
            id="quote never closed",
        ),
        pytest.param(
            as_csv([payment_row()], delimiter=";"),
            "HEADER_MISMATCH",
            ["delimited by a semicolon"],
            id="wrong delimiter",
        ),
        pytest.param(
            as_csv([{k: v for k, v in payment_row().items() if k != "amount"}]),
            "HEADER_MISMATCH",
            ["missing 'amount'"],
            id="missing column",
        ),
        pytest.param(
            as_csv([payment_row() | {"colour": "red"}]),
            "HEADER_MISMATCH",
            ["extra 'colour'"],
            id="extra column",
        ),
        pytest.param(
            GOOD.replace(b"currency", b"amount", 1),
            "HEADER_MISMATCH",
            ["missing 'currency'", "repeated 'amount'"],
            id="repeated column",
        ),
        pytest.param(GOOD.decode().encode("utf-16"), "HEADER_MISMATCH", ["not UTF-8"], id="UTF-16"),
        pytest.param(
            GOOD.replace(b"\n", b"\r"), "HEADER_MISMATCH", [], id="old Macintosh newlines"
        ),
        pytest.param(
            payments(6, amount="-1.00"),
            "TOO_MANY_REJECTED",
            ["6 of 6 rows", "NEGATIVE_AMOUNT", "50%"],
            id="too many rejects",
        ),
    ],
)
def test_a_refused_file_says_why_and_leaves_nothing(
    house: LandingHouse, content: bytes, code: str, words: list[str]
) -> None:
    house.deliver("payments", content)
    house.deliver("payments", payments(2), suffix="good")
    result = house.ingest()
    message = refused(house, code)
    assert all(word in message for word in words), message
    assert len(house.rows("raw.payments")) == 2, "the run goes on with the next file"
    assert (result.count("rejected"), result.count("ingested")) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbf" + GOOD, id="byte order mark"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(GOOD.rstrip(b"\n"), id="no final newline"),
        pytest.param(GOOD.replace(b"\n", b"\n\n"), id="blank lines"),
        pytest.param(GOOD.replace(b",upi,", b",  upi ,"), id="padded"),
        pytest.param(GOOD.replace(b"upi", b'"upi"'), id="quoted"),
    ],
)
def test_harmless_forms_are_accepted(house: LandingHouse, content: bytes) -> None:
    house.deliver("payments", content)
    house.ingest()
    assert len(house.rows("raw.payments")) == 3
    assert {r["method"] for r in house.rows("raw.payments")} == {"upi"}
    assert house.rows("raw.rejected_rows") == []


def test_columns_may_come_in_another_order(house: LandingHouse) -> None:
    row = payment_row()
    house.deliver("payments", as_csv([dict(reversed(row.items()))]))
    house.deliver("payments", as_csv([payment_row(2)]), suffix="usual")
    house.ingest()
    assert [(r["payment_id"], str(r["amount"])) for r in house.rows("raw.payments")] == [
        ("P1", "5000.00"),
        ("P2", "5000.00"),
    ]


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("meridian/payments/payments.csv", "BAD_FILE_NAME"),
        ("meridian/payments/payments_2026-02-30_20260630T200000Z.csv", "BAD_FILE_NAME"),
        ("meridian/payments/portfolio_2026-06-30_20260630T200000Z.csv", "BAD_FILE_NAME"),
        ("meridian/payments/deeper/payments_2026-06-30_20260630T200000Z.csv", "BAD_FILE_NAME"),
        ("meridian/payments/payments_2026-06-30.csv", "BAD_FILE_NAME"),
        ("meridian/invoices/invoices_2026-06-30_20260630T200000Z.csv", "UNKNOWN_FEED"),
        ("meridian/payments/payments_2026-06-30_20260701T020000Z.csv", "FUTURE_FILE"),
        ("meridian/payments/payments_2026-07-02_20260630T200000Z.csv", "FUTURE_FILE"),
    ],
)
def test_place_and_name_are_part_of_the_contract(house: LandingHouse, uri: str, code: str) -> None:
    house.put(uri, GOOD)
    house.ingest()
    refused(house, code)
    assert house.rows("raw.payments") == []


def test_a_refused_file_is_read_again_under_its_right_name(house: LandingHouse) -> None:
    house.put("meridian/payments/wrong.csv", GOOD)
    house.ingest()
    house.deliver("payments", GOOD)
    house.ingest(run_id="run-2")
    assert len(house.rows("raw.payments")) == 3
    assert [f["status"] for f in house.rows("raw.ingested_files")] == ["ingested", "rejected"]


def test_a_snapshot_without_rows_is_refused_a_change_file_is_not(house: LandingHouse) -> None:
    house.deliver("portfolio", portfolio(1).split(b"\n")[0] + b"\n")
    house.deliver("payments", GOOD.split(b"\n")[0] + b"\n")
    house.ingest()
    refused(house, "EMPTY_FILE")
    (taken,) = [f for f in house.rows("raw.ingested_files") if f["status"] == "ingested"]
    assert (taken["feed"], taken["rows_total"]) == ("payments", 0)


def test_receipt_rule_ignores_the_name(house: LandingHouse) -> None:
    lender = make_lender(known_at="receipt")
    house.put("meridian/payments/payments_2026-06-30.csv", GOOD)
    house.ingest(lender=lender)
    assert {r["_known_at"] for r in house.rows("raw.payments")} == {house.now.replace(tzinfo=None)}


def test_history_is_marked(house: LandingHouse) -> None:
    old = DELIVERED - timedelta(days=30)
    house.deliver(
        "payments",
        payments(1, value_date="2026-05-30", paid_at_utc="2026-05-30T08:00:00Z"),
        day=DAY - timedelta(days=31),
        delivered=old,
    )
    house.deliver("payments", payments(1))
    house.ingest()
    marks = {f["known_at"]: f["is_history_load"] for f in house.rows("raw.ingested_files")}
    assert marks == {old.replace(tzinfo=None): True, DELIVERED.replace(tzinfo=None): False}
