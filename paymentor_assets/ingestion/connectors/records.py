"""What connectors remember, in the operational store: exchanges, items, cursors.

Functions work inside the caller's transaction; which of them belong together is decided there
(`delivery`, `pull`, the webhook receiver).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, func, insert, select, update

from paymentor_assets.audit import ledger
from paymentor_assets.ingestion.connectors.interface import Exchange, Item
from resources.clock import Clock, naive_utc
from resources.errors import LedgerError
from resources.operational_schema import connector_cursors, connector_exchanges, connector_items
from resources.operational_schema import ledger as ledger_table
from resources.operational_store import OperationalStore

T = TypeVar("T")
#: Subjects or ids in one statement; SQLite takes some thousands of variables.
_IN_ONE_STATEMENT = 500


@dataclass(frozen=True)
class Source:
    """Which connector of which lender, and who runs it."""

    lender_id: str
    connector: str
    actor: str

    @property
    def name(self) -> str:
        """How the ledger and sentences call it."""
        return f"{self.lender_id}/{self.connector}"

    def owns(self, table: Any) -> Any:
        """The SQL condition for this connector's rows of a table."""
        return (table.c.lender_id == self.lender_id) & (table.c.connector == self.connector)


def record_exchanges(
    connection: Connection, source: Source, exchanges: Iterable[Exchange], clock: Clock
) -> dict[Exchange, int]:
    """Each exchange as a row and as the ledger entry over it; returns the ledger's numbers."""
    numbers = {}
    for exchange in exchanges:
        payload = {
            "lender_id": source.lender_id,
            "connector": source.connector,
            "method": exchange.method,
            "url": exchange.url,
            "request_sha256": exchange.request_sha256,
            "response_sha256": exchange.response_sha256,
            "status": exchange.status,
            "byte_size": exchange.byte_size,
            "at_utc": naive_utc(exchange.at),
        }
        numbers[exchange] = ledger.append(
            connection,
            clock=clock,
            actor=source.actor,
            kind="connector.exchange",
            subject=source.name,
            payload=_as_text(payload),
        )
        connection.execute(
            insert(connector_exchanges).values(ledger_seq=numbers[exchange], **payload)
        )
    return numbers


def verify_exchanges(store: OperationalStore, first: int = 0) -> int:
    """Compare exchanges, from the ledger's number `first` on, with the ledger entries over them;
    returns how many agree.

    Raises LedgerError naming the first that does not.
    """
    query = select(connector_exchanges, ledger_table.c.payload_hash).outerjoin(
        ledger_table, ledger_table.c.seq == connector_exchanges.c.ledger_seq
    )
    query = query.where(connector_exchanges.c.ledger_seq >= first)
    count = 0
    with store.read() as connection:
        for row in connection.execute(query.order_by(connector_exchanges.c.ledger_seq)).mappings():
            payload = {c.name: row[c.name] for c in connector_exchanges.c if c.name != "ledger_seq"}
            if ledger.hash_payload(_as_text(payload)) != row["payload_hash"]:
                raise LedgerError(
                    f"The connector exchange {row['ledger_seq']} is not what the ledger says it "
                    "was: the row was altered after it was written."
                )
            count += 1
    return count


def cursor_of(connection: Connection, source: Source) -> str | None:
    """Up to where the source was read; None before the first time."""
    query = select(connector_cursors.c.cursor).where(source.owns(connector_cursors))
    return connection.execute(query).scalar()


def advance(connection: Connection, source: Source, cursor: str, clock: Clock) -> None:
    """Remember up to where the source was read."""
    values = {"cursor": cursor, "updated_at_utc": naive_utc(clock.now())}
    where = source.owns(connector_cursors)
    if connection.execute(update(connector_cursors).where(where).values(values)).rowcount == 0:
        connection.execute(
            insert(connector_cursors).values(
                lender_id=source.lender_id, connector=source.connector, **values
            )
        )


def known_items(connection: Connection, source: Source, item_ids: Sequence[str]) -> set[str]:
    """Which of these ids were told before."""
    found: set[str] = set()
    for some in _portions(item_ids):
        query = select(connector_items.c.item_id).where(
            source.owns(connector_items), connector_items.c.item_id.in_(some)
        )
        found.update(connection.execute(query).scalars())
    return found


def note_items(
    connection: Connection,
    source: Source,
    items: Iterable[Item],
    exchange_seq: int,
    delivery_id: str | None = None,
) -> int:
    """Write down items that were not told before; returns how many those were.

    Without a delivery, an item with rows waits for one.
    """
    items = list(items)
    seen = known_items(connection, source, [item.item_id for item in items])
    count = 0
    for item in items:
        if item.item_id in seen:
            continue
        seen.add(item.item_id)
        waits = delivery_id is None and bool(item.rows)
        connection.execute(
            insert(connector_items).values(
                lender_id=source.lender_id,
                connector=source.connector,
                item_id=item.item_id,
                subject=item.subject,
                state=item.state,
                occurred_at_utc=naive_utc(item.occurred_at),
                exchange_seq=exchange_seq,
                rows=json.dumps(item.rows, sort_keys=True) if waits else None,
                delivery_id=delivery_id,
            )
        )
        count += 1
    return count


@dataclass(frozen=True)
class Waiting:
    """An item that waits for its file, with its number."""

    seq: int
    item: Item


def waiting_items(
    connection: Connection, source: Source, until: datetime, subjects: int
) -> list[Waiting]:
    """All waiting items not after `until`, of the first so many subjects, in order of arrival."""
    mine = (
        source.owns(connector_items),
        connector_items.c.rows.is_not(None),
        connector_items.c.occurred_at_utc <= naive_utc(until),
    )
    chosen = (
        select(connector_items.c.subject)
        .where(*mine)
        .group_by(connector_items.c.subject)
        .order_by(connector_items.c.subject)
        .limit(subjects)
    )
    query = (
        select(connector_items)
        .where(*mine, connector_items.c.subject.in_(chosen))
        .order_by(connector_items.c.seq)
    )
    return [
        Waiting(
            row.seq,
            Item(
                row.item_id,
                row.subject,
                row.occurred_at_utc.replace(tzinfo=UTC),
                json.loads(row.rows),
                row.state,
            ),
        )
        for row in connection.execute(query)
    ]


def settle_items(connection: Connection, numbers: Sequence[int], delivery_id: str) -> None:
    """Waiting items stand in a file now, or gave way to a newer state of their subject."""
    for some in _portions(numbers):
        connection.execute(
            update(connector_items)
            .where(connector_items.c.seq.in_(some))
            .values(rows=None, delivery_id=delivery_id)
        )


def last_told(
    connection: Connection, source: Source, subjects: Sequence[str] | None = None
) -> Mapping[str, datetime]:
    """When the newest delivered item of each subject occurred, UTC; of all subjects by default."""
    found: dict[str, datetime] = {}
    query = (
        select(connector_items.c.subject, func.max(connector_items.c.occurred_at_utc))
        .where(source.owns(connector_items), connector_items.c.rows.is_(None))
        .group_by(connector_items.c.subject)
    )
    parts = [query]
    if subjects is not None:
        parts = [query.where(connector_items.c.subject.in_(s)) for s in _portions(subjects)]
    for part in parts:
        found.update({row[0]: row[1].replace(tzinfo=UTC) for row in connection.execute(part)})
    return found


def _portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _IN_ONE_STATEMENT):
        yield values[start : start + _IN_ONE_STATEMENT]


def _as_text(payload: Mapping[str, object]) -> dict[str, object]:
    """The payload with the instant as text, equal before and after a trip through the database."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in payload.items()}
