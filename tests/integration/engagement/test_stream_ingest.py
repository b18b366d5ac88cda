"""Stream to lakehouse: exactly once under crashes, repetition, rivals and upkeep."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from paymentor_assets.audit.offsets import STREAM_OFFSETS, open_at_head
from paymentor_assets.engagement import stream_ingest
from paymentor_assets.engagement.stream_ingest import (
    ShardRange,
    StreamIngest,
    committed_offsets,
    ingest_ranges,
    pending_ranges,
)
from paymentor_assets.engagement.tables import RAW_EVENTS
from resources.crash_points import SimulatedCrash, armed
from resources.errors import CatalogError, PublicationError, StreamGapError
from resources.lakehouse import TableContract
from tests.support.engagement_world import SLOT, World
from tests.support.provider_events import record, ses, sms, sms_reply, whatsapp, whatsapp_message

SHARD = "meridian/shard-0000"


def put(world: World, count: int, shard: str = SHARD) -> None:
    first = world.stream.head(shard) + 1
    world.stream.put(
        shard,
        [
            record("sms", sms("TEXT_DELIVERED", f"{shard}/{n}", at=SLOT), SLOT)
            for n in range(first, first + count)
        ],
    )


def ingest(world: World, ranges: dict[str, ShardRange] | None = None) -> StreamIngest:
    wanted = pending_ranges(world.lake, world.stream) if ranges is None else ranges
    return ingest_ranges(world.lake, world.stream, world.vault, world.lenders, wanted, world.run)


def sequences(world: World) -> Counter[tuple[str, int]]:
    rows = world.open_lake().scan(RAW_EVENTS.name, columns=("shard", "sequence")).to_pylist()
    return Counter((row["shard"], row["sequence"]) for row in rows)


def expected(world: World) -> Counter[tuple[str, int]]:
    return Counter(
        (shard, n)
        for shard in world.stream.shards()
        for n in range(1, world.stream.head(shard) + 1)
    )


def test_ranges_of_several_shards_are_one_commit(world: World) -> None:
    put(world, 5)
    put(world, 3, "meridian/shard-0001")
    result = ingest(world)
    assert result.rows == 8
    assert committed_offsets(world.lake) == {SHARD: 5, "meridian/shard-0001": 3}
    assert len(world.lake.load(RAW_EVENTS.name).snapshots()) == 1
    put(world, 2)
    assert pending_ranges(world.lake, world.stream) == {SHARD: ShardRange(5, 7)}
    assert pending_ranges(world.lake, world.stream, max_records_per_shard=1) == {
        SHARD: ShardRange(5, 6)
    }
    assert pending_ranges(world.lake, world.stream, lender_id="other") == {}
    assert ingest(world).rows == 2
    assert sequences(world) == expected(world)
    assert ingest(world) == StreamIngest(0, world.lake.head(RAW_EVENTS.name), {
        SHARD: 7, "meridian/shard-0001": 3,
    })  # fmt: skip


@pytest.mark.parametrize("point", ["engagement.after_stream_read", "engagement.after_raw_commit"])
def test_a_crash_neither_loses_nor_doubles(world: World, point: str) -> None:
    put(world, 4)
    ranges = pending_ranges(world.lake, world.stream)
    with armed(point), pytest.raises(SimulatedCrash):
        ingest(world, ranges)
    repeated = ingest(world, ranges)
    assert sequences(world) == expected(world)
    assert repeated.skipped == ((SHARD,) if point == "engagement.after_raw_commit" else ())


def test_a_range_that_is_committed_is_skipped_and_a_gap_refused(world: World) -> None:
    put(world, 6)
    ingest(world, {SHARD: ShardRange(0, 4)})
    assert ingest(world, {SHARD: ShardRange(0, 4)}).skipped == (SHARD,)
    assert ingest(world, {SHARD: ShardRange(2, 3)}).skipped == (SHARD,)
    with pytest.raises(StreamGapError, match="does not continue"):
        ingest(world, {SHARD: ShardRange(5, 6)})
    with pytest.raises(StreamGapError, match="does not continue"):
        ingest(world, {SHARD: ShardRange(3, 6)})
    assert ingest(world, {SHARD: ShardRange(4, 6)}).rows == 2
    assert sequences(world) == expected(world)


def test_of_two_readers_of_one_range_one_fails(world: World) -> None:
    put(world, 4)
    ranges = pending_ranges(world.lake, world.stream)
    rivals = World(world.root, world.store)
    real_read = world.stream.read

    def overtaken(shard: str, after: int, upto: int) -> object:
        # The rival reads and commits the same range between our look at the offsets and our commit.
        world.stream.read = real_read  # type: ignore[method-assign]
        assert ingest(rivals, ranges).rows == 4
        return real_read(shard, after, upto)

    world.stream.read = overtaken  # type: ignore[method-assign,assignment]
    with pytest.raises(PublicationError, match="Another writer"):
        ingest(world, ranges)
    assert ingest(world, ranges).skipped == (SHARD,)
    assert sequences(world) == expected(world)
    rivals.vault.close()


def test_a_stream_shorter_than_what_is_committed_is_an_error(world: World) -> None:
    put(world, 3)
    ingest(world)
    (world.root / "stream" / SHARD / "000000000001.jsonl").unlink()
    put(world, 1)
    with pytest.raises(StreamGapError, match="3 is committed"):
        pending_ranges(world.lake, world.stream)


def test_a_head_without_offsets_is_an_error_and_never_the_beginning(world: World) -> None:
    put(world, 3)
    ingest(world)
    table = world.lake.load(RAW_EVENTS.name)
    table.overwrite(table.scan().to_arrow())
    with pytest.raises(CatalogError, match=r"states no stream\.offsets"):
        ingest(world)
    assert sum(sequences(world).values()) == 3


def test_a_table_without_the_retry_guard_is_refused(world: World) -> None:
    bare = TableContract(RAW_EVENTS.name, RAW_EVENTS.schema, RAW_EVENTS.key, "Without the guard.")
    world.lake.ensure(bare)
    with pytest.raises(CatalogError, match=r"commit\.retry\.num-retries=0"):
        open_at_head(world.lake, RAW_EVENTS, STREAM_OFFSETS)


def test_known_date_is_the_lenders_calendar_day(world: World) -> None:
    late = SLOT.replace(hour=18, minute=29)  # 23:59 in India
    payload = sms("TEXT_DELIVERED", "m", at=late)
    world.stream.put(
        SHARD,
        [record("sms", payload, late), record("sms", payload, late + timedelta(minutes=1))],
    )
    ingest(world)
    days = world.lake.scan(RAW_EVENTS.name).sort_by("sequence").column("known_date").to_pylist()
    assert [day.isoformat() for day in days] == ["2026-06-02", "2026-06-03"]


def test_the_lake_holds_no_personal_data_and_the_vault_gives_the_original_back(
    world: World,
) -> None:
    payloads = [
        ("ses", ses("Click", "m1", at=SLOT, ipAddress="203.0.113.9", link="https://x.example/a")),
        ("sms", sms("TEXT_DELIVERED", "m2", at=SLOT, to="+919812345678")),
        ("sms_inbound", sms_reply("i1", "I am Asha, 9812345678", sender="+919812345678")),
        (
            "whatsapp",
            whatsapp(
                contacts=[{"profile": {"name": "Asha Rao"}, "wa_id": "919812345678"}],
                messages=[whatsapp_message("w1", "Asha here", at=SLOT, sender="919812345678")],
            ),
        ),
        ("ses", "<html>error for asha@example.com</html>"),
        ("pigeon", {"note": "Asha Rao +919812345678"}),
    ]
    world.stream.put(SHARD, [record(provider, payload, SLOT) for provider, payload in payloads])
    ingest(world)
    rows = world.lake.scan(RAW_EVENTS.name).sort_by("sequence").to_pylist()
    shown = json.dumps([row["payload"] for row in rows])
    for secret in ("Asha", "asha@example.com", "9812345678", "203.0.113.9"):
        assert secret not in shown
    for file in (world.root / "lakehouse").rglob("*.parquet"):
        assert b"Asha" not in file.read_bytes()
    for row, (_, payload) in zip(rows, payloads, strict=True):
        opened = world.vault.open_record(
            row["payload_sealed"], SHARD, row["sequence"], actor="test", purpose="test"
        ).decode()
        assert (opened if isinstance(payload, str) else json.loads(opened)) == payload
    tokens = [row["address_token"] for row in rows]
    assert tokens[1] == tokens[2] == tokens[3] != tokens[0]
    assert tokens[4] is tokens[5] is None


def test_the_stream_name_stands_in_every_row(world: World) -> None:
    put(world, 1)
    ingest(world)
    [row] = world.lake.scan(RAW_EVENTS.name).to_pylist()
    assert (row["stream"], row["lender_id"]) == (stream_ingest.STREAM_NAME, "meridian")
