"""Contracts of the audit tables, but for `audit.publications`, which stands with its code."""

from __future__ import annotations

import pyarrow as pa

from paymentor_assets.audit.offsets import EXACTLY_ONCE
from resources.lakehouse import TIMESTAMP, TableContract, column

LEDGER = TableContract(
    name="audit.ledger",
    description="The hash-chained ledger, copied from the operational store entry by entry.",
    key=("seq",),
    properties=EXACTLY_ONCE,
    schema=pa.schema(
        [
            column("seq", pa.int64(), "Sequence number in the operational store."),
            column("at_utc", TIMESTAMP, "When, by the clock of who wrote it."),
            column("actor", pa.string(), "Who: a stage or a person."),
            column("kind", pa.string(), "What happened, e.g. message.sent or vault.reveal."),
            column("subject", pa.string(), "What it happened to: an action, a day, a model."),
            column("payload_hash", pa.string(), "SHA-256 of the payload as canonical JSON."),
            column("prev_hash", pa.string(), "Hash of the entry before."),
            column("hash", pa.string(), "SHA-256 over this entry and prev_hash."),
        ]
    ),
)

MAINTENANCE = TableContract(
    name="audit.maintenance",
    description="What upkeep did to the files and snapshots of a table; it never changes rows.",
    key=("at_utc", "table_name"),
    schema=pa.schema(
        [
            column("at_utc", TIMESTAMP, "When, by the machine's clock."),
            column("table_name", pa.string(), "Lakehouse table."),
            column("partitions_compacted", pa.int64(), "Partitions rewritten into fewer files."),
            column("files_before", pa.int64(), "Data files before."),
            column("files_after", pa.int64(), "Data files after."),
            column("snapshots_expired", pa.int64(), "Snapshots that were given up."),
            column("files_removed", pa.int64(), "Files that nothing named any more."),
            column("bytes_freed", pa.int64(), "Their size."),
            column("is_overtaken", pa.bool_(), "A writer was faster; compaction was left alone."),
            column("run_id", pa.string(), "Dagster run."),
        ]
    ),
)
