"""Account Aggregator consent artefacts (ReBIT v2), one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.json_lines import read_columns, read_lines, stage_documents
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, original_record


class AaConsents:
    """One artefact a line."""

    def __init__(self, contract: FeedContract) -> None:
        self._contract = contract

    def tables(self) -> Mapping[str, pa.Schema]:
        """The lines."""
        return {"records": RECORD_SCHEMA}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Lines of one file."""
        return read_lines(source)

    def original(self, index: int) -> tuple[str, str]:
        """The line's own bytes."""
        return original_record()

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Table `fields_0` from table `records`: one row a line, one text a column."""
        contract = self._contract
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
