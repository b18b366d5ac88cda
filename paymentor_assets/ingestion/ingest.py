"""One ingestion run of one lender: all waiting files, one commit a table, one publication.

The order makes every death harmless: rows to `raw.*`, then rejects, then `raw.ingested_files`
(which makes the rows true), then the publication (which makes them visible), then the file index
and the ledger in one transaction. What a death leaves before `raw.ingested_files` is deleted by
the next run; what it leaves after is only carried forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from paymentor_assets.audit import ledger
from paymentor_assets.audit.publications import RunInfo, newest
from paymentor_assets.ingestion import recovery
from paymentor_assets.ingestion.commits import (
    commit_accepted,
    commit_files,
    commit_rejected,
    publish,
)
from paymentor_assets.ingestion.consents.facts import ConsentFacts, needs_facts
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.doors import Doors
from paymentor_assets.ingestion.feed_batch import Context, process
from paymentor_assets.ingestion.intake import IncomingFile, receive, settle_twins
from paymentor_assets.ingestion.reconcile import (
    MAX_ATTEMPTS,
    in_hands,
    note_seen,
    pending,
    settle,
    waiting,
)
from paymentor_assets.ingestion.result import IngestionResult, Progress
from paymentor_assets.ingestion.takings import LakeTakings
from paymentor_assets.lenders import Lender, lender_named
from resources.clock import FixedClock
from resources.crash_points import reach, register
from resources.duck import connect, quote
from resources.landing_zone import LandedFile
from resources.locks import exclusive
from resources.operational_store import OperationalStore

register(
    "ingestion.after_files_noted",
    "ingestion.after_dead_rows_deleted",
    "ingestion.while_files_are_read",
    "ingestion.before_index_commit",
    "ingestion.after_index_commit",
)

#: Feeds whose rows are checked against another feed of the same run come after it.
_AFTER = {"aa_deposits": "aa_consents"}
#: Of DuckDB's scratch: what a file gathers to its end (its keys, the values to seal) spills beyond.
_MEMORY_LIMIT = "256MB"


def ingest(
    doors: Doors,
    run: RunInfo,
    *,
    lender_id: str,
    files: Sequence[LandedFile] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IngestionResult:
    """Take in the lender's waiting files, or exactly `files` (failed ones among them, too).

    Safe to repeat after any death: the tables end as in an undisturbed run. A second run of the
    same lender waits for the first. Raises NotFound for an unknown lender, ContractError when a
    feed contract of the lender is malformed, and PayMentorError when another run holds the lender
    for too long.
    """
    lake, store, landing = doors.lake, doors.store, doors.landing
    lender = lender_named(doors.lenders, lender_id)
    feeds = doors.contracts.feeds(lender_id)
    report = progress or (lambda _: None)
    with exclusive(store, f"ingestion.{lender_id}"):
        todo = (
            pending(landing, store, lender_id=lender_id)
            if files is None
            else waiting([f for f in files if f.lender_id == lender_id], store, is_command=True)
        )
        result = IngestionResult(lender_id)
        if not todo:
            result.publication = newest(lake, recovery.STAGE, lender_id)
            return result
        # One instant for the whole run: everything it takes in is received together.
        run = replace(run, clock=FixedClock(run.clock.now()))
        note_seen(store, todo, run.clock)
        reach("ingestion.after_files_noted")
        result.dead_rows_deleted = recovery.discard_dead_rows(lake, lender_id, run)
        reach("ingestion.after_dead_rows_deleted")
        recorded = recovery.recorded_files(lake, lender_id)
        result.files = receive(landing, lender, feeds, todo, recorded, run.clock)
        _take_in(doors, lender, feeds, run, result, report)
        settle_twins(result.files)
        commit_files(lake, run, lender, result)
        publish(lake, run, lender, result)
        _settle(store, run, result)
        report(Progress("done", len(result.files), len(result.files)))
        return result


def _take_in(
    doors: Doors,
    lender: Lender,
    feeds: Mapping[str, FeedContract],
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
    lake = doors.lake
    takings = LakeTakings(lake)
    for feed in sorted(by_feed, key=lambda f: (f in _AFTER, f)):
        contract, files = feeds[feed], by_feed[feed]
        report(Progress(feed, done, total))
        # The scratch is gone before the commit, which needs the memory itself.
        with scratch() as (con, folder):
            context = Context(
                con,
                doors.landing,
                doors.vault,
                doors.pgp_keys,
                lender,
                run.clock,
                folder,
                doors.session_keys(lender.lender_id),
            )
            # The artefacts of this run were committed before the payloads.
            consents = ConsentFacts.of(lake, lender.lender_id) if needs_facts(contract) else None
            for group in _in_turn(files):
                tell = partial(_tell, report, feed, done, total)
                with in_hands(doors.store, [file.landed for file in group]):
                    reach("ingestion.while_files_are_read")
                    process(context, contract, group, takings, consents, tell)
                done += len(group)
        commit_accepted(takings, run, lender, contract, files, result)
    commit_rejected(takings, run, lender, result)


def _in_turn(files: Sequence[IncomingFile]) -> Iterator[list[IncomingFile]]:
    """All files together; but those that were in the hands of a run that died, one by one."""
    if together := [file for file in files if not file.interruptions]:
        yield together
    for file in files:
        if file.interruptions:
            yield [file]


def _tell(
    report: Callable[[Progress], None], feed: str, before: int, total: int, done: int
) -> None:
    report(Progress(feed, before + done, total))


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
        publication = result.publication
        ledger.append(
            connection,
            clock=run.clock,
            actor=f"run:{run.run_id}",
            kind="ingestion",
            subject=result.lender_id,
            payload={
                "publication_id": publication.publication_id if publication else None,
                "files": sorted([f.landed.uri, f.file_id, _index_status(f)] for f in result.files),
            },
        )
        reach("ingestion.before_index_commit")
    reach("ingestion.after_index_commit")


def _index_status(file: IncomingFile) -> str:
    if file.status == "unfinished":
        is_given_up = file.attempts >= MAX_ATTEMPTS or file.reason_code is not None
        return "failed" if is_given_up else "pending"
    if file.status is None:
        raise AssertionError(f"{file.name} ended without a status")
    return file.status


@contextmanager
def scratch() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A private DuckDB, and the folder it spills into, which only this user can read.

    Contracts hold conditions in SQL; the connection reaches no file and no network.
    """
    with (
        TemporaryDirectory(prefix="paymentor-ingestion-") as folder,
        connect(memory_limit=_MEMORY_LIMIT) as con,
    ):
        con.execute(f"SET temp_directory = {quote(str(Path(folder) / 'spill'))}")
        # Nothing relies on the order of rows but the final, sorted export.
        con.execute("SET preserve_insertion_order = false")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con, Path(folder)
