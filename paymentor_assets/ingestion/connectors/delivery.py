"""Items into landing files: staged, made true by one transaction, then put into place.

A staged file stands in the landing zone, hidden, so that it outlives the machine of the run. The
transaction that enters it in `connector_deliveries` also settles its items, moves the cursor and
writes the ledger. A death before it leaves a file that nobody claims, which the next run deletes; a
death after it leaves one that the next run puts into place. So nothing is lost, and nothing comes
twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

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
from resources.errors import ConnectorError, ContractError
from resources.landing_zone import WritableLandingZone
from resources.operational_schema import connector_deliveries
from resources.operational_store import OperationalStore

register(
    "connectors.after_staging",
    "connectors.before_commit",
    "connectors.after_commit",
    "connectors.after_placing",
)


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

    Raises ContractError at once for a feed that the lender does not have, or that cannot be written
    here; its methods raise ConnectorError when the landing zone does not take a file.
    """

    def __init__(
        self,
        store: OperationalStore,
        landing: WritableLandingZone,
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
        self._folder = f"{source.lender_id}/{source.connector}"
        self.done = Delivered()

    def finish_interrupted(self) -> None:
        """Put in place what a dead run had made true; delete what it had not."""
        with _taking():
            staged = self._landing.staged(self._folder)
        if not staged:
            return
        query = select(connector_deliveries.c.uri, connector_deliveries.c.feed)
        with self._store.read() as connection:
            rows = connection.execute(query.where(self._source.owns(connector_deliveries))).all()
        true_names = {_name_of(row.uri): row.uri for row in rows}
        for name in staged:
            if name in true_names:
                self._put_in_place(true_names[name])
            else:
                with _taking():
                    self._landing.discard(self._folder, name)

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
        with _taking():
            self._landing.stage(self._folder, name, content)
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
            reach("connectors.after_placing")

    def _put_in_place(self, uri: str) -> None:
        with _taking():
            self._landing.place(self._folder, _name_of(uri), uri)
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


@contextmanager
def _taking() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConnectorError(
            f"The landing zone does not take what a connector delivers: {error} See that we may "
            "write there, and run the connector again; nothing is lost, and nothing comes twice."
        ) from error


def _name_of(uri: str) -> str:
    return uri.rpartition("/")[2]


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
