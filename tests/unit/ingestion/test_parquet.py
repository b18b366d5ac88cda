"""Parquet: every type as text the contract reads, and files that are not what they say."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers import parquet_file
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.parquet import Parquet
from resources.errors import RejectedFile
from tests.support.parsing import parse

COLUMNS = {
    "account_id": "text",
    "opened_date": "date",
    "paid_at_utc": "timestamp",
    "amount": "decimal",
    "count": "integer",
    "rate": "double",
    "is_open": "boolean",
}
KOLKATA = timezone(timedelta(hours=5, minutes=30))


def feed(columns: dict[str, str] | None = None) -> FeedContract:
    """A Parquet feed of these columns; `account_id` is delivered as `Account`."""
    return FeedContract.model_validate(
        {
            "feed": "example",
            "description": "Example.",
            "format": "parquet",
            "records": [
                {
                    "table": "raw.example",
                    "description": "Example.",
                    "key": ["account_id"],
                    "columns": [
                        {
                            "name": name,
                            "type": kind,
                            "description": "Example.",
                            "delivered_as": "Account" if name == "account_id" else None,
                        }
                        for name, kind in (columns or COLUMNS).items()
                    ],
                }
            ],
        }
    )


def as_parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """Columns as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def sound(count: int = 3, **changes: Any) -> dict[str, Any]:
    """Columns of `count` sound rows."""
    return {
        "Account": [f"A{i}" for i in range(count)],
        "opened_date": pa.array([date(2025, 1, 15)] * count),
        "paid_at_utc": pa.array([datetime(2026, 6, 30, 8, 30, tzinfo=UTC)] * count),
        "amount": pa.array([Decimal("5000.50")] * count),
        "count": pa.array(range(count), pa.int32()),
        "rate": [0.18] * count,
        "is_open": [True] * count,
    } | changes


def source(content: bytes) -> Source:
    """Those bytes as a parser sees them."""
    return Source(io.BytesIO(content), 0, "file_0", Path(gettempdir()))


def test_typed_columns_become_the_forms_of_the_contract() -> None:
    parsed = parse(Parquet(feed()), as_parquet(sound(2)), as_parquet(sound(1)))
    assert [(r["file_index"], r["row_number"]) for r in parsed.rows[0]] == [(0, 1), (0, 2), (1, 1)]
    assert {k: v for k, v in parsed.rows[0][1].items() if k in COLUMNS} == {
        "account_id": "A1",
        "opened_date": "2025-01-15",
        "paid_at_utc": "2026-06-30 08:30:00.000000Z",
        "amount": "5000.50",
        "count": "1",
        "rate": "0.18",
        "is_open": "true",
    }
    assert {r["parse_error"] for r in parsed.rows[0]} == {None}


