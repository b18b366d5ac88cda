"""Several dispatchers at once, and one that is killed: on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from paymentor_assets.audit import ledger
from paymentor_assets.audit.micro_batches import copy_new_rows
from paymentor_assets.engagement.batches import decisions_batch
from paymentor_assets.engagement.dispatch_result import DispatchResult
from resources.channels import LocalOutbox, Message, Receipt
from resources.crash_points import SimulatedCrash, armed
from resources.operational_schema import actions
from resources.operational_store import OperationalStore
from tests.support.engagement_world import World

ROOT = Path(__file__).parents[3]


def planned(world: World, count: int) -> None:
    customers = [f"C{n}" for n in range(count)]
    world.publish_permissions(customers)
    for customer in customers:
        world.plan(customer)


class Counting(LocalOutbox):
    """Counts how often each action was handed over."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: list[str] = []

    def send(self, message: Message) -> Receipt:
        self.calls.append(message.action_id)
        return super().send(message)


def test_the_transaction_works_on_either_store(any_world: World) -> None:
    planned(any_world, 3)
    any_world.plan("C0", channel="email")
    result = any_world.dispatch()
    assert (result.sent, result.blocked) == (3, 1)
    assert ledger.verify(any_world.store) == 4
    copied = copy_new_rows(any_world.lake, any_world.store, decisions_batch(), any_world.run)
    assert copied.rows == 4


def test_two_dispatchers_at_once_never_send_twice(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paymentor_assets.engagement.dispatcher.BATCH", 3)
    planned(any_world, 12)
    outbox = Counting(any_world.root / "outbox")
    results: list[DispatchResult] = []
    errors: list[Exception] = []
    together = threading.Barrier(2)

    def work(world: World) -> None:
        try:
            together.wait(timeout=60)
            results.append(world.dispatch(channels={"sms": outbox}))
        except Exception as error:  # noqa: BLE001  (told to the main thread below)
            errors.append(error)

    other = World(any_world.root, OperationalStore(any_world.store.url))
    other.clock = any_world.clock
    threads = [threading.Thread(target=work, args=(w,)) for w in (any_world, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert errors == []
    assert sum(result.sent for result in results) == 12
    assert sorted(outbox.calls) == sorted(set(outbox.calls))
    assert len(any_world.outbox()) == len(any_world.deliveries()) == 12
    assert {v["attempt"] for v in any_world.verdicts()} == {1}
    ledger.verify(any_world.store)


def test_a_crash_after_the_lease_is_recovered_on_either_store(any_world: World) -> None:
    planned(any_world, 2)
    with armed("engagement.after_send"), pytest.raises(SimulatedCrash):
        any_world.dispatch()
    any_world.dispatch_day()
    assert len(any_world.outbox()) == len(any_world.deliveries()) == 2


@pytest.mark.parametrize("point", ["engagement.after_lease", "engagement.after_send"])
def test_a_killed_dispatcher_is_recovered(world: World, point: str) -> None:
    """A real `kill -9` of a process of its own: no handler runs, nothing is flushed."""
    planned(world, 3)
    url = world.store.url
    world.store.close()
    script = (
        "import sys; from pathlib import Path\n"
        "from resources.operational_store import OperationalStore\n"
        "from tests.support.engagement_world import World\n"
        "World(Path(sys.argv[1]), OperationalStore(sys.argv[2])).dispatch()\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", script, str(world.root), url],
        env={**os.environ, "PAYMENTOR_CRASH_AT": point, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    with world.store.read() as connection:
        states = set(connection.execute(select(actions.c.state_name)).scalars())
    assert states == {"sending"}
    left = len(world.outbox())
    assert left == (1 if point == "engagement.after_send" else 0)
    result = world.dispatch_day()
    assert (result.sent, result.recovered) == (3, left)
    assert len(world.outbox()) == len(world.deliveries()) == 3
