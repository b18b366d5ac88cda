"""Table contracts of `raw.*`, derived from the feed contracts so that they cannot drift apart."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.contracts.model import ColumnContract, RecordContract
from resources.lakehouse import MONEY, TIMESTAMP, TableContract, column

ARROW_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "date": pa.date32(),
    "local_date": pa.date32(),
    "timestamp": TIMESTAMP,
    "decimal": MONEY,
    "integer": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}

PROVENANCE = (
    column("_file_id", pa.string(), "SHA-256 of the file the row came in."),
    column("_row_number", pa.int64(), "Row of the file, 1 for the first one after the header."),
    column("_known_at", TIMESTAMP, "When the lender's platform could first know the row, UTC."),
    column("_ingested_at", TIMESTAMP, "Our clock at ingestion, UTC; for audit only."),
    column("_lender_id", pa.string(), "Lender that delivered the row."),
)

#: Files of one lender stand together, so that a reader of one lender opens no other's; one file a
#: commit and lender is what a daily append leaves.
_BY_LENDER = ("_lender_id",)

INGESTED_FILES = TableContract(
    name="raw.ingested_files",
    description="One row for each file that was taken in, refused, or seen again under a new name.",
    key=("file_id", "uri", "etag"),
    partition_by=("lender_id",),
    schema=pa.schema(
        [
            column("file_id", pa.string(), "SHA-256 of the bytes of the file."),
            column("lender_id", pa.string(), "Lender that delivered the file."),
            column("feed", pa.string(), "Feed the file belongs to, by its folder."),
            column("uri", pa.string(), "Where it stood, relative to the landing zone."),
            column("etag", pa.string(), "Version of the object that was read."),
            column("business_date", pa.date32(), "Business date in the name."),
            column("delivered_at_utc", TIMESTAMP, "Delivery time in the name, UTC."),
            column("known_at", TIMESTAMP, "`_known_at` of its rows, by the lender's rule."),
            column("received_at_utc", TIMESTAMP, "When the platform took it in, UTC."),
            column("is_history_load", pa.bool_(), "Known well before it was received?"),
            column("attempts", pa.int32(), "Tries it took, this one included."),
            column("byte_size", pa.int64(), "Size in bytes."),
            column("contract_version", pa.string(), "Version of the feed contract it was held to."),
            column("rows_total", pa.int64(), "Rows taken up; 0 for a file that is refused."),
            column("rows_accepted", pa.int64(), "Rows in `raw.*`."),
            column("rows_rejected", pa.int64(), "Rows in `raw.rejected_rows`."),
            column("status", pa.string(), "ingested, rejected or duplicate."),
            column("reason_code", pa.string(), "Why it was refused."),
            column("message", pa.string(), "The same as a sentence."),
            column("_ingested_at", TIMESTAMP, "Our clock at ingestion, UTC; for audit only."),
        ]
    ),
)

REJECTED_ROWS = TableContract(
    name="raw.rejected_rows",
    description="Every row that its contract refused, with the reason and the sealed original.",
    key=("file_id", "row_number"),
    partition_by=("lender_id",),
    schema=pa.schema(
        [
            column("file_id", pa.string(), "SHA-256 of the file the row came in."),
            column("row_number", pa.int64(), "Row of the file, 1 for the first after the header."),
            column("column_name", pa.string(), "Column of the first fault; null: the whole row."),
            column("reason_code", pa.string(), "Code of the first fault."),
            column("message", pa.string(), "All faults as sentences: file, row, column, remedy."),
            column("preview", pa.string(), "The row with personal data masked."),
            column("raw_record", pa.binary(), "The original bytes, sealed with the vault key."),
            column("lender_id", pa.string(), "Lender that delivered the row."),
            column("feed", pa.string(), "Feed of the file."),
            column("_known_at", TIMESTAMP, "When the row could first be known, UTC."),
            column("_ingested_at", TIMESTAMP, "Our clock at ingestion, UTC; for audit only."),
        ]
    ),
)


def record_table(record: RecordContract) -> TableContract:
    """The `raw.*` table of one kind of record: its stored columns, then where they came from."""
    stored = [_stored_column(c) for c in record.columns]
    return TableContract(
        name=record.table,
        description=record.description,
        key=(*record.key, "_file_id"),
        partition_by=_BY_LENDER,
        schema=pa.schema([*stored, *PROVENANCE]),
    )


@cache
def raw_tables() -> dict[str, TableContract]:
    """Every table that ingestion writes, by name."""
    tables = [record_table(r) for feed in load_feeds().values() for r in feed.records]
    return {t.name: t for t in [*tables, REJECTED_ROWS, INGESTED_FILES]}


def _stored_column(contract: ColumnContract) -> pa.Field:
    kind = f" Token ({contract.pii}); the value is not stored." if contract.pii else ""
    return column(contract.stored_name, ARROW_TYPES[contract.type], contract.description + kind)
