"""Putting files where the lender's partners would put them, when they would.

A file whose delivery time lies ahead is *held* in the hidden folder and released when its time
comes, so nobody finds tomorrow's file in the landing zone today.
"""

from datetime import UTC, datetime
from pathlib import Path

from simulator.calendar import day_start, lender_day, to_instant
from simulator.files import FeedFile, folder, write_atomically
from simulator.hidden import root

CUTOFF_MINUTES = 6 * 60
"""The lender's daily cut-off, minutes after midnight of the next day."""
LAST_REGULAR_MINUTES = 4 * 60 + 30
"""By then every file of the day that is not late has been delivered."""


def deliver(home: Path, lender_id: str, file: FeedFile, content: bytes, until: int) -> Path:
    """Write a file to the landing zone, or hold it when it is delivered after ``until``."""
    target = folder(home, lender_id, file.feed) / file.name
    if file.delivered_at > until:
        target = root(home, lender_id) / "held" / file.feed / file.name
    write_atomically(target, content)
    return target


def release_held(home: Path, lender_id: str, until: int) -> int:
    """Move held files whose time has come to the landing zone; returns how many."""
    released = 0
    for path in sorted((root(home, lender_id) / "held").glob("*/*")):
        if not path.name.startswith(".") and delivered_at(path.name) <= until:
            target = folder(home, lender_id, path.parent.name) / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            released += 1
    return released


def delivered_at(name: str) -> int:
    """The delivery time that a file name carries, as epoch seconds."""
    stamp = next(part for part in name.split(".")[0].split("_") if len(part) == 16 and "T" in part)
    return to_instant(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))


def cutoff_instant(day: int) -> int:
    """The lender's cut-off of business day ``day``."""
    return day_start(day + 1) + CUTOFF_MINUTES * 60


def last_delivered_day(until: int) -> int:
    """The newest business day whose regular files are all delivered by ``until``."""
    return lender_day(until - LAST_REGULAR_MINUTES * 60) - 1
