"""The public Metro 2 samples parse to the values that their publishers state, and each fault that
is in them is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers.metro2 import Metro2
from resources.errors import RejectedFile
from tests.real_data.metro2_source import (
    account_of,
    directory,
    expected_account,
    expected_consumers,
    load,
    stated_totals,
)
from tests.support.contract_checks import faults_of
from tests.support.metro2_files import fixed, lines
from tests.support.parsing import Parsed, parse

CONTRACT = load_feeds()["bureau_metro2"]
#: Fields that hold less than some values of the JSON.
WIDTHS = {"identification_number": 20, "address_line_1": 32, "city": 20}


@pytest.fixture(scope="module")
def metro2_moov() -> Path:
    """The samples of moov-io/metro2."""
    return directory("metro2_moov", "packed_file.dat", "10k_record.json.gz")


@pytest.fixture(scope="module")
def metro2_cfpb() -> Path:
    """The parser test files of cfpb/Metro2."""
    return directory("metro2_cfpb", "m2_file_small.txt", "jan-2018.txt")


UNCHECKED = CONTRACT.model_copy(update={"trailer": "ignored"})


def read(content: bytes, trailer: str = "checked") -> Parsed:
    contract = CONTRACT.model_copy(update={"trailer": trailer})
    return parse(Metro2(contract), content, records=2)


def _agrees(row: Mapping[str, Any], expected: Mapping[str, str | None]) -> bool:
    """Every expected column, cut to what its field holds."""
    return all(
        row[name] == (value and value[: WIDTHS.get(name, 100)].strip())
        for name, value in expected.items()
        if name in row
    )


@pytest.mark.parametrize(
    "name", ["packed_file", "unpacked_fixed_file", "unpacked_variable_file", "base_segment"]
)
def test_moov_files_have_the_values_of_their_json(metro2_moov: Path, name: str) -> None:
    content = (metro2_moov / f"{name}.dat").read_bytes()
    expected = load(metro2_moov / f"{name}.json")
    records = expected.get("data") or [expected]
    if name == "base_segment":
        # A record without a file around it, its lines wrapped; as its publisher's tests read it.
        record = content.replace(b"\n", b"")[4:]
        content = lines().replace(b"\n", b"\n" + record + b"\n", 1)
    parsed = read(content, "ignored" if name == "base_segment" else "checked")
    assert len(parsed.rows[0]) == len(records) == 1
    found, wanted = parsed.rows[0][0], expected_account(records[0])
    assert {k: found[k] for k in wanted} == wanted
    consumers = expected_consumers(records[0])
    assert [{k: row[k] for k in c} for row, c in zip(parsed.rows[1], consumers, strict=True)] == (
        consumers
    )


@pytest.mark.parametrize("write", [lines, fixed])
def test_ten_thousand_records_of_moov(metro2_moov: Path, write: Any) -> None:
    data = load(metro2_moov / "10k_record.json.gz")
    records = data["data"]
    parsed = read(write(*map(account_of, records), trailer=stated_totals(data["trailer"])))
    assert not [r for r in parsed.rows[0] if r["parse_error"]]
    assert len(parsed.rows[0]) == len(records)
    assert all(map(_agrees, parsed.rows[0], map(expected_account, records)))
    consumers = [consumer for record in records for consumer in expected_consumers(record)]
    assert len(parsed.rows[1]) == len(consumers) == 1420
    assert all(map(_agrees, parsed.rows[1], consumers))
    numbers = sorted(r["row_number"] for rows in parsed.rows.values() for r in rows)
    assert numbers == list(range(1, len(numbers) + 1))


def test_faults_of_the_ten_thousand(metro2_moov: Path) -> None:
    """The sample leaves out amounts that its statuses need, and closing dates lie in 1970."""
    data = load(metro2_moov / "10k_record.json.gz")["data"]
    content = lines(*map(account_of, data))
    found = faults_of(CONTRACT, Metro2(CONTRACT), content, business_date=date(2023, 11, 30))
    counted = Counter((f.record, f.reason_code) for f in found)
    status = Counter(record["base"]["accountStatus"] for record in data)
    assert counted[0, "MISSING_CHARGE_OFF_AMOUNT"] == status["97"] + status["64"]
    assert counted[0, "DELINQUENT_WITHOUT_PAST_DUE"] == sum(
        status[code] for code in ("71", "78", "80", "97")
    )


def test_faults_of_the_moov_sample(metro2_moov: Path) -> None:
    content = (metro2_moov / "unpacked_fixed_file.dat").read_bytes()
    found = faults_of(CONTRACT, Metro2(CONTRACT), content, business_date=date(2020, 1, 31))
    assert {f.reason_code for f in found if f.record == 0} == {
        "PAID_WITH_BALANCE",
        "CLOSED_BEFORE_OPENED",
        "REPORTED_BEFORE_OPENED",
        "DELINQUENT_BEFORE_OPENED",
    }


@pytest.mark.parametrize("month", ["jan", "feb", "mar"])
def test_cfpb_months_have_no_trailer(metro2_cfpb: Path, month: str) -> None:
    content = (metro2_cfpb / f"{month}-2018.txt").read_bytes()
    with pytest.raises(RejectedFile) as raised:
        read(content)
    assert raised.value.reason_code == "TRUNCATED_FILE"
    parsed = read(content, "ignored")
    assert [r["account_number"] for r in parsed.rows[0]] == ["20150803333060", "20150803332591"]
    assert [(r["row_number"], r["line_number"]) for r in parsed.rows[1]] == [(3, 2)]
    late = {"jan": ("71", "01252018", "000000107"), "feb": ("11", None, "000000000")}
    status, since, past_due = late.get(month, late["feb"])
    first = parsed.rows[0][0]
    assert first["account_status"] == status
    assert first["date_first_delinquency"] == since
    assert first["amount_past_due"] == past_due


def test_cfpb_small_file(metro2_cfpb: Path) -> None:
    content = (metro2_cfpb / "m2_file_small.txt").read_bytes()
    with pytest.raises(RejectedFile, match="564618 base segments, and the file holds 3") as raised:
        read(content)
    assert raised.value.reason_code == "BAD_TRAILER"
    parsed = read(content, "ignored")
    assert [(r["row_number"], r["account_number"]) for r in parsed.rows[0]] == [
        (1, "ACCTNUMBER1"),
        (4, "ACCTNUMBER2"),
        (5, "ACCTNUMBER3"),
    ]
    assert [(r["row_number"], r["segment"]) for r in parsed.rows[1]] == [
        (2, "J1"),
        (3, "J1"),
        (6, "J2"),
    ]
    second, third = parsed.rows[0][1:]
    assert second["original_creditor_name"] == "ORIGNALCREDITORNAME"
    assert (second["purchased_sold_indicator"], second["purchased_sold_name"]) == (
        "2",
        "SOLDTONAME",
    )
    assert (third["change_indicator"], third["new_account_number"]) == ("2", "NEWACCTNUMBER")


def test_cfpb_file_with_an_error_loses_that_record_alone(metro2_cfpb: Path) -> None:
    content = (metro2_cfpb / "m2_file_small_with_error.txt").read_bytes()
    with pytest.raises(RejectedFile, match="564618 base segments, and the file holds 3"):
        read(content)
    parsed = read(content, "ignored")
    assert [r["parse_error"] for r in parsed.rows[0]] == [None, None, "UNKNOWN_SEGMENT"]
    assert parsed.originals[0][(0, 3)] == content.split(b"\n")[3]


@pytest.mark.parametrize("trailer", ["checked", "ignored"])
def test_cfpb_bad_header(metro2_cfpb: Path, trailer: str) -> None:
    content = (metro2_cfpb / "m2_file_bad_header.txt").read_bytes()
    with pytest.raises(RejectedFile, match="the activity date") as raised:
        read(content, trailer)
    assert raised.value.reason_code == "BAD_HEADER"


def test_cfpb_evaluator_portfolio_type_1(metro2_cfpb: Path) -> None:
    """The published evaluator over the CFPB's own file: its line of credit is of a right type."""
    content = (metro2_cfpb / "m2_file_small.txt").read_bytes()
    day = date(2023, 12, 31)
    found = faults_of(CONTRACT, Metro2(UNCHECKED), content, business_date=day)
    assert "PORTFOLIO_TYPE_MISMATCH" not in {f.reason_code for f in found}
    wrong = content.replace(b"C47", b"C18")
    found = faults_of(CONTRACT, Metro2(UNCHECKED), wrong, business_date=day)
    assert "PORTFOLIO_TYPE_MISMATCH" in {f.reason_code for f in found}
