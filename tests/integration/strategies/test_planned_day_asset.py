"""The planned day as Dagster runs it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from paymentor_assets.strategies.assets import planned_day
from paymentor_assets.strategies.tables import DECISIONS
from tests.support.planning_tables import DAY
from tests.support.planning_world import PlanningWorld


def test_the_asset_materialises_six_tables_and_passes_its_checks(tmp_path: Path) -> None:
    world = PlanningWorld(tmp_path).set_up(6)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [planned_day],
            partition_key=DAY.isoformat(),
            instance=instance,
            resources={
                "lakehouse": world.lake,
                "operational_store": world.store,
                "lenders": {world.lender.lender_id: world.lender},
                "clock": world.clock,
            },
        )

    assert result.success
    materialised = {m.asset_key for m in result.asset_materializations_for_node("plan_day")}
    assert materialised == {dg.AssetKey(c.name.split(".")) for c in DECISIONS}
    checks = result.get_asset_check_evaluations()
    assert len(checks) == 3
    assert all(check.passed for check in checks)


def test_lineage_reads_candidates_gate_strategies_actions() -> None:
    deps = planned_day.asset_deps
    inner = {key: {d for d in deps[key] if d in deps} for key in deps}

    def key(name: str) -> dg.AssetKey:
        return dg.AssetKey(["decisions", name])

    assert inner == {
        key("offer_candidates"): set(),
        key("gate_counts"): {key("offer_candidates")},
        key("strategies"): {key("offer_candidates"), key("gate_counts")},
        key("compliance_decisions"): {key("strategies")},
        key("actions"): {key("strategies"), key("compliance_decisions")},
        key("offers"): {key("offer_candidates"), key("actions")},
    }
