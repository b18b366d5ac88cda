"""What must hold of the engagement tables whatever happened; each answer is a list of faults."""

from __future__ import annotations

from paymentor_assets.audit.offsets import STREAM_OFFSETS, open_at_head
from paymentor_assets.engagement.outcomes import sent_without_allow
from paymentor_assets.engagement.tables import EVENTS, RAW_EVENTS
from resources.duck import connect
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore


def shards_not_whole(lake: Lakehouse) -> list[str]:
    """Shards in which not every sequence number up to the committed offset stands exactly once."""
    at = open_at_head(lake, RAW_EVENTS, STREAM_OFFSETS)
    if at.snapshot_id is None:
        return []
    with connect() as con:
        con.register("rows", at.table.scan(selected_fields=("shard", "sequence")).to_arrow())
        found = con.execute(
            "SELECT shard, count(*), count(DISTINCT sequence), min(sequence), max(sequence) "
            "FROM rows GROUP BY shard ORDER BY shard"
        ).fetchall()
    counted = {shard: tuple(figures) for shard, *figures in found}
    return [
        f"{shard} is committed up to {offset}, but its rows do not number 1 to {offset} once each"
        for shard, offset in sorted(at.offsets.items())
        if offset and counted.get(shard) != (offset, offset, 1, offset)
    ]


def events_not_unique(lake: Lakehouse) -> list[str]:
    """Event ids that stand in engagement.events more than once."""
    if lake.head(EVENTS.name) is None:
        return []
    with connect() as con:
        con.register("rows", lake.scan(EVENTS.name, columns=("event_id",)))
        found = con.execute(
            "SELECT event_id, count(*) FROM rows GROUP BY event_id HAVING count(*) > 1 ORDER BY 1"
        ).fetchall()
    return [f"event {event_id} stands {count} times" for event_id, count in found]


def sends_without_allow(store: OperationalStore) -> list[str]:
    """Messages that left without an allow of the same attempt."""
    with store.read() as connection:
        return [
            f"action {action_id} was sent without an allow of its attempt"
            for action_id in sent_without_allow(connection)
        ]


def row_count(lake: Lakehouse, name: str) -> int:
    """Rows of a table, as its head states them."""
    if lake.head(name) is None:
        return 0
    return int(lake.summary(name).get("total-records", 0))
