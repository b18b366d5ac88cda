"""Local time as a dimension: zone offsets found once, joined set-based, exact over DST changes.

The zone data is that of Python's `zoneinfo`, for the gate and for the slots alike; DuckDB's own
(ICU) tables may be of another year, and two tables of the world must not decide one contact.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

OFFSETS = pa.schema(
    [
        pa.field("time_zone", pa.string()),
        pa.field("from_utc", pa.timestamp("us")),
        pa.field("offset_seconds", pa.int64()),
    ]
)


def zone_named(name: str | None) -> ZoneInfo | None:
    """The IANA zone, or None when no such zone is known."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_offsets(zones: Iterable[str | None], start: datetime, end: datetime) -> pa.Table:
    """Every offset of the zones between two naive UTC instants: zone, since when, seconds.

    Unknown zones have no row, so a join leaves their local time unknown.
    """
    rows: list[dict[str, object]] = []
    for name in sorted({zone for zone in zones if zone}):
        zone = zone_named(name)
        if zone is not None:
            for since, seconds in _offsets(zone, start, end):
                rows.append({"time_zone": name, "from_utc": since, "offset_seconds": seconds})
    return pa.Table.from_pylist(rows, schema=OFFSETS)


def _offset(zone: ZoneInfo, instant: datetime) -> int:
    offset = instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _offsets(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    found = [(start, _offset(zone, start))]
    at = start
    while at < end:
        after = min(at + timedelta(days=1), end)
        if _offset(zone, after) != found[-1][1]:
            change = _first_change(zone, at, after)
            found.append((change, _offset(zone, change)))
        at = after
    return found


def _first_change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle <= low:
            break
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def to_utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A local wall-clock time as naive UTC.

    A time that does not exist (clocks go forward) is shifted forward by the gap; an ambiguous one
    (clocks go back) is the first of the two: PEP 495 with fold=0 gives both.
    """
    local = datetime.combine(day, at, tzinfo=zone)
    return local.astimezone(UTC).replace(tzinfo=None)
