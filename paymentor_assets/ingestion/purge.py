"""The purge of Account Aggregator data past its life, step by durable step.

What is due, and why, is in `data_life`. What is purged is written down first (`raw.aa_purges`:
which rows, their digest), then deleted, then published, then sworn to in the ledger. A death in
between is harmless: the next purge finds its predecessor without a ledger entry and finishes it as
of the same moment. Files of older snapshots vanish with the expiry of snapshots
(`audit.maintenance`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from pyiceberg.expressions import EqualTo
from sqlalchemy import select

from paymentor_assets.audit import ledger
from paymentor_assets.audit.publications import Publication, RunInfo, newest, publish_heads
from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion import recovery
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.data_life import AA_PURGES, Moment, proofs, rows_due
from paymentor_assets.lenders import Lender
from resources import operational_schema
from resources.clock import Clock, FixedClock, naive_utc
from resources.crash_points import reach, register
from resources.lakehouse import Lakehouse
from resources.locks import exclusive
from resources.operational_store import OperationalStore

register(
    "ingestion.purge.after_proof",
    "ingestion.purge.after_deletion",
    "ingestion.purge.after_publication",
    "ingestion.purge.after_ledger",
)

LEDGER_KIND = "aa_purge"


@dataclass(frozen=True)
class Purge:
    """What one call did: proofs written, rows deleted by table (those of a purge that died before
    included), the publication that shows it."""

    lender_id: str
    proofs: pa.Table
    rows_deleted: dict[str, int]
    publication: Publication | None


def purge(
    lake: Lakehouse, store: OperationalStore, lender: Lender, run: RunInfo, *, clock: Clock
) -> Purge:
    """Delete what is due of one lender by the business clock, and publish what is left.

    Safe to repeat after any death. Waits for an ingestion of the lender, and holds off the next.
    Raises PayMentorError when another run holds the lender for too long.
    """
    with exclusive(store, f"ingestion.{lender.lender_id}"):
        run = replace(run, clock=FixedClock(run.clock.now()))
        # What a dead ingestion left must not become visible with our publication.
        recovery.discard_dead_rows(lake, lender.lender_id, run)
        deleted: dict[str, int] = {}
        for purge_run_id, moment in _unfinished(lake, store, lender.lender_id):
            _carry_out(lake, store, lender, run, purge_run_id, moment, deleted)
        moment = Moment(naive_utc(clock.now()), naive_utc(run.clock.now()))
        purge_run_id = deterministic_id(lender.lender_id, run.run_id, moment.at.isoformat())
        written = proofs(lake, lender.lender_id, purge_run_id, moment)
        if written.num_rows:
            lake.append(AA_PURGES, written, _summary(run))
            reach("ingestion.purge.after_proof")
            _carry_out(lake, store, lender, run, purge_run_id, moment, deleted)
        return Purge(
            lender.lender_id, written, deleted, newest(lake, recovery.STAGE, lender.lender_id)
        )


def _carry_out(
    lake: Lakehouse,
    store: OperationalStore,
    lender: Lender,
    run: RunInfo,
    purge_run_id: str,
    moment: Moment,
    deleted: dict[str, int],
) -> None:
    """Delete, publish and swear to a purge whose proof is written."""
    for due in list(rows_due(lake, lender.lender_id, moment)):
        count = lake.scan(due.table, row_filter=due.matches, columns=(_any_column(due.table),))
        if count.num_rows:
            contract = raw_tables()[due.table]
            lake.overwrite(contract, contract.schema.empty_table(), due.matches, _summary(run))
            deleted[due.table] = deleted.get(due.table, 0) + count.num_rows
            reach("ingestion.purge.after_deletion")
    previous = newest(lake, recovery.STAGE, lender.lender_id)
    heads = recovery.heads(lake)
    proof_head = lake.head(AA_PURGES.name)
    assert proof_head is not None
    publish_heads(
        lake,
        stage=recovery.STAGE,
        lender_id=lender.lender_id,
        day=previous.as_of_date if previous else lender.local_day(run.clock.now()),
        tables={**heads, AA_PURGES.name: proof_head},
        run=run,
    )
    reach("ingestion.purge.after_publication")
    rows = lake.scan(
        AA_PURGES.name,
        row_filter=EqualTo("purge_run_id", purge_run_id),
        columns=("purge_id", "digest", "rows_deleted"),
    )
    with store.write() as connection:
        ledger.append(
            connection,
            clock=run.clock,
            actor=f"run:{run.run_id}",
            kind=LEDGER_KIND,
            subject=purge_run_id,
            payload={"purges": sorted(tuple(row.values()) for row in rows.to_pylist())},
        )
    reach("ingestion.purge.after_ledger")


def _unfinished(
    lake: Lakehouse, store: OperationalStore, lender_id: str
) -> list[tuple[str, Moment]]:
    """Purges with a proof and without a ledger entry, and the moments they were decided for."""
    if not lake.exists(AA_PURGES.name):
        return []
    rows = lake.scan(
        AA_PURGES.name,
        row_filter=EqualTo("lender_id", lender_id),
        columns=("purge_run_id", "purged_at_utc", "_ingested_at"),
    )
    begun = {
        (row["purge_run_id"], Moment(row["purged_at_utc"], row["_ingested_at"]))
        for row in rows.to_pylist()
    }
    entries = operational_schema.ledger
    with store.read() as connection:
        sworn: set[str] = set(
            connection.execute(
                select(entries.c.subject).where(entries.c.kind == LEDGER_KIND)
            ).scalars()
        )
    return sorted((purge_run, moment) for purge_run, moment in begun if purge_run not in sworn)


def _any_column(table: str) -> str:
    return raw_tables()[table].key[0]


def _summary(run: RunInfo) -> dict[str, str]:
    return {"run-id": run.run_id, "code-version": run.code_version, "removes": "data-life"}
