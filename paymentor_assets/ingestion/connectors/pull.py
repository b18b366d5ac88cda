"""One run of one connector: from its configuration to files in the landing zone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from paymentor_assets.connections import (
    BureauSource,
    ConnectorBook,
    ConsentSource,
    PaymentsSource,
)
from paymentor_assets.ingestion.connectors import records
from paymentor_assets.ingestion.connectors.bureau_pull import BureauPull
from paymentor_assets.ingestion.connectors.consent_status import ConsentStatus
from paymentor_assets.ingestion.connectors.delivery import Delivered, Delivery
from paymentor_assets.ingestion.connectors.http import Api
from paymentor_assets.ingestion.connectors.interface import Connector, Page
from paymentor_assets.ingestion.connectors.known import changeable_consents, due_customers
from paymentor_assets.ingestion.connectors.payments import PaymentEvents
from paymentor_assets.ingestion.connectors.records import Source
from paymentor_assets.ingestion.connectors.signatures import public_key
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.crash_points import reach, register
from resources.errors import ContractError, PayMentorError, UsageError
from resources.lakehouse import Lakehouse
from resources.landing_zone import WritableLandingZone
from resources.locks import exclusive
from resources.operational_store import OperationalStore

register("connectors.after_page")

#: What goes into one file at most: bytes of answers, and subjects whose states waited.
_BATCH_BYTES = 8 << 20
_BATCH_SUBJECTS = 20_000
#: Pages of one run; a list that never ends is read on by the next run.
_MOST_PAGES = 10_000


@dataclass(frozen=True)
class Doors:
    """What connectors reach: the lake they look up who is due in, the store, the landing zone.

    `sleep` waits between attempts of a question.
    """

    lakehouse: Lakehouse
    store: OperationalStore
    landing: WritableLandingZone
    book: ConnectorBook
    contracts: ContractBook
    clock: Clock
    sleep: Callable[[float], None] = time.sleep


def pull(
    doors: Doors, lender: Lender, name: str, *, actor: str, since: datetime | None = None
) -> Delivered:
    """Run one connector until its source has nothing new; returns what was delivered.

    `since` reads a payment processor's events again from that instant on, whatever the cursor
    says; what was told before is not delivered again. Safe to repeat after any death. Raises
    ConnectorError when the source does not answer as agreed: what came before that stands, and
    every exchange is on record.
    """
    source = Source(lender.lender_id, name, actor)
    with exclusive(doors.store, f"connector.{lender.lender_id}.{name}"):
        connector = _connector(doors, lender, source, since)
        contracts = doors.contracts.feeds(lender.lender_id)
        feeds = {feed: contracts[feed] for feed in connector.feeds}
        delivery = Delivery(doors.store, doors.landing, lender, feeds, source, doors.clock)
        delivery.finish_interrupted()
        with doors.store.read() as connection:
            cursor = records.cursor_of(connection, source)
        fault: PayMentorError | None = None
        try:
            if connector.waits:
                _collect_all(connector, delivery, cursor)
            else:
                _deliver_all(connector, delivery, cursor)
        except PayMentorError as error:
            fault = error
            delivery.record(connector.exchanges())
        # What came by webhook must not wait until the source answers again.
        while connector.waits and delivery.deliver_waiting(_BATCH_SUBJECTS):
            pass
        if fault is not None:
            raise fault
        return delivery.done


def _collect_all(connector: Connector, delivery: Delivery, cursor: str | None) -> None:
    for number, page in enumerate(connector.pages(cursor), 1):
        delivery.collect(page, connector.exchanges())
        reach("connectors.after_page")
        if number == _MOST_PAGES:
            return


def _deliver_all(connector: Connector, delivery: Delivery, cursor: str | None) -> None:
    batch: list[Page] = []
    size = 0
    try:
        for page in connector.pages(cursor):
            batch.append(page)
            size += page.exchange.byte_size
            if size >= _BATCH_BYTES:
                delivery.deliver_pages(batch, connector.exchanges())
                batch, size = [], 0
    except PayMentorError:
        # A report that was pulled was paid for.
        delivery.deliver_pages(batch, connector.exchanges())
        raise
    if batch:
        delivery.deliver_pages(batch, connector.exchanges())


def _connector(doors: Doors, lender: Lender, source: Source, since: datetime | None) -> Connector:
    config = doors.book.named(lender.lender_id, source.connector)
    if since is not None and not isinstance(config, PaymentsSource):
        raise UsageError(
            f"Connector {source.name} asks about what is due now; only a payment processor is "
            "read again since an instant."
        )
    api = Api(
        config.base_url, doors.book.secret(config.token_variable), doors.clock, sleep=doors.sleep
    )
    match config:
        case PaymentsSource():
            return PaymentEvents(api, lender, doors.clock, config.page_size, since)
        case BureauSource():
            customers = due_customers(
                doors.lakehouse,
                doors.store,
                lender,
                source,
                bureau=config.bureau,
                refresh_days=config.refresh_days,
                now=doors.clock.now(),
            )
            return BureauPull(
                api,
                lender,
                doors.clock,
                config.page_size,
                bureau=config.bureau,
                customers=customers,
                contracts=doors.contracts.feeds(lender.lender_id),
            )
        case ConsentSource():
            path = doors.book.folder(lender.lender_id) / config.public_key_file
            if not path.is_file():
                raise ContractError(f"Connector {source.name} needs the public key in {path}.")
            return ConsentStatus(
                api,
                doors.clock,
                public_key(path.read_bytes(), str(path)),
                changeable_consents(doors.lakehouse, doors.store, lender, source),
            )
