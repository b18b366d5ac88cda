"""What the JSON line formats share: documents of a feed, and columns read from them by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import orjson
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import ColumnContract
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.lines import RecordReader
from resources.duck import quote
from resources.errors import RejectedFile


def stage_documents(con: duckdb.DuckDBPyConnection) -> None:
    """Table `documents` from table `records`: file_index, line_number, doc (NULL: not an object).

    Parsing is decided once here, so that nothing later can fail on malformed JSON.
    """
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE documents AS
        SELECT file_index, row_number AS line_number, is_utf8,
               CASE WHEN json_type(valid) = 'OBJECT' THEN valid END AS doc
        FROM (
            SELECT *, CASE WHEN is_utf8 AND json_valid(record) THEN record END AS valid
            FROM records
        )
        """
    )


def read_lines(source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
    """Table `records` of one file, a line a record; raises RejectedFile (TRUNCATED_FILE)."""
    reader = RecordReader(source.stream, source.file_index, source.name)
    reader.skip_bom()
    for batch in reader.records():
        yield {"records": batch}
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


def read_columns(columns: Sequence[ColumnContract], document: str) -> tuple[str, list[str]]:
    """SQL that reads columns from a JSON expression: one list of texts, then one text a column.

    Returns the expression of the list (all paths in one parse) and, for each column, an expression
    over that list, named `found`. Blank text is NULL.
    """
    paths = [path for column in columns for path in column.paths]
    listed = f"json_extract_string({document}, [{', '.join(quote(p) for p in paths)}])"
    expressions = []
    at = 1
    for column in columns:
        alternatives = [f"nullif(trim(found[{at + i}]), '')" for i in range(len(column.paths))]
        at += len(column.paths)
        value = f"coalesce({', '.join(alternatives)})" if len(alternatives) > 1 else alternatives[0]
        if column.values == "list":
            # '["A","B"]' is how a JSON array reads as text; codes hold none of these characters.
            bare = f"""regexp_replace({value}, '[\\[\\]"\\s]', '', 'g')"""
            value = f"nullif(replace({bare}, ',', ';'), '')"
        expressions.append(f'{value} AS "{column.name}"')
    return listed, expressions
