"""Clocks. Time is passed in: no logic asks the machine what time it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from resources.errors import SettingsError, UsageError


class Clock(Protocol):
    """Anything that knows the current instant."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...


def as_utc(instant: datetime) -> datetime:
    """An aware instant in UTC; raises UsageError for a naive one, whose zone is a guess."""
    if instant.tzinfo is None:
        raise UsageError(f"The instant {instant.isoformat()} has no zone; write it with an offset.")
    return instant.astimezone(UTC)


def naive_utc(instant: datetime) -> datetime:
    """An instant as stored in tables: UTC without a zone."""
    return as_utc(instant).replace(tzinfo=None)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The machine's current instant in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still."""

    def __init__(self, at: datetime) -> None:
        self._at = as_utc(at)

    def now(self) -> datetime:
        """The instant it was set to."""
        return self._at


class SimulatedClock:
    """A clock kept in a file, moved by whoever simulates; it never runs backwards.

    The demo and `paymentor run --date` share it through `$PAYMENTOR_HOME/clock`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether simulated time has begun."""
        return self._path.exists()

    def now(self) -> datetime:
        """The simulated instant.

        Raises SettingsError when simulated time has not begun or the file cannot be read as time.
        """
        try:
            text = self._path.read_text().strip()
        except FileNotFoundError:
            raise SettingsError(
                f"Simulated time has not begun: {self._path} does not exist. "
                "Run `paymentor run --date D` or `paymentor demo` first."
            ) from None
        try:
            return as_utc(datetime.fromisoformat(text))
        except ValueError:
            raise SettingsError(
                f"{self._path} holds {text!r}, which is not an ISO 8601 instant with an offset."
            ) from None

    def advance_to(self, instant: datetime) -> None:
        """Move to `instant`; an earlier one leaves the clock where it is."""
        target = as_utc(instant)
        if self.exists() and self.now() >= target:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_name(f".{self._path.name}.tmp")
        scratch.write_text(target.isoformat() + "\n")
        scratch.replace(self._path)


class BusinessClock:
    """Business time: simulated once it has begun to be, the machine's until then.

    Asked anew each time, so that a long-lived process notices when a simulation begins.
    """

    def __init__(self, simulated: SimulatedClock) -> None:
        self._simulated = simulated
        self._system = SystemClock()

    @property
    def is_simulated(self) -> bool:
        """Whether simulated time has begun."""
        return self._simulated.exists()

    def now(self) -> datetime:
        """The current instant of the business."""
        return self._simulated.now() if self.is_simulated else self._system.now()

    def advance_to(self, instant: datetime) -> None:
        """Move simulated time; it begins here if it had not yet."""
        self._simulated.advance_to(instant)
