"""Upkeep between two reads neither loses nor doubles; what is pinned stays readable."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from paymentor_assets.audit import maintenance
from paymentor_assets.audit.maintenance import Upkeep, maintain, pinned_snapshots
from paymentor_assets.audit.offsets import STREAM_OFFSETS
from paymentor_assets.audit.orphans import remove_orphans
from paymentor_assets.audit.publications import newest, publish_days, read_table, require
from paymentor_assets.engagement.events import NormaliseResult, normalise_events
from paymentor_assets.engagement.stream_ingest import (
    StreamIngest,
    committed_offsets,
    ingest_ranges,
    pending_ranges,
)
from paymentor_assets.engagement.tables import EVENTS, RAW_EVENTS
from resources.clock import FixedClock
from resources.crash_points import SimulatedCrash, armed
from resources.lakehouse import TableContract, column
from tests.support.engagement_world import SLOT, World, minutes
from tests.support.provider_events import record, sms

SHARD = "meridian/shard-0000"


@pytest.fixture(autouse=True)
def three_files_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "FEWEST_FILES", 3)


def put_and_read(world: World, count: int) -> tuple[StreamIngest, NormaliseResult]:
    first = world.stream.head(SHARD) + 1
    at = SLOT + minutes(first)
    world.stream.put(
        SHARD,
        [
            record("sms", sms("TEXT_DELIVERED", f"m{n}", at=at), at)
            for n in range(first, first + count)
        ],
    )
    return read(world)


def read(world: World) -> tuple[StreamIngest, NormaliseResult]:
    ranges = pending_ranges(world.lake, world.stream)
    taken = ingest_ranges(world.lake, world.stream, world.vault, world.lenders, ranges, world.run)
    made = normalise_events(world.lake, world.store, world.vault, world.lenders, world.run)
    return taken, made


def in_days(days: float) -> FixedClock:
    return FixedClock(datetime.now(UTC) + timedelta(days=days))


def upkeep(world: World, days: float = 30) -> dict[str, Upkeep]:
    return {u.table: u for u in maintain(world.lake, in_days(days), world.run)}


def sequences(world: World) -> Counter[int]:
    return Counter(world.open_lake().scan(RAW_EVENTS.name).column("sequence").to_pylist())


def test_compaction_and_expiry_between_reads_neither_lose_nor_double(world: World) -> None:
    for _ in range(3):
        put_and_read(world, 2)
    before = world.lake.scan(EVENTS.name).sort_by("event_id")
    done = upkeep(world)
    assert done[RAW_EVENTS.name].files_before == done[EVENTS.name].files_before == 3
    assert done[RAW_EVENTS.name].files_after == done[EVENTS.name].files_after == 1
    assert done[RAW_EVENTS.name].snapshots_expired >= 2
    assert done[RAW_EVENTS.name].files_removed >= 3
    assert committed_offsets(world.lake) == {SHARD: 6}
    assert world.lake.scan(EVENTS.name).sort_by("event_id") == before

    taken, made = put_and_read(world, 3)
    assert (taken.rows, made.events, made.duplicates) == (3, 3, 0)
    assert read(world)[0].rows == 0
    assert sequences(world) == Counter(range(1, 10))
    assert world.lake.scan(EVENTS.name).num_rows == 9


def test_a_second_upkeep_finds_nothing_to_do(world: World) -> None:
    for _ in range(3):
        put_and_read(world, 1)
    upkeep(world)
    heads = {name: world.lake.head(name) for name in maintenance.all_tables(world.lake)}
    assert all(u.partitions_compacted == 0 for u in upkeep(world, days=60).values())
    assert heads == {name: world.lake.head(name) for name in maintenance.all_tables(world.lake)}


def test_young_snapshots_and_files_are_kept(world: World) -> None:
    for _ in range(3):
        put_and_read(world, 1)
    snapshots = len(world.lake.load(RAW_EVENTS.name).snapshots())
    done = upkeep(world, days=1)[RAW_EVENTS.name]
    assert (done.snapshots_expired, done.files_removed) == (0, 0)
    assert len(world.lake.load(RAW_EVENTS.name).snapshots()) > snapshots


def test_what_the_newest_publication_pins_is_kept(world: World) -> None:
    for _ in range(3):
        put_and_read(world, 1)
    publication = newest(world.lake, "engagement", "meridian")
    assert publication is not None
    pinned = publication.table(EVENTS.name).snapshot_id
    assert pinned in pinned_snapshots(world.lake)[EVENTS.name]
    upkeep(world)
    assert world.lake.head(EVENTS.name) != pinned
    assert world.lake.has_snapshot(EVENTS.name, pinned)
    assert world.lake.scan(EVENTS.name, pinned).num_rows == 3


def test_a_crash_in_upkeep_costs_a_repetition(world: World) -> None:
    for _ in range(3):
        put_and_read(world, 1)
    for point in ("audit.maintenance.after_compaction", "audit.maintenance.after_expiry"):
        with armed(point), pytest.raises(SimulatedCrash):
            upkeep(world)
        put_and_read(world, 1)
    upkeep(world)
    assert sequences(world) == Counter(range(1, 6))
    assert world.lake.scan(EVENTS.name).num_rows == 5


def test_a_writer_that_is_faster_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        put_and_read(world, 1)
    real = Table.overwrite

    def overtaken(table: Table, *arguments: object, **named: object) -> None:
        monkeypatch.setattr(Table, "overwrite", real)
        put_and_read(world, 1)
        real(table, *arguments, **named)

    monkeypatch.setattr(Table, "overwrite", overtaken)
    count, was_overtaken = maintenance.compact(world.lake, RAW_EVENTS.name, world.run)
    assert (count, was_overtaken) == (0, True)
    assert sequences(world) == Counter(range(1, 5))
    assert STREAM_OFFSETS in world.lake.summary(RAW_EVENTS.name)


def test_only_what_nothing_names_is_removed(world: World, tmp_path: Path) -> None:
    put_and_read(world, 1)
    folder = Path(world.lake.load(RAW_EVENTS.name).location().removeprefix("file://"))
    litter, fresh = folder / "data" / "litter.parquet", folder / "data" / "fresh.parquet"
    for path in (litter, fresh):
        path.write_bytes(b"x" * 10)
    old = (datetime.now(UTC) - timedelta(days=4)).timestamp()
    os.utime(litter, (old, old))
    assert remove_orphans(world.lake, RAW_EVENTS.name, in_days(0)) == (1, 10)
    assert fresh.exists()
    assert sequences(world) == Counter([1])


DAILY = TableContract(
    "decisions.test",
    pa.schema(
        [
            column("lender_id", pa.string(), "lender"),
            column("as_of_date", pa.date32(), "day"),
            column("n", pa.int64(), "value"),
        ]
    ),
    ("n",),
    "Test of a daily table.",
    ("lender_id", "as_of_date"),
)


def test_published_days_are_read_after_their_snapshot_expired(world: World) -> None:
    days = [date(2026, 6, n) for n in range(1, 4)]
    for n, day in enumerate(days):
        rows = pa.table(
            {"lender_id": ["meridian"], "as_of_date": [day], "n": [n]}, schema=DAILY.schema
        )
        publish_days(
            world.lake,
            stage="decisions",
            lender_id="meridian",
            days=[day],
            tables={DAILY: rows},
            inputs=[],
            run=world.run,
        )
    first = require(world.lake, "decisions", "meridian", days[0])
    assert upkeep(world)[DAILY.name].snapshots_expired > 0
    assert not world.lake.has_snapshot(DAILY.name, first.table(DAILY.name).snapshot_id)
    assert read_table(world.lake, first, DAILY, days[0]).column("n").to_pylist() == [0]
    last = require(world.lake, "decisions", "meridian")
    assert world.lake.has_snapshot(DAILY.name, last.table(DAILY.name).snapshot_id)
