"""MLflow's aliases, set by model development after what production handed over."""

import dagster as dg

from paymentor_assets.asset_metadata import DATA_SCIENCE
from paymentor_assets.models.development import DevelopmentSettings, development_lakehouse
from paymentor_assets.models.handover import mirror_aliases
from resources.registry import ModelRegistry

ALIASES_VERSION = "1"


@dg.asset(
    key=["models", "champion_aliases"],
    deps=[dg.AssetKey(["models", "approvals"])],
    group_name="models",
    owners=[DATA_SCIENCE],
    kinds={"mlflow"},
    code_version=ALIASES_VERSION,
    description=(
        "The alias `champion` of every registered family, pointed at the version in force. A "
        "mirror for people who look at MLflow: scoring reads models.approvals."
    ),
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("family", "string", "Registered model."),
                dg.TableColumn("version", "integer", "Version that the alias points at."),
            ]
        )
    },
)
def champion_aliases(
    development: dg.ResourceParam[DevelopmentSettings],
    registry: dg.ResourceParam[ModelRegistry],
) -> dg.MaterializeResult[None]:
    """Set the aliases that differ from the approvals handed over."""
    changed = mirror_aliases(development_lakehouse(development.development_dir), registry)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(changed),
            "changed": {family: version or "removed" for family, version in changed.items()},
        }
    )
