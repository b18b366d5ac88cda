"""Which files wait: the listing of the landing zone minus the file index.

The index decides by (uri, etag), so a file that is replaced under its old name is new again, and
modification times decide nothing. A file that could not be read three times is failed and waits
for a new etag or an explicit command. So is one in whose hands runs died: that is counted before
the file is touched, since a process that is out of memory cannot count any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, bindparam, func, insert, select, update

from resources.clock import Clock, naive_utc
from resources.landing_zone import LandedFile, LandingZone
from resources.operational_schema import file_index
from resources.operational_store import OperationalStore

MAX_ATTEMPTS = 3
#: The first death is that of a run with many files; at the others the file was alone.
MAX_INTERRUPTIONS = 3
#: Statuses that a file leaves only by a new etag or by command.
SETTLED = ("ingested", "duplicate", "rejected", "failed")


@dataclass(frozen=True)
class Waiting:
    """A file to take in, how often that was tried before, and how many runs died of it."""

    landed: LandedFile
    attempts: int
    interruptions: int = 0

    @property
    def kills(self) -> bool:
        """Whether the file is given up, so that runs live."""
        return self.interruptions >= MAX_INTERRUPTIONS


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
    query = select(
        file_index.c.uri,
        file_index.c.etag,
        file_index.c.status,
        file_index.c.attempts,
        func.coalesce(file_index.c.interruptions, 0).label("interruptions"),
    )
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
        if row is None:
            found.append(Waiting(landed, 0))
        elif row.status == "failed":
            # Whoever asks for it again gets one more try.
            found.append(
                Waiting(landed, row.attempts, min(row.interruptions, MAX_INTERRUPTIONS - 1))
            )
        else:
            found.append(Waiting(landed, row.attempts, row.interruptions))
    return sorted(found, key=lambda w: w.landed.uri)


def statuses(store: OperationalStore, files: Iterable[LandedFile]) -> Counter[str]:
    """How many of the files stand how in the index."""
    query = select(file_index.c.uri, file_index.c.etag, file_index.c.status)
    wanted = {(f.uri, f.etag) for f in files}
    with store.read() as connection:
        return Counter(r.status for r in connection.execute(query) if (r.uri, r.etag) in wanted)


def given_up(store: OperationalStore, lender_id: str) -> list[str]:
    """Why each of the lender's files that nobody tries any more was given up, by uri."""
    query = (
        select(file_index.c.reason)
        .where(file_index.c.lender_id == lender_id, file_index.c.status == "failed")
        .order_by(file_index.c.uri)
    )
    with store.read() as connection:
        return [str(row.reason) for row in connection.execute(query)]


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


@contextmanager
def in_hands(store: OperationalStore, files: Sequence[LandedFile]) -> Iterator[None]:
    """Hold it against the files if this process dies inside the block.

    An exception is no death: the run that raises it can speak for itself.
    """
    _count_interruptions(store, files, 1)
    try:
        yield
    finally:
        _count_interruptions(store, files, -1)


def _count_interruptions(store: OperationalStore, files: Sequence[LandedFile], change: int) -> None:
    statement = (
        update(file_index)
        .where(file_index.c.uri == bindparam("of_uri"), file_index.c.etag == bindparam("of_etag"))
        .values(interruptions=func.coalesce(file_index.c.interruptions, 0) + change)
    )
    with store.write() as connection:
        connection.execute(statement, [{"of_uri": f.uri, "of_etag": f.etag} for f in files])


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
