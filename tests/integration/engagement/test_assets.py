"""The engagement and audit assets, run by Dagster on an ephemeral instance."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

from paymentor_assets.audit import assets as audit_assets
from paymentor_assets.engagement import assets
from paymentor_assets.engagement.tables import EVENTS, RAW_EVENTS
from paymentor_assets.partitions import LENDER_TAG
from resources.channels import provider_message_id
from resources.clock import BusinessClock, SimulatedClock, SystemClock
from resources.operational_schema import deliveries
from tests.support.engagement_world import DAY, SLOT, World, minutes
from tests.support.provider_events import record, sms, sms_reply

SHARD = "meridian/shard-0000"
PLANNED = [dg.AssetSpec(["decisions", name]) for name in ("actions", "offers")]


def run(world: World, chosen: Any, **arguments: Any) -> dg.ExecuteInProcessResult:
    resources = {
        "lakehouse": world.lake,
        "operational_store": world.store,
        "vault": world.vault,
        "streams": world.stream,
        "channels": world.channels,
        "lenders": world.lenders,
        "clock": world.clock,
        "receipt_clock": SystemClock(),
    }
    return dg.materialize(
        [*chosen, *arguments.pop("extra", [])],
        resources=arguments.pop("resources", resources),
        tags={LENDER_TAG: "meridian"},
        **arguments,
    )


def metadata(result: dg.ExecuteInProcessResult, *key: str) -> dict[str, Any]:
    [event] = [
        e
        for e in result.get_asset_materialization_events()
        if e.asset_key == dg.AssetKey(list(key))
    ]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_the_loop_from_dispatch_to_facts(world: World) -> None:
    world.publish_permissions(["C1"])
    action_id = world.plan("C1")
    sent = run(world, assets.DISPATCH_ASSETS, extra=PLANNED, partition_key=DAY.isoformat())
    assert sent.success
    decided = metadata(sent, "decisions", "dispatch_decisions")
    assert (decided["sent"], decided["rows_added"], decided["dagster/row_count"]) == (1, 1, 1)
    assert metadata(sent, "engagement", "deliveries")["rows_added"] == 1

    message_id = provider_message_id("sms", action_id)
    world.stream.put(
        SHARD,
        [
            record("sms", sms("TEXT_DELIVERED", message_id, at=SLOT), SLOT + minutes(1)),
            record("sms_inbound", sms_reply("i", "STOP", to_message=message_id), SLOT + minutes(2)),
            record("sms", "garbage", SLOT + minutes(3)),
        ],
    )
    read = run(world, assets.STREAM_ASSETS)
    raw, facts = metadata(read, "engagement", "raw_events"), metadata(read, "engagement", "events")
    assert (raw["rows_added"], raw["offsets"]) == (3, {SHARD: 3})
    assert (facts["rows_added"], facts["people_suppressed"]) == (2, 1)
    assert metadata(read, "engagement", "unparsed_events")["rows_added"] == 1
    assert facts["iceberg_snapshot_id"] == str(world.lake.head(EVENTS.name))
    for shown in (raw, facts):
        assert "+919000000001" not in json.dumps(shown, default=str)
    again = run(world, assets.STREAM_ASSETS)
    assert metadata(again, "engagement", "raw_events")["rows_added"] == 0
    assert metadata(again, "engagement", "events")["is_new_publication"] is False

    kept = run(
        world,
        audit_assets.ASSETS[:1] + audit_assets.ASSETS[2:],
        extra=assets.DISPATCH_ASSETS + PLANNED,
        selection=["audit/ledger", "audit/maintenance"],
    )
    assert kept.success
    assert metadata(kept, "audit", "ledger")["rows_added"] > 2


def test_exact_ranges_come_by_config(world: World) -> None:
    world.stream.put(
        SHARD, [record("sms", sms("TEXT_DELIVERED", f"m{n}", at=SLOT), SLOT) for n in range(5)]
    )
    config = {
        "ops": {"engagement__raw_events": {"config": {"ranges": {SHARD: {"after": 0, "upto": 2}}}}}
    }
    result = run(world, assets.STREAM_ASSETS, run_config=config)
    assert metadata(result, "engagement", "raw_events")["rows_added"] == 2
    repeated = run(world, assets.STREAM_ASSETS, run_config=config)
    assert metadata(repeated, "engagement", "raw_events")["skipped_shards"] == [SHARD]


def test_one_table_of_the_step_can_be_asked_for(world: World) -> None:
    world.stream.put(SHARD, [record("sms", sms("TEXT_DELIVERED", "m", at=SLOT), SLOT)])
    result = run(
        world, assets.STREAM_ASSETS, selection=["engagement/raw_events", "engagement/events"]
    )
    made = {e.asset_key.to_user_string() for e in result.get_asset_materialization_events()}
    assert made == {"engagement/raw_events", "engagement/events"}


def test_a_message_without_an_allow_fails_the_check(world: World) -> None:
    world.publish_permissions(["C1"])
    world.plan("C1")
    world.dispatch()
    with world.store.write() as connection:
        connection.execute(deliveries.update().values(attempt=9))
    result = run(
        world,
        assets.DISPATCH_ASSETS,
        extra=PLANNED,
        partition_key=DAY.isoformat(),
        raise_on_error=False,
    )
    [check] = [
        e for e in result.get_asset_check_evaluations() if e.check_name == "sent_only_when_allowed"
    ]
    assert not check.passed


def test_simulated_time_carries_out_the_whole_day(world: World) -> None:
    world.publish_permissions(["C1", "C2"])
    world.plan("C1")
    world.plan("C2", scheduled_at_utc=(SLOT + minutes(300)).replace(tzinfo=None))
    simulated = BusinessClock(SimulatedClock(world.root / "clock"))
    simulated.advance_to(SLOT - minutes(60))
    world.clock = simulated  # type: ignore[assignment]
    result = run(world, assets.DISPATCH_ASSETS, extra=PLANNED, partition_key=DAY.isoformat())
    assert metadata(result, "decisions", "dispatch_decisions")["sent"] == 2
    assert simulated.now() == SLOT + minutes(300)


def test_a_lost_row_fails_the_check(world: World) -> None:
    world.stream.put(
        SHARD, [record("sms", sms("TEXT_DELIVERED", f"m{n}", at=SLOT), SLOT) for n in range(3)]
    )
    run(world, assets.STREAM_ASSETS)
    table = world.lake.load(RAW_EVENTS.name)
    summary = world.lake.summary(RAW_EVENTS.name)
    table.delete("sequence = 2", snapshot_properties={"stream.offsets": summary["stream.offsets"]})
    result = run(world, assets.STREAM_ASSETS, raise_on_error=False)
    [check] = [
        e for e in result.get_asset_check_evaluations() if e.check_name == "every_record_once"
    ]
    assert not check.passed
    assert "number 1 to 3" in str(check.metadata["faults"].value)
