"""How dbt nodes appear in the asset graph: keys, group, owners, kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from paymentor_assets.asset_metadata import DATA_ENGINEERING
from paymentor_assets.features.tables import NAMESPACE

GROUP = "features"
_LAYERS = {"staging": "staging", "intermediate": "intermediate", "marts": NAMESPACE}


class LakehouseTranslator(DagsterDbtTranslator):
    """Asset key = lakehouse table: marts are `features/<name>`, sources the tables they read."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`[source, table]` for sources, `[layer, model]` for models; seeds lie beside staging."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        if dbt_resource_props["resource_type"] == "seed":
            return dg.AssetKey(["staging", dbt_resource_props["name"]])
        return dg.AssetKey([_LAYERS[dbt_resource_props["fqn"][1]], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """All of dbt is one stage of the lineage."""
        return GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        """The team that answers for the SQL."""
        return [DATA_ENGINEERING]

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """The spec, where marts say that they end as Iceberg tables under their own name."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if spec.key.path[0] != NAMESPACE:
            return spec
        return spec.replace_attributes(
            kinds={*spec.kinds, "iceberg"},
            metadata={**spec.metadata, "dagster/table_name": ".".join(spec.key.path)},
        )
