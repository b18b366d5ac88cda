"""Delimited text to an all-text relation: header checked, every record one row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, RecordReader, original_record
from resources.duck import quote
from resources.errors import RejectedFile

#: What foreign bytes were read as; tells which column they stand in.
_REPLACED = 0xFFFD
_OTHER_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}


class Delimited:
    """CSV and its kin: a header of the contract's columns in any order, then one row a record."""

    def __init__(self, contract: FeedContract) -> None:
        self._contract = contract
        self._headers: dict[int, tuple[str, ...]] = {}

    def tables(self) -> Mapping[str, pa.Schema]:
        """The records, cut but not split."""
        return {"records": RECORD_SCHEMA}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Records of one file.

        Raises RejectedFile: EMPTY_FILE, HEADER_MISMATCH, TRUNCATED_FILE or RECORD_TOO_LONG.
        """
        delimiter = self._contract.delimiter
        reader = RecordReader(source.stream, source.file_index, source.name, delimiter)
        header = read_header(reader, self._contract)
        self._headers[source.file_index] = header
        for batch in reader.records():
            yield {"records": batch}
        check_ending(reader, len(header), delimiter)

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """View `fields_0` over table `records`.

        The columns of a record with a parse_error (wrong number of columns, not UTF-8) mean
        nothing.
        """
        wanted = {
            c.delivered_as or c.name: c.name for c in self._contract.records[0].delivered_columns
        }
        by_header: dict[tuple[str, ...], list[int]] = {}
        for (index,) in con.execute("SELECT DISTINCT file_index FROM records").fetchall():
            by_header.setdefault(self._headers[index], []).append(index)
        parts = [
            fields_sql(header, wanted, sorted(files), self._contract.delimiter)
            for header, files in by_header.items()
        ] or [fields_sql(self._contract.header, wanted, [], self._contract.delimiter)]
        # A view: splitting a record again costs less than keeping all its columns.
        con.execute(f"CREATE OR REPLACE TEMP VIEW fields_0 AS {' UNION ALL '.join(parts)}")

    def original(self, index: int) -> tuple[str, str]:
        """The record's own bytes."""
        return original_record()


def read_header(reader: RecordReader, contract: FeedContract) -> tuple[str, ...]:
    """The column names of the file, in its own order.

    Raises RejectedFile: EMPTY_FILE when there is nothing, HEADER_MISMATCH naming the columns that
    are missing or too many, or the delimiter that the file seems to use instead.
    """
    line = reader.header()
    if not line.strip():
        raise RejectedFile(
            "EMPTY_FILE", f"{reader.name} has no header line; deliver the file again, complete."
        )
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise RejectedFile(
            "HEADER_MISMATCH",
            f"{reader.name}: the header is not UTF-8 text (byte {error.start + 1}); the contract "
            "of the feed asks for UTF-8.",
        ) from None
    names = _split(text, contract.delimiter)
    expected = contract.header
    if sorted(names) == sorted(expected):
        return tuple(names)
    for delimiter, word in _OTHER_DELIMITERS.items():
        if delimiter != contract.delimiter and sorted(_split(text, delimiter)) == sorted(expected):
            raise RejectedFile(
                "HEADER_MISMATCH",
                f"{reader.name} is delimited by {word}; the contract of feed {contract.feed} asks "
                f"for {_OTHER_DELIMITERS.get(contract.delimiter, repr(contract.delimiter))}. "
                "Deliver it so.",
            )
    missing = [n for n in expected if n not in names]
    extra = [n for n in names if n not in expected]
    repeated = sorted({n for n in names if names.count(n) > 1})
    faults = [
        f"{label} {', '.join(repr(n[:40]) for n in columns[:10])}"
        for label, columns in (("missing", missing), ("extra", extra), ("repeated", repeated))
        if columns
    ]
    raise RejectedFile(
        "HEADER_MISMATCH",
        f"{reader.name}, header: {'; '.join(faults)}. The contract of feed {contract.feed} has "
        f"{len(expected)} columns; deliver exactly those.",
    )


def check_ending(reader: RecordReader, columns: int, delimiter: str) -> None:
    """Refuse a file that stops in the middle of its last row.

    A last row without newline but with all its columns is accepted, since many writers end so; one
    with too few columns means the rest of the file is missing, and nothing of it may be trusted.
    """
    if reader.is_terminated or not reader.rows:
        return
    found = len(_split(reader.last_record, delimiter))
    if found < columns:
        raise RejectedFile(
            "TRUNCATED_FILE",
            f"{reader.name}, row {reader.rows}: the file ends in the middle of the row, after "
            f"{found} of {columns} columns; deliver it again, complete.",
        )


def fields_sql(
    header: Sequence[str], wanted: Mapping[str, str], files: Sequence[int], delimiter: str
) -> str:
    """A SELECT of STAGED and the wanted columns (delivered name -> name) from table `records`, for
    files that have this header; none means no row."""
    d = quote(delimiter)
    escaped = rf"\x{{{ord(delimiter):02x}}}"
    pattern = quote(rf'("(?:[^"]|"")*"|[^"{escaped}]*){escaped}')
    unquoted = (
        f"list_transform(regexp_extract_all(record || {d}, {pattern}, 1), lambda x: "
        """CASE WHEN x[1] = '"' THEN replace(x[2:-2], '""', '"') ELSE x END)"""
    )
    position = {name: i for i, name in enumerate(header, start=1)}
    columns = ", ".join(
        f"nullif(f[{position[delivered]}], '') AS \"{name}\"" for delivered, name in wanted.items()
    )
    names = f"[{', '.join(map(quote, header))}]"
    # trim() costs more than all the splitting, and hardly any record needs it.
    padding = (
        f"record LIKE ' %' OR record LIKE '% ' OR contains(record, {quote(' ' + delimiter)}) "
        f"OR contains(record, {quote(delimiter + ' ')}) OR contains(record, '\"')"
    )
    return f"""
        SELECT file_index, row_number, row_number AS line_number, parse_error,
               CASE WHEN NOT is_utf8 AND column_count = {len(header)} THEN ({names})[list_position(
                   list_transform(f, lambda x: contains(x, chr({_REPLACED}))), true)]
               END AS fault_column, column_count, {columns}
        FROM (
            SELECT *, CASE WHEN NOT is_utf8 THEN 'NOT_UTF8'
                           WHEN column_count <> {len(header)} THEN 'WRONG_COLUMN_COUNT'
                      END AS parse_error
            FROM (
                SELECT * EXCLUDE (f, has_padding), len(f) AS column_count,
                       CASE WHEN has_padding THEN list_transform(f, lambda x: trim(x))
                            ELSE f END AS f
                FROM (
                    SELECT file_index, row_number, is_utf8, {padding} AS has_padding,
                           CASE WHEN contains(record, '"') THEN {unquoted}
                                ELSE string_split(record, {d}) END AS f
                    FROM records WHERE file_index IN ({", ".join(map(str, files)) or "NULL"})
                )
            )
        )
    """


def _split(line: str, delimiter: str) -> list[str]:
    # A lone carriage return would make csv.reader give up; here it is a character like any other.
    line = line.replace("\r", " ")
    return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
