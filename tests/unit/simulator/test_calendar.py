"""Days, months and people's own clocks."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulator import calendar as cal


def test_the_lenders_day_begins_at_its_own_midnight() -> None:
    day = cal.day_number(date(2026, 6, 30))
    start = cal.to_moment(cal.day_start(day))
    assert start == datetime(2026, 6, 29, 18, 30, tzinfo=UTC)
    assert cal.lender_day(cal.day_start(day)) == day
    assert cal.lender_day(cal.day_start(day) - 1) == day - 1


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "America/Phoenix", "Asia/Kolkata"])
@pytest.mark.parametrize("day", [date(2026, 1, 15), date(2026, 3, 8), date(2026, 7, 15)])
def test_every_local_hour_happens_once_within_the_lenders_day(zone: str, day: date) -> None:
    number = cal.day_number(day)
    minutes = np.arange(8 * 60, 21 * 60, 60)
    offsets = np.repeat(cal.offsets_minutes([zone], number), len(minutes))
    for wanted, instant in zip(minutes, cal.local_instants(number, minutes, offsets), strict=True):
        assert cal.lender_day(int(instant)) == number
        local = cal.to_moment(int(instant)).astimezone(ZoneInfo(zone))
        # On the day clocks change, what falls on the eve still has the eve's offset.
        assert abs(local.hour * 60 + local.minute - wanted) in (0, 60)
        if day != date(2026, 3, 8):
            assert local.hour * 60 == wanted


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        cal.to_instant(datetime(2026, 6, 30))  # noqa: DTZ001


def test_months() -> None:
    days = np.array([cal.day_number(date(2026, 2, 28)), cal.day_number(date(2026, 3, 1))])
    assert cal.day_of_month(days).tolist() == [28, 1]
    assert np.diff(cal.months_since_epoch(days)).tolist() == [1]
    assert cal.is_month_end(int(days[0]))
