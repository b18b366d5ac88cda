"""Change logs of AWS DMS: full loads and changes, CSV with and without names, Parquet."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.change_log import ChangeLog
from resources.errors import ContractError, RejectedFile
from tests.support.parsing import Parsed, parse

LOAD, CHANGES = "LOAD00000001.csv", "20260101-120000123.csv"
COMMITTED = "2026-01-01 12:00:00.000123"


def feed(**changes: Any) -> FeedContract:
    """A change log of accounts with a name and a balance."""
    names = ["op", "committed_at_utc", "change_number", "account_id", "full_name", "balance"]
    columns = [
        {
            "name": name,
            "type": "text",
            "description": "Example.",
            "delivered_as": {"op": "Op", "committed_at_utc": "committed_at"}.get(name),
        }
        for name in names
    ]
    record = {
        "table": "raw.example",
        "description": "Example.",
        "key": ["account_id"],
        "columns": columns,
    }
    content = {
        "feed": "example",
        "description": "Example.",
        "format": "change_log",
        "records": [record],
    }
    return FeedContract.model_validate(content | changes)


def read(content: bytes | str, name: str = CHANGES) -> Parsed:
    """One file through the parser."""
    content = content.encode() if isinstance(content, str) else content
    return parse(ChangeLog(feed()), content, names=[name])


def changes(parsed: Parsed) -> list[tuple[str | None, ...]]:
    """The columns of each row, in the contract's order."""
    names = ["op", "committed_at_utc", "change_number", "account_id", "full_name", "balance"]
    return [tuple(row[name] for name in names) for row in parsed.rows[0]]


def as_parquet(columns: dict[str, Any]) -> bytes:
    """Columns as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


NAMED = f'Op,committed_at,account_id,full_name,balance\nU,{COMMITTED},A1,"Asha, B.",5\n'
EXPECTED = [("U", COMMITTED + "Z", "1", "A1", "Asha, B.", "5")]


@pytest.mark.parametrize(
    "content",
    [
        NAMED,
        "\ufeff" + NAMED,
        f'account_id,balance,committed_at,full_name,Op\nA1,5,{COMMITTED},"Asha, B.",U\n',
        f'U,{COMMITTED},A1,"Asha, B.",5\n',
        f'\ufeffU,{COMMITTED},A1,"Asha, B.",5\n',
        f'U,A1,"Asha, B.",5,{COMMITTED}\n',
        as_parquet(
            {
                "Op": ["U"],
                "committed_at": [COMMITTED],
                "account_id": ["A1"],
                "full_name": ["Asha, B."],
                "balance": [5],
            }
        ),
    ],
)
def test_changes_are_read_however_they_are_written(content: str | bytes) -> None:
    assert changes(read(content)) == EXPECTED


@pytest.mark.parametrize(
    "content",
    [
        f"committed_at,account_id,full_name,balance\n{COMMITTED},A1,Asha,5\n",
        f"{COMMITTED},A1,Asha,5\n",
        f"A1,Asha,5,{COMMITTED}\n",
        f"I,{COMMITTED},A1,Asha,5\n",
        as_parquet(
            {
                "committed_at": [COMMITTED],
                "account_id": ["A1"],
                "full_name": ["Asha"],
                "balance": [5],
            }
        ),
    ],
)
def test_a_full_load_may_leave_out_that_all_its_rows_are_inserts(content: str | bytes) -> None:
    parsed = read(content, f"20260101/{LOAD}")
    assert changes(parsed) == [("I", COMMITTED + "Z", "1", "A1", "Asha", "5")]
    is_insert = isinstance(content, str) and content.startswith("I,")
    if not is_insert:
        with pytest.raises(RejectedFile, match=r"missing 'Op'|neither"):
            read(content, CHANGES)


def test_a_deletion_keeps_its_key_and_null_is_no_value() -> None:
    rows = changes(
        read(
            f"I,{COMMITTED},A1,Asha,5\nD,{COMMITTED},A1,NULL,NULL\nD,{COMMITTED},A1,,\n"
            f"U,2026-01-01T12:00:00+05:30,A1,x,1\n"
        )
    )
    assert rows[1:3] == [
        ("D", COMMITTED + "Z", "2", "A1", None, None),
        ("D", COMMITTED + "Z", "3", "A1", None, None),
    ]
    assert rows[3][1] == "2026-01-01T12:00:00+05:30"


def test_faulty_rows_keep_their_place_and_their_bytes() -> None:
    content = b"I,%s,A1,Asha,5\nI,%s,A2\nI,%s,A3,\xff,5\n" % ((COMMITTED.encode(),) * 3)
    parsed = read(content)
    assert [(r["parse_error"], r["column_count"]) for r in parsed.rows[0]] == [
        (None, 5),
        ("WRONG_COLUMN_COUNT", 3),
        ("NOT_UTF8", 5),
    ]
    assert parsed.row(0, 3)["fault_column"] == "full_name"
    assert parsed.originals[0][0, 3].rstrip() == content.splitlines()[2]


def test_csv_and_parquet_may_stand_in_one_batch() -> None:
    columns = {"Op": ["D"], "committed_at": [COMMITTED], "account_id": ["A9"]}
    empty = {"full_name": [None], "balance": [None]}
    parser = ChangeLog(feed())
    parsed = parse(parser, as_parquet(columns | empty), NAMED.encode(), names=["a", "b"])
    assert changes(parsed) == [("D", COMMITTED + "Z", "1", "A9", None, None), *EXPECTED]
    assert json.loads(parsed.originals[0][0, 1])["account_id"] == "A9"
    assert parsed.originals[0][1, 1] == NAMED.encode().splitlines()[1]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", "EMPTY_FILE", "begins with no row"),
        ("\n\n", "EMPTY_FILE", "begins with no row"),
        (NAMED.replace("balance", "balnce"), "HEADER_MISMATCH", "missing 'balance'; extra"),
        (f"X,{COMMITTED},A1,Asha,5\n", "HEADER_MISMATCH", "neither"),
        ("I,A1,Asha,5,soon\n", "HEADER_MISMATCH", "neither"),
        (f"I,{COMMITTED},A1,Asha,5,6\n", "HEADER_MISMATCH", "neither"),
        (f"{COMMITTED},A1,Asha,5\n", "HEADER_MISMATCH", "neither"),
        (f"I,{COMMITTED},A1,Asha,5\nU,{COMMITTED},A1", "TRUNCATED_FILE", "after 3 of 5"),
        (f'I,{COMMITTED},A1,Asha,5\nU,{COMMITTED},"A1', "TRUNCATED_FILE", "never closed"),
        ("x" * 200_000, "HEADER_MISMATCH", "neither"),
        (b"PAR1 and more", "UNREADABLE", "as Parquet"),
        (as_parquet({"Op": ["I"]}), "HEADER_MISMATCH", "missing 'committed_at'"),
    ],
)
def test_a_file_that_is_no_change_log_is_refused(
    content: str | bytes, code: str, words: str
) -> None:
    with pytest.raises(RejectedFile, match=words) as refused:
        read(content)
    assert refused.value.reason_code == code


def test_a_file_of_names_only_has_no_changes() -> None:
    assert read(NAMED.splitlines(keepends=True)[0]).rows[0] == []


def test_the_contract_must_say_what_every_change_has() -> None:
    contract = load_feeds()["payments"]
    with pytest.raises(ContractError, match="change_number"):
        ChangeLog(contract)
    ChangeLog(load_feeds()["portfolio_changes"])
