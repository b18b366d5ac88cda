"""Local time: offsets as a dimension, and wall clocks that do not exist or exist twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from paymentor_assets.compliance.local_time import to_utc, zone_named, zone_offsets

NEW_YORK = "America/New_York"


def naive(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


def test_offsets_change_at_the_very_second() -> None:
    table = zone_offsets([NEW_YORK, "Asia/Kolkata"], naive(2026, 3, 1), naive(2026, 12, 1))

    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == [
        (NEW_YORK, naive(2026, 3, 1), -18000),
        (NEW_YORK, naive(2026, 3, 8, 7), -14400),
        (NEW_YORK, naive(2026, 11, 1, 6), -18000),
        ("Asia/Kolkata", naive(2026, 3, 1), 19800),
    ]


@pytest.mark.parametrize("zone", ["", None, "Mars/Olympus", "../etc", "America"])
def test_unknown_zones_have_no_offsets(zone: str | None) -> None:
    assert zone_named(zone) is None
    assert zone_offsets([zone], naive(2026, 1, 1), naive(2026, 2, 1)).num_rows == 0


def test_offsets_agree_with_zoneinfo_at_every_hour_of_a_year() -> None:
    for zone in (NEW_YORK, "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"):
        rows = zone_offsets([zone], naive(2025, 12, 1), naive(2026, 12, 1)).to_pylist()
        for hour in range(0, 365 * 24, 7):
            at = naive(2025, 12, 1) + timedelta(hours=hour)
            known = [row["offset_seconds"] for row in rows if row["from_utc"] <= at][-1]
            expected = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
            assert expected is not None
            assert known == expected.total_seconds(), (zone, at)


def test_a_time_that_does_not_exist_is_shifted_forward() -> None:
    assert to_utc(date(2026, 3, 8), time(2, 30), ZoneInfo(NEW_YORK)) == naive(2026, 3, 8, 7, 30)


def test_of_two_equal_times_the_first_counts() -> None:
    assert to_utc(date(2026, 11, 1), time(1, 30), ZoneInfo(NEW_YORK)) == naive(2026, 11, 1, 5, 30)
