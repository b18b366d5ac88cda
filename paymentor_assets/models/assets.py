"""Models in production's asset graph: the extract out, the trained model seen, the approvals."""

import os

import dagster as dg

from paymentor_assets.asset_metadata import (
    DATA_ENGINEERING,
    DATA_SCIENCE,
    RISK,
    preview_metadata,
    published_metadata,
    table_metadata,
)
from paymentor_assets.audit.publications import Publication, RunInfo
from paymentor_assets.lenders import Lender
from paymentor_assets.models import approvals, families, inventory
from paymentor_assets.models.development import development_lakehouse
from paymentor_assets.models.families import customer_ranking
from paymentor_assets.models.handover import hand_over_approvals
from paymentor_assets.models.registry import record_registrations
from paymentor_assets.models.training_extract import extract
from paymentor_assets.partitions import lenders_of
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.keys import secret_key
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry

GROUP = "models"
EXTRACT_VERSION = "3"
APPROVALS_VERSION = "1"

TRAINING_EXTRACT = dg.AssetKey(["models", "training_extract"])
TRAINED_MODELS = [dg.AssetKey(["models", name]) for name in families.NAMES]
APPROVALS = dg.AssetKey(["models", "approvals"])

#: Training happens in the model_development location; production only knows that it does.
trained_models = [
    dg.AssetSpec(
        key,
        deps=[TRAINING_EXTRACT],
        description=f"{name}, trained in the model_development location.",
        group_name=GROUP,
        owners=[DATA_SCIENCE],
        kinds={"python", "mlflow"},
    )
    for name, key in zip(families.NAMES, TRAINED_MODELS, strict=True)
]


@dg.asset(
    key=TRAINING_EXTRACT,
    deps=[
        dg.AssetKey(["features", "account_features"]),
        dg.AssetKey(["features", "customer_profile"]),
        dg.AssetKey(["features", "repayment_labels"]),
        dg.AssetKey(["features", "channel_engagement"]),
        dg.AssetKey(["raw", "contact_history"]),
        dg.AssetKey(["raw", "campaign_responses"]),
        dg.AssetKey(["raw", "clickstream_events"]),
    ],
    group_name=GROUP,
    owners=[DATA_ENGINEERING],
    kinds={"iceberg", "duckdb"},
    code_version=EXTRACT_VERSION,
    description=(
        "Weekly feature days with the outcomes known by now, without identities, published into "
        "model development's own lakehouse: a table `training.<family>` for every family. The "
        "schema shown is customer ranking's."
    ),
    metadata=table_metadata(customer_ranking.SPEC.rows),
)
def training_extract(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    settings: dg.ResourceParam[Settings],
    lenders: dg.ResourceParam[dict[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """Publish the extract of every lender of the run."""
    salt_key = secret_key(
        "extract",
        variable="PAYMENTOR_EXTRACT_KEY",
        keys_dir=settings.keys_dir,
        may_make=settings.makes_own_keys,
        env=os.environ,
    )
    development = development_lakehouse(settings.development_dir)
    publications: list[Publication] = [
        extract(
            lakehouse,
            development,
            lender_id=lender.lender_id,
            salt_key=salt_key,
            run=RunInfo(context.run.run_id, EXTRACT_VERSION, clock),
        )
        for lender in lenders_of(context, lenders)
    ]
    newest = publications[-1]
    rows = {p.lender_id: _rows(p, customer_ranking.FAMILY) for p in publications}
    return dg.MaterializeResult(
        metadata={
            **published_metadata(newest, customer_ranking.SPEC.rows.name),
            "dagster/row_count": sum(rows.values()),
            "rows_by_lender": rows,
            "rows_by_family": {
                name: sum(_rows(p, name) for p in publications) for name in families.NAMES
            },
            "days": len(newest.as_of_dates),
            "catalog": development.name,
        }
    )


def _rows(publication: Publication, name: str) -> int:
    return sum(publication.table(families.get(name).SPEC.rows.name).rows.values())


@dg.asset(
    key=APPROVALS,
    deps=TRAINED_MODELS,
    group_name=GROUP,
    owners=[RISK],
    kinds={"iceberg", "mlflow"},
    code_version=APPROVALS_VERSION,
    description=(
        "Who allowed which artefact to score, when and why: append-only, the truth. Decisions are "
        "made with `paymentor models`; this writes down what development has registered since, "
        "and hands the table over to development, which sets MLflow's aliases."
    ),
    metadata=table_metadata(approvals.APPROVALS),
)
def model_approvals(
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    registry: dg.ResourceParam[ModelRegistry],
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """Record new registrations and show where every version stands."""
    registered = registry.families()
    recorded = {
        family: record_registrations(
            lakehouse, registry, operational_store, family=family, clock=clock
        )
        for family in registered
    }
    in_force = {
        family: approvals.champion(approvals.history(lakehouse, family))
        for family in approvals.families(lakehouse)
    }
    handed_over = hand_over_approvals(lakehouse, development_lakehouse(settings.development_dir))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(
                len(approvals.history(lakehouse, family)) for family in in_force
            ),
            "newly_recorded": sum(recorded.values()),
            "handed_over": handed_over,
            "champions": {
                family: f"version {event.version}, approved by {event.actor}" if event else "none"
                for family, event in in_force.items()
            },
            "iceberg_snapshot_id": str(lakehouse.head(approvals.APPROVALS.name)),
            "versions": _versions_preview(
                [
                    entry
                    for family in registered
                    for entry in inventory.list_versions(lakehouse, registry, family)
                ]
            ),
        }
    )


def _versions_preview(versions: list[dict[str, object]]) -> dg.MetadataValue:
    """Versions as a Markdown table."""
    import pyarrow as pa

    return preview_metadata(pa.Table.from_pylist(versions))


assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
    training_extract,
    *trained_models,
    model_approvals,
]
