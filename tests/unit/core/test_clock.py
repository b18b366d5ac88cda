"""Clocks: time is passed in, never naive, and simulated time never runs backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from resources.clock import FixedClock, SimulatedClock, SystemClock, as_utc, naive_utc
from resources.errors import SettingsError, UsageError

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))


def test_an_instant_is_brought_to_utc_and_stored_without_a_zone() -> None:
    local = datetime(2026, 6, 30, 17, 30, tzinfo=INDIA)
    assert as_utc(local) == NOON and as_utc(local).tzinfo is UTC
    assert naive_utc(local) == datetime(2026, 6, 30, 12)  # noqa: DTZ001


def test_a_naive_instant_is_refused_not_guessed() -> None:
    naive = datetime(2026, 6, 30, 12)  # noqa: DTZ001
    with pytest.raises(UsageError, match="has no zone"):
        as_utc(naive)
    with pytest.raises(UsageError, match="has no zone"):
        FixedClock(naive)


def test_the_fixed_clock_stands_still() -> None:
    clock = FixedClock(NOON.astimezone(INDIA))
    assert clock.now() == clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_simulated_time_has_to_begin(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock")
    assert not clock.exists()
    with pytest.raises(SettingsError, match=r"has not begun.*paymentor run --date"):
        clock.now()


def test_simulated_time_advances_and_never_runs_backwards(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "home" / "clock")
    clock.advance_to(NOON)
    clock.advance_to(NOON - timedelta(days=1))
    assert clock.now() == NOON
    clock.advance_to((NOON + timedelta(microseconds=1)).astimezone(INDIA))
    assert clock.now() == NOON + timedelta(microseconds=1)
    assert SimulatedClock(tmp_path / "home" / "clock").now() == clock.now()
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["clock"]


@pytest.mark.parametrize("content", ["yesterday", "", "2026-13-01T00:00:00+00:00"])
def test_a_clock_file_that_holds_no_instant_is_named_with_its_content(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "clock"
    path.write_text(content)
    with pytest.raises(SettingsError, match="not an ISO 8601 instant") as caught:
        SimulatedClock(path).now()
    assert str(path) in str(caught.value) and repr(content) in str(caught.value)


def test_a_clock_file_without_an_offset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_text("2026-06-30T12:00:00")
    with pytest.raises(UsageError, match="offset"):
        SimulatedClock(path).now()
