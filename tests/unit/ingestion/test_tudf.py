"""TUDF 12: subjects, hostile lengths, and the checks of the contract, on synthetic files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers import tudf_framing
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.tudf import Tudf
from resources.errors import RejectedFile
from tests.support.contract_checks import Fault, faults_of
from tests.support.parsing import Parsed, parse
from tests.support.tudf_files import GOOD, HEADER, PERSON, Subject, good, tudf

CONTRACT = load_feeds()["bureau_tudf"]
DAY = date(2026, 6, 30)
TWO_ACCOUNTS = Subject([GOOD, {**GOOD, "account_number": "LN-000002", "current_balance": "500-"}])


def read(content: bytes) -> Parsed:
    return parse(Tudf(CONTRACT), content)


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n"])
def test_every_account_is_a_row_with_its_person(between: bytes) -> None:
    rows = read(tudf(good(), TWO_ACCOUNTS, between=between)).rows[0]
    assert [r["row_number"] for r in rows] == [1, 2, 3]
    assert [r["account_number"] for r in rows] == ["LN-000001", "LN-000001", "LN-000002"]
    for row in rows:
        assert row["parse_error"] is None
        assert row["full_name"] == "ASHA TESTPERSON"
        assert (row["pan"], row["aadhaar"]) == ("AAAPZ0000A", "XXXXXXXX0001")
        assert (row["phone"], row["phone_type"]) == ("9000000001", "01")
        assert (row["address"], row["state_code"]) == ("1 EXAMPLE ROAD PUNE", "27")
        assert (row["pin_code"], row["currency"]) == (None, "INR")
    assert [r["current_balance"] for r in rows] == ["145000", "145000", "-500"]


def test_an_account_without_a_day_is_as_of_the_header() -> None:
    rows = read(tudf(good(date_reported=""), good(date_reported="15062026"))).rows[0]
    assert [r["date_reported"] for r in rows] == ["30062026", "15062026"]


def test_blocks_that_cut_subjects_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    content = tudf(*(good(account_number=f"LN{i}") for i in range(60)), TWO_ACCOUNTS)

    def table() -> pa.Table:
        batches = [
            b["tudf_accounts"]
            for b in Tudf(CONTRACT).read(Source(BytesIO(content), 0, "file_0", Path()))
        ]
        return pa.Table.from_batches(batches).combine_chunks()

    whole = table()
    assert whole.num_rows == 62
    for size in (100, 317, 5000):
        monkeypatch.setattr(tudf_framing, "BLOCK_BYTES", size)
        assert table() == whole


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        (lambda s: s.replace(b"0309LN-", b"0399LN-"), "BAD_LENGTH", "account_number"),
        (lambda s: s.replace(b"ES02**", b"0199ES02**"), "BAD_LENGTH", None),
        (lambda s: s.replace(b"0309LN-", b"03x9LN-"), "BAD_LENGTH", None),
        (lambda s: s.replace(b"0309LN-", b"0300LN-"), "BAD_LENGTH", None),
        (lambda s: s.replace(b"0309LN-", b"9909LN-"), "UNKNOWN_TAG", None),
        (lambda s: s.replace(b"0309LN-", b"0108LN-000010309LN-"), "REPEATED_FIELD", "member_code"),
        (lambda s: s.replace(b"PT03T01", b"PN03N01"), "REPEATED_SEGMENT", None),
        (lambda s: s.replace(b"PN03N01", b"ID03I01"), "FIRST_SEGMENT_NOT_PN", None),
        (lambda s: s.replace(b"ASHA", b"ASH\xc3"), "NOT_ASCII", None),
        (lambda s: s[: s.index(b"TL04")] + b"ES02**", "NO_ACCOUNT", None),
        (lambda s: s.replace(b"TL04", b"TL04T001" * 999 + b"TL04"), "REPEATED_SEGMENT", None),
        (lambda s: s.replace(b"PA03", b"PA03A01" * 99 + b"PA03"), "REPEATED_SEGMENT", None),
    ],
)
def test_a_subject_at_fault_is_one_row_and_its_neighbours_stay(
    change: Callable[[bytes], bytes], code: str, column: str | None
) -> None:
    before, broken, after = (s.written() for s in (good(), good(), TWO_ACCOUNTS))
    broken = change(broken)
    # A subject that does not begin as one cannot be told from the end of the one before it.
    is_joined = not broken.startswith(b"PN03")
    parsed = read(HEADER + before + broken + after + b"TRLR")
    errors = [r["parse_error"] for r in parsed.rows[0]]
    if is_joined:
        assert errors == ["REPEATED_SEGMENT", None, None]
        return
    assert errors == [None, code, None, None]
    assert parsed.row(0, 2)["fault_column"] == column
    assert parsed.row(0, 2)["account_number"] is None
    assert parsed.originals[0][(0, 2)] == broken


def test_the_original_of_an_account_is_its_own_piece_of_the_subject() -> None:
    subject = TWO_ACCOUNTS.written()
    parsed = read(HEADER + good().written() + subject + b"TRLR")
    pieces = [parsed.originals[0][(0, row)] for row in (2, 3)]
    assert b"".join(pieces) == subject
    assert pieces[0].startswith(b"PN03") and pieces[1].startswith(b"TL04T002")


def test_the_first_subject_must_begin_with_a_name() -> None:
    subject = good().written()
    content = HEADER + subject[subject.index(b"ID03") :] + b"TRLR"
    assert [r["parse_error"] for r in read(content).rows[0]] == ["FIRST_SEGMENT_NOT_PN"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"a,b\n1,2\n", "BAD_HEADER"),
        (tudf(good()).replace(b"TUDF12", b"TUDF11"), "BAD_HEADER"),
        (tudf(good()).replace(b"NB30062026", b"NB31062026"), "BAD_HEADER"),
        (tudf(good())[:-4], "TRUNCATED_FILE"),
        (tudf(good(), good())[:-60], "TRUNCATED_FILE"),
        (tudf(good()) + b"x", "BAD_TRAILER"),
        (tudf(good()) + tudf(good()), "BAD_TRAILER"),
        (HEADER + b"PN03N01" + b"0126" * (2 << 18), "RECORD_TOO_LONG"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(
    content: bytes, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tudf_framing, "BLOCK_BYTES", 1 << 19)
    with pytest.raises(RejectedFile) as raised:
        read(content)
    assert raised.value.reason_code == code


def test_a_file_without_subjects_has_no_rows() -> None:
    assert read(tudf()).rows[0] == []


PAID = {"current_balance": "0", "overdue_amount": "0", "days_past_due": "0"}
FAULTY: list[tuple[dict[str, str], str]] = [
    ({**PAID, "date_closed": "01062026", "current_balance": "5"}, "CLOSED_WITH_BALANCE"),
    (
        {**PAID, "date_closed": "01062026", "overdue_amount": "5", "days_past_due": "9"},
        "CLOSED_WITH_OVERDUE",
    ),
    ({"overdue_amount": "0"}, "DAYS_PAST_DUE_WITHOUT_OVERDUE"),
    ({"days_past_due": "0"}, "OVERDUE_WITHOUT_DAYS_PAST_DUE"),
    ({"days_past_due": "91"}, "STANDARD_ABOVE_90_DAYS"),
    (
        {"written_off_amount": "100", "written_off_principal": "200"},
        "WRITTEN_OFF_PRINCIPAL_ABOVE_TOTAL",
    ),
    ({**PAID, "date_closed": "01012025"}, "CLOSED_BEFORE_OPENED"),
    ({"date_last_payment": "01012025"}, "PAID_BEFORE_OPENED"),
    ({"date_reported": "01012025"}, "REPORTED_BEFORE_OPENED"),
    ({**PAID, "date_closed": "30062026", "date_reported": "29062026"}, "CLOSED_AFTER_REPORT"),
    ({"date_opened": "32012025"}, "BAD_TYPE"),
    ({"date_last_payment": "01072026"}, "FUTURE_DATE"),
    ({"current_balance": "12x"}, "BAD_TYPE"),
    ({"overdue_amount": "5-"}, "BAD_TYPE"),
    ({"account_type": "A1"}, "BAD_PATTERN"),
    ({"sanctioned_amount": ""}, "MISSING_VALUE"),
]
SOUND: list[dict[str, str]] = [
    {},
    {**PAID, "date_closed": "01062026"},
    {"current_balance": "500-", "overdue_amount": "0", "days_past_due": "0"},
    {"days_past_due": "91", "asset_classification": "02"},
    {"date_closed": "01062026", "written_off_amount": "145000"},
]


@pytest.fixture(scope="module")
def found() -> dict[int, list[Fault]]:
    """The faults of a file of all the accounts above, by row."""
    accounts = [*(changes for changes, _ in FAULTY), *SOUND]
    content = tudf(*(good(account_number=f"LN{i}", **c) for i, c in enumerate(accounts)))
    by_row: dict[int, list[Fault]] = {}
    for fault in faults_of(CONTRACT, Tudf(CONTRACT), content, business_date=DAY):
        by_row.setdefault(fault.row_number, []).append(fault)
    return by_row


@pytest.mark.parametrize("case", range(len(FAULTY)), ids=[code for _, code in FAULTY])
def test_each_fault_of_an_account_has_its_reason(case: int, found: dict[int, list[Fault]]) -> None:
    assert [f.reason_code for f in found[case + 1]] == [FAULTY[case][1]]


def test_a_sound_account_has_no_fault(found: dict[int, list[Fault]]) -> None:
    assert set(found) == set(range(1, len(FAULTY) + 1))


def test_a_person_is_checked_too() -> None:
    bad = {"name_1": "ASHA", "date_of_birth": "31131990", "gender": "9"}
    subject = Subject(person=[("PN", bad), *PERSON[1:]])
    found = faults_of(CONTRACT, Tudf(CONTRACT), tudf(subject), business_date=DAY)
    assert [(f.column, f.reason_code) for f in found] == [
        ("date_of_birth", "BAD_PATTERN"),
        ("gender", "NOT_IN_LIST"),
    ]
