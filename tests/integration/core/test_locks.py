"""One holder at a time, on both databases; a holder that dies lets go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from resources.errors import PayMentorError
from resources.locks import exclusive
from resources.operational_store import OperationalStore

ROOT = Path(__file__).resolve().parents[3]
_HOLD = """
import sys, time
from resources.locks import exclusive
from resources.operational_store import OperationalStore
with exclusive(OperationalStore(sys.argv[1]), "ingestion.north"):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held_by_another_process(store: OperationalStore) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, store.url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_a_holder_in_another_process_is_waited_for_and_nothing_is_done(
    store: OperationalStore,
) -> None:
    with held_by_another_process(store):
        with (
            pytest.raises(PayMentorError, match=r"holds ingestion\.north for longer than 0 s"),
            exclusive(store, "ingestion.north", wait_seconds=0.3),
        ):
            pytest.fail("two held it")
        with exclusive(store, "ingestion.south", wait_seconds=0.3):
            pass


def test_a_holder_that_is_killed_lets_go(store: OperationalStore) -> None:
    with held_by_another_process(store) as process:
        process.kill()
        process.wait(60)
        assert process.returncode == -signal.SIGKILL
        with exclusive(store, "ingestion.north", wait_seconds=30):
            pass


def test_holders_take_turns(store: OperationalStore) -> None:
    together, most, turns = 0, 0, 0
    counting = threading.Lock()

    def hold() -> None:
        nonlocal together, most, turns
        for _ in range(5):
            with exclusive(store, "ingestion.north", wait_seconds=60):
                with counting:
                    together += 1
                    most = max(most, together)
                with counting:
                    turns += 1
                    together -= 1

    threads = [threading.Thread(target=hold) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (most, turns) == (1, 15)


def test_an_error_inside_lets_go(store: OperationalStore) -> None:
    with pytest.raises(ValueError), exclusive(store, "ingestion.north"):
        raise ValueError
    with exclusive(store, "ingestion.north", wait_seconds=0):
        pass


def test_who_holds_it_may_use_the_store(store: OperationalStore) -> None:
    with exclusive(store, "ingestion.north"), store.write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
