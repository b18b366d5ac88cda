"""What the JSON line formats share: documents of a feed, and columns read from them by path."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from paymentor_assets.ingestion.contracts.model import ColumnContract
from paymentor_assets.ingestion.parsers.lines import RecordReader
from resources.duck import quote
from resources.errors import RejectedFile

#: Columns that every staged relation begins with.
STAGED = (
    "file_index INTEGER, row_number BIGINT, line_number BIGINT, parse_error VARCHAR, "
    "fault_column VARCHAR, column_count INTEGER"
)


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


def check_ending(reader: RecordReader, con: duckdb.DuckDBPyConnection) -> None:
    """Refuse a file whose last line has no newline and is not JSON: the rest is missing."""
    if reader.is_terminated or not reader.rows:
        return
    valid = con.execute("SELECT json_valid(?)", [reader.last_record]).fetchone()
    if valid is None or not valid[0]:
        raise RejectedFile(
            "TRUNCATED_FILE",
            f"{reader.name}, row {reader.rows}: the file ends in the middle of the line; deliver "
            "it again, complete.",
        )


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
