"""Upkeep of lakehouse tables: fewer files, fewer snapshots, no litter; the rows stay the same.

Compaction rewrites partitions that consist of many small files (pyiceberg 0.12 has no rewrite of
its own) and carries stream and sequence offsets into its own summary. Expiry keeps the head, every
snapshot of the last seven days, and the snapshots that the newest publication of any stage and
lender names. Older publications lose their snapshot: readers then take the head and accept it only
if its digest is the published one (`publications.read_table`). Expiry alone frees no file, so files
that no snapshot names are removed, but only old ones: a commit under way has files that no
snapshot names yet.

All ages here are ages of files, so the clock must be the machine's and not a simulated one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo, IsNull, Or
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from paymentor_assets.audit.offsets import carried
from paymentor_assets.audit.orphans import remove_orphans
from paymentor_assets.audit.publications import RunInfo, all_publications
from paymentor_assets.audit.tables import MAINTENANCE
from resources.clock import Clock, naive_utc
from resources.crash_points import reach, register
from resources.errors import CatalogError
from resources.lakehouse import Lakehouse

register("audit.maintenance.after_compaction", "audit.maintenance.after_expiry")

KEEP_SNAPSHOTS = timedelta(days=7)
SMALL_FILE_BYTES = 32 * 2**20
FEWEST_FILES = 8
#: Rows rewritten in one commit, which is what it holds in memory.
ROWS_A_COMMIT = 2_000_000


@dataclass(frozen=True)
class Upkeep:
    """What was done to one table; overtaken by a writer, compaction leaves the rest as it was."""

    table: str
    partitions_compacted: int = 0
    files_before: int = 0
    files_after: int = 0
    snapshots_expired: int = 0
    files_removed: int = 0
    bytes_freed: int = 0
    is_overtaken: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether the table was fine as it was."""
        done = self.partitions_compacted + self.snapshots_expired + self.files_removed
        return not (done or self.is_overtaken)


@dataclass(frozen=True)
class _Partition:
    values: tuple[tuple[str, Any], ...]
    files: int
    small_files: int
    rows: int


def maintain(
    lake: Lakehouse, clock: Clock, run: RunInfo, tables: Sequence[str] | None = None
) -> list[Upkeep]:
    """Compact, expire and clean the tables named (by default all of the catalog).

    What was done is written to audit.maintenance; nothing, when nothing was.
    """
    pinned = pinned_snapshots(lake)
    done = [
        _maintain_one(lake, name, clock, run, pinned.get(name, set()))
        for name in (all_tables(lake) if tables is None else tables)
    ]
    rows = [_row(upkeep, clock, run) for upkeep in done if not upkeep.is_nothing]
    if rows:
        lake.append(
            MAINTENANCE,
            pa.Table.from_pylist(rows, schema=MAINTENANCE.schema),
            {"run-id": run.run_id, "code-version": run.code_version},
        )
    return done


def _row(upkeep: Upkeep, clock: Clock, run: RunInfo) -> dict[str, object]:
    values = {name: value for name, value in vars(upkeep).items() if name != "table"}
    return {
        **values,
        "at_utc": naive_utc(clock.now()),
        "table_name": upkeep.table,
        "run_id": run.run_id,
    }


def all_tables(lake: Lakehouse) -> list[str]:
    """Every table of the catalog, sorted."""
    return sorted(
        ".".join(identifier)
        for namespace in lake.catalog.list_namespaces()
        for identifier in lake.catalog.list_tables(namespace)
    )


def pinned_snapshots(lake: Lakehouse) -> dict[str, set[int]]:
    """Snapshots that the newest publication of each stage and lender names, by table."""
    newest = {(p.stage, p.lender_id): p for p in all_publications(lake)}
    pinned: dict[str, set[int]] = defaultdict(set)
    for publication in newest.values():
        for name, published in publication.tables.items():
            pinned[name].add(published.snapshot_id)
    return dict(pinned)


