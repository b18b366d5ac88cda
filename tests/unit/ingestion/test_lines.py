"""Records are those that `csv.reader` finds, wherever the blocks of a file happen to end."""

from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract, RecordContract
from paymentor_assets.ingestion.parsers import lines
from paymentor_assets.ingestion.parsers.delimited import Delimited
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, RecordReader
from resources.duck import connect
from resources.errors import RejectedFile

COLUMNS = ("a", "b", "c")
CONTRACT = FeedContract(
    feed="letters",
    description="Three columns.",
    format="delimited",
    records=(
        RecordContract(
            table="raw.letters",
            description="Three columns.",
            key=("a",),
            columns=tuple(
                ColumnContract(name=n, type="text", description="A letter.") for n in COLUMNS
            ),
        ),
    ),
)


#: Has read the header of the file whose records are split.
PARSER = Delimited(CONTRACT)
list(PARSER.read(Source(io.BytesIO(b"a,b,c\n"), 0, "letters.csv", Path())))


def read(data: bytes, delimiter: str | None = ",") -> tuple[RecordReader, pa.Table]:
    reader = RecordReader(io.BytesIO(data), 0, "letters.csv", delimiter)
    return reader, pa.Table.from_batches(list(reader.records()), RECORD_SCHEMA)


@cache
def scratch() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


def fields(records: pa.Table) -> list[list[str | None]]:
    """What the SQL of the delimited parser makes of records, without padding and blanks."""
    con = scratch()
    con.register("records", records)
    PARSER.stage(con)
    found = con.execute(
        "SELECT column_count, is_utf8, a, b, c FROM fields_0 JOIN records "
        "USING (file_index, row_number) ORDER BY row_number"
    ).fetchall()
    return [list(row) for row in found]


def reference(data: bytes) -> list[list[str]] | None:
    """Rows of an independent reader: `csv.reader` over lines; None when a quote stays open."""
    text = [line.decode(errors="replace").rstrip("\r\n") for line in data.split(b"\n")]
    ends = [line + "\n" for line in text[:-1]] + [text[-1]]
    spare = "\ue00d"
    last = ends[-1:] if ends[-1] else []
    source = [line.replace("\r", spare) for line in ends[:-1] + last]
    # A sentinel that only an open quote can swallow.
    rows = list(csv.reader([*source, *([] if not last else ["\n"]), "sentinel"]))
    if rows[-1] != ["sentinel"]:
        return None
    return [[f.replace(spare, "\r") for f in row] for row in rows[:-1] if row]


PIECES = [b"a", b"b", b",", b",", b"\n", b'"', b'"', b" ", b"\r\n", b"\r", b"\xff", b"\xc3\xa9"]
BYTES = st.lists(st.sampled_from([*PIECES, b"\0"]), max_size=40).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(data=BYTES, block=st.integers(1, 50))
@example(data=b'1,"x\ny\r\nz",3\n5" pipe,2,3\n"ab"c,d,e', block=5)
@example(data=b'"a\n', block=3)
@example(data=b"\n\n\r\n", block=1)
def test_records_are_those_of_the_reference_reader(data: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        expected = reference(data)
        if expected is None:
            with pytest.raises(RejectedFile) as error:
                read(data)
            assert error.value.reason_code == "TRUNCATED_FILE"
            return
        reader, records = read(data)
    assert reader.rows == records.num_rows == len(expected)
    assert records.column("row_number").to_pylist() == list(range(1, len(expected) + 1))
    for row, found in zip(expected, fields(records), strict=True):
        count, is_utf8, *values = found
        assert count == len(row)
        if is_utf8 and count == len(COLUMNS):
            assert values == [v.strip(" ") or None for v in row]


@settings(max_examples=150, deadline=None)
@given(data=BYTES, block=st.integers(1, 50))
def test_no_byte_of_a_record_is_lost(data: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        _, records = read(data, delimiter=None)
    originals = [
        original if original is not None else record.encode()
        for record, original in zip(
            records.column("record").to_pylist(),
            records.column("original").to_pylist(),
            strict=True,
        )
    ]
    kept = [line.rstrip(b"\r\n") for line in originals]
    assert kept == [line.rstrip(b"\r") for line in data.split(b"\n") if line.rstrip(b"\r")]


@pytest.mark.parametrize(
    "content",
    [
        b'a,b,c\n1,"2,3\n' + b"x,y,z\n" * 10_000,
        b"a,b,c\n1,2," + b"3" * 5000,
        b"a,b,c\n1,2," + b"3" * 5000 + b"\n",
        b'a,b,c\n1,2,"' + b"3\n" * 2500 + b'"\n4,5,6\n',
    ],
    ids=["open quote", "no line end", "in one block", "many lines"],
)
@pytest.mark.parametrize("block", [1024, 1 << 20])
def test_a_row_that_is_too_long_is_found_wherever_blocks_end(
    monkeypatch: pytest.MonkeyPatch, content: bytes, block: int
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", block)
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 4096)
    with pytest.raises(RejectedFile, match=r"after row [12] ") as error:
        read(content)
    assert error.value.reason_code == "RECORD_TOO_LONG"


def test_a_first_line_without_end_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 4096)
    stream = io.BytesIO(b"a" * 1_000_000)
    with pytest.raises(RejectedFile, match="longer than") as error:
        RecordReader(stream, 0, "x.csv", ",").header()
    assert error.value.reason_code == "HEADER_MISMATCH" and stream.tell() < 10_000


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a,b," + b"x" * 200_000 + b"\n1,2,3\n", "HEADER_MISMATCH"),
        (b"a,b,c\n1,2," + b"x" * 200_000, None),
        (b'a,b,c\n1,2,y"' + b"x" * 200_000 + b"\n", None),
    ],
    ids=["header", "last row", "irregular row"],
)
def test_a_long_field_is_no_fault_of_ours(content: bytes, code: str | None) -> None:
    """Longer than what csv.reader takes unless it is told to."""
    parser = Delimited(CONTRACT)
    source = Source(io.BytesIO(content), 0, "letters.csv", Path())
    if code is None:
        assert [batch["records"].num_rows for batch in parser.read(source)] == [1]
        return
    with pytest.raises(RejectedFile) as error:
        list(parser.read(source))
    assert error.value.reason_code == code


def test_the_header_is_taken_off_first() -> None:
    reader = RecordReader(io.BytesIO(b"\xef\xbb\xbfa,b\r\n1,2\n"), 0, "x.csv", ",")
    assert reader.header() == b"a,b"
    assert [b.num_rows for b in reader.records()] == [1]
    assert reader.is_terminated
