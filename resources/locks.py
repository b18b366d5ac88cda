"""One holder at a time across processes, released by the system when the holder dies.

SQLite: an advisory lock on a file beside the database. PostgreSQL: a session advisory lock. Neither
outlives its process, so a killed run never has to be waited out.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from resources.errors import PayMentorError
from resources.operational_store import OperationalStore

_POLL_SECONDS = 0.1


@contextmanager
def exclusive(store: OperationalStore, name: str, *, wait_seconds: float = 600.0) -> Iterator[None]:
    """Hold the lock `name` inside the block.

    Raises PayMentorError when another process or thread still holds it after `wait_seconds`;
    nothing was done then.
    """
    url = make_url(store.url)
    if url.get_backend_name() != "sqlite":
        with _postgresql_lock(store.engine, name, wait_seconds):
            yield
        return
    path = Path(f"{url.database}.{name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _wait(lambda: _try_flock(file.fileno()), name, wait_seconds)
        try:
            yield
        finally:
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)


@contextmanager
def _postgresql_lock(engine: Engine, name: str, wait_seconds: float) -> Iterator[None]:
    key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        ask = text("SELECT pg_try_advisory_lock(:key)")
        _wait(lambda: bool(connection.execute(ask, {"key": key}).scalar()), name, wait_seconds)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(acquire: Callable[[], bool], name: str, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while not acquire():
        if time.monotonic() >= deadline:
            raise PayMentorError(
                f"Another run holds {name} for longer than {wait_seconds:.0f} s; nothing was done. "
                "Wait for it to end, then run again."
            )
        time.sleep(_POLL_SECONDS)
