"""Each way in which a consent or a fetch may break the rules has its reason code, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from paymentor_assets.ingestion import checks
from paymentor_assets.ingestion.consents.artefacts import reject_unlawful_consents
from paymentor_assets.ingestion.consents.fetches import reject_unconsented
from paymentor_assets.ingestion.consents.rules import load_fair_use
from paymentor_assets.ingestion.contracts.tables import raw_tables
from resources.duck import connect
from tests.support.consents import consent_facts, consent_row

FETCHED = datetime.fromisoformat("2026-06-20T10:00:00")
DAY = date(2026, 6, 21)
PERIODIC = {
    "fetch_type": "PERIODIC",
    "purpose_code": "104",
    "consent_expiry_utc": datetime.fromisoformat("2028-06-07"),
    "data_range_from_utc": datetime.fromisoformat("2026-01-07"),
    "data_range_to_utc": datetime.fromisoformat("2028-06-07"),
    "frequency_unit": "MONTH",
    "frequency_value": 5,
}
COLLECTIONS = PERIODIC | {
    "consent_types": "SUMMARY",
    "data_range_from_utc": datetime.fromisoformat("2026-06-06"),
    "frequency_unit": "DAY",
    "frequency_value": 1,
}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as made:
        made.execute(checks.FAULTS_DDL)
        made.execute(
            "CREATE TEMP TABLE files AS SELECT 0 AS file_index, 'f' AS name, "
            "TIMESTAMP '2026-06-21 20:00:00' AS known_at"
        )
        yield made


def stage(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]], to: str) -> None:
    """Rows as the contract's typed table, all of them clean."""
    schema = raw_tables()[table].schema
    places = [
        pa.field("file_index", pa.int32()),
        pa.field("row_number", pa.int64()),
        pa.field("line_number", pa.int64()),
        pa.field("is_clean", pa.bool_()),
    ]
    staged = [
        {"file_index": 0, "row_number": i, "line_number": i, "is_clean": True} | row
        for i, row in enumerate(rows, 1)
    ]
    con.register("given", pa.Table.from_pylist(staged, schema=pa.schema([*places, *schema])))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {to} AS SELECT * FROM given")
    con.unregister("given")


def account(**changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "consent_id": "CO1",
        "customer_id": "C1",
        "link_ref_number": "L1",
        "fi_type": "DEPOSIT",
        "fetched_at_utc": FETCHED,
        "holder_name_token": "nm1_x",
    }
    return row | changes


def codes(
    con: duckdb.DuckDBPyConnection,
    consents: list[dict[str, Any]],
    accounts: list[dict[str, Any]],
    *,
    earlier: list[datetime] | None = None,
    transacted: str | None = "2026-06-05",
) -> list[str | None]:
    """The reason code of each account, each of which has one transaction on `transacted`."""
    stage(con, "raw.aa_accounts", accounts, "typed_0")
    lines = [
        {
            "row_number": 100 + i,
            "line_number": i,
            "transacted_at_utc": datetime.fromisoformat(transacted),
        }
        for i in range(1, len(accounts) + 1)
        if transacted
    ]
    stage(con, "raw.aa_transactions", lines, "typed_1")
    con.execute("CREATE OR REPLACE TEMP TABLE fields_1 AS FROM typed_1")
    fetches = [
        {"consent_id": "CO1", "link_ref_number": "L1", "fetched_at_utc": at} for at in earlier or []
    ]
    consent_facts(consents, fetches).register(con)
    con.execute("DELETE FROM faults")
    reject_unconsented(con, zone="Asia/Kolkata")
    found = dict(con.execute("SELECT row_number, reason_code FROM faults").fetchall())
    assert all("'" not in s for (s,) in con.execute("SELECT sentence FROM faults").fetchall())
    return [found.get(i) for i in range(1, len(accounts) + 1)]


