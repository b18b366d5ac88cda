"""Days and instants of the simulated lender.

A *day* is a calendar day in the lender's zone, held as an integer: days since 1970-01-01. An
*instant* is UTC, held as integer seconds since the epoch. Both are plain NumPy integers so that
a whole book of loans moves with one array operation.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

LENDER_ZONE = "Asia/Kolkata"
"""The simulated lender sits in India; it has no daylight saving, so its day is always 24 hours."""

LENDER_OFFSET_MINUTES = 330
SECONDS_PER_DAY = 86_400
MINUTES_PER_DAY = 1_440
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def to_date(day: int) -> date:
    """The inverse of :func:`day_number`."""
    return _EPOCH + timedelta(days=int(day))


def day_start(day: int) -> int:
    """The UTC instant (epoch seconds) of midnight at the lender, when ``day`` begins."""
    return day * SECONDS_PER_DAY - LENDER_OFFSET_MINUTES * 60


def lender_day(instant: int) -> int:
    """The lender's calendar day that holds a UTC instant (epoch seconds)."""
    return (instant + LENDER_OFFSET_MINUTES * 60) // SECONDS_PER_DAY


def to_instant(moment: datetime) -> int:
    """Whole epoch seconds of an aware moment.

    Raises:
        ValueError: when the moment carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; pass an aware UTC instant.")
    return int(moment.astimezone(UTC).timestamp() // 1)


def to_moment(instant: int) -> datetime:
    """The aware UTC moment of epoch seconds."""
    return datetime.fromtimestamp(int(instant), UTC)


def months_since_epoch(days: Ints | int) -> Ints:
    """Calendar month number (0 = January 1970) of each day."""
    return (
        np.asarray(days, dtype="int64")
        .astype("datetime64[D]")
        .astype("datetime64[M]")
        .astype("int64")
    )


_MONTH_STARTS = np.arange(0, 3_600).astype("datetime64[M]").astype("datetime64[D]").astype("int64")


def month_start(months: Ints | int) -> Ints:
    """First day of each calendar month (1970 to 2269; a table, since schedules ask every day)."""
    starts: Ints = _MONTH_STARTS[np.asarray(months, dtype="int64")]
    return starts


def day_of_month(days: Ints | int) -> Ints:
    """1 to 31."""
    days = np.asarray(days, dtype="int64")
    return days - month_start(months_since_epoch(days)) + 1


def is_month_end(day: int) -> bool:
    """Whether the next day begins a new month."""
    return int(day_of_month(day + 1)) == 1


def is_sunday(day: int) -> bool:
    """Weekly feeds close on Sundays."""
    return to_date(day).weekday() == 6


@lru_cache(maxsize=65_536)
def _offset_minutes(zone: str, day: int) -> int:
    noon = datetime.combine(to_date(day), datetime.min.time(), ZoneInfo(zone)).replace(hour=12)
    offset = noon.utcoffset()
    return 0 if offset is None else int(offset.total_seconds() // 60)


def offsets_minutes(zones: Sequence[str], day: int) -> Ints:
    """UTC offset of each zone at its own noon of ``day``; daylight saving included."""
    return np.array([_offset_minutes(zone, day) for zone in zones], dtype="int64")


def local_instants(day: int, local_minutes: Ints, offsets: Ints) -> Ints:
    """UTC instants, inside the lender's ``day``, at which people's own clocks show a time.

    Every time of day happens exactly once somewhere in the lender's 24 hours, possibly on the
    person's yesterday, so the result always belongs to business date ``day``.

    Args:
        day: the lender's day.
        local_minutes: minutes after the person's own midnight, 0 to 1439.
        offsets: the persons' UTC offsets in minutes.
    """
    minutes = (local_minutes - offsets + LENDER_OFFSET_MINUTES) % MINUTES_PER_DAY
    return day_start(day) + minutes * 60
