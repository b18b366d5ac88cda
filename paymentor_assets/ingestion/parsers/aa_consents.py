"""Account Aggregator consent artefacts (ReBIT v2), one a line."""

from __future__ import annotations

import duckdb

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.json_lines import STAGED, read_columns, stage_documents


def stage_aa_consents(con: duckdb.DuckDBPyConnection, contract: FeedContract) -> None:
    """Table `fields_0` from table `records`: one row a line, one text a column."""
    columns = contract.records[0].delivered_columns
    stage_documents(con)
    listed, expressions = read_columns(columns, "doc")
    names = ", ".join(f'"{c.name}" VARCHAR' for c in columns)
    con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 ({STAGED}, {names})")
    con.execute(
        f"""
        INSERT INTO fields_0
        SELECT file_index, line_number, line_number, parse_error, NULL, NULL,
               {", ".join(expressions)}
        FROM (
            SELECT *, {listed} AS found,
                   CASE WHEN NOT is_utf8 THEN 'NOT_UTF8' WHEN doc IS NULL THEN 'BAD_JSON'
                   END AS parse_error
            FROM documents
        )
        """
    )
