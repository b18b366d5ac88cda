"""What every connector gives: pages of items, each with the exchange of bytes that brought it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

#: No id of a source is longer.
_LONGEST_ID = 255

#: A row by the column names of its feed's contract, or a document of a feed of JSON lines.
Row = Mapping[str, object]


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as hashes: evidence without content.

    `request_sha256` is over method, URL and body (no header, hence no secret);
    `response_sha256` and `byte_size` are of the answer's bytes, and both it and `status` are None
    when no whole answer came.
    """

    method: str
    url: str
    request_sha256: str
    response_sha256: str | None
    status: int | None
    byte_size: int
    at: datetime


@dataclass(frozen=True)
class Item:
    """One thing that a source tells: a report, an event, a state.

    `item_id` is the source's own and unique, so an item told twice is taken once. `subject` is
    what it tells of (a payment, a customer, a consent), `state` the state it says that is in, and
    `occurred_at` since when. `rows` are by feed; an item without rows is noted and delivers
    nothing.
    """

    item_id: str
    subject: str
    occurred_at: datetime
    rows: Mapping[str, Sequence[Row]]
    state: str | None = None


@dataclass(frozen=True)
class Page:
    """The items of one answer, and the cursor from which the next run goes on after them."""

    items: Sequence[Item]
    exchange: Exchange
    cursor: str | None = None


def is_plain_id(value: object) -> bool:
    """Whether a source's id is text that every store and file can hold: printable ASCII."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_ID
        and value.isascii()
        and value.isprintable()
    )


class Connector(Protocol):
    """One source of one lender.

    `waits` says that items may overtake each other: they are collected first, and only the newest
    state of each subject is delivered. Such feeds hold no personal data.
    """

    @property
    def feeds(self) -> tuple[str, ...]:
        """The feeds it delivers."""
        ...

    @property
    def waits(self) -> bool:
        """Whether items are collected before they are delivered."""
        ...

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Everything after the cursor, oldest first.

        Raises ConnectorError when the source does not answer as agreed.
        """
        ...

    def exchanges(self) -> list[Exchange]:
        """Exchanges since the last call, failed ones among them."""
        ...
