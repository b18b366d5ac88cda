"""The commits of a run: one a table, each saying in its summary which run made it.

Order is everything here: see `ingest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from paymentor_assets.audit.publications import RunInfo, newest, publish_heads
from paymentor_assets.ingestion import recovery
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES, REJECTED_ROWS, raw_tables
from paymentor_assets.ingestion.intake import IncomingFile
from paymentor_assets.ingestion.result import IngestionResult
from paymentor_assets.ingestion.takings import LakeTakings
from paymentor_assets.lenders import Lender
from resources.clock import naive_utc
from resources.crash_points import reach, register
from resources.lakehouse import Lakehouse

register(
    "ingestion.after_raw_commit",
    "ingestion.after_rejected_rows",
    "ingestion.after_ingested_files",
    "ingestion.after_publication",
)


def commit_accepted(
    takings: LakeTakings,
    run: RunInfo,
    lender: Lender,
    contract: FeedContract,
    files: Sequence[IncomingFile],
    result: IngestionResult,
) -> None:
    """Accepted rows of one feed to its tables, one commit each."""
    for record in contract.records:
        if _commit(takings, record.table, _summary(run, lender, files), result):
            reach("ingestion.after_raw_commit")


def commit_rejected(
    takings: LakeTakings, run: RunInfo, lender: Lender, result: IngestionResult
) -> None:
    """Rejected rows of all feeds, one commit."""
    _commit(takings, REJECTED_ROWS.name, _summary(run, lender, result.files), result)
    reach("ingestion.after_rejected_rows")


def _commit(
    takings: LakeTakings, table: str, summary: dict[str, str], result: IngestionResult
) -> bool:
    rows = takings.of(table)
    snapshot = rows.commit(summary)
    if snapshot is None:
        return False
    hidden = [name for name in ("raw_record",) if name in rows.preview.column_names]
    result.note(table, snapshot, rows.rows, rows.preview.drop_columns(hidden))
    return True


def commit_files(lake: Lakehouse, run: RunInfo, lender: Lender, result: IngestionResult) -> None:
    """The record of the files, whose presence makes their rows true."""
    decided = [f for f in result.files if f.is_decided_now]
    if not decided:
        return
    rows = pa.Table.from_pylist(
        [_file_row(f, lender.lender_id, run) for f in decided], schema=INGESTED_FILES.schema
    )
    # Tables that no file has filled yet are made now, so that readers find every table.
    for table in raw_tables().values():
        lake.ensure(table)
    snapshot = lake.append(INGESTED_FILES, rows, _summary(run, lender, decided))
    result.note(INGESTED_FILES.name, snapshot, rows.num_rows, rows.slice(0, 5))
    reach("ingestion.after_ingested_files")


def publish(lake: Lakehouse, run: RunInfo, lender: Lender, result: IngestionResult) -> None:
    """Make everything recorded visible; nothing is published when nothing is new."""
    heads = recovery.unpublished_heads(lake, lender.lender_id)
    if heads:
        days = [f.business_date for f in result.files if f.business_date]
        result.publication = publish_heads(
            lake,
            stage=recovery.STAGE,
            lender_id=lender.lender_id,
            day=max(days, default=lender.local_day(run.clock.now())),
            tables=heads,
            run=run,
        )
    else:
        result.publication = newest(lake, recovery.STAGE, lender.lender_id)
    reach("ingestion.after_publication")


def _file_row(file: IncomingFile, lender_id: str, run: RunInfo) -> dict[str, object]:
    delivered = file.landed.delivered_at_utc
    return {
        "file_id": file.file_id,
        "lender_id": lender_id,
        "feed": file.landed.feed,
        "uri": file.landed.uri,
        "etag": file.landed.etag,
        "business_date": file.business_date,
        "delivered_at_utc": naive_utc(delivered) if delivered else None,
        "known_at": naive_utc(file.known_at) if file.known_at else None,
        "received_at_utc": naive_utc(file.received_at),
        "is_history_load": file.is_history_load,
        "attempts": file.attempts,
        "byte_size": file.landed.size,
        "contract_version": file.contract_version,
        "rows_total": file.rows_total,
        "rows_accepted": file.rows_accepted,
        "rows_rejected": file.rows_rejected,
        "status": file.status,
        "reason_code": file.reason_code,
        "message": file.message,
        "_ingested_at": naive_utc(run.clock.now()),
    }


def _summary(run: RunInfo, lender: Lender, files: Iterable[IncomingFile]) -> dict[str, str]:
    days = [f.business_date for f in files if f.business_date]
    return {
        "run-id": run.run_id,
        "code-version": run.code_version,
        "lender-id": lender.lender_id,
        "as-of-date": max(days).isoformat() if days else "",
        # A publication's own id follows from the snapshots it names, so a commit cannot name it;
        # stage and run lead from the commit to the publication.
        "publication-stage": recovery.STAGE,
    }
