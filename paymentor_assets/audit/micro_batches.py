"""Micro-batches: append-only tables of the operational store, copied to the lakehouse once.

The last sequence number that was copied stands in the summary of the commit that copied it.
Sequence numbers become visible in order, because the operational store serialises its writers: a
row that is read now can have no unseen predecessor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, Select, func, select

from paymentor_assets.audit.offsets import SEQUENCE_OFFSETS, append_with_offsets, open_at_head
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.audit.tables import LEDGER
from resources.crash_points import reach, register
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_schema import ledger
from resources.operational_store import OperationalStore

register("audit.micro_batch.after_read", "audit.micro_batch.after_commit")

#: Rows a commit; a backlog is worked off in several.
BATCH_ROWS = 100_000


@dataclass(frozen=True)
class MicroBatch:
    """How one operational table becomes one lakehouse table.

    `query` selects rows ordered by `seq`, which must be among the columns; `derive` adds to a row
    what the contract asks for beyond them. Columns the contract does not name are left behind.
    """

    contract: TableContract
    source: str
    query: Select[Any]
    seq: ColumnElement[Any]
    derive: Callable[[dict[str, Any]], dict[str, Any]] = dict


@dataclass(frozen=True)
class Copied:
    """What one call copied."""

    contract: TableContract
    rows: int
    last_sequence: int
    snapshot_id: int | None


LEDGER_BATCH = MicroBatch(LEDGER, "ledger", select(ledger), ledger.c.seq)


def copy_new_rows(
    lake: Lakehouse, store: OperationalStore, batch: MicroBatch, run: RunInfo
) -> Copied:
    """Append every operational row beyond the committed sequence number.

    Raises PublicationError when another run copied at the same time; nothing is doubled then.
    Without new rows nothing is committed.
    """
    copied = 0
    while True:
        at = open_at_head(lake, batch.contract, SEQUENCE_OFFSETS)
        last = at.offsets.get(batch.source, 0)
        rows = _read(store, batch, last)
        if rows.num_rows == 0:
            return Copied(batch.contract, copied, last, at.snapshot_id)
        reach("audit.micro_batch.after_read")
        newest = int(pc.max(rows.column("seq")).as_py())
        append_with_offsets(at, rows, {batch.source: newest}, run)
        reach("audit.micro_batch.after_commit")
        copied += rows.num_rows


def backlog(lake: Lakehouse, store: OperationalStore, batch: MicroBatch) -> int:
    """How many operational rows are not in the lakehouse yet."""
    last = open_at_head(lake, batch.contract, SEQUENCE_OFFSETS).offsets.get(batch.source, 0)
    with store.read() as connection:
        query = select(func.count()).select_from(batch.query.where(batch.seq > last).subquery())
        return int(connection.execute(query).scalar_one())


def _read(store: OperationalStore, batch: MicroBatch, last: int) -> pa.Table:
    query = batch.query.where(batch.seq > last).order_by(batch.seq).limit(BATCH_ROWS)
    with store.read() as connection:
        rows = [batch.derive(dict(row)) for row in connection.execute(query).mappings()]
    return pa.Table.from_pylist(rows, schema=batch.contract.schema)
