"""Change logs as AWS DMS writes them for one table: a full load, then files of changes.

Each row says what was done (`Op`: I, U or D), when the source committed it, and what the row then
held. Files are CSV or Parquet. Full loads are named LOAD… and may lack `Op`: all their rows are
inserts. CSV files may lack names (`AddColumnName` off), have `Op` first and the instant second or
last, and write NULL for no value.
Source: AWS DMS user guide, "Using Amazon S3 as a target" (`TimestampColumnName`,
`IncludeOpForFullLoad`, `AddColumnName`, `CsvNullValue`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import BinaryIO

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers import delimited, parquet
from paymentor_assets.ingestion.parsers.columns import require_columns
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.lines import (
    BOM,
    RECORD_SCHEMA,
    RecordReader,
    original_record,
)
from paymentor_assets.ingestion.parsers.parquet_file import MAGIC, cells_schema, opened
from resources.duck import quote
from resources.errors import ContractError, RejectedFile

#: Columns of every change log by the contract's names; the last one is the change's place in its
#: file, which tells apart two changes that were committed together.
OP, COMMITTED, NUMBER = "op", "committed_at_utc", "change_number"
_INSERT = "I"
_OPS = ("I", "U", "D")
_FULL_LOAD = "LOAD"
#: `yyyy-MM-dd HH:mm:ss.SSSSSS`, in UTC and without saying so.
_COMMITTED_FORM = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,9})?"
_NULL = "NULL"
#: Enough for the first record of any file that is a change log.
_PEEKED_BYTES = 1 << 20


class ChangeLog:
    """DMS files of one table; the contract lists `op`, `committed_at_utc`, `change_number` and the
    table's columns, in the order in which nameless files have them."""

    def __init__(self, contract: FeedContract) -> None:
        delivered = contract.records[0].delivered_columns
        if absent := {OP, COMMITTED, NUMBER} - {c.name for c in delivered}:
            raise ContractError(
                f"Feed {contract.feed} is a change log without columns {sorted(absent)}; add them."
            )
        self._contract = contract
        self._columns = [c for c in delivered if c.name != NUMBER]
        self._names = {c.delivered_as or c.name: c.name for c in self._columns}
        self._layouts: dict[int, tuple[str, ...]] = {}

    def tables(self) -> Mapping[str, pa.Schema]:
        """Records of CSV files, rows of Parquet files."""
        return {"records": RECORD_SCHEMA, "cells": cells_schema(self._columns)}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Rows of one file.

        Raises RejectedFile: EMPTY_FILE, HEADER_MISMATCH, TRUNCATED_FILE, UNREADABLE,
        RECORD_TOO_LONG, ROW_GROUP_TOO_LARGE or ARCHIVE_BOMB.
        """
        start, stream = _peeked(source.stream)
        source = replace(source, stream=stream)
        if start.startswith(MAGIC):
            with opened(source) as file:
                self._require_columns(source, file.names)
                self._layouts[source.file_index] = file.names
                for batch in file.batches(self._columns):
                    yield {"cells": batch}
        else:
            for batch in self._read_csv(source, start):
                yield {"records": batch}

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Table `fields_0` from tables `records` and `cells`."""
        names = list(self._names.values())
        nameless = [i for i, layout in self._layouts.items() if self._delivered(OP) not in layout]
        values = {
            OP: f"CASE WHEN file_index IN ({', '.join(map(str, nameless)) or 'NULL'}) "
            f"THEN {quote(_INSERT)} ELSE {OP} END",
            COMMITTED: f"CASE WHEN regexp_full_match({COMMITTED}, {quote(_COMMITTED_FORM)}) "
            f"THEN {COMMITTED} || 'Z' ELSE {COMMITTED} END",
        }
        replaced = ", ".join(f"{value} AS {name}" for name, value in values.items())
        files: dict[tuple[str, ...], list[int]] = {}
        for (index,) in con.execute("SELECT DISTINCT file_index FROM records").fetchall():
            files.setdefault(self._layouts[index], []).append(index)
        parts = [parquet.fields_sql(names)]
        for layout, indices in files.items():
            wanted = {delivered: self._names[delivered] for delivered in layout}
            split = delimited.fields_sql(layout, wanted, indices, self._contract.delimiter)
            found = ", ".join(f'nullif("{n}", {quote(_NULL)}) AS "{n}"' for n in wanted.values())
            parts.append(f"SELECT * REPLACE ({found}) FROM ({split})")
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE fields_0 AS
            SELECT * REPLACE ({replaced}), CAST(row_number AS VARCHAR) AS {NUMBER}
            FROM ({" UNION ALL BY NAME ".join(parts)})
            """
        )

    def original(self, index: int) -> tuple[str, str]:
        """The record's own bytes, or the row of a Parquet file as a JSON object."""
        record, records = original_record()
        row, cells = parquet.original_cells(self._columns, "p")
        return f"CASE WHEN p.row_number IS NULL THEN {record} ELSE {row} END", (
            f"LEFT {records} LEFT {cells}"
        )

    def _read_csv(self, source: Source, start: bytes) -> Iterator[pa.RecordBatch]:
        delimiter = self._contract.delimiter
        reader = RecordReader(source.stream, source.file_index, source.name, delimiter)
        layout, has_names = self._layout(source, start)
        self._layouts[source.file_index] = layout
        if has_names:
            reader.header()
        else:
            reader.skip_bom()
        yield from reader.records()
        delimited.check_ending(reader, len(layout), delimiter)

    def _layout(self, source: Source, start: bytes) -> tuple[tuple[str, ...], bool]:
        """The columns of a CSV file in its order, and whether its first line names them.

        A first line without names must show by its form which layout it has: `Op` and the instant
        stand where the layout says, and the number of columns is right.
        """
        found = self._first_record(source, start)
        if set(found) & set(self._names):
            self._require_columns(source, found)
            return tuple(found), True
        for layout in self._nameless_layouts(source):
            row = dict(zip(layout, found, strict=False))
            if (
                len(found) == len(layout)
                and row.get(self._delivered(OP), _INSERT) in _OPS
                and re.fullmatch(_COMMITTED_FORM, row[self._delivered(COMMITTED)])
            ):
                return layout, False
        raise RejectedFile(
            "HEADER_MISMATCH",
            f"{source.name}: the first line holds neither the {len(self._names)} column names of "
            f"feed {self._contract.feed} nor a change, which begins with {', '.join(_OPS)} (full "
            "loads may leave that out) and has the instant of its commit second or last; deliver "
            "it with column names.",
        )

    def _first_record(self, source: Source, start: bytes) -> list[str]:
        text = start.removeprefix(BOM).decode(errors="replace")
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=self._contract.delimiter)
        found = [value.strip() for value in next(lines, [])]
        if not any(found):
            raise RejectedFile(
                "EMPTY_FILE", f"{source.name} begins with no row; deliver it again, complete."
            )
        return found

    def _nameless_layouts(self, source: Source) -> Iterator[tuple[str, ...]]:
        op, committed = self._delivered(OP), self._delivered(COMMITTED)
        rest = [name for name in self._names if name not in (op, committed)]
        layouts = [tuple(self._names), (op, committed, *rest), (op, *rest, committed)]
        yield from layouts
        if _is_full_load(source):
            yield from (tuple(n for n in layout if n != op) for layout in layouts)

    def _require_columns(self, source: Source, found: Sequence[str]) -> None:
        expected = list(self._names)
        op = self._delivered(OP)
        if _is_full_load(source) and op not in found:
            expected.remove(op)
        require_columns(source.name, found, expected, self._contract.feed)

    def _delivered(self, name: str) -> str:
        return next(delivered for delivered, own in self._names.items() if own == name)


def _is_full_load(source: Source) -> bool:
    return PurePath(source.name).name.startswith(_FULL_LOAD)


class _Replayed(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start = start
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = len(buffer)
        block, self._start = self._start[:size], self._start[size:]
        block = block or self._stream.read(size)
        buffer[: len(block)] = block
        return len(block)


def _peeked(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The beginning of a stream, and a stream of all of it."""
    start = b""
    while len(start) < _PEEKED_BYTES and (block := stream.read(_PEEKED_BYTES - len(start))):
        start += block
    return start, io.BufferedReader(_Replayed(start, stream))
