"""Rejected rows: their reasons, a masked preview, and the sealed original."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.checks import VALUE
from paymentor_assets.ingestion.contracts.model import FeedContract, RecordContract
from paymentor_assets.ingestion.contracts.tables import REJECTED_ROWS
from paymentor_assets.ingestion.parsers.interface import Parser
from resources.duck import quote
from resources.vault import Vault

MASK = "•••"
_PREVIEW_LENGTH = 500
#: Two columns of the wrong form in one row look like columns that slipped by one, and then personal
#: data may stand where the contract expects something harmless.
_FORM_CODES = "('BAD_TYPE', 'NOT_IN_LIST', 'BAD_PATTERN')"


def rejected_rows(
    con: duckdb.DuckDBPyConnection,
    contract: FeedContract,
    parser: Parser,
    vault: Vault,
    *,
    lender_id: str,
    ingested_at: object,
) -> pa.Table:
    """One row of REJECTED_ROWS for every rejected input row of files that are not refused.

    Reads `faults`, `fields_<i>`, `files` and the parser's scratch tables. The first fault gives
    column and reason code; the message has all of them.
    """
    parts = []
    for index, record in enumerate(contract.records):
        rows = con.execute(_rejects_sql(contract, record, index, parser)).to_arrow_table()
        if rows.num_rows == 0:
            continue
        sealed = [
            vault.seal_record(original, file_id, number)
            for original, file_id, number in zip(
                rows.column("original").to_pylist(),
                rows.column("file_id").to_pylist(),
                rows.column("row_number").to_pylist(),
                strict=True,
            )
        ]
        count = rows.num_rows
        columns = {
            **{name: rows.column(name) for name in rows.column_names if name != "original"},
            "raw_record": pa.array(sealed, pa.binary()),
            "lender_id": pa.array([lender_id] * count),
            "feed": pa.array([contract.feed] * count),
            "_ingested_at": pa.array([ingested_at] * count, pa.timestamp("us")),
        }
        parts.append(pa.table({f.name: columns[f.name].cast(f.type) for f in REJECTED_ROWS.schema}))
    if not parts:
        return REJECTED_ROWS.schema.empty_table()
    return pa.concat_tables(parts).cast(REJECTED_ROWS.schema)


def _rejects_sql(contract: FeedContract, record: RecordContract, index: int, parser: Parser) -> str:
    shown = [
        quote(MASK) if c.pii else f"coalesce(v.\"{c.name}\", '')" for c in record.delivered_columns
    ]
    preview = f"left({f' || {quote(contract.delimiter)} || '.join(shown)}, {_PREVIEW_LENGTH})"
    original, source = parser.original(index)
    return f"""
        SELECT files.file_id, r.row_number, r.column_name, r.reason_code, r.message,
               CASE WHEN v.parse_error IS NOT NULL OR r.looks_shifted THEN {quote(MASK)}
                    ELSE {preview} END AS preview,
               {original} AS original, files.known_at AS _known_at
        FROM (
            SELECT file_index, row_number,
                   arg_min(column_name, position) FILTER (position = first_position) AS column_name,
                   arg_min(reason_code, position) AS reason_code,
                   any_value(looks_shifted) AS looks_shifted,
                   string_agg(
                       replace(sentence, {quote(VALUE)},
                               CASE WHEN looks_shifted OR value IS NULL THEN 'the value'
                                    ELSE '''' || left(value, 40) || '''' END),
                       ' ' ORDER BY position, reason_code) AS message
            FROM (
                SELECT *, min(position) OVER w AS first_position,
                       count(*) FILTER (reason_code IN {_FORM_CODES}) OVER w > 1 AS looks_shifted
                FROM faults WHERE record_index = {index}
                WINDOW w AS (PARTITION BY file_index, row_number)
            )
            GROUP BY file_index, row_number
        ) AS r
        JOIN fields_{index} AS v USING (file_index, row_number)
        JOIN files USING (file_index)
        {source}
        WHERE NOT files.is_refused
        ORDER BY file_index, row_number
    """
