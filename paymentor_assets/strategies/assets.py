"""The planned day in the asset graph: six tables, decided and published together."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from paymentor_assets.asset_metadata import (
    RISK,
    asset_key,
    published_metadata,
    table_metadata,
)
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import daily, days_of, lenders_of
from paymentor_assets.strategies.checks import CHECKS, check_plan
from paymentor_assets.strategies.plan import PlanResult, plan_day
from paymentor_assets.strategies.tables import (
    ACTIONS,
    COMPLIANCE_DECISIONS,
    DECISIONS,
    GATE_COUNTS,
    OFFER_CANDIDATES,
    OFFERS,
    STRATEGIES,
)
from resources.clock import Clock
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_store import OperationalStore

CODE_VERSION = "1"

_PROFILE = dg.AssetKey(["features", "customer_profile"])
_ACCOUNTS = dg.AssetKey(["features", "account_features"])
_RANKINGS = dg.AssetKey(["decisions", "customer_rankings"])
_PREFERENCES = dg.AssetKey(["decisions", "channel_preferences"])
_EVENTS = dg.AssetKey(["engagement", "events"])
_GATE_FACTS = [
    dg.AssetKey(["raw", feed])
    for feed in (
        "contact_permissions",
        "dnd_registry",
        "blacklist",
        "fraud_reports",
        "contact_history",
    )
]
_CAMPAIGNS = dg.AssetKey(["raw", "campaign_responses"])

#: What each table is decided from; tables of the plan itself make the order within it visible.
_DEPENDS_ON: Mapping[TableContract, Sequence[dg.AssetKey]] = {
    OFFER_CANDIDATES: [_PROFILE, _ACCOUNTS, _CAMPAIGNS],
    GATE_COUNTS: [
        _PROFILE,
        _ACCOUNTS,
        _RANKINGS,
        _PREFERENCES,
        asset_key(OFFER_CANDIDATES),
        *_GATE_FACTS,
        _EVENTS,
    ],
    STRATEGIES: [_RANKINGS, _PREFERENCES, asset_key(OFFER_CANDIDATES), asset_key(GATE_COUNTS)],
    COMPLIANCE_DECISIONS: [asset_key(STRATEGIES), *_GATE_FACTS, _EVENTS],
    ACTIONS: [asset_key(STRATEGIES), asset_key(COMPLIANCE_DECISIONS)],
    OFFERS: [asset_key(OFFER_CANDIDATES), asset_key(ACTIONS)],
}
#: Groups are what the collapsed lineage shows, so they must not form a cycle: what is judged last
#: is a group of its own.
_GROUPS: Mapping[TableContract, str] = {
    OFFER_CANDIDATES: "offers",
    OFFERS: "decisions",
    GATE_COUNTS: "compliance",
    COMPLIANCE_DECISIONS: "decisions",
    STRATEGIES: "strategies",
    ACTIONS: "decisions",
}


def _spec(contract: TableContract) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(contract),
        deps=list(_DEPENDS_ON[contract]),
        description=contract.description,
        group_name=_GROUPS[contract],
        owners=[RISK],
        kinds={"python", "duckdb", "iceberg"},
        code_version=CODE_VERSION,
        metadata=table_metadata(contract),
        partitions_def=daily,
    )


@dg.multi_asset(
    name="plan_day",
    backfill_policy=dg.BackfillPolicy.single_run(),
    specs=[_spec(contract) for contract in DECISIONS],
    check_specs=[
        dg.AssetCheckSpec(
            name=name, asset=asset_key(contract), description=description, blocking=True
        )
        for name, contract, description in CHECKS
    ],
)
def planned_day(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    lenders: dg.ResourceParam[dict[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Candidates, gate, allocation, gate again, actions and offers; published, then enqueued."""
    run = RunInfo(context.run.run_id, CODE_VERSION, clock)
    plans: list[PlanResult] = []
    failures: dict[str, list[str]] = {name: [] for name, _, _ in CHECKS}
    for lender in lenders_of(context, lenders):
        for day in days_of(context):
            plan = plan_day(lakehouse, operational_store, lender, day, run)
            context.log.info(
                "Planned %s of %s: %d candidates, %d actions, %d offers, publication %s.",
                day,
                lender.lender_id,
                plan.candidates,
                plan.actions,
                plan.offers,
                plan.publication.publication_id,
            )
            plans.append(plan)
            for name, faults in check_plan(plan.tables, lender).items():
                failures[name].extend(faults)
    for contract in DECISIONS:
        yield dg.MaterializeResult(
            asset_key=asset_key(contract),
            metadata=_metadata(plans, contract),
            check_results=[
                dg.AssetCheckResult(
                    asset_key=asset_key(contract),
                    check_name=name,
                    passed=not failures[name],
                    metadata={"faults": dg.MetadataValue.json(failures[name][:20])},
                )
                for name, checked, _ in CHECKS
                if checked is contract
            ],
        )


def _metadata(plans: Sequence[PlanResult], contract: TableContract) -> dict[str, dg.MetadataValue]:
    if not plans:
        return {"dagster/row_count": dg.MetadataValue.int(0)}
    newest = plans[-1]
    metadata = published_metadata(newest.publication, contract.name, newest.tables[contract])
    metadata["dagster/row_count"] = dg.MetadataValue.int(
        sum(plan.tables[contract].num_rows for plan in plans)
    )
    if contract is STRATEGIES:
        metadata["allocation"] = dg.MetadataValue.json(
            [
                {
                    "currency": c.currency,
                    "candidates": c.candidates,
                    "chosen": c.chosen,
                    "net_value": c.value,
                    "upper_bound": c.upper_bound,
                    "gap": c.gap,
                    "capacity": dict(c.capacity),
                }
                for c in newest.certificates
            ]
        )
    if contract is GATE_COUNTS:
        metadata["blocked_by_rule"] = dg.MetadataValue.json(newest.counts("block"))
        metadata["deferred_by_rule"] = dg.MetadataValue.json(newest.counts("defer"))
    return metadata
