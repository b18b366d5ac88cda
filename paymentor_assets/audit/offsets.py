"""Exactly-once appends: how far a source was read stands in the summary of the commit it caused.

The rows and the statement of what they cover become visible in one commit, so no crash can part
them. Three conditions make it hold, and all three are kept here:

- the offsets are read from the very metadata that the commit builds on, and pyiceberg's own retry
  is off (`commit.retry.num-retries` = 0): a writer that was overtaken fails instead of appending
  the same rows on top of another's;
- every commit on such a table, maintenance included, carries the offsets on (`carried`);
- a table with a snapshot whose head states no offsets is an error, never "from the beginning".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from paymentor_assets.audit.publications import RunInfo
from resources.errors import CatalogError, PublicationError
from resources.lakehouse import Lakehouse, TableContract

#: Properties that every exactly-once table must be created with.
EXACTLY_ONCE: Mapping[str, str] = {"commit.retry.num-retries": "0"}
#: Summary keys that hold offsets; maintenance copies all of them that it finds.
STREAM_OFFSETS = "stream.offsets"
SOURCE_OFFSETS = "source.offsets"
SEQUENCE_OFFSETS = "operational.sequence"
OFFSET_KEYS = (STREAM_OFFSETS, SOURCE_OFFSETS, SEQUENCE_OFFSETS)


@dataclass(frozen=True)
class OffsetTable:
    """A table at one head, and how far its sources were read at exactly that head."""

    contract: TableContract
    key: str
    table: Table
    offsets: Mapping[str, int] = field(default_factory=dict)

    @property
    def snapshot_id(self) -> int | None:
        """The head the offsets were read from; None before the first commit."""
        snapshot = self.table.current_snapshot()
        return None if snapshot is None else int(snapshot.snapshot_id)


def open_at_head(lake: Lakehouse, contract: TableContract, key: str) -> OffsetTable:
    """The table and its committed offsets (source name to last sequence number).

    Raises CatalogError when the table has a head without offsets under `key`, or was created
    without `EXACTLY_ONCE`.
    """
    table = lake.ensure(contract)
    if table.properties.get("commit.retry.num-retries") != "0":
        raise CatalogError(
            f"{contract.name} does not set commit.retry.num-retries=0, so a retried commit could "
            "double its rows. Set the property before anything is written to it."
        )
    snapshot = table.current_snapshot()
    if snapshot is None:
        return OffsetTable(contract, key, table)
    text = None if snapshot.summary is None else snapshot.summary.additional_properties.get(key)
    if text is None:
        raise CatalogError(
            f"The head {snapshot.snapshot_id} of {contract.name} states no {key}: somebody "
            "committed to it without carrying the offsets on. Reading from the beginning would "
            "double every row; restore the offsets from an earlier snapshot or from the rows."
        )
    offsets = {str(name): int(last) for name, last in json.loads(text).items()}
    return OffsetTable(contract, key, table, offsets)


def append_with_offsets(
    at: OffsetTable, rows: pa.Table, offsets: Mapping[str, int], run: RunInfo
) -> int:
    """Append rows and state the new offsets in one commit; returns the snapshot id.

    Offsets of sources that are not named stay. With zero rows the commit still moves the offsets.
    Raises PublicationError when another writer committed since `at` was opened: nothing was
    appended, and a new run starts from what is committed then.
    """
    with _or_overtaken(at):
        at.table.append(
            rows.cast(at.contract.schema), snapshot_properties=_summary(at, offsets, run)
        )
    return _head(at)


def replace_with_offsets(
    at: OffsetTable, rows: pa.Table, offsets: Mapping[str, int], run: RunInfo
) -> int:
    """Replace all rows, as `append_with_offsets` appends them; for tables that can be derived."""
    with _or_overtaken(at):
        at.table.overwrite(
            rows.cast(at.contract.schema), snapshot_properties=_summary(at, offsets, run)
        )
    return _head(at)


def _summary(at: OffsetTable, offsets: Mapping[str, int], run: RunInfo) -> dict[str, str]:
    moved = dict(at.offsets) | dict(offsets)
    return {
        at.key: json.dumps(moved, sort_keys=True),
        "run-id": run.run_id,
        "code-version": run.code_version,
    }


@contextmanager
def _or_overtaken(at: OffsetTable) -> Iterator[None]:
    try:
        yield
    except CommitFailedException as error:
        raise PublicationError(
            f"Another writer committed to {at.contract.name} in the meantime; nothing was "
            "written. Run it again: it continues from what is committed."
        ) from error


def _head(at: OffsetTable) -> int:
    snapshot_id = at.snapshot_id
    if snapshot_id is None:
        raise CatalogError(f"Table {at.contract.name} has no snapshot after a commit.")
    return snapshot_id


def carried(table: Table) -> dict[str, str]:
    """The offsets of the head, for the summary of a commit that only rearranges rows."""
    snapshot = table.current_snapshot()
    if snapshot is None or snapshot.summary is None:
        return {}
    found = snapshot.summary.additional_properties
    return {key: found[key] for key in OFFSET_KEYS if key in found}
