"""Which files wait: the listing of the landing zone minus the file index.

The index decides by (uri, etag), so a file that is replaced under its old name is new again, and
modification times decide nothing. A file that could not be read three times is failed and waits
for a new etag or an explicit command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, insert, select, update

from resources.clock import Clock, naive_utc
from resources.landing_zone import LandedFile, LandingZone
from resources.operational_schema import file_index
from resources.operational_store import OperationalStore

MAX_ATTEMPTS = 3
#: Statuses that a file leaves only by a new etag or by command.
SETTLED = ("ingested", "duplicate", "rejected", "failed")


@dataclass(frozen=True)
class Waiting:
    """A file to take in, and how often that was tried before."""

    landed: LandedFile
    attempts: int


def pending(
    landing: LandingZone,
    store: OperationalStore,
    *,
    lender_id: str | None = None,
    since: date | None = None,
) -> list[Waiting]:
    """Files that wait, of one lender or of all, sorted by uri. Reads only."""
    listed = [f for f in landing.list(since) if lender_id in (None, f.lender_id)]
    return waiting(listed, store, is_command=False)


def waiting(
    listed: Iterable[LandedFile], store: OperationalStore, *, is_command: bool
) -> list[Waiting]:
    """Those of the listed files that still wait.

    By command (`is_command`) failed files are tried again, too; what is settled otherwise stays.
    """
    query = select(file_index.c.uri, file_index.c.etag, file_index.c.status, file_index.c.attempts)
    with store.read() as connection:
        known = {(r.uri, r.etag): r for r in connection.execute(query)}
    found = []
    for landed in listed:
        row = known.get((landed.uri, landed.etag))
        if (
            row is not None
            and row.status in SETTLED
            and not (is_command and row.status == "failed")
        ):
            continue
        found.append(Waiting(landed, 0 if row is None else int(row.attempts)))
    return sorted(found, key=lambda w: w.landed.uri)


def note_seen(store: OperationalStore, files: Sequence[Waiting], clock: Clock) -> None:
    """Enter files into the index as pending, if they are not in it yet."""
    query = select(file_index.c.uri, file_index.c.etag)
    with store.write() as connection:
        known = {(r.uri, r.etag) for r in connection.execute(query)}
        rows = [
            {
                "uri": w.landed.uri,
                "etag": w.landed.etag,
                "size_bytes": w.landed.size,
                "lender_id": w.landed.lender_id,
                "feed": w.landed.feed,
                "business_date": w.landed.business_date,
                "status": "pending",
                "attempts": 0,
                "first_seen_utc": naive_utc(clock.now()),
            }
            for w in files
            if (w.landed.uri, w.landed.etag) not in known
        ]
        if rows:
            connection.execute(insert(file_index), rows)


def settle(
    connection: Connection,
    landed: LandedFile,
    *,
    status: str,
    file_id: str | None,
    attempts: int,
    reason: str | None,
    clock: Clock,
) -> None:
    """Write down what became of a file, inside the caller's transaction."""
    connection.execute(
        update(file_index)
        .where(file_index.c.uri == landed.uri, file_index.c.etag == landed.etag)
        .values(
            status=status,
            file_id=file_id,
            attempts=attempts,
            reason=reason,
            last_tried_utc=naive_utc(clock.now()),
        )
    )
