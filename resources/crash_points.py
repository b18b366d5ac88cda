"""Named points where a durable step may die, so that tests can make it die there.

A module registers the names of its durable steps at import and calls `reach(name)` between two
durable effects. In production that is one dictionary look-up. A test arms a name in-process
(`armed`), or starts a process with `PAYMENTOR_CRASH_AT=<name>`, which then kills itself with
SIGKILL: no exception handler, no `finally`, no flush.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from resources.errors import UsageError

_registered: dict[str, None] = {}
_armed: str | None = None


class SimulatedCrash(BaseException):
    """Raised at an armed crash point; not an `Exception`, so no handler mistakes it for a fault."""


def register(*names: str) -> None:
    """Declare crash points by their dotted names (`stage.after_step`)."""
    for name in names:
        _registered[name] = None


def names() -> list[str]:
    """All registered crash points of the modules imported so far, in order of registration."""
    return list(_registered)


def reach(name: str) -> None:
    """Die here if this point is armed; otherwise return at once.

    Raises UsageError for a name that was never registered: such a point could not be tested.
    """
    if name not in _registered:
        raise UsageError(f"Crash point {name!r} is not registered; call register() beside it.")
    if _armed == name:
        raise SimulatedCrash(name)
    if os.environ.get("PAYMENTOR_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def armed(name: str) -> Iterator[None]:
    """Arm one crash point inside the block."""
    global _armed
    if name not in _registered:
        raise UsageError(f"Crash point {name!r} is not registered.")
    _armed = name
    try:
        yield
    finally:
        _armed = None
