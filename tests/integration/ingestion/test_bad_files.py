"""Every bad file and row of the brief gets a sentence with file, row, column and reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.landing_house import (
    DAY,
    DELIVERED,
    LandingHouse,
    as_csv,
    as_lines,
    consent,
    deposit,
    make_lender,
    payment_row,
    payments,
    portfolio,
    transaction,
)


def refused(house: LandingHouse, code: str) -> str:
    """The sentence of the one refused file, after checking that nothing of it was taken."""
    (file,) = [f for f in house.rows("raw.ingested_files") if f["status"] == "rejected"]
    assert file["reason_code"] == code
    assert (file["rows_total"], file["rows_accepted"], file["rows_rejected"]) == (0, 0, 0)
    for table in ("raw.payments", "raw.portfolio_accounts", "raw.aa_accounts"):
        assert not [r for r in house.rows(table) if r["_file_id"] == file["file_id"]]
    assert not [r for r in house.rows("raw.rejected_rows") if r["file_id"] == file["file_id"]]
    assert file["uri"] in file["message"]
    return str(file["message"])


def rejected_row(house: LandingHouse) -> dict[str, object]:
    (row,) = house.rows("raw.rejected_rows")
    (file,) = house.rows("raw.ingested_files")
    assert file["rows_accepted"] + file["rows_rejected"] == file["rows_total"]
    assert file["rows_rejected"] == 1
    message = row["message"]
    assert isinstance(message, str)
    assert message.startswith(f"{file['uri']}, row {row['row_number']}")
    return row


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


def test_the_business_date_of_a_snapshot_is_that_of_its_name(house: LandingHouse) -> None:
    content = portfolio(2) + portfolio(3, snapshot_date=DAY - timedelta(days=1)).split(b"\n")[3]
    house.deliver("portfolio", content)
    house.ingest()
    row = rejected_row(house)
    assert (row["reason_code"], row["column_name"]) == ("BUSINESS_DATE_MISMATCH", "snapshot_date")


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


def test_a_deposit_needs_its_consent(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1)))
    strange = deposit(2) | {"consentId": "CO1"}
    house.deliver("aa_deposits", as_lines(deposit(1), deposit(3), strange))
    house.ingest(lender=make_lender(max_rejected_share=1.0))
    assert [r["link_ref_number"] for r in house.rows("raw.aa_accounts")] == ["L1"]
    assert len(house.rows("raw.aa_transactions")) == 2
    codes = [(r["row_number"], r["reason_code"]) for r in house.rows("raw.rejected_rows")]
    assert codes == [
        (4, "UNKNOWN_CONSENT"),
        (5, "PARENT_REJECTED"),
        (6, "PARENT_REJECTED"),
        (7, "UNKNOWN_CONSENT"),
        (8, "PARENT_REJECTED"),
        (9, "PARENT_REJECTED"),
    ]


def test_consents_of_earlier_runs_count(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1)))
    house.ingest()
    house.deliver("aa_deposits", as_lines(deposit(1)))
    house.ingest(run_id="run-2")
    assert len(house.rows("raw.aa_transactions")) == 2


def test_bad_json_and_its_pieces_are_counted(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1)))
    content = b"{oops\n" + as_lines(deposit(1, [transaction(1), None, 3]), [1, 2])
    house.deliver("aa_deposits", content)
    house.ingest(lender=make_lender(max_rejected_share=1.0))
    rejected = {r["row_number"]: r for r in house.rows("raw.rejected_rows")}
    assert {n: r["reason_code"] for n, r in rejected.items()} == {
        1: "BAD_JSON",
        4: "BAD_JSON",
        5: "BAD_JSON",
        6: "BAD_JSON",
    }
    opened = [
        house.vault.open_record(r["raw_record"], r["file_id"], n, actor="auditor", purpose="test")
        for n, r in rejected.items()
    ]
    assert opened == [b"{oops", b"null", b"3", b"[1, 2]"]
    assert len(house.rows("raw.aa_transactions")) == 1


def test_a_cut_json_line_refuses_the_file(house: LandingHouse) -> None:
    house.deliver("aa_consents", as_lines(consent(1), consent(2))[:-40])
    house.ingest()
    assert "row 2" in refused(house, "TRUNCATED_FILE")


def test_the_instant_decides_not_the_spelling(house: LandingHouse) -> None:
    spelled = ["2026-06-05T06:00:00+05:30", "2026-06-05T00:30:00Z", "2026-06-05T00:30:00.000Z"]
    items = [transaction(i, transactionTimestamp=s) for i, s in enumerate(spelled)]
    other = {k: v for k, v in transaction(9).items() if k != "transactionTimestamp"}
    items.append(other | {"transactionTimeStamp": spelled[0]})
    items.append(other | {"txnId": "T10", "transactionDateTime": spelled[0]})
    house.deliver("aa_consents", as_lines(consent(1)))
    house.deliver("aa_deposits", as_lines(deposit(1, items)))
    house.ingest()
    instants = {r["transacted_at_utc"] for r in house.rows("raw.aa_transactions")}
    assert instants == {datetime(2026, 6, 5, 0, 30, tzinfo=UTC).replace(tzinfo=None)}
    assert len(house.rows("raw.aa_transactions")) == 5


def test_institutions_differ_and_are_read_alike(house: LandingHouse) -> None:
    document = deposit(1, [transaction(1, amount=12500, valueDate="2026-06-05T00:00:00+05:30")])
    document["account"]["profile"]["holders"]["holder"] = document["account"]["profile"]["holders"][
        "holder"
    ][0]
    document["account"]["summary"]["currentBalance"] = 47910.5
    lone = deposit(2)
    lone["account"]["transactions"]["transaction"] = transaction(1)
    summary_only = deposit(3)
    del summary_only["account"]["transactions"], summary_only["account"]["profile"]
    house.deliver("aa_consents", as_lines(consent(1), consent(2), consent(3)))
    house.deliver("aa_deposits", as_lines(document, lone, summary_only))
    house.ingest()
    assert house.rows("raw.rejected_rows") == []
    first, second, third = house.rows("raw.aa_accounts")
    assert str(first["current_balance"]) == str(second["current_balance"]) == "47910.50"
    assert first["holder_name_token"] and third["holder_name_token"] is None
    amounts = [(str(r["amount"]), str(r["value_date"])) for r in house.rows("raw.aa_transactions")]
    assert amounts == [("12500.00", "2026-06-05")] * 2
