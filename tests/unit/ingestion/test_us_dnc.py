"""The flat files of the US do-not-call registry."""

from __future__ import annotations

import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers.us_dnc import UsDnc
from resources.errors import ContractError, RejectedFile
from tests.support.parsing import parse


def test_a_list_is_a_phone_a_line() -> None:
    parsed = parse(UsDnc(load_feeds()["us_dnc_list"]), b"206,5550100\r\n305, 5550102\n")
    assert [(r["row_number"], r["area_code"], r["phone"]) for r in parsed.rows[0]] == [
        (1, "206", "+12065550100"),
        (2, "305", "+13055550102"),
    ]
    assert parsed.originals[0][0, 2] == b"305, 5550102"


def test_changes_name_day_and_code_in_either_order() -> None:
    content = b"206,5550100,2026-03-01,A\n206,5550101,D,2026-03-02T04:05:06\n"
    parsed = parse(UsDnc(load_feeds()["us_dnc_changes"]), content)
    assert [(r["phone"], r["changed_date"], r["change"]) for r in parsed.rows[0]] == [
        ("+12065550100", "2026-03-01", "A"),
        ("+12065550101", "2026-03-02T04:05:06", "D"),
    ]


@pytest.mark.parametrize(
    ("line", "error", "phone"),
    [
        (b"2065550100", "WRONG_COLUMN_COUNT", None),
        (b"206,5550100,A,2026-03-01", "WRONG_COLUMN_COUNT", None),
        (b"206,\xff550100", "NOT_UTF8", None),
        (b"206,555-0100", None, "206-555-0100"),
        (b"06,55501000", None, "06-55501000"),
        ("٢٠٦,5550100".encode(), None, "٢٠٦-5550100"),
        (b",", None, "-"),
    ],
)
def test_a_line_that_is_no_phone_is_one_faulty_row(
    line: bytes, error: str | None, phone: str | None
) -> None:
    parsed = parse(UsDnc(load_feeds()["us_dnc_list"]), b"206,5550100\n" + line + b"\n")
    row = parsed.row(0, 2)
    assert row["parse_error"] == error
    if error is None:
        assert row["phone"] == phone
    assert len(parsed.rows[0]) == 2


@pytest.mark.parametrize("ending", [b"206", b"206,", b"206,555"])
def test_a_list_that_stops_in_a_line_is_refused(ending: bytes) -> None:
    with pytest.raises(RejectedFile) as refused:
        parse(UsDnc(load_feeds()["us_dnc_list"]), b"206,5550100\n" + ending)
    assert refused.value.reason_code == "TRUNCATED_FILE"
    whole = parse(UsDnc(load_feeds()["us_dnc_list"]), b"206,5550100\n206,5550101")
    assert len(whole.rows[0]) == 2


def test_the_contract_must_have_the_columns_of_a_list() -> None:
    with pytest.raises(ContractError, match="area_code, phone"):
        UsDnc(load_feeds()["payments"])
