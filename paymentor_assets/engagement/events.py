"""Raw events to facts: normalised, deduplicated, each with the action it answers, exactly once.

Every run continues from the offsets in the head of engagement.events, so a run that died anywhere
is simply run again. The order of effects: opt-outs first (idempotent by event), then what yields no
fact, then the facts, then the publication that makes them visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.expressions import (
    AlwaysFalse,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    LessThanOrEqual,
    Or,
)

from paymentor_assets.audit.offsets import (
    SOURCE_OFFSETS,
    STREAM_OFFSETS,
    OffsetTable,
    append_with_offsets,
    open_at_head,
    replace_with_offsets,
)
from paymentor_assets.audit.publications import Publication, RunInfo, publish_heads
from paymentor_assets.engagement.facts_sql import (
    FACTS_SQL,
    IDENTIFIED_SQL,
    SUPPRESSIONS_SQL,
    UNPARSED_SQL,
)
from paymentor_assets.engagement.normalise import stage_found
from paymentor_assets.engagement.opt_outs import Suppression, read_replies, suppress
from paymentor_assets.engagement.resolution import stage_owners
from paymentor_assets.engagement.tables import EVENTS, RAW_EVENTS, UNPARSED_EVENTS
from paymentor_assets.lenders import Lender
from resources.crash_points import reach, register
from resources.duck import connect
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore
from resources.vault import Vault

register(
    "engagement.after_suppressions",
    "engagement.after_unparsed_commit",
    "engagement.after_events_commit",
)

STAGE = "engagement"
#: Raw events of one shard that are worked on at a time.
CHUNK = 200_000


@dataclass(frozen=True)
class NormaliseResult:
    """Counts of one call. `events` + `duplicates` are facts said, `unparsed` raw events."""

    raw_rows: int = 0
    events: int = 0
    duplicates: int = 0
    unparsed: int = 0
    unresolved: int = 0
    suppressions: int = 0
    publications: tuple[Publication, ...] = ()


def normalise_events(
    lake: Lakehouse,
    store: OperationalStore,
    vault: Vault,
    lenders: Mapping[str, Lender],
    run: RunInfo,
) -> NormaliseResult:
    """Turn every committed raw event that is not yet in engagement.events into facts.

    Publishes stage `engagement` for each lender that has events. Raises PublicationError when
    another run committed at the same time; nothing is doubled then, and a new run continues.
    """
    totals: dict[str, int] = {}
    raw = open_at_head(lake, RAW_EVENTS, STREAM_OFFSETS)
    while True:
        events = open_at_head(lake, EVENTS, SOURCE_OFFSETS)
        ranges = {
            shard: (events.offsets.get(shard, 0), min(head, events.offsets.get(shard, 0) + CHUNK))
            for shard, head in raw.offsets.items()
            if head > events.offsets.get(shard, 0)
        }
        if not ranges:
            break
        counts = _normalise_range(lake, store, vault, raw, events, ranges, run)
        for name, count in counts.items():
            totals[name] = totals.get(name, 0) + count
    return NormaliseResult(**totals, publications=_publish(lake, lenders, raw, run))


def rebuild_events(
    lake: Lakehouse,
    store: OperationalStore,
    vault: Vault,
    lenders: Mapping[str, Lender],
    run: RunInfo,
) -> NormaliseResult:
    """Make all facts anew from the raw events, e.g. with a corrected normaliser; one commit.

    Event ids stay what they were, and opt-outs that the old normaliser missed are written.
    """
    raw = open_at_head(lake, RAW_EVENTS, STREAM_OFFSETS)
    events = open_at_head(lake, EVENTS, SOURCE_OFFSETS)
    ranges = {shard: (0, head) for shard, head in raw.offsets.items()}
    counts = _normalise_range(lake, store, vault, raw, events, ranges, run, is_rebuild=True)
    return NormaliseResult(**counts, publications=_publish(lake, lenders, raw, run))


def _normalise_range(
    lake: Lakehouse,
    store: OperationalStore,
    vault: Vault,
    raw: OffsetTable,
    events: OffsetTable,
    ranges: Mapping[str, tuple[int, int]],
    run: RunInfo,
    *,
    is_rebuild: bool = False,
) -> dict[str, int]:
    rows = lake.scan(RAW_EVENTS.name, raw.snapshot_id, _in_ranges(ranges))
    moved = {shard: upto for shard, (_, upto) in ranges.items()}
    unparsed = open_at_head(lake, UNPARSED_EVENTS, SOURCE_OFFSETS)
    with connect() as con:
        con.register("raw_events", rows)
        stage_found(con)
        con.register("replies_in", read_replies(_inbound(con), vault))
        con.execute("CREATE TEMP TABLE replies AS SELECT * FROM replies_in")
        con.execute(
            # The words decide between a reply and an opt-out; the sender is exact where a notice
            # speaks of several people.
            """
            UPDATE found SET
                event_type = CASE WHEN p.is_opt_out THEN 'opted_out' ELSE event_type END,
                address_token = coalesce(p.address_token, found.address_token)
            FROM replies AS p
            WHERE p.shard = found.shard AND p.sequence = found.sequence
                AND p.inbound_id = found.inbound_id
            """
        )
        stage_owners(con, lake, store)
        con.execute(IDENTIFIED_SQL)
        _stage_known_ids(con, None if is_rebuild else events)
        con.execute(FACTS_SQL)
        made = suppress(store, run.clock, _suppressions(con))
        reach("engagement.after_suppressions")
        _write(unparsed, _arrow(con, UNPARSED_SQL, UNPARSED_EVENTS.schema), moved, run, is_rebuild)
        reach("engagement.after_unparsed_commit")
        facts = _arrow(con, "SELECT * FROM facts ORDER BY event_id", EVENTS.schema)
        _write(events, facts, moved, run, is_rebuild)
        reach("engagement.after_events_commit")
        return {
            "raw_rows": rows.num_rows,
            "events": facts.num_rows,
            "duplicates": _count(con, "SELECT count(*) FROM identified") - facts.num_rows,
            "unparsed": _count(con, f"SELECT count(*) FROM ({UNPARSED_SQL})"),
            "unresolved": _count(con, "SELECT count(*) FROM facts WHERE action_id IS NULL"),
            "suppressions": made,
        }


def _write(
    at: OffsetTable, rows: pa.Table, moved: Mapping[str, int], run: RunInfo, is_rebuild: bool
) -> None:
    if is_rebuild:
        replace_with_offsets(at, rows, moved, run)
        return
    # A run that died between the two tables left one of them ahead.
    behind = {shard: upto for shard, upto in moved.items() if upto > at.offsets.get(shard, 0)}
    if not behind:
        return
    keys = zip(rows.column("shard").to_pylist(), rows.column("sequence").to_pylist(), strict=True)
    fresh = [sequence > at.offsets.get(shard, 0) for shard, sequence in keys]
    append_with_offsets(at, rows.filter(pa.array(fresh, pa.bool_())), behind, run)


def _publish(
    lake: Lakehouse, lenders: Mapping[str, Lender], raw: OffsetTable, run: RunInfo
) -> tuple[Publication, ...]:
    heads = {
        contract.name: head
        for contract in (RAW_EVENTS, EVENTS, UNPARSED_EVENTS)
        if (head := raw.snapshot_id if contract is RAW_EVENTS else lake.head(contract.name))
    }
    present = sorted({shard.split("/", 1)[0] for shard in raw.offsets})
    return tuple(
        publish_heads(
            lake,
            stage=STAGE,
            lender_id=lender_id,
            day=lenders[lender_id].local_day(run.clock.now()),
            tables=heads,
            run=run,
        )
        for lender_id in present
        if lender_id in lenders
    )


def _in_ranges(ranges: Mapping[str, tuple[int, int]]) -> BooleanExpression:
    wanted: BooleanExpression = AlwaysFalse()
    for shard, (after, upto) in sorted(ranges.items()):
        wanted = Or(
            wanted,
            And(
                EqualTo("shard", shard),
                GreaterThan("sequence", after),
                LessThanOrEqual("sequence", upto),
            ),
        )
    return wanted


def _inbound(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        con.execute(
            """
            SELECT DISTINCT r.shard, r.sequence, r.lender_id, r.provider, r.payload_sealed
            FROM raw_events AS r SEMI JOIN
                (FROM found WHERE inbound_id IS NOT NULL) AS f USING (shard, sequence)
            ORDER BY r.shard, r.sequence
            """
        )
        .to_arrow_table()
        .to_pylist()
    )
    return rows


def _stage_known_ids(con: duckdb.DuckDBPyConnection, events: OffsetTable | None) -> None:
    """Table `known_ids`: facts that are committed already; a copy may come at any later time."""
    committed = pa.table({"event_id": pa.array([], pa.string())})
    if events is not None and events.snapshot_id is not None:
        # A stream of batches: the ids of years pass through, only those said again stay.
        committed = events.table.scan(selected_fields=("event_id",)).to_arrow_batch_reader()
    con.register("committed_ids", committed)
    con.execute(
        "CREATE TEMP TABLE known_ids AS "
        "SELECT event_id FROM committed_ids SEMI JOIN identified USING (event_id)"
    )
    con.unregister("committed_ids")


def _suppressions(con: duckdb.DuckDBPyConnection) -> list[Suppression]:
    rows = con.execute(SUPPRESSIONS_SQL).to_arrow_table().to_pylist()
    return [Suppression(**row) for row in rows]


def _arrow(con: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema) -> pa.Table:
    rows = con.execute(sql).to_arrow_table()
    return rows.select(schema.names).cast(schema)


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    assert row is not None
    return int(row[0])
