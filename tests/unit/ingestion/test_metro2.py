"""Metro 2: layouts, segments, trailer, and the checks of the contract, on synthetic files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers import metro2_framing
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.metro2 import Metro2
from resources.errors import RejectedFile
from tests.support.contract_checks import Fault, faults_of
from tests.support.metro2_files import (
    Account,
    consumer,
    fixed,
    good,
    lines,
    packed,
    variable,
)
from tests.support.parsing import Parsed, parse

CONTRACT = load_feeds()["bureau_metro2"]
DAY = date(2026, 2, 1)

FULL = Account(
    {
        **good(account_number="A2").values,
        "original_creditor_name": "EXAMPLE STORE",
        "creditor_classification": "01",
        "purchased_sold_indicator": "1",
        "purchased_sold_name": "EXAMPLE BANK",
        "agency_identifier": "01",
        "agency_account_number": "FM1",
        "mortgage_identification_number": "MIN1",
        "specialized_payment_indicator": "01",
        "balloon_payment_due_date": "01202030",
        "balloon_payment_amount": "1234",
        "change_indicator": "1",
        "new_account_number": "A2NEW",
        "employer_name": "EXAMPLE WORKS",
        "employer_state": "TX",
        "occupation": "TESTER",
    },
    consumers=(consumer("J1"), consumer("J2", city="OTHERTOWN"), consumer("J1", ssn="000000000")),
    segments=("K1", "K2", "K3", "K4", "L1", "N1"),
)
WRITERS: dict[str, Callable[..., bytes]] = {
    "lines": lines,
    "fixed": fixed,
    "variable": variable,
    "blocked": lambda *a, **k: variable(*a, per_block=3, **k),
    "binary": packed,
    "decimals": lambda *a, **k: packed(*a, decimals=True, **k),
}


def read(content: bytes) -> Parsed:
    return parse(Metro2(CONTRACT), content, records=2)


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_reads_the_same(layout: str) -> None:
    parsed = read(WRITERS[layout](good(), FULL, good(account_number="A3")))
    first, second, third = parsed.rows[0]
    assert [r["row_number"] for r in parsed.rows[0]] == [1, 2, 6]
    assert [(r["row_number"], r["line_number"]) for r in parsed.rows[1]] == [(3, 2), (4, 2), (5, 2)]
    assert not any(r["parse_error"] for rows in parsed.rows.values() for r in rows)
    assert first["account_number"] == "A1"
    assert third["account_number"] == "A3"
    assert first["updated_at_utc"] == "01312026093000"
    assert first["current_balance"] == "000005400"
    assert first["currency"] == "USD"
    assert (first["date_closed"], first["original_creditor_name"]) == (None, None)
    for name in ("original_creditor_name", "new_account_number", "occupation", "surname", "ssn"):
        assert second[name] == FULL.values[name]
    assert second["balloon_payment_amount"] == "000001234"
    assert [r["segment"] for r in parsed.rows[1]] == ["J1", "J2", "J1"]
    assert [r["consumer_number"] for r in parsed.rows[1]] == ["1", "2", "3"]
    assert [r["city"] for r in parsed.rows[1]] == [None, "OTHERTOWN", None]
    assert [r["ssn"] for r in parsed.rows[1]] == ["900000001", "900000001", None]
    assert {r["account_number"] for r in parsed.rows[1]} == {"A2"}


@pytest.mark.parametrize("layout", WRITERS)
def test_blocks_that_cut_records_change_nothing(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = WRITERS[layout](*(good(account_number=f"A{i}") for i in range(100)), FULL)

    def tables() -> dict[str, pa.Table]:
        parser = Metro2(CONTRACT)
        batches = list(parser.read(Source(BytesIO(content), 0, "file_0", Path())))
        return {
            name: pa.Table.from_batches([b[name] for b in batches], schema).combine_chunks()
            for name, schema in parser.tables().items()
        }

    whole = tables()
    monkeypatch.setattr(metro2_framing, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(metro2_framing, "MAX_RECORD_BYTES", 2000)
    assert tables() == whole


def test_the_original_of_a_row_is_what_was_delivered() -> None:
    content = variable(good(), FULL)
    parsed = read(content)
    record = parsed.originals[0][(0, 2)]
    assert record in content
    assert record[4:].startswith(b"1")
    assert parsed.originals[1][(0, 4)][:2] == b"J2"
    assert parsed.originals[1][(0, 4)] in record


@pytest.mark.parametrize("layout", WRITERS)
def test_a_trailer_that_disagrees_refuses_the_file(layout: str) -> None:
    with pytest.raises(
        RejectedFile, match="states 7 base segments, and the file holds 1"
    ) as raised:
        read(WRITERS[layout](good(), trailer={"base segments": 7}))
    assert raised.value.reason_code == "BAD_TRAILER"


def test_a_sum_of_the_trailer_that_disagrees_refuses_the_file() -> None:
    content = lines(good(), good(account_number="A2", account_status="97"))
    trailer = content.rindex(b"TRAILER")
    place = trailer - 4 + 83
    wrong = content[:place] + b"000000009" + content[place + 9 :]
    with pytest.raises(RejectedFile, match="9 accounts of status 11, and the file holds 1"):
        read(wrong)
    blank = content[:place] + b" " * 9 + content[place + 9 :]
    assert len(read(blank).rows[0]) == 2


def _without_header(content: bytes) -> bytes:
    return content[content.index(b"\n") + 1 :]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b" \r\n", "EMPTY_FILE"),
        (b"a,b\n1,2\n", "BAD_HEADER"),
        (_without_header(lines(good())), "BAD_HEADER"),
        (lines(good()).replace(b"HEADER", b"HEADERWRONG", 1), "BAD_HEADER"),
        (lines(good())[:-427], "TRUNCATED_FILE"),
        (fixed(good())[:-10], "TRUNCATED_FILE"),
        (fixed(good()) + fixed(good()), "BAD_TRAILER"),
        (lines(good()) + b"x", "BAD_TRAILER"),
        (fixed(good()).replace(b"04261", b"00021", 1), "BAD_RECORD_LENGTH"),
        (lines(good()).replace(b"EXAMPLE ST", b"E" * 70_000), "BAD_RECORD_LENGTH"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(content: bytes, code: str) -> None:
    with pytest.raises(RejectedFile) as raised:
        read(content)
    assert raised.value.reason_code == code


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (lambda r: r[:300], "RECORD_TOO_SHORT"),
        (lambda r: r + b"XX" + b" " * 30 + b"1", "UNKNOWN_SEGMENT"),
        (lambda r: r + b"K1SHORT", "SEGMENT_TOO_SHORT"),
        (lambda r: r + 2 * (b"K1CREDITOR".ljust(32) + b"01"), "REPEATED_SEGMENT"),
        (lambda r: r.replace(b"TESTPERSON", b"TESTPERS\xc3\x93"), "NOT_ASCII"),
    ],
)
def test_a_record_at_fault_is_one_row_and_its_neighbours_stay(
    record: Callable[[bytes], bytes], code: str
) -> None:
    content = lines(good(), good(account_number="A2"), FULL).split(b"\n")
    broken = record(content[2])
    parsed = read(b"\n".join([*content[:2], broken, *content[3:]]))
    assert [r["parse_error"] for r in parsed.rows[0]] == [None, code, None]
    assert parsed.row(0, 2)["account_number"] is None
    assert parsed.originals[0][(0, 2)] == broken
    assert [r["row_number"] for r in parsed.rows[1]] == [4, 5, 6]


def test_a_packed_number_that_is_none_names_its_column() -> None:
    content = packed(good(), decimals=True)
    balance = bytes.fromhex("000005400c")
    parsed = read(content.replace(balance, bytes.fromhex("0000054a0c")))
    row = parsed.row(0, 1)
    assert (row["parse_error"], row["fault_column"]) == ("BAD_PACKED_NUMBER", "current_balance")


LATE = {"amount_past_due": "310", "date_first_delinquency": "01052026"}


FAULTY: list[tuple[dict[str, str], str]] = [
    ({"amount_past_due": "1"}, "CURRENT_WITH_PAST_DUE"),
    ({**LATE, "account_status": "71", "amount_past_due": "0"}, "DELINQUENT_WITHOUT_PAST_DUE"),
    ({**LATE, "account_status": "71", "amount_past_due": "5401"}, "PAST_DUE_ABOVE_BALANCE"),
    (
        {**LATE, "account_status": "71", "date_first_delinquency": ""},
        "MISSING_FIRST_DELINQUENCY",
    ),
    ({"date_first_delinquency": "01052026"}, "FIRST_DELINQUENCY_OF_CURRENT"),
    ({**LATE, "account_status": "97"}, "MISSING_CHARGE_OFF_AMOUNT"),
    ({"charge_off_amount": "5"}, "CHARGE_OFF_AMOUNT_OF_OTHERS"),
    ({**LATE, "account_status": "95"}, "MISSING_PAYMENT_RATING"),
    ({"payment_rating": "0"}, "UNEXPECTED_PAYMENT_RATING"),
    ({**LATE, "account_status": "89", "payment_rating": "0"}, "RATING_AND_PAST_DUE_DISAGREE"),
    ({"payment_history": "0" * 23 + "Z"}, "HISTORY_UNKNOWN_CODE"),
    ({"payment_history": "0B" + "0" * 22}, "HISTORY_B_WITHIN"),
    ({**LATE, "account_status": "82"}, "HISTORY_DISAGREES_WITH_STATUS"),
    ({"portfolio_type": "C", "account_type": "18"}, "PORTFOLIO_TYPE_MISMATCH"),
    (
        {"account_status": "13", "payment_rating": "0", "date_closed": "01152026"},
        "PAID_WITH_BALANCE",
    ),
    (
        {"account_status": "13", "payment_rating": "0", "current_balance": "0"},
        "MISSING_DATE_CLOSED",
    ),
    ({"date_closed": "01152026"}, "OPEN_WITH_DATE_CLOSED"),
    (
        {
            "account_status": "13",
            "payment_rating": "0",
            "current_balance": "0",
            "date_closed": "01152020",
        },
        "CLOSED_BEFORE_OPENED",
    ),
    ({"date_account_information": "01012020"}, "REPORTED_BEFORE_OPENED"),
    (
        {**LATE, "account_status": "71", "date_first_delinquency": "01012020"},
        "DELINQUENT_BEFORE_OPENED",
    ),
    (
        {**LATE, "account_status": "71", "date_first_delinquency": "02012026"},
        "DELINQUENT_AFTER_REPORT",
    ),
    ({"ssn": "000000000", "date_of_birth": "00000000"}, "SSN_AND_BIRTH_MISSING"),
    ({"account_status": "12"}, "NOT_IN_LIST"),
    ({"ecoa_code": "4"}, "NOT_IN_LIST"),
    ({"portfolio_type": "X"}, "NOT_IN_LIST"),
    ({"date_opened": "13152023"}, "BAD_TYPE"),
    ({"date_account_information": "02022026"}, "FUTURE_DATE"),
    ({"surname": ""}, "MISSING_VALUE"),
]
SOUND: list[dict[str, str]] = [
    {},
    {**LATE, "account_status": "71"},
    {**LATE, "account_status": "80", "payment_history": "1" * 24},
    {**LATE, "account_status": "97", "charge_off_amount": "5400"},
    {
        "account_status": "13",
        "payment_rating": "0",
        "current_balance": "0",
        "date_closed": "01152026",
    },
    {"portfolio_type": "C", "account_type": "89", "date_closed": "01152026"},
    {"date_first_delinquency": "01052026", "consumer_information_indicator": "A"},
]


@pytest.fixture(scope="module")
def found() -> dict[int, list[Fault]]:
    """The faults of a file of all the accounts above, by row."""
    accounts = [*(changes for changes, _ in FAULTY), *SOUND]
    content = lines(*(good(account_number=f"A{i}", **c) for i, c in enumerate(accounts)))
    by_row: dict[int, list[Fault]] = {}
    for fault in faults_of(CONTRACT, Metro2(CONTRACT), content, business_date=DAY):
        by_row.setdefault(fault.row_number, []).append(fault)
    return by_row


@pytest.mark.parametrize("case", range(len(FAULTY)), ids=[code for _, code in FAULTY])
def test_each_fault_of_an_account_has_its_reason(case: int, found: dict[int, list[Fault]]) -> None:
    faults = found[case + 1]
    assert [f.reason_code for f in faults] == [FAULTY[case][1]]
    assert f"file_0, row {case + 1}, column {faults[0].column}: " in (faults[0].sentence or "")


def test_a_sound_account_has_no_fault(found: dict[int, list[Fault]]) -> None:
    assert set(found) == set(range(1, len(FAULTY) + 1))


def test_segments_are_checked_too() -> None:
    account = Account(
        {**FULL.values, "new_account_number": "", "purchased_sold_name": ""},
        consumers=(consumer("J2", address_line_1=""), consumer("J1", ecoa_code="0")),
        segments=FULL.segments,
    )
    found = faults_of(CONTRACT, Metro2(CONTRACT), lines(account), business_date=DAY)
    assert [(f.record, f.row_number, f.reason_code) for f in found] == [
        (0, 1, "K2_WITHOUT_NAME"),
        (0, 1, "L1_WITHOUT_NEW_NUMBER"),
        (1, 2, "J2_WITHOUT_ADDRESS"),
        (1, 3, "NOT_IN_LIST"),
    ]
