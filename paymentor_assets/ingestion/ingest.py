"""One ingestion run of one lender: all waiting files, one commit a table, one publication.

The order makes every death harmless: rows to `raw.*`, then rejects, then `raw.ingested_files`
(which makes the rows true), then the publication (which makes them visible), then the file index
and the ledger in one transaction. What a death leaves before `raw.ingested_files` is deleted by
the next run; what it leaves after is only carried forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from pyiceberg.expressions import EqualTo

from paymentor_assets.audit import ledger
from paymentor_assets.audit.publications import Publication, RunInfo, newest, publish_heads
from paymentor_assets.ingestion import recovery
from paymentor_assets.ingestion.contracts.model import FeedContract, load_feeds
from paymentor_assets.ingestion.contracts.tables import (
    INGESTED_FILES,
    REJECTED_ROWS,
    raw_tables,
)
from paymentor_assets.ingestion.feed_batch import BatchResult, Context, process
from paymentor_assets.ingestion.intake import IncomingFile, content_id, judge
from paymentor_assets.ingestion.reconcile import (
    MAX_ATTEMPTS,
    Waiting,
    note_seen,
    pending,
    settle,
    waiting,
)
from paymentor_assets.lenders import Lender, lender_named
from resources.clock import naive_utc
from resources.crash_points import reach, register
from resources.duck import connect
from resources.lakehouse import Lakehouse
from resources.landing_zone import LandedFile, LandingZone
from resources.locks import exclusive
from resources.operational_store import OperationalStore
from resources.vault import Vault

register(
    "ingestion.after_files_noted",
    "ingestion.after_dead_rows_deleted",
    "ingestion.after_raw_commit",
    "ingestion.after_rejected_rows",
    "ingestion.after_ingested_files",
    "ingestion.after_publication",
    "ingestion.before_index_commit",
    "ingestion.after_index_commit",
)

#: Feeds whose rows are checked against another feed of the same run come after it.
_AFTER = {"aa_deposits": "aa_consents"}
#: Bytes of files that are staged together, and that go into one commit of a table at most.
_STAGE_BYTES = 64 << 20
_COMMIT_BYTES = 512 << 20


@dataclass(frozen=True)
class Progress:
    """One step of a run, for whoever watches: what, and how far of how much."""

    step: str
    done: int
    total: int


@dataclass
class IngestionResult:
    """What a run did. `publication` is the newest one, also when nothing was new."""

    lender_id: str
    files: list[IncomingFile] = field(default_factory=list)
    publication: Publication | None = None
    snapshots: dict[str, int] = field(default_factory=dict)
    rows_accepted: dict[str, int] = field(default_factory=dict)
    rows_rejected: dict[str, int] = field(default_factory=dict)
    previews: dict[str, pa.Table] = field(default_factory=dict)
    dead_rows_deleted: dict[str, int] = field(default_factory=dict)

    def count(self, status: str) -> int:
        """Files that ended so."""
        return sum(f.status == status for f in self.files)

    @property
    def is_nothing_new(self) -> bool:
        """Whether no row and no file was recorded."""
        return not self.snapshots


def ingest(
    lake: Lakehouse,
    store: OperationalStore,
    vault: Vault,
    landing: LandingZone,
    lenders: Mapping[str, Lender],
    run: RunInfo,
    *,
    lender_id: str,
    files: Sequence[LandedFile] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IngestionResult:
    """Take in the lender's waiting files, or exactly `files` (failed ones among them, too).

    Safe to repeat after any death: the tables end as in an undisturbed run. A second run of the
    same lender waits for the first. Raises NotFound for an unknown lender and PayMentorError when
    another run holds the lender for too long.
    """
    lender = lender_named(dict(lenders), lender_id)
    report = progress or (lambda _: None)
    with exclusive(store, f"ingestion.{lender_id}"):
        todo = (
            pending(landing, store, lender_id=lender_id)
            if files is None
            else waiting(files, store, is_command=True)
        )
        result = IngestionResult(lender_id)
        if not todo:
            result.publication = newest(lake, recovery.STAGE, lender_id)
            return result
        note_seen(store, todo, run.clock)
        reach("ingestion.after_files_noted")
        result.dead_rows_deleted = recovery.discard_dead_rows(lake, lender_id, run)
        reach("ingestion.after_dead_rows_deleted")
        result.files = _receive(lake, landing, lender, todo, run)
        _take_in(lake, vault, landing, lender, run, result, report)
        _record_files(lake, run, lender, result)
        _publish(lake, run, lender, result)
        _settle(store, run, result)
        report(Progress("done", len(result.files), len(result.files)))
        return result


def _receive(
    lake: Lakehouse,
    landing: LandingZone,
    lender: Lender,
    todo: Sequence[Waiting],
    run: RunInfo,
) -> list[IncomingFile]:
    """Identify each file by content and judge it by place and name."""
    recorded = recovery.recorded_files(lake, lender.lender_id)
    first_uri: dict[str, str] = {}
    names: dict[str, set[str]] = {}
    for (file_id, uri), status in recorded.items():
        names.setdefault(uri, set()).add(file_id)
        if status != "duplicate":
            first_uri[file_id] = uri
    feeds = load_feeds()
    received = []
    for item in todo:
        file = IncomingFile(item.landed, item.attempts + 1, run.clock.now())
        received.append(file)
        try:
            file.file_id = content_id(landing, item.landed.uri)
        except OSError as error:
            file.status = "unfinished"
            file.message = f"{file.name} could not be read ({error}); it will be tried again."
            continue
        if (file.file_id, file.landed.uri) in recorded:
            file.status = "known"
            continue
        judge(
            file,
            lender,
            feeds,
            run.clock,
            replaces_another=bool(names.get(file.landed.uri, set()) - {file.file_id}),
        )
        if file.status is None and file.file_id in first_uri:
            file.status = "duplicate"
            file.message = (
                f"{file.name} holds the same bytes as {first_uri[file.file_id]}, which was taken "
                "in before; nothing was taken twice."
            )
        first_uri.setdefault(file.file_id, file.landed.uri)
    return received


def _take_in(
    lake: Lakehouse,
    vault: Vault,
    landing: LandingZone,
    lender: Lender,
    run: RunInfo,
    result: IngestionResult,
    report: Callable[[Progress], None],
) -> None:
    """All new files through their feeds into `raw.*`, then the rejected rows."""
    by_feed: dict[str, list[IncomingFile]] = {}
    for file in result.files:
        if file.status is None:
            by_feed.setdefault(file.landed.feed, []).append(file)
    total = sum(map(len, by_feed.values()))
    done = 0
    rejected: list[pa.Table] = []
    with _scratch() as con:
        context = Context(con, landing, vault, lender, run.clock)
        for feed in sorted(by_feed, key=lambda f: (f in _AFTER, f)):
            contract = load_feeds()[feed]
            for commit_files in _batches(by_feed[feed], _COMMIT_BYTES):
                parts = []
                for batch in _batches(commit_files, _STAGE_BYTES):
                    report(Progress(feed, done, total))
                    consents = _known_consents(lake, lender, contract)
                    parts.append(process(context, contract, batch, consents))
                    done += len(batch)
                rejected += [p.rejected for p in parts if p.rejected.num_rows]
                _commit_rows(lake, run, lender, contract, parts, result, commit_files)
    if rejected:
        rows = pa.concat_tables(rejected)
        result.snapshots[REJECTED_ROWS.name] = lake.append(
            REJECTED_ROWS, rows, _summary(run, lender, result.files)
        )
        result.previews[REJECTED_ROWS.name] = rows.drop_columns(["raw_record"]).slice(0, 5)
        for feed, count in _counted(rows.column("feed").to_pylist()).items():
            result.rows_rejected[feed] = count
    reach("ingestion.after_rejected_rows")


def _commit_rows(
    lake: Lakehouse,
    run: RunInfo,
    lender: Lender,
    contract: FeedContract,
    parts: Sequence[BatchResult],
    result: IngestionResult,
    files: Sequence[IncomingFile],
) -> None:
    for record in contract.records:
        tables = [p.accepted[record.table] for p in parts if record.table in p.accepted]
        rows = pa.concat_tables(tables) if tables else None
        if rows is None or rows.num_rows == 0:
            continue
        table = raw_tables()[record.table]
        result.snapshots[record.table] = lake.append(table, rows, _summary(run, lender, files))
        reach("ingestion.after_raw_commit")
        result.rows_accepted[record.table] = (
            result.rows_accepted.get(record.table, 0) + rows.num_rows
        )
        result.previews.setdefault(record.table, rows.slice(0, 5))


def _record_files(lake: Lakehouse, run: RunInfo, lender: Lender, result: IngestionResult) -> None:
    decided = [f for f in result.files if f.status in ("ingested", "rejected", "duplicate")]
    if not decided:
        return
    rows = pa.Table.from_pylist(
        [_file_row(f, lender.lender_id, run) for f in decided], schema=INGESTED_FILES.schema
    )
    # Tables that no file has filled yet are made now, so that readers find every table.
    for table in raw_tables().values():
        lake.ensure(table)
    result.snapshots[INGESTED_FILES.name] = lake.append(
        INGESTED_FILES, rows, _summary(run, lender, decided)
    )
    result.previews[INGESTED_FILES.name] = rows.slice(0, 5)
    reach("ingestion.after_ingested_files")


def _publish(lake: Lakehouse, run: RunInfo, lender: Lender, result: IngestionResult) -> None:
    result.publication = newest(lake, recovery.STAGE, lender.lender_id)
    heads = recovery.unpublished_heads(lake, lender.lender_id)
    if heads:
        days = [f.landed.business_date for f in result.files if f.landed.business_date]
        result.publication = publish_heads(
            lake,
            stage=recovery.STAGE,
            lender_id=lender.lender_id,
            day=max(days, default=lender.local_day(run.clock.now())),
            tables=heads,
            run=run,
        )
    reach("ingestion.after_publication")


def _settle(store: OperationalStore, run: RunInfo, result: IngestionResult) -> None:
    """What became of each file, and the ledger's word on it, in one transaction."""
    with store.write() as connection:
        for file in result.files:
            settle(
                connection,
                file.landed,
                status=_index_status(file),
                file_id=file.file_id or None,
                attempts=file.attempts,
                reason=file.message,
                clock=run.clock,
            )
        ledger.append(
            connection,
            clock=run.clock,
            actor=f"run:{run.run_id}",
            kind="ingestion",
            subject=result.lender_id,
            payload={
                "publication_id": result.publication.publication_id if result.publication else None,
                "files": sorted([f.landed.uri, f.file_id, _index_status(f)] for f in result.files),
            },
        )
        reach("ingestion.before_index_commit")
    reach("ingestion.after_index_commit")


