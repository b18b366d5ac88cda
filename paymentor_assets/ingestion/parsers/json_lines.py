"""JSON lines: one object a line, its columns read by the paths of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import orjson
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, RecordReader
from resources.duck import quote
from resources.errors import RejectedFile


class JsonLines:
    """One record a line. A line that is no JSON object is a row with parse_error BAD_JSON."""

    def __init__(self, contract: FeedContract) -> None:
        self._columns = contract.records[0].delivered_columns

    def tables(self) -> Mapping[str, pa.Schema]:
        """The lines as they stand in the file."""
        return {"records": RECORD_SCHEMA}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Lines, block by block; raises RejectedFile as `json_lines_of` does."""
        for batch in json_lines_of(source):
            yield {"records": batch}

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Table `fields_0` from table `records`: one row a line, one text a column."""
        listed, expressions = _read_columns(self._columns, "doc")
        names = ", ".join(f'"{c.name}" VARCHAR' for c in self._columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 ({STAGED}, {names})")
        # What is no JSON object is decided first, so that nothing later can fail on it.
        con.execute(
            f"""
            INSERT INTO fields_0
            SELECT file_index, row_number, row_number,
                   CASE WHEN NOT is_utf8 THEN 'NOT_UTF8' WHEN doc IS NULL THEN 'BAD_JSON' END,
                   NULL, NULL, {", ".join(expressions)}
            FROM (
                SELECT *, {listed} AS found
                FROM (
                    SELECT *, CASE WHEN json_type(valid) = 'OBJECT' THEN valid END AS doc
                    FROM (
                        SELECT *, CASE WHEN is_utf8 AND json_valid(record) THEN record END AS valid
                        FROM records
                    )
                )
            )
            """
        )

    def original(self, index: int) -> tuple[str, str]:
        """The bytes of the line."""
        return "coalesce(o.original, encode(o.record))", (
            "JOIN records AS o ON o.file_index = v.file_index AND o.row_number = v.line_number"
        )


def json_lines_of(source: Source) -> Iterator[pa.RecordBatch]:
    """The lines of a file as batches of RECORD_SCHEMA; blank lines are none.

    Raises RejectedFile (TRUNCATED_FILE) when the last line has no newline and is not JSON: then
    the rest of the file is missing.
    """
    reader = RecordReader(source.stream, source.file_index, source.name)
    reader.skip_bom()
    yield from reader.records()
    if reader.is_terminated or not reader.rows:
        return
    try:
        orjson.loads(reader.last_record)
    except orjson.JSONDecodeError:
        raise RejectedFile(
            "TRUNCATED_FILE",
            f"{reader.name}, row {reader.rows}: the file ends in the middle of the line; deliver "
            "it again, complete.",
        ) from None


def _read_columns(columns: Sequence[ColumnContract], document: str) -> tuple[str, list[str]]:
    """SQL that reads columns from a JSON expression: one list of texts, then one text a column.

    Returns the expression of the list (all paths in one parse) and, for each column, an expression
    over that list, named `found`. Blank text is NULL.
    """
    paths = [path for column in columns for path in _paths(column)]
    listed = f"json_extract_string({document}, [{', '.join(quote(p) for p in paths)}])"
    expressions = []
    at = 1
    for column in columns:
        alternatives = [f"nullif(trim(found[{at + i}]), '')" for i in range(len(_paths(column)))]
        at += len(alternatives)
        value = f"coalesce({', '.join(alternatives)})" if len(alternatives) > 1 else alternatives[0]
        if column.values == "list":
            # '["A","B"]' is how a JSON array reads as text; codes hold none of these characters.
            bare = f"""regexp_replace({value}, '[\\[\\]"\\s]', '', 'g')"""
            value = f"nullif(replace({bare}, ',', ';'), '')"
        expressions.append(f'{value} AS "{column.name}"')
    return listed, expressions


def _paths(column: ColumnContract) -> tuple[str, ...]:
    """A flat document needs no paths: a column is then a member of its delivered name."""
    return column.paths or (f'$."{column.delivered_as or column.name}"',)
