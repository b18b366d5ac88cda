"""Operational rows reach the lakehouse once each, whatever dies in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from paymentor_assets.audit import ledger, micro_batches
from paymentor_assets.audit.micro_batches import (
    LEDGER_BATCH,
    Copied,
    MicroBatch,
    backlog,
    copy_new_rows,
)
from paymentor_assets.audit.publications import newest
from paymentor_assets.engagement.batches import (
    decisions_batch,
    deliveries_batch,
    publish_dispatch,
)
from paymentor_assets.engagement.tables import DELIVERIES, DISPATCH_DECISIONS
from resources.crash_points import SimulatedCrash, armed
from resources.errors import PublicationError
from tests.support.engagement_world import DAY, World


def dispatched(world: World, customers: list[str]) -> None:
    world.publish_permissions(customers)
    for customer in customers:
        world.plan(customer)
    world.dispatch()


def copy(world: World, batch: MicroBatch) -> Copied:
    return copy_new_rows(world.lake, world.store, batch, world.run)


def test_dispatch_is_told_in_the_lakehouse(world: World) -> None:
    dispatched(world, ["C1", "C2"])
    assert backlog(world.lake, world.store, decisions_batch()) == 2
    assert copy(world, decisions_batch()).rows == 2
    assert backlog(world.lake, world.store, decisions_batch()) == 0
    assert copy(world, deliveries_batch(world.lenders)).rows == 2
    decision = world.lake.scan(DISPATCH_DECISIONS.name).to_pylist()[0]
    assert (decision["verdict"], decision["candidate_kind"]) == ("allow", "contact")
    ingestion = newest(world.lake, "ingestion", "meridian")
    assert ingestion is not None
    inputs = json.loads(decision["input_publications"])
    assert inputs == sorted([ingestion.publication_id, "plan-1"])
    delivery = world.lake.scan(DELIVERIES.name).to_pylist()[0]
    assert (delivery["cost"], delivery["known_date"]) == (Decimal("0.2500"), date(2026, 6, 2))

    [publication] = publish_dispatch(world.lake, world.store, world.run)
    assert (publication.as_of_date, publication.is_new) == (DAY, True)
    [same] = publish_dispatch(world.lake, world.store, world.run)
    assert (same.publication_id, same.is_new) == (publication.publication_id, False)


def test_nothing_new_commits_nothing(world: World) -> None:
    assert copy(world, LEDGER_BATCH).snapshot_id is None
    assert publish_dispatch(world.lake, world.store, world.run) == ()
    dispatched(world, ["C1"])
    first = copy(world, LEDGER_BATCH)
    assert copy(world, LEDGER_BATCH) == Copied(
        first.contract, 0, first.last_sequence, first.snapshot_id
    )


def test_a_backlog_is_copied_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro_batches, "BATCH_ROWS", 3)
    dispatched(world, [f"C{n}" for n in range(7)])
    assert copy(world, decisions_batch()).rows == 7
    assert len(world.lake.load(DISPATCH_DECISIONS.name).snapshots()) == 3


@pytest.mark.parametrize(
    "point", ["audit.micro_batch.after_read", "audit.micro_batch.after_commit"]
)
def test_a_crash_neither_loses_nor_doubles(world: World, point: str) -> None:
    dispatched(world, ["C1", "C2", "C3"])
    with armed(point), pytest.raises(SimulatedCrash):
        copy(world, LEDGER_BATCH)
    copy(world, LEDGER_BATCH)
    rows = world.lake.scan(LEDGER_BATCH.contract.name).sort_by("seq").to_pylist()
    assert [row["seq"] for row in rows] == list(range(1, ledger.verify(world.store) + 1))
    assert [row["prev_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]


def test_of_two_copiers_one_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatched(world, ["C1", "C2"])
    real: Callable[[str], None] = micro_batches.reach

    def overtaken(point: str) -> None:
        monkeypatch.setattr(micro_batches, "reach", real)
        copy(world, decisions_batch())

    monkeypatch.setattr(micro_batches, "reach", overtaken)
    with pytest.raises(PublicationError, match="Another writer"):
        copy(world, decisions_batch())
    assert world.lake.scan(DISPATCH_DECISIONS.name).num_rows == 2
    assert copy(world, decisions_batch()).rows == 0