@pytest.mark.parametrize(
    ("consent", "payload", "transacted", "code"),
    [
        ({}, {}, "2026-06-05", None),
        ({}, {"customer_id": "C2"}, "2026-06-05", "UNKNOWN_CONSENT"),
        ({"_known_at": datetime(2026, 6, 22)}, {}, "2026-06-05", "UNKNOWN_CONSENT"),  # noqa: DTZ001
        ({"status": "PAUSED"}, {}, "2026-06-05", "CONSENT_NOT_ACTIVE"),
        ({"status": "REVOKED"}, {}, "2026-06-05", "CONSENT_NOT_ACTIVE"),
        ({"created_at_utc": FETCHED + timedelta(1)}, {}, "2026-06-05", "CONSENT_NOT_ACTIVE"),
        ({"consent_expiry_utc": FETCHED - timedelta(1)}, {}, "2026-06-05", "CONSENT_EXPIRED"),
        ({"consent_start_utc": FETCHED + timedelta(1)}, {}, "2026-06-05", "CONSENT_EXPIRED"),
        ({"purpose_code": "199"}, {}, "2026-06-05", "UNKNOWN_PURPOSE"),
        ({}, {"fi_type": "TERM_DEPOSIT"}, "2026-06-05", "FI_TYPE_NOT_COVERED"),
        ({"fi_types": "SIP;TERM_DEPOSIT"}, {"fi_type": "TERM_DEPOSIT"}, "2026-06-05", None),
        ({"consent_types": "PROFILE;SUMMARY"}, {}, "2026-06-05", "CONSENT_TYPE_NOT_COVERED"),
        ({"consent_types": "PROFILE;SUMMARY"}, {}, None, None),
        ({"consent_types": "SUMMARY"}, {}, None, "CONSENT_TYPE_NOT_COVERED"),
        ({"consent_types": "SUMMARY"}, {"holder_name_token": None}, None, None),
        ({"consent_types": "PROFILE;TRANSACTIONS"}, {}, None, "CONSENT_TYPE_NOT_COVERED"),
        ({}, {}, "2025-06-06", "OUTSIDE_DATA_RANGE"),
        ({}, {}, "2026-06-08", "OUTSIDE_DATA_RANGE"),
    ],
)
def test_a_payload_needs_a_consent_that_covers_it(
    con: duckdb.DuckDBPyConnection,
    consent: dict[str, Any],
    payload: dict[str, Any],
    transacted: str | None,
    code: str | None,
) -> None:
    assert codes(con, [consent_row(**consent)], [account(**payload)], transacted=transacted) == [
        code
    ]


def test_a_revocation_is_final_whatever_is_heard_later(con: duckdb.DuckDBPyConnection) -> None:
    revoked = consent_row(status="REVOKED", created_at_utc=FETCHED - timedelta(3))
    active = consent_row(created_at_utc=FETCHED - timedelta(2))
    assert codes(con, [consent_row(), revoked, active], [account()]) == ["CONSENT_NOT_ACTIVE"]


def test_a_consent_revoked_after_the_fetch_was_active_then(con: duckdb.DuckDBPyConnection) -> None:
    revoked = consent_row(status="REVOKED", created_at_utc=FETCHED + timedelta(1))
    assert codes(con, [consent_row(), revoked], [account()]) == [None]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("terms", "earlier", "fetched", "expected"),
    [
        # One-time means once, whenever the first was.
        ({}, ["2026-06-08"], ["2026-06-20"], ["FREQUENCY_EXCEEDED"]),
        ({}, [], ["2026-06-19", "2026-06-20"], [None, "FREQUENCY_EXCEEDED"]),
        # The same fetch delivered again is no second fetch.
        ({}, ["2026-06-20"], ["2026-06-20"], [None]),
        # Five a calendar month: the month before does not count.
        (PERIODIC, [f"2026-06-0{d}" for d in range(1, 6)], ["2026-06-20"], ["FREQUENCY_EXCEEDED"]),
        (PERIODIC, [f"2026-06-0{d}" for d in range(1, 5)], ["2026-06-20"], [None]),
        (PERIODIC, [f"2026-05-2{d}" for d in range(1, 6)], ["2026-06-20"], [None]),
        # The month begins at midnight in the lender's zone: 31 May 18:30 UTC is June there.
        (
            PERIODIC | {"frequency_value": 1},
            ["2026-05-31T18:30:00"],
            ["2026-06-20"],
            ["FREQUENCY_EXCEEDED"],
        ),
        (PERIODIC | {"frequency_value": 1}, ["2026-05-31T18:29:59"], ["2026-06-20"], [None]),
        # An unlimited artefact is still held to the ceiling of its template, 5 a month.
        (
            PERIODIC | {"frequency_unit": "INF", "frequency_value": 0},
            [f"2026-06-0{d}" for d in range(1, 6)],
            ["2026-06-20"],
            ["FREQUENCY_EXCEEDED"],
        ),
        (
            PERIODIC | {"frequency_unit": "HOUR", "frequency_value": 1},
            [],
            ["2026-06-20T10:00", "2026-06-20T10:29", "2026-06-20T10:31"],
            [None, "FREQUENCY_EXCEEDED", None],
        ),
    ],
)
def test_frequency_is_counted_a_calendar_unit(
    con: duckdb.DuckDBPyConnection,
    terms: dict[str, Any],
    earlier: list[str],
    fetched: list[str],
    expected: list[str | None],
) -> None:
    accounts = [account(fetched_at_utc=at(text)) for text in fetched]
    long = {"created_at_utc": at("2026-01-01"), "consent_start_utc": at("2026-01-01")}
    consents = [consent_row(**(terms | long))]
    found = codes(con, consents, accounts, earlier=[at(t) for t in earlier], transacted=None)
    assert found == expected