def compact(lake: Lakehouse, name: str, run: RunInfo) -> tuple[int, bool]:
    """Rewrite the partitions of a table that hold `FEWEST_FILES` or more small files.

    Returns how many partitions were rewritten, and whether a concurrent writer cut it short: then
    nothing of the last rewrite was committed, and the next upkeep tries again.
    """
    table = _without_retries(lake.load(name))
    worth = [p for p in _partitions(table) if p.small_files >= FEWEST_FILES]
    done = 0
    for group in _groups(worth):
        chosen: BooleanExpression = _any([_is_partition(partition) for partition in group])
        rows = table.scan(row_filter=chosen).to_arrow()
        expected = sum(partition.rows for partition in group)
        if rows.num_rows != expected:
            raise CatalogError(
                f"Compaction of {name} read {rows.num_rows} rows where its files hold {expected}; "
                "nothing was rewritten."
            )
        try:
            table.overwrite(
                rows,
                overwrite_filter=chosen,
                snapshot_properties={
                    **carried(table),
                    "maintenance": "compaction",
                    "run-id": run.run_id,
                    "code-version": run.code_version,
                },
            )
        except (CommitFailedException, ValidationException):
            return done, True
        done += len(group)
        reach("audit.maintenance.after_compaction")
    return done, False


def expire(
    lake: Lakehouse,
    name: str,
    clock: Clock,
    pinned: Iterable[int] = (),
    keep: timedelta = KEEP_SNAPSHOTS,
) -> int:
    """Expire snapshots older than `keep`, but for the head and the pinned; returns how many."""
    table = lake.load(name)
    current = table.current_snapshot()
    if current is None:
        return 0
    kept = {current.snapshot_id, *pinned}
    oldest = _milliseconds(clock.now() - keep)
    expired = [
        snapshot.snapshot_id
        for snapshot in table.snapshots()
        if snapshot.timestamp_ms < oldest and snapshot.snapshot_id not in kept
    ]
    if not expired:
        return 0
    table.maintenance.expire_snapshots().by_ids(expired).commit()
    reach("audit.maintenance.after_expiry")
    return len(expired)


def _maintain_one(
    lake: Lakehouse, name: str, clock: Clock, run: RunInfo, pinned: set[int]
) -> Upkeep:
    before = _data_files(lake.load(name))
    compacted, overtaken = compact(lake, name, run)
    expired = expire(lake, name, clock, pinned)
    removed, freed = remove_orphans(lake, name, clock)
    after = _data_files(lake.load(name))
    return Upkeep(name, compacted, before, after, expired, removed, freed, overtaken)


def _without_retries(table: Table) -> Table:
    # A compaction that is replayed on top of somebody else's commit would bring back what that
    # commit deleted. Only this loaded object is changed; the catalog applies updates to its own.
    table.metadata.properties["commit.retry.num-retries"] = "0"
    return table


def _partitions(table: Table) -> list[_Partition]:
    if table.current_snapshot() is None:
        return []
    spec = table.spec()
    if any(not isinstance(field.transform, IdentityTransform) for field in spec.fields):
        return []
    names = [field.name for field in spec.fields]
    grouped: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
    for task in table.scan().plan_files():
        file = task.file
        values = tuple(file.partition[position] for position in range(len(names)))
        grouped[values].append((file.file_size_in_bytes, file.record_count))
    return [
        _Partition(
            values=tuple(zip(names, values, strict=True)),
            files=len(sizes),
            small_files=sum(size < SMALL_FILE_BYTES for size, _ in sizes),
            rows=sum(rows for _, rows in sizes),
        )
        for values, sizes in sorted(grouped.items(), key=lambda item: str(item[0]))
    ]


def _groups(partitions: Iterable[_Partition]) -> list[list[_Partition]]:
    groups: list[list[_Partition]] = []
    held = 0
    for partition in partitions:
        if not groups or held + partition.rows > ROWS_A_COMMIT:
            groups.append([])
            held = 0
        groups[-1].append(partition)
        held += partition.rows
    return groups


def _is_partition(partition: _Partition) -> BooleanExpression:
    expression: BooleanExpression = AlwaysTrue()
    for name, value in partition.values:
        part: BooleanExpression = IsNull(name) if value is None else EqualTo(name, _literal(value))
        expression = And(expression, part)
    return expression


def _literal(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _any(expressions: Sequence[BooleanExpression]) -> BooleanExpression:
    chosen = expressions[0]
    for expression in expressions[1:]:
        chosen = Or(chosen, expression)
    return chosen


def _data_files(table: Table) -> int:
    # Not `inspect.data_files()`, which fails on a snapshot without any manifest.
    return len(list(table.scan().plan_files()))


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
