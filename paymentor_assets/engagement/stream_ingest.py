"""Stream to lakehouse, exactly once: whole ranges, committed together with how far they reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.offsets import STREAM_OFFSETS, append_with_offsets, open_at_head
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.compliance.local_time import zone_offsets
from paymentor_assets.engagement.masking import address_kind, address_sql, masked_sql
from paymentor_assets.engagement.tables import RAW_EVENTS
from paymentor_assets.ingestion.tokens import token_of
from paymentor_assets.lenders import Lender, lender_named
from resources.clock import naive_utc
from resources.crash_points import reach, register
from resources.duck import connect, quote
from resources.errors import StreamGapError
from resources.lakehouse import Lakehouse
from resources.streams import Stream
from resources.vault import Vault

register("engagement.after_stream_read", "engagement.after_raw_commit")

STREAM_NAME = "engagement"


@dataclass(frozen=True)
class ShardRange:
    """The records `after` < sequence <= `upto` of one shard."""

    after: int
    upto: int


@dataclass(frozen=True)
class StreamIngest:
    """What one call committed. `skipped` are shards whose whole range was committed before."""

    rows: int
    snapshot_id: int | None
    offsets: Mapping[str, int]
    skipped: tuple[str, ...] = ()
    rows_by_shard: Mapping[str, int] = field(default_factory=dict)


def committed_offsets(lake: Lakehouse) -> dict[str, int]:
    """How far every shard is in the lakehouse; raises CatalogError when the head does not say."""
    return dict(open_at_head(lake, RAW_EVENTS, STREAM_OFFSETS).offsets)


def pending_ranges(
    lake: Lakehouse,
    stream: Stream,
    *,
    lender_id: str | None = None,
    max_records_per_shard: int | None = None,
) -> dict[str, ShardRange]:
    """What the stream holds beyond the committed offsets, by shard; empty when nothing does."""
    committed = committed_offsets(lake)
    ranges = {}
    for shard in stream.shards():
        if lender_id is not None and shard.split("/", 1)[0] != lender_id:
            continue
        after, head = committed.get(shard, 0), stream.head(shard)
        if head < after:
            raise StreamGapError(
                f"{shard} ends at {head}, but {after} is committed: records were removed from the "
                "stream or another stream was put in its place. Restore it; nothing was read."
            )
        upto = head if max_records_per_shard is None else min(head, after + max_records_per_shard)
        if upto > after:
            ranges[shard] = ShardRange(after, upto)
    return ranges


def ingest_ranges(
    lake: Lakehouse,
    stream: Stream,
    vault: Vault,
    lenders: Mapping[str, Lender],
    ranges: Mapping[str, ShardRange],
    run: RunInfo,
) -> StreamIngest:
    """Append exactly these ranges and their offsets in one commit.

    A range that is committed already is skipped, so a run that died after its commit can be
    repeated. Raises StreamGapError for a range that neither continues the committed offset nor lies
    wholly behind it, PublicationError when another reader committed in the meantime; then nothing
    was appended.
    """
    at = open_at_head(lake, RAW_EVENTS, STREAM_OFFSETS)
    parts: list[pa.Table] = []
    moved: dict[str, int] = {}
    skipped: list[str] = []
    for shard, wanted in sorted(ranges.items()):
        done = at.offsets.get(shard, 0)
        if wanted.upto <= done:
            skipped.append(shard)
            continue
        if wanted.after != done:
            raise StreamGapError(
                f"The range ({wanted.after}, {wanted.upto}] of {shard} does not continue the "
                f"committed offset {done}; nothing was appended. Ask for ({done}, …] instead."
            )
        lender = lender_named(lenders, shard.split("/", 1)[0])
        records = stream.read(shard, wanted.after, wanted.upto)
        parts.append(_to_rows(records, vault, lender, run))
        moved[shard] = wanted.upto
    if not parts:
        return StreamIngest(0, at.snapshot_id, dict(at.offsets), tuple(skipped))
    reach("engagement.after_stream_read")
    rows = pa.concat_tables(parts)
    snapshot_id = append_with_offsets(at, rows, moved, run)
    reach("engagement.after_raw_commit")
    return StreamIngest(
        rows.num_rows,
        snapshot_id,
        dict(at.offsets) | moved,
        tuple(skipped),
        {shard: moved[shard] - at.offsets.get(shard, 0) for shard in moved},
    )


def _to_rows(records: pa.Table, vault: Vault, lender: Lender, run: RunInfo) -> pa.Table:
    sealed = [
        None if payload is None else vault.seal_record(payload.encode(), shard, sequence)
        for payload, shard, sequence in zip(
            records.column("payload").to_pylist(),
            records.column("shard").to_pylist(),
            records.column("sequence").to_pylist(),
            strict=True,
        )
    ]
    records = records.append_column("payload_sealed", pa.array(sealed, pa.binary()))
    with connect() as con:
        con.register("records", records)
        addresses = con.execute(
            f"SELECT DISTINCT provider, {address_sql('provider', 'payload')} AS address "
            "FROM records ORDER BY ALL"
        ).fetchall()
        con.register("address_tokens", _address_tokens(addresses, vault, lender))
        con.register("offsets", _offsets(records, lender))
        return (
            con.execute(
                f"""
                SELECT
                    {quote(lender.lender_id)} AS lender_id,
                    {quote(STREAM_NAME)} AS stream,
                    r.shard,
                    r.sequence,
                    r.provider,
                    {masked_sql("r.provider", "r.payload")} AS payload,
                    r.payload_sealed,
                    t.token AS address_token,
                    r.arrived_at_utc AS received_at_utc,
                    CAST(r.arrived_at_utc + to_seconds(o.offset_seconds) AS DATE) AS known_date,
                    r.arrived_at_utc AS _known_at,
                    CAST(? AS TIMESTAMP) AS _ingested_at
                FROM records AS r
                ASOF JOIN offsets AS o ON r.arrived_at_utc >= o.from_utc
                LEFT JOIN address_tokens AS t
                    ON t.provider = r.provider
                    AND t.address = {address_sql("r.provider", "r.payload")}
                ORDER BY r.sequence
                """,
                [naive_utc(run.clock.now())],
            )
            .to_arrow_table()
            .cast(RAW_EVENTS.schema)
        )


def _address_tokens(
    addresses: list[tuple[str, str | None]], vault: Vault, lender: Lender
) -> pa.Table:
    rows = [
        {
            "provider": provider,
            "address": address,
            "token": token_of(vault, lender.lender_id, address_kind(provider), address),
        }
        for provider, address in addresses
        if address
    ]
    schema = pa.schema([(name, pa.string()) for name in ("provider", "address", "token")])
    return pa.Table.from_pylist(rows, schema=schema)


def _offsets(records: pa.Table, lender: Lender) -> pa.Table:
    arrived = pc.min_max(records.column("arrived_at_utc")).as_py()
    hour = arrived["min"].replace(minute=0, second=0, microsecond=0)
    return zone_offsets([lender.zone], hour, arrived["max"] + timedelta(hours=1))