def test_fetches_of_an_earlier_piece_of_the_run_count(con: duckdb.DuckDBPyConnection) -> None:
    assert codes(con, [consent_row()], [account()]) == [None]
    again = account(fetched_at_utc=FETCHED + timedelta(hours=1))
    assert codes(con, [consent_row()], [again]) == ["FREQUENCY_EXCEEDED"]


@pytest.mark.parametrize(
    ("terms", "column"),
    [
        ({}, None),
        (PERIODIC, None),
        (COLLECTIONS, None),
        (COLLECTIONS | {"consent_template": "CT035"}, None),
        ({"purpose_code": "999"}, "purpose_code"),
        ({"consent_expiry_utc": at("2026-07-09")}, "consent_expiry_utc"),
        ({"consent_expiry_utc": at("2026-07-08")}, None),
        (PERIODIC | {"consent_expiry_utc": at("2031-06-12")}, "consent_expiry_utc"),
        (COLLECTIONS | {"consent_expiry_utc": at("2034-06-07")}, None),
        ({"data_range_from_utc": at("2025-03-01")}, "data_range_from_utc"),
        (PERIODIC | {"data_range_from_utc": at("2025-11-01")}, "data_range_from_utc"),
        (COLLECTIONS | {"data_range_from_utc": at("2026-06-05")}, "data_range_from_utc"),
        ({"data_life_unit": "MONTH", "data_life_value": 2}, "data_life_value"),
        ({"data_life_unit": "DAY", "data_life_value": 31}, None),
        ({"data_life_unit": "INF", "data_life_value": 0}, "data_life_value"),
        (PERIODIC | {"frequency_value": 6}, "frequency_value"),
        (PERIODIC | {"frequency_unit": "DAY", "frequency_value": 1}, "frequency_value"),
        (PERIODIC | {"frequency_unit": "INF", "frequency_value": 0}, "frequency_value"),
        (COLLECTIONS | {"frequency_value": 2}, "frequency_value"),
        (COLLECTIONS | {"fi_types": "DEPOSIT;SIP"}, "fi_types"),
        (PERIODIC | {"consent_template": "CT035"}, "consent_types"),
        (PERIODIC | {"consent_template": "CT001"}, "fi_types"),
        # Recovery agents may keep data for three months, which the general rule does not allow.
        (
            PERIODIC
            | {
                "consent_template": "CT042",
                "consent_expiry_utc": at("2027-06-07"),
                "data_life_unit": "MONTH",
                "data_life_value": 3,
                "frequency_value": 1,
            },
            None,
        ),
        ({"status": "REVOKED", "data_life_unit": "INF", "data_life_value": 0}, None),
    ],
)
def test_an_artefact_beyond_its_template_is_refused(
    con: duckdb.DuckDBPyConnection, terms: dict[str, Any], column: str | None
) -> None:
    row = consent_row(data_life_unit="MONTH", data_life_value=1) | terms
    del row["_known_at"]
    stage(con, "raw.aa_consents", [row], "typed_0")
    reject_unlawful_consents(con)
    found = con.execute("SELECT column_name, reason_code, sentence FROM faults").fetchall()
    if column is None:
        assert found == []
    else:
        code = "UNKNOWN_PURPOSE" if column == "purpose_code" else "CEILING_EXCEEDED"
        assert (column, code) in [fault[:2] for fault in found]
        assert all(sentence.startswith("f, row 1, column ") for _, _, sentence in found)


def test_every_ceiling_is_of_a_known_purpose() -> None:
    rules = load_fair_use()
    assert {c.purpose for c in rules.ceilings} == set(rules.purposes)
    table = rules.table().select(["template", "purpose_code", "fetch_type", "fi_type"])
    assert table.group_by(table.column_names).aggregate([]).num_rows == table.num_rows
