"""Scores of the families beside customer ranking in the asset graph."""

from collections.abc import Iterator, Mapping
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
from paymentor_assets.models.assets import APPROVALS
from paymentor_assets.models.families import channel_preference, user_affinity
from paymentor_assets.models.registry import ApprovedModel
from paymentor_assets.partitions import daily, days_of, lenders_of
from paymentor_assets.rankings.family_scores import (
    TABLES,
    approved_models,
    not_scored,
    score_day,
)
from paymentor_assets.rankings.score_checks import CHECKS, violations
from resources.clock import Clock
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry

GROUP = "rankings"
SCORES_VERSION = "1"
_FURTHER_DEPS = {
    user_affinity.FAMILY: [dg.AssetKey(["raw", "clickstream_events"])],
    channel_preference.FAMILY: [dg.AssetKey(["features", "channel_engagement"])],
}


def _spec(family: str, contract: TableContract) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(contract),
        deps=[
            dg.AssetKey(["features", "customer_profile"]),
            APPROVALS,
            *_FURTHER_DEPS.get(family, []),
        ],
        group_name=GROUP,
        owners=[DATA_SCIENCE],
        kinds={"iceberg", "python"},
        code_version=SCORES_VERSION,
        description=(
            f"{contract.description} By the approved version of {family}; without one nothing is "
            "scored, and the materialisation says so."
        ),
        metadata=table_metadata(contract),
        partitions_def=daily,
    )


@dg.multi_asset(
    name="scores",
    backfill_policy=dg.BackfillPolicy.single_run(),
    specs=[_spec(family, contract) for family, contract in TABLES.items()],
    check_specs=[
        dg.AssetCheckSpec(name, asset=asset_key(contract), description=description, blocking=True)
        for contract in TABLES.values()
        for name, description in CHECKS.items()
    ],
    partitions_def=daily,
)
def scores(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    registry: dg.ResourceParam[ModelRegistry],
    lenders: dg.ResourceParam[dict[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Score the customers of every day and lender of the run by each approved family."""
    run = RunInfo(context.run.run_id, SCORES_VERSION, clock)
    models = approved_models(lakehouse, registry)
    published: list[tuple[Publication, date]] = []
    for day in days_of(context):
        for lender in lenders_of(context, lenders):
            sealed = sealed_days_of(operational_store, lender.lender_id)
            publication = score_day(lakehouse, models, lender, day, run, sealed=sealed)
            if publication is not None:
                published.append((publication, day))
    for family, contract in TABLES.items():
        if family in models:
            yield _scored(lakehouse, contract, models[family], published)
        else:
            context.log.info(not_scored(family))
            yield _result(
                contract,
                contract.schema.empty_table(),
                {"not_scored": not_scored(family)},
            )


def _scored(
    lake: Lakehouse,
    contract: TableContract,
    model: ApprovedModel,
    published: list[tuple[Publication, date]],
) -> dg.MaterializeResult[None]:
    rows = pa.concat_tables(
        read_table(lake, publication, contract, day) for publication, day in published
    )
    shown = rows.sort_by([(name, "ascending") for name in contract.key])
    metadata = {
        **published_metadata(published[-1][0], contract.name, shown),
        "publications": [publication.publication_id for publication, _ in published],
        "model_version": model.version,
        "approved_by": model.approval.actor,
    }
    return _result(contract, rows, metadata)


def _result(
    contract: TableContract, rows: pa.Table, metadata: Mapping[str, Any]
) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=asset_key(contract),
        metadata={**metadata, "dagster/row_count": rows.num_rows},
        check_results=[
            dg.AssetCheckResult(
                check_name=name,
                asset_key=asset_key(contract),
                passed=broken == 0,
                metadata={"rows": rows.num_rows, "broken": broken},
            )
            for name, broken in violations(contract, rows).items()
        ],
    )


assets: list[dg.AssetsDefinition] = [scores]
