"""Planning against a real lakehouse and operational store: once, again, sealed, crashed, undone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from paymentor_assets.audit.ledger import verify
from paymentor_assets.audit.publications import all_publications, read_table
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.strategies.plan import plan_day
from paymentor_assets.strategies.tables import ACTIONS, COMPLIANCE_DECISIONS, DECISIONS, OFFERS
from resources.crash_points import SimulatedCrash, armed, names
from resources.errors import PublicationError, SealedDayError
from resources.operational_schema import actions, controls, deliveries, sealed_days, suppressions
from tests.support.planning_people import People, permission_rows
from tests.support.planning_tables import CUTOFF, DAY, LENDER
from tests.support.planning_world import PlanningWorld

BEFORE = CUTOFF.replace(tzinfo=None) - timedelta(hours=1)
AFTER = CUTOFF.replace(tzinfo=None) + timedelta(hours=1)
Row = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> PlanningWorld:
    return PlanningWorld(tmp_path).set_up(6)


def _queue(world: PlanningWorld) -> list[Row]:
    with world.store.read() as connection:
        rows = connection.execute(select(actions).order_by(actions.c.action_id))
        return [dict(row) for row in rows.mappings()]


def _planned(world: PlanningWorld) -> set[str]:
    return {row["action_id"] for row in _queue(world) if row["state_name"] == "planned"}


def _published(world: PlanningWorld) -> dict[str, Any]:
    publication = all_publications(world.lake, stage="decisions")[-1]
    return {
        contract.name: read_table(world.lake, publication, contract, DAY).sort_by(
            [(name, "ascending") for name in contract.key]
        )
        for contract in DECISIONS
    }


def _heads(world: PlanningWorld) -> dict[str, int | None]:
    return {c.name: world.lake.head(c.name) for c in DECISIONS} | {
        "audit.publications": world.lake.head("audit.publications")
    }


def _seal(world: PlanningWorld) -> None:
    with world.store.write() as connection:
        connection.execute(
            insert(sealed_days).values(
                lender_id=LENDER,
                as_of_date=DAY,
                sealed_at_utc=AFTER,
                plan_publication_id="whatever",
            )
        )


def _switch(world: PlanningWorld, value: str, at: datetime) -> None:
    with world.store.write() as connection:
        connection.execute(
            insert(controls).values(
                name="kill_switch", value=value, actor="risk", reason="test", at_utc=at
            )
        )


def test_a_plan_is_published_and_enqueued(world: PlanningWorld) -> None:
    result = world.plan()

    assert result.publication.is_new and result.is_changed and not result.is_sealed
    queue = _queue(world)
    assert len(queue) == result.actions == result.queue.added == 6
    assert {row["action_id"] for row in queue} == set(
        result.tables[ACTIONS].column("action_id").to_pylist()
    )
    assert {row["state_name"] for row in queue} == {"planned"}
    assert {row["plan_publication_id"] for row in queue} == {result.publication.publication_id}
    assert {row["rulebook_version"] for row in queue} == {Rulebook.load().version}
    for name, table in _published(world).items():
        expected = {c.name: t for c, t in result.tables.items()}[name]
        assert table.to_pylist() == expected.to_pylist()
    stages = {p.publication_id: p.stage for p in all_publications(world.lake)}
    assert {stages[i] for i in result.publication.inputs} == {"features", "rankings", "ingestion"}
    assert verify(world.store) == 1


def test_planning_again_changes_nothing(world: PlanningWorld) -> None:
    first = world.plan()
    heads, queue = _heads(world), _queue(world)

    second = world.plan("run-2")

    assert not second.is_changed
    assert second.publication.publication_id == first.publication.publication_id
    assert (_heads(world), _queue(world)) == (heads, queue)
    assert verify(world.store) == 1


def test_later_knowledge_does_not_move_the_day(world: PlanningWorld) -> None:
    world.plan()
    heads, queue = _heads(world), _queue(world)
    people = [row["customer_id"] for row in People.invent(6).profile]
    # Everybody withdraws, is blacklisted and stops everything, an hour after the cut-off.
    withdrawn = [
        row | {"permission_id": f"w-{row['permission_id']}", "status": "withdrawn"}
        for row in permission_rows(people)
    ]
    listed = [
        {"customer_id": p, "reason": "x", "listed_date": DAY, "delisted_date": None} for p in people
    ]
    world.deliver(AFTER, contact_permissions=withdrawn, blacklist=listed)
    _switch(world, "on", AFTER)

    second = world.plan("run-2")

    assert not second.is_changed
    after = _heads(world)
    # Only the delivery published something.
    assert {n: h for n, h in after.items() if n != "audit.publications"} == {
        n: h for n, h in heads.items() if n != "audit.publications"
    }
    assert _queue(world) == queue


def test_knowledge_before_the_cutoff_withdraws_an_unsealed_plan(world: PlanningWorld) -> None:
    first = world.plan()
    _switch(world, "on", BEFORE)

    second = world.plan("run-2")

    assert first.actions > 0 and second.actions == second.offers == 0
    assert second.publication.is_new
    assert {row["state_name"] for row in _queue(world)} == {"cancelled"}
    published = _published(world)
    assert published[ACTIONS.name].num_rows == published[OFFERS.name].num_rows == 0
    assert published[COMPLIANCE_DECISIONS.name].num_rows > 0

    _switch(world, "off", BEFORE + timedelta(minutes=1))
    third = world.plan("run-3")
    assert third.actions == first.actions
    assert {row["state_name"] for row in _queue(world)} == {"planned"}


def test_withdrawn_actions_are_cancelled_and_the_rest_stays(world: PlanningWorld) -> None:
    world.plan()
    listed = {"customer_id": "C00000", "reason": "x", "listed_date": DAY, "delisted_date": None}
    world.deliver(BEFORE, blacklist=[listed])

    world.plan("run-2")

    states = {row["customer_id"]: row["state_name"] for row in _queue(world)}
    assert states.pop("C00000") == "cancelled"
    assert set(states.values()) == {"planned"}


def test_a_sealed_day_recomputes_to_itself(world: PlanningWorld) -> None:
    first = world.plan()
    _seal(world)
    heads, queue = _heads(world), _queue(world)

    second = world.plan("run-2")

    assert second.is_sealed and not second.is_changed
    assert second.publication.publication_id == first.publication.publication_id
    assert (_heads(world), _queue(world)) == (heads, queue)


def test_a_sealed_day_that_differs_says_how_and_writes_nothing(world: PlanningWorld) -> None:
    world.plan()
    _seal(world)
    _switch(world, "on", BEFORE)
    heads, queue = _heads(world), _queue(world)

    with pytest.raises(SealedDayError, match="carried out and would be decided differently") as e:
        world.plan("run-2")

    assert "6 rows published, 0 now" in e.value.diff[ACTIONS.name]
    assert "decisions.actions" in str(e.value)
    assert (_heads(world), _queue(world)) == (heads, queue)


def test_a_day_sealed_while_it_is_planned_again_keeps_its_queue(
    world: PlanningWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan()
    _switch(world, "on", BEFORE)
    from paymentor_assets.strategies import plan as module

    original = module.difference

    def seal_meanwhile(*arguments: Any) -> dict[str, str]:
        _seal(world)
        return original(*arguments)

    monkeypatch.setattr(module, "difference", seal_meanwhile)
    heads, queue = _heads(world), _queue(world)

    with pytest.raises(SealedDayError, match="while it was being planned again"):
        world.plan("run-2")

    assert (_heads(world), _queue(world)) == (heads, queue)


_POINTS = [
    "audit.publish.after_table_commit",
    "audit.publish.before_row",
    "audit.publish.after_row",
    "strategies.after_publish",
    "strategies.inside_enqueue",
    "strategies.after_enqueue",
]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> PlanningWorld:
    """A day that was planned without a death."""
    world = PlanningWorld(tmp_path_factory.mktemp("untouched")).set_up(4)
    world.plan()
    return world


@pytest.mark.parametrize("point", _POINTS)
def test_a_death_in_the_first_plan_is_made_good_by_the_next_run(
    tmp_path: Path, untouched: PlanningWorld, point: str
) -> None:
    world = PlanningWorld(tmp_path).set_up(4)

    with armed(point), pytest.raises(SimulatedCrash):
        world.plan()
    world.plan("run-2")

    assert _planned(world) == _planned(untouched)
    assert len(_queue(world)) == len(_queue(untouched))
    expected = {name: table.to_pylist() for name, table in _published(untouched).items()}
    found = {name: table.to_pylist() for name, table in _published(world).items()}
    _same_but_provenance(found, expected)


@pytest.mark.parametrize("point", ["strategies.after_withdraw", *_POINTS])
def test_a_death_while_replanning_leaves_no_action_of_the_old_plan(
    tmp_path: Path, point: str
) -> None:
    world = PlanningWorld(tmp_path).set_up(3)
    world.plan()
    listed = {"customer_id": "C00000", "reason": "x", "listed_date": DAY, "delisted_date": None}
    world.deliver(BEFORE, blacklist=[listed])

    with armed(point), pytest.raises(SimulatedCrash):
        world.plan("run-2")
    between = {row["customer_id"] for row in _queue(world) if row["state_name"] == "planned"}
    assert "C00000" not in between
    result = world.plan("run-3")

    assert _planned(world) == set(result.tables[ACTIONS].column("action_id").to_pylist())


def _same_but_provenance(found: dict[str, list[Row]], expected: dict[str, list[Row]]) -> None:
    for name, rows in expected.items():
        bare = [{k: v for k, v in row.items() if k != "input_publications"} for row in rows]
        assert [
            {k: v for k, v in row.items() if k != "input_publications"} for row in found[name]
        ] == bare


def test_every_crash_point_of_planning_is_tested() -> None:
    mine = {name for name in names() if name.startswith("strategies.")}
    assert mine == {"strategies.after_withdraw", *(p for p in _POINTS if p.startswith("strat"))}


def test_hot_facts_are_read_as_of_the_cutoff(world: PlanningWorld) -> None:
    with world.store.write() as connection:
        for customer, at in (("C00000", BEFORE), ("C00001", AFTER)):
            connection.execute(
                insert(suppressions).values(
                    suppression_id=f"s-{customer}",
                    lender_id=LENDER,
                    customer_id=customer,
                    channel="*",
                    purpose="*",
                    reason="stop",
                    source_event_id=f"e-{customer}",
                    effective_at_utc=at,
                )
            )
        for number, (customer, at) in enumerate(
            # In India C00004 was written to on the day of the plan already, three hours earlier.
            (("C00004", CUTOFF.replace(tzinfo=None) - timedelta(hours=3)), ("C00003", AFTER))
        ):
            connection.execute(
                insert(deliveries).values(
                    action_id=f"earlier-{number}",
                    attempt=1,
                    lender_id=LENDER,
                    as_of_date=DAY - timedelta(days=1),
                    account_id="x",
                    customer_id=customer,
                    channel="sms",
                    purpose="collections",
                    status="sent",
                    occurred_at_utc=at,
                    cost=0,
                    currency="INR",
                )
            )

    result = world.plan()

    planned = {row["customer_id"] for row in _queue(world)}
    assert planned == {"C00001", "C00002", "C00003", "C00005"}
    rules = {
        row["customer_id"]: [rule["id"] for rule in json.loads(row["violated_rules"])]
        for row in result.tables[COMPLIANCE_DECISIONS].to_pylist()
        if row["pass"] == "mask" and row["customer_id"] in ("C00000", "C00004")
    }
    assert rules == {"C00000": ["HOUSE-SUPPRESSION"], "C00004": ["HOUSE-CAP"]}


def test_a_changed_value_updates_the_queued_action(world: PlanningWorld) -> None:
    world.plan()
    with world.store.write() as connection:
        connection.execute(update(actions).values(language="hi"))

    result = world.plan("run-2")

    assert (result.queue.added, result.queue.updated, result.queue.withdrawn) == (0, 6, 0)
    assert {row["language"] for row in _queue(world)} == {"en"}


def test_without_rankings_nothing_is_planned(tmp_path: Path) -> None:
    world = PlanningWorld(tmp_path)

    with pytest.raises(PublicationError, match="features"):
        world.plan()


def test_undelivered_registries_block_everybody(tmp_path: Path) -> None:
    world = PlanningWorld(tmp_path)
    world.publish_people(People.invent(3))

    result = world.plan()

    assert result.actions == 0
    blocked = result.counts("block")
    assert blocked["ALL"] == blocked["HOUSE-PERMISSION"] == blocked["HOUSE-BLACKLIST"] > 0


def test_plan_day_takes_another_rulebook(world: PlanningWorld) -> None:
    kept = [r for r in Rulebook.load().rules if r.id in ("KILL-SWITCH", "HOUSE-PERMISSION")]
    result = plan_day(
        world.lake, world.store, world.lender, DAY, world.run(), rulebook=Rulebook.of(kept)
    )

    assert result.actions == 6
    assert {row["rulebook_version"] for row in _queue(world)} == {Rulebook.of(kept).version}