@pytest.mark.parametrize(
    ("column", "values", "texts"),
    [
        ("account_id", pa.array([" A1 ", "", None]), ["A1", None, None]),
        ("account_id", pa.array([b"A1", "नमस्ते".encode()]), ["A1", "नमस्ते"]),
        ("account_id", pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        ("amount", pa.array([Decimal(0), Decimal("12.5")], pa.decimal128(38, 18)), None),
        ("amount", pa.array([Decimal("0.0000000001")], pa.decimal128(38, 10)), ["1E-10"]),
        ("amount", pa.array([5000.0, None]), ["5000", None]),
        ("count", pa.array([None, None], pa.null()), [None, None]),
        ("opened_date", pa.array([datetime(2025, 1, 15)]), ["2025-01-15"]),  # noqa: DTZ001
        ("opened_date", pa.array([datetime(2025, 1, 15, 1)]), None),  # noqa: DTZ001
        ("paid_at_utc", pa.array([datetime(2026, 6, 30, 8, 30)]), None),  # noqa: DTZ001
        (
            "paid_at_utc",
            pa.array([datetime(2026, 6, 30, 14, tzinfo=KOLKATA)], pa.timestamp("ms", "+05:30")),
            ["2026-06-30 08:30:00.000Z"],
        ),
    ],
)
def test_every_type_has_one_text(column: str, values: pa.Array, texts: list[str] | None) -> None:
    content = sound(len(values))
    content["Account" if column == "account_id" else column] = values
    found = [r[column] for r in parse(Parquet(feed()), as_parquet(content)).rows[0]]
    if texts is None:
        texts = {
            "amount": ["0.000000", "12.500000"],
            "opened_date": ["2025-01-15 01:00:00.000000"],
            "paid_at_utc": ["2026-06-30 08:30:00.000000"],
        }[column]
    assert found == texts


def test_stamps_of_hive_and_spark_are_instants() -> None:
    values = pa.array([datetime(2026, 6, 30, 8, 30)], pa.timestamp("ns"))  # noqa: DTZ001
    content = as_parquet(sound(1, paid_at_utc=values), use_deprecated_int96_timestamps=True)
    (row,) = parse(Parquet(feed()), content).rows[0]
    assert row["paid_at_utc"] == "2026-06-30 08:30:00.000000000Z"


def test_text_that_is_not_utf8_rejects_its_row_alone_and_keeps_its_bytes() -> None:
    names = pa.array([b"A1", b"A\xff2", b"A3"])
    parsed = parse(Parquet(feed()), as_parquet(sound(3, Account=names)))
    assert [(r["parse_error"], r["fault_column"]) for r in parsed.rows[0]] == [
        (None, None),
        ("NOT_UTF8", "account_id"),
        (None, None),
    ]
    assert json.loads(parsed.originals[0][0, 2])["Account"] == "A\\xff2"
    assert json.loads(parsed.originals[0][0, 3]) == {
        "Account": "A3",
        "opened_date": "2025-01-15",
        "paid_at_utc": "2026-06-30 08:30:00.000000Z",
        "amount": "5000.50",
        "count": "2",
        "rate": "0.18",
        "is_open": "true",
    }


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "EMPTY_FILE", "no byte"),
        (b"account_id,amount\nA1,5\n", "UNREADABLE", "cannot be read as Parquet"),
        (as_parquet(sound())[:-9], "UNREADABLE", "deliver the file again"),
        (as_parquet(sound())[:300], "UNREADABLE", "deliver the file again"),
        (
            as_parquet({k: v for k, v in sound().items() if k != "amount"} | {"more": [1] * 3}),
            "HEADER_MISMATCH",
            "missing 'amount'; extra 'more'",
        ),
        (as_parquet(sound(rate=[[0.1]] * 3)), "HEADER_MISMATCH", "no single value"),
        (as_parquet(sound(rate=[{"a": 1}] * 3)), "HEADER_MISMATCH", "no single value"),
        (as_parquet(sound(Account=["A", "B" * (5 << 20), "C"])), "RECORD_TOO_LONG", "row 2"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(content: bytes, code: str, words: str) -> None:
    with pytest.raises(RejectedFile, match=words) as refused:
        parse(Parquet(feed()), content)
    assert refused.value.reason_code == code


def test_a_repeated_column_is_refused() -> None:
    table = pa.table(sound())
    table = table.append_column("rate", pa.array([0.1] * 3))
    out = io.BytesIO()
    pq.write_table(table, out)
    with pytest.raises(RejectedFile, match="repeated 'rate'"):
        parse(Parquet(feed()), out.getvalue())


def test_a_few_bytes_cannot_stand_for_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand times a megabyte, from a dictionary of one value."""
    monkeypatch.setattr(parquet_file, "_FREE_BYTES", 1 << 26)
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), ["B" * 1_000_000])
    content = as_parquet(sound(20_000, Account=long))
    assert len(content) < 1 << 19
    with pytest.raises(RejectedFile) as refused:
        for _ in Parquet(feed()).read(source(content)):
            pass
    assert refused.value.reason_code == "ARCHIVE_BOMB"


def test_rows_of_nothing_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "_FREE_BYTES", 1 << 20)
    content = as_parquet({name: pa.nulls(1_000_000) for name in sound()})
    assert len(content) < 1 << 14
    with pytest.raises(RejectedFile) as refused:
        parse(Parquet(feed()), content)
    assert refused.value.reason_code == "ARCHIVE_BOMB"


def test_a_row_group_that_would_not_fit_in_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_file, "_MAX_GROUP_BYTES", 10_000)
    assert len(parse(Parquet(feed()), as_parquet(sound(1000), row_group_size=100)).rows[0]) == 1000
    with pytest.raises(RejectedFile) as refused:
        parse(Parquet(feed()), as_parquet(sound(1000)))
    assert refused.value.reason_code == "ROW_GROUP_TOO_LARGE"


def test_long_text_comes_in_pieces_of_bounded_size() -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200, np.int32)), ["B" * 1_000_000])
    parser = Parquet(feed())
    batches = [b["cells"] for b in parser.read(source(as_parquet(sound(200, Account=texts))))]
    assert sum(b.num_rows for b in batches) == 200
    assert max(b.nbytes for b in batches) < 12 << 20
    numbers = [n for b in batches for n in b.column("row_number").to_pylist()]
    assert numbers == list(range(1, 201))
