"""The inventory of what decides, in the asset graph."""

import dagster as dg
from pyiceberg.expressions import AlwaysTrue

from paymentor_assets.asset_metadata import RISK, asset_key, preview_metadata, table_metadata
from paymentor_assets.strategies.inventory import INVENTORY, inventory
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry

INVENTORY_VERSION = "1"


@dg.asset(
    key=asset_key(INVENTORY),
    deps=[dg.AssetKey(["models", "approvals"])],
    group_name="models",
    owners=[RISK],
    kinds={"iceberg"},
    code_version=INVENTORY_VERSION,
    description=(
        "Every model, rulebook, strategy and offer policy with version, owner, purpose, state and "
        "approver, as supervisors of model risk ask for."
    ),
    metadata=table_metadata(INVENTORY),
)
def model_inventory(
    lakehouse: dg.ResourceParam[Lakehouse], registry: dg.ResourceParam[ModelRegistry]
) -> dg.MaterializeResult[None]:
    """List what decides; commits only when the list has changed."""
    rows = inventory(lakehouse, registry)
    order = [(name, "ascending") for name in INVENTORY.key]
    is_there = lakehouse.exists(INVENTORY.name)
    if not is_there or not lakehouse.scan(INVENTORY.name).sort_by(order).equals(rows):
        lakehouse.overwrite(INVENTORY, rows, AlwaysTrue(), {"code-version": INVENTORY_VERSION})
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows.num_rows,
            "iceberg_snapshot_id": str(lakehouse.head(INVENTORY.name)),
            "preview": preview_metadata(rows),
        }
    )
