"""What a run that died left behind, and how the next one removes it.

Rows become true when their file stands in `raw.ingested_files`, which is committed after all
`raw.*` tables of a run. Rows of any other file come from a run that died in between; readers never
see them, since they pin publications. The next run deletes them before it appends.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow.compute as pc
from pyiceberg.expressions import And, EqualTo, In

from paymentor_assets.audit.publications import Publication, RunInfo, newest
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES, raw_tables
from paymentor_assets.ingestion.intake import RecordedFile
from resources.lakehouse import Lakehouse, TableContract

STAGE = "ingestion"


def recorded_files(lake: Lakehouse, lender_id: str) -> list[RecordedFile]:
    """Every file of the lender in `raw.ingested_files`."""
    if not lake.exists(INGESTED_FILES.name):
        return []
    rows = lake.scan(
        INGESTED_FILES.name,
        row_filter=EqualTo("lender_id", lender_id),
        columns=("file_id", "uri", "etag", "status"),
    )
    return [RecordedFile(**row) for row in rows.to_pylist()]


def discard_dead_rows(lake: Lakehouse, lender_id: str, run: RunInfo) -> dict[str, int]:
    """Delete the lender's rows of files that were never recorded; returns rows deleted by table.

    Only tables that moved on since the lender's newest publication can hold any.
    """
    published = newest(lake, STAGE, lender_id)
    recorded = {f.file_id for f in recorded_files(lake, lender_id) if f.status == "ingested"}
    deleted = {}
    for contract in raw_tables().values():
        if contract.name == INGESTED_FILES.name or _is_at_publication(lake, contract, published):
            continue
        file_column, lender_column = provenance_columns(contract)
        mine = EqualTo(lender_column, lender_id)
        ids = lake.scan(contract.name, row_filter=mine, columns=(file_column,)).column(0)
        counts = {
            c["values"]: c["counts"] for c in pc.value_counts(ids.combine_chunks()).to_pylist()
        }
        dead = sorted(set(counts) - recorded)
        if not dead:
            continue
        lake.overwrite(
            contract,
            contract.schema.empty_table(),
            And(mine, In(file_column, dead)),
            {"run-id": run.run_id, "code-version": run.code_version, "removes": "dead-run"},
        )
        deleted[contract.name] = sum(counts[file_id] for file_id in dead)
    return deleted


def unpublished_heads(lake: Lakehouse, lender_id: str) -> dict[str, int]:
    """Heads of all raw tables if the lender has recorded files that no publication shows yet."""
    published = newest(lake, STAGE, lender_id)
    if not lake.exists(INGESTED_FILES.name) or _is_at_publication(lake, INGESTED_FILES, published):
        return {}
    if published is not None and INGESTED_FILES.name in published.tables:
        snapshot = published.tables[INGESTED_FILES.name].snapshot_id
        if lake.has_snapshot(INGESTED_FILES.name, snapshot) and _file_count(
            lake, lender_id, snapshot
        ) == _file_count(lake, lender_id, None):
            return {}
    elif _file_count(lake, lender_id, None) == 0:
        return {}
    return heads(lake)


def heads(lake: Lakehouse) -> dict[str, int]:
    """The newest snapshot of every raw table that has one."""
    found = {name: lake.head(name) for name in raw_tables()}
    return {name: snapshot for name, snapshot in found.items() if snapshot is not None}


def provenance_columns(contract: TableContract) -> tuple[str, str]:
    """Names of the columns that hold the file id and the lender."""
    if "_file_id" in contract.column_names:
        return "_file_id", "_lender_id"
    return "file_id", "lender_id"


def _is_at_publication(
    lake: Lakehouse, contract: TableContract, published: Publication | None
) -> bool:
    head = lake.head(contract.name)
    if head is None:
        return True
    tables: Mapping[str, object] = {} if published is None else published.tables
    return (
        published is not None
        and contract.name in tables
        and published.tables[contract.name].snapshot_id == head
    )


def _file_count(lake: Lakehouse, lender_id: str, snapshot_id: int | None) -> int:
    rows = lake.scan(
        INGESTED_FILES.name, snapshot_id, EqualTo("lender_id", lender_id), ("file_id",)
    )
    return int(rows.num_rows)
