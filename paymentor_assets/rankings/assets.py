"""Rankings in the asset graph."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pyarrow as pa

from paymentor_assets.asset_metadata import (
    DATA_SCIENCE,
    asset_key,
    published_metadata,
    table_metadata,
)
from paymentor_assets.audit.publications import Publication, RunInfo, read_table
from paymentor_assets.audit.sealing import sealed_days_of
from paymentor_assets.lenders import Lender
from paymentor_assets.models import plots
from paymentor_assets.models.assets import APPROVALS
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.registry import ApprovedModel, load_approved
from paymentor_assets.partitions import daily, days_of, lenders_of
from paymentor_assets.rankings.checks import CHECKS, Finding, check_day
from paymentor_assets.rankings.daily import rank_day
from paymentor_assets.rankings.tables import CHANNEL_PREFERENCES, CUSTOMER_RANKINGS
from resources.clock import Clock
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry

GROUP = "rankings"
RANKINGS_VERSION = "1"
_RANKINGS_KEY = asset_key(CUSTOMER_RANKINGS)
_PREFERENCES_KEY = asset_key(CHANNEL_PREFERENCES)


def _spec(contract: TableContract, kinds: set[str], features: list[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(contract),
        deps=[dg.AssetKey(["features", name]) for name in features],
        group_name=GROUP,
        owners=[DATA_SCIENCE],
        kinds={"iceberg", *kinds},
        code_version=RANKINGS_VERSION,
        description=contract.description,
        metadata=table_metadata(contract),
        partitions_def=daily,
    )


@dg.multi_asset(
    name="rankings",
    backfill_policy=dg.BackfillPolicy.single_run(),
    specs=[
        _spec(
            CUSTOMER_RANKINGS, {"xgboost"}, ["account_features", "customer_profile"]
        ).merge_attributes(deps=[APPROVALS]),
        _spec(CHANNEL_PREFERENCES, {"duckdb"}, ["channel_engagement", "customer_profile"]),
    ],
    check_specs=[
        dg.AssetCheckSpec(name, asset=_RANKINGS_KEY, description=description, blocking=True)
        for name, description in CHECKS.items()
    ],
    partitions_def=daily,
)
def rankings(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    registry: dg.ResourceParam[ModelRegistry],
    lenders: dg.ResourceParam[dict[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Rank the open accounts of every day and lender of the run, and publish."""
    run = RunInfo(context.run.run_id, RANKINGS_VERSION, clock)
    model = load_approved(lakehouse, registry, family.FAMILY)
    published: list[tuple[Publication, date]] = []
    findings: list[Finding] = []
    for day in days_of(context):
        for lender in lenders_of(context, lenders):
            sealed = sealed_days_of(operational_store, lender.lender_id)
            publication = rank_day(lakehouse, registry, lender, day, run, sealed=sealed)
            published.append((publication, day))
            findings += check_day(lakehouse, publication, day, model.approval)
    rows = _read(lakehouse, published, CUSTOMER_RANKINGS)
    yield dg.MaterializeResult(
        asset_key=_RANKINGS_KEY,
        metadata={
            **_metadata(published, CUSTOMER_RANKINGS, rows),
            "delinquent_accounts": sum(rows.column("is_delinquent").to_pylist()),
            **_model_metadata(model),
            "p_pay_30d": dg.MetadataValue.md(
                plots.histogram(rows.column("p_pay_30d").to_numpy(), "Open accounts by p_pay_30d")
            ),
        },
        check_results=[_check_result(name, findings) for name in CHECKS],
    )
    preferences = _read(lakehouse, published, CHANNEL_PREFERENCES)
    yield dg.MaterializeResult(
        asset_key=_PREFERENCES_KEY,
        metadata=_metadata(published, CHANNEL_PREFERENCES, preferences),
    )


def _read(
    lake: Lakehouse, published: list[tuple[Publication, date]], contract: TableContract
) -> pa.Table:
    return pa.concat_tables(
        read_table(lake, publication, contract, day) for publication, day in published
    )


def _metadata(
    published: list[tuple[Publication, date]], contract: TableContract, rows: pa.Table
) -> dict[str, Any]:
    newest = published[-1][0]
    shown = rows.sort_by([(contract.key[0], "ascending"), ("rank", "ascending")])
    return {
        **published_metadata(newest, contract.name, shown),
        "dagster/row_count": rows.num_rows,
        "publications": [publication.publication_id for publication, _ in published],
    }


def _model_metadata(model: ApprovedModel) -> dict[str, Any]:
    report = model.artefact.card["targets"][family.EXPLAINED_TARGET]
    return {
        "model_version": model.version,
        "approved_by": model.approval.actor,
        "auc_on_later_days": report["test"]["auc"],
        "auc_on_later_days_delinquent": report["test_delinquent"].get("auc") or "not measured",
    }


def _check_result(name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    mine = [finding for finding in findings if finding.name == name]
    numbers = {
        key: sum(f.numbers[key] for f in mine) for key in mine[0].numbers if key != "version"
    }
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=_RANKINGS_KEY,
        passed=all(finding.is_passed for finding in mine),
        metadata=numbers,
    )


assets: list[dg.AssetsDefinition] = [rankings]
