"""Items into landing files: staged, made true by one transaction, then renamed into place.

A staged file stands in a hidden folder of the landing zone, which no listing shows. The
transaction that enters it in `connector_deliveries` also settles its items, moves the cursor and
writes the ledger. A death before it leaves a file that nobody claims, which the next run deletes; a
death after it leaves one that the next run renames. So nothing is lost, and nothing comes twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, insert, select

from paymentor_assets.audit import ledger
from paymentor_assets.ids import deterministic_id
from paymentor_assets.ingestion.connectors import records
from paymentor_assets.ingestion.connectors.files import (
    extension,
    file_content,
    refuse_unwritable,
)
from paymentor_assets.ingestion.connectors.interface import Exchange, Item, Page, Row
from paymentor_assets.ingestion.connectors.records import Source, Waiting
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.lenders import Lender
from resources.clock import Clock, naive_utc
from resources.crash_points import reach, register
from resources.errors import ContractError
from resources.operational_schema import connector_deliveries
from resources.operational_store import OperationalStore

register(
    "connectors.after_staging",
    "connectors.before_commit",
    "connectors.after_commit",
    "connectors.after_rename",
)

_STAGED = ".staged"


@dataclass
class Delivered:
    """What one run of a connector put into the landing zone."""

    files: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    exchanges: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Staged:
    feed: str
    uri: str
    file_id: str
    row_count: int


class Delivery:
    """The way of one connector into the landing zone, for as long as it holds its lock.

    `landing` is the folder of the local landing zone. Raises ContractError at once for a feed that
    the lender does not have, or that cannot be written here.
    """

    def __init__(
        self,
        store: OperationalStore,
        landing: Path,
        lender: Lender,
        feeds: Mapping[str, FeedContract],
        source: Source,
        clock: Clock,
    ) -> None:
        for name, contract in feeds.items():
            refuse_unwritable(name, contract, lender)
        self._store = store
        self._landing = landing
        self._lender = lender
        self._feeds = feeds
        self._source = source
        self._clock = clock
        self._staging = landing / _STAGED / source.lender_id / source.connector
        self.done = Delivered()

    def finish_interrupted(self) -> None:
        """Put in place what a dead run had made true; delete what it had not."""
        staged = sorted(self._staging.glob("*")) if self._staging.is_dir() else []
        if not staged:
            return
        query = select(connector_deliveries.c.uri, connector_deliveries.c.feed)
        with self._store.read() as connection:
            rows = connection.execute(query.where(self._source.owns(connector_deliveries))).all()
        true_names = {Path(row.uri).name: row.uri for row in rows}
        for path in staged:
            if path.name in true_names:
                self._put_in_place(true_names[path.name])
            else:
                path.unlink()

    def deliver_pages(self, pages: Sequence[Page], exchanges: Iterable[Exchange]) -> None:
        """What pages hold and nobody told before, as one file a feed, with their exchanges."""
        items = [item for page in pages for item in page.items]
        with self._store.read() as connection:
            known = records.known_items(connection, self._source, [i.item_id for i in items])
        fresh = {item.item_id: item for item in items if item.item_id not in known}
        now, staged, delivery_id = self._stage(list(fresh.values()), list(fresh))
        with self._store.write() as connection:
            numbers = self._record(connection, exchanges)
            for page in pages:
                records.note_items(
                    connection, self._source, page.items, numbers[page.exchange], delivery_id
                )
            self._enter(connection, staged, delivery_id, now)
            reach("connectors.before_commit")
        self._finish(staged)

    def deliver_waiting(self, subjects: int) -> bool:
        """The newest state of so many waiting subjects, as one file a feed; False when none waits.

        A state older than one delivered before is settled without a row: told now, it would pass
        for the newest.
        """
        until = self._instant()
        with self._store.read() as connection:
            waiting = records.waiting_items(connection, self._source, until, subjects)
            told = records.last_told(
                connection, self._source, sorted({w.item.subject for w in waiting})
            )
        if not waiting:
            return False
        settled = [w.item.item_id for w in waiting]
        now, staged, delivery_id = self._stage(_newest(waiting, told), settled)
        with self._store.write() as connection:
            records.settle_items(connection, [w.seq for w in waiting], delivery_id)
            self._enter(connection, staged, delivery_id, now)
            reach("connectors.before_commit")
        self._finish(staged)
        return True

    def collect(self, page: Page, exchanges: Iterable[Exchange]) -> None:
        """Let the items of a page wait, and remember how far the source was read."""
        with self._store.write() as connection:
            numbers = self._record(connection, exchanges)
            collect(connection, self._source, self._feeds, page.items, numbers[page.exchange])
            if page.cursor is not None:
                records.advance(connection, self._source, page.cursor, self._clock)

    def record(self, exchanges: Iterable[Exchange]) -> None:
        """Exchanges that brought nothing."""
        with self._store.write() as connection:
            self._record(connection, exchanges)

    def _record(self, connection: Connection, exchanges: Iterable[Exchange]) -> dict[Exchange, int]:
        numbers = records.record_exchanges(connection, self._source, exchanges, self._clock)
        self.done.exchanges += numbers.values()
        return numbers

    def _instant(self) -> datetime:
        # File names carry whole seconds, and no row may be younger than its file.
        return self._clock.now().replace(microsecond=0)

    def _stage(
        self, items: Sequence[Item], settled: Sequence[str]
    ) -> tuple[datetime, list[_Staged], str]:
        now = self._instant()
        # An item is settled once, so no other delivery has this id, nor its files these names.
        delivery_id = deterministic_id(self._source.name, now.isoformat(), *settled)
        staged = []
        for feed, contract in self._feeds.items():
            rows = [row for item in items for row in item.rows.get(feed, ())]
            if rows:
                staged.append(self._write(feed, contract, rows, now, delivery_id))
        if staged:
            _sync(self._staging)
        reach("connectors.after_staging")
        return now, staged, delivery_id

    def _write(
        self,
        feed: str,
        contract: FeedContract,
        rows: Sequence[Row],
        now: datetime,
        delivery_id: str,
    ) -> _Staged:
        content = file_content(contract, rows)
        file_id = sha256(content).hexdigest()
        name = (
            f"{feed}_{self._lender.local_day(now)}_{now:%Y%m%dT%H%M%SZ}"
            f"_{self._source.connector}-{delivery_id[:12]}.{extension(contract)}"
        )
        self._staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._staging / name
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return _Staged(feed, f"{self._source.lender_id}/{feed}/{name}", file_id, len(rows))

    def _enter(
        self, connection: Connection, staged: Sequence[_Staged], delivery_id: str, now: datetime
    ) -> None:
        for file in staged:
            connection.execute(
                insert(connector_deliveries).values(
                    uri=file.uri,
                    delivery_id=delivery_id,
                    lender_id=self._source.lender_id,
                    connector=self._source.connector,
                    feed=file.feed,
                    file_id=file.file_id,
                    row_count=file.row_count,
                    delivered_at_utc=naive_utc(now),
                )
            )
        if staged:
            ledger.append(
                connection,
                clock=self._clock,
                actor=self._source.actor,
                kind="connector.delivery",
                subject=self._source.name,
                payload={
                    "delivery_id": delivery_id,
                    "files": [[file.uri, file.file_id, file.row_count] for file in staged],
                },
            )

    def _finish(self, staged: Sequence[_Staged]) -> None:
        reach("connectors.after_commit")
        for file in staged:
            self._put_in_place(file.uri)
            self.done.rows[file.feed] = self.done.rows.get(file.feed, 0) + file.row_count
            reach("connectors.after_rename")

    def _put_in_place(self, uri: str) -> None:
        target = self._landing / uri
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._staging / target.name).rename(target)
        _sync(target.parent)
        self.done.files.append(uri)


def collect(
    connection: Connection,
    source: Source,
    feeds: Mapping[str, FeedContract],
    items: Sequence[Item],
    exchange_seq: int,
) -> int:
    """Let items wait for the next delivery; returns how many were new.

    Raises ContractError for a feed with personal data: the operational store holds none.
    """
    for item in items:
        for feed in item.rows:
            if any(c.pii for record in feeds[feed].records for c in record.columns):
                raise ContractError(
                    f"{source.name}: feed {feed} holds personal data, which may not wait in the "
                    "operational store; deliver its pages as they come."
                )
    return records.note_items(connection, source, items, exchange_seq)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newest(waiting: Sequence[Waiting], told: Mapping[str, datetime]) -> list[Item]:
    newest: dict[str, Item] = {}
    for entry in waiting:
        item = entry.item
        before = newest.get(item.subject)
        if before is None or item.occurred_at >= before.occurred_at:
            newest[item.subject] = item
    return [
        item
        for subject, item in sorted(newest.items())
        if subject not in told or item.occurred_at >= told[subject]
    ]