def _index_status(file: IncomingFile) -> str:
    match file.status:
        case "known":
            return "ingested"
        case "unfinished":
            return "failed" if file.attempts >= MAX_ATTEMPTS else "pending"
        case "ingested" | "rejected" | "duplicate" as status:
            return status
        case _:
            raise AssertionError(f"{file.name} ended without a status")


def _file_row(file: IncomingFile, lender_id: str, run: RunInfo) -> dict[str, object]:
    delivered = file.landed.delivered_at_utc
    return {
        "file_id": file.file_id,
        "lender_id": lender_id,
        "feed": file.landed.feed,
        "uri": file.landed.uri,
        "etag": file.landed.etag,
        "business_date": file.landed.business_date,
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


def _known_consents(lake: Lakehouse, lender: Lender, contract: FeedContract) -> pa.Table | None:
    """Consent artefacts on record; those of this run were committed before the deposits."""
    if contract.format != "aa_deposits":
        return None
    table = raw_tables()["raw.aa_consents"]
    lake.ensure(table)
    return lake.scan(
        table.name,
        row_filter=EqualTo("_lender_id", lender.lender_id),
        columns=("consent_id", "customer_id"),
    )


def _summary(run: RunInfo, lender: Lender, files: Iterable[IncomingFile]) -> dict[str, str]:
    days = [f.landed.business_date for f in files if f.landed.business_date]
    return {
        "run-id": run.run_id,
        "code-version": run.code_version,
        "lender-id": lender.lender_id,
        "as-of-date": max(days).isoformat() if days else "",
        # The publication's own id follows from the snapshots it names; the stage and the run lead
        # from a commit to it.
        "publication-stage": recovery.STAGE,
    }


def _batches(files: Sequence[IncomingFile], limit: int) -> Iterator[list[IncomingFile]]:
    batch: list[IncomingFile] = []
    size = 0
    for file in files:
        if batch and size + file.landed.size > limit:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.landed.size
    if batch:
        yield batch


def _counted(values: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


@contextmanager
def _scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """A private DuckDB that spills into a folder only this user can read, gone afterwards."""
    with (
        TemporaryDirectory(prefix="paymentor-ingestion-") as folder,
        connect(memory_limit="1GB") as con,
    ):
        con.execute(f"SET temp_directory = '{Path(folder) / 'spill'}'")
        yield con
