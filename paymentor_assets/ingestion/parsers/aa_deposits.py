"""Account Aggregator deposit data (v2.0.0), one linked account a line.

Rows counted are accounts plus transactions: a line's account is one row, its transactions the
rows after it; a line that is no JSON object is one row. Tolerant as institutions differ: holder
object or array, amounts as text or number, several spellings of the transaction's instant (the
paths of the contract), one transaction object instead of an array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.json_lines import read_columns, read_lines, stage_documents
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, original_record
from resources.duck import quote

TRANSACTIONS = "$.account.transactions.transaction"


class AaDeposits:
    """One linked account a line, with its transactions."""

    def __init__(self, contract: FeedContract) -> None:
        self._contract = contract

    def tables(self) -> Mapping[str, pa.Schema]:
        """The lines."""
        return {"records": RECORD_SCHEMA}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Lines of one file."""
        return read_lines(source)

    def original(self, index: int) -> tuple[str, str]:
        """The line's own bytes, or the piece of it that a transaction is."""
        if index == 0:
            return original_record()
        # A lone transaction stands without an array.
        path = quote(TRANSACTIONS)
        item = (
            f"CASE json_type(o.record, {path}) WHEN 'ARRAY' THEN json_extract(o.record, "
            f"'{TRANSACTIONS}[' || (v.row_number - p.row_number - 1) || ']') "
            f"ELSE json_extract(o.record, {path}) END"
        )
        return f"encode(coalesce(CAST({item} AS VARCHAR), 'null'))", (
            "JOIN records AS o ON o.file_index = v.file_index AND o.row_number = v.line_number "
            "JOIN fields_0 AS p ON p.file_index = v.file_index AND p.line_number = v.line_number"
        )

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Tables `fields_0` (accounts) and `fields_1` (transactions) from table `records`."""
        contract = self._contract
        account, transaction = contract.records
        stage_documents(con)
        path = quote(TRANSACTIONS)
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE numbered AS
            SELECT *, sum(1 + len(items)) OVER (PARTITION BY file_index ORDER BY line_number)
                      - len(items) AS row_number
            FROM (
                SELECT *, CASE json_type(doc, {path})
                              WHEN 'ARRAY' THEN CAST(json_extract(doc, {path}) AS JSON[])
                              WHEN 'OBJECT' THEN [CAST(json_extract(doc, {path}) AS JSON)]
                              ELSE [] END AS items
                FROM documents
            )
            """
        )
        listed, expressions = read_columns(account.delivered_columns, "doc")
        names = ", ".join(f'"{c.name}" VARCHAR' for c in account.delivered_columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 ({STAGED}, {names})")
        con.execute(
            f"""
            INSERT INTO fields_0
            SELECT file_index, row_number, line_number, parse_error, NULL, NULL,
                   {", ".join(expressions)}
            FROM (
                SELECT *, {listed} AS found,
                       CASE WHEN NOT is_utf8 THEN 'NOT_UTF8' WHEN doc IS NULL THEN 'BAD_JSON'
                       END AS parse_error
                FROM numbered
            )
            """
        )
        parents = [c for c in transaction.delivered_columns if c.of == "parent"]
        own = [c for c in transaction.delivered_columns if c.of == "record"]
        parent_list, parent_columns = read_columns(parents, "doc")
        own_list, own_columns = read_columns(own, "item")
        names = ", ".join(f'"{c.name}" VARCHAR' for c in (*parents, *own))
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_1 ({STAGED}, {names})")
        parent_names = ", ".join(f'"{c.name}"' for c in parents)
        con.execute(
            f"""
            INSERT INTO fields_1
            SELECT file_index, row_number, line_number,
                   CASE WHEN json_type(item) IS DISTINCT FROM 'OBJECT' THEN 'BAD_JSON' END,
                   NULL, NULL,
                   {parent_names}, {", ".join(own_columns)}
            FROM (
                SELECT *, {own_list} AS found
                FROM (
                    SELECT file_index, line_number, {", ".join(parent_columns)},
                           unnest(items) AS item,
                           row_number + generate_subscripts(items, 1) AS row_number
                    FROM (SELECT *, {parent_list} AS found FROM numbered WHERE len(items) > 0)
                )
            )
            """
        )
