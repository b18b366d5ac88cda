"""A payment processor: its events as rows of `payments`, by webhook and by backfill alike.

An event reads `{"id", "type", "created", "data": {"object": {…}}}`, the object being the payment:
`{"id", "amount", "currency", "method", "created", "metadata": {"account_id", "customer_id"}}`, with
instants in seconds since 1970 and the amount in hundredths. `GET /events?limit=&after=` answers
`{"data": [event, …], "has_more"}`, oldest first, after the event of that id.

Whatever an event lacks stays blank: the feed's contract, not this module, judges rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from paymentor_assets.ingestion.connectors.http import Api
from paymentor_assets.ingestion.connectors.interface import Exchange, Item, Page, is_plain_id
from paymentor_assets.ingestion.connectors.signatures import TOLERANCE
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.errors import ConnectorError

FEED = "payments"
#: Which events tell of a payment, and the status they say it has.
STATUSES = {
    "payment.succeeded": "success",
    "payment.failed": "bounced",
    "payment.reversed": "reversed",
}
#: Events younger than this are left to the next run: lists of events fill up out of order, and what
#: appears behind the cursor would never be read.
_SETTLING = timedelta(minutes=1)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


class PaymentEvents:
    """The processor's list of events, read page by page after a cursor (the last event's id)."""

    feeds = (FEED,)
    waits = True

    def __init__(
        self,
        api: Api,
        lender: Lender,
        clock: Clock,
        page_size: int,
        since: datetime | None = None,
    ) -> None:
        self._api = api
        self._lender = lender
        self._clock = clock
        self._page_size = page_size
        self._since = since

    def exchanges(self) -> list[Exchange]:
        """Exchanges since the last call, failed ones among them."""
        return self._api.exchanges()

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Every settled event after the cursor; with `since`, every one from that instant on.

        Raises ConnectorError when the list is not as described above, or does not move on.
        """
        now = self._clock.now()
        horizon = now - _SETTLING
        params: dict[str, str | int] = {"limit": self._page_size}
        if self._since is not None:
            params["created_from"] = int(self._since.timestamp())
        elif cursor is not None:
            params["after"] = cursor
        while True:
            answer, exchange = self._api.ask("GET", "/events", params=params)
            data = answer.get("data")
            if not isinstance(data, list):
                raise ConnectorError(f"{exchange.url} answered without a list 'data' of events.")
            items = [item_of(event, self._lender, now) for event in data]
            settled = [item for item in items if item.occurred_at <= horizon]
            # The cursor stops before the first event that has not settled.
            if len(settled) < len(items):
                first = next(i for i, item in enumerate(items) if item.occurred_at > horizon)
                settled = items[:first]
            last = settled[-1].item_id if settled else None
            yield Page(settled, exchange, last)
            if len(settled) < len(items) or answer.get("has_more") is not True:
                return
            if last is None or last == params.get("after"):
                raise ConnectorError(
                    f"{exchange.url} says that there is more, and gives nothing new; the source "
                    "does not honour 'after'."
                )
            params["after"] = last


def item_of(event: object, lender: Lender, now: datetime) -> Item:
    """An event as an item; one that tells of no payment has no rows.

    Raises ConnectorError for something that is no event: without id, type or time, or from a
    future that no difference of clocks explains.
    """
    if not isinstance(event, dict):
        raise ConnectorError("A payment event is a JSON object with id, type, created and data.")
    event_id, kind, created = event.get("id"), event.get("type"), event.get("created")
    occurred_at = _instant(created)
    if not isinstance(event_id, str) or not is_plain_id(event_id):
        raise ConnectorError("A payment event has no id (up to 255 printable ASCII characters).")
    if not isinstance(kind, str) or occurred_at is None:
        raise ConnectorError(
            f"The payment event {event_id!r} has no type, or no time of creation in seconds."
        )
    if occurred_at > now + TOLERANCE:
        raise ConnectorError(
            f"The payment event {event_id!r} was created at {occurred_at.isoformat()}, which is "
            "still to come; one of the clocks is wrong."
        )
    status = STATUSES.get(kind)
    if status is None:
        return Item(event_id, event_id, occurred_at, {}, "ignored")
    payment = _object(_object(event.get("data")).get("object"))
    row = _row(payment, status, lender)
    subject = row["payment_id"] if is_plain_id(row["payment_id"]) else event_id
    return Item(event_id, subject, occurred_at, {FEED: (row,)}, status)


def _row(payment: Mapping[str, Any], status: str, lender: Lender) -> dict[str, str]:
    paid_at = _instant(payment.get("created"))
    metadata = _object(payment.get("metadata"))
    return {
        "payment_id": _text(payment.get("id")),
        "account_id": _text(metadata.get("account_id")),
        "customer_id": _text(metadata.get("customer_id")),
        "value_date": lender.local_day(paid_at).isoformat() if paid_at else "",
        "paid_at_utc": f"{paid_at:%Y-%m-%dT%H:%M:%SZ}" if paid_at else "",
        "amount": _amount(payment.get("amount")),
        "currency": _text(payment.get("currency")),
        "method": _text(payment.get("method")),
        "status": status,
    }


def _amount(hundredths: object) -> str:
    if isinstance(hundredths, int) and not isinstance(hundredths, bool):
        return str(Decimal(hundredths).scaleb(-2))
    return _text(hundredths)


def _instant(seconds: object) -> datetime | None:
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return None
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= _LAST_SECOND else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
