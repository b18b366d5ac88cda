"""The second code location: model development. It trains, and registers what it trained.

Only assembles. It knows its own folder and the registry, no production path and no key; what it
learns from was put into its folder by production's `models/training_extract`.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.asset_metadata import DATA_ENGINEERING
from paymentor_assets.models.development import DevelopmentSettings
from paymentor_assets.models.training_assets import TRAINING_EXTRACT, customer_ranking
from resources.clock import SystemClock
from resources.registry import ModelRegistry

#: Produced by the production location; named here so that the lineage is whole.
training_extract = dg.AssetSpec(
    TRAINING_EXTRACT,
    group_name="models",
    owners=[DATA_ENGINEERING],
    kinds={"iceberg"},
    description="De-identified rows, published here by the production location.",
)

train_customer_ranking = dg.define_asset_job(
    "train_customer_ranking",
    selection=[customer_ranking],
    description="Train customer ranking on the newest extract and register the result.",
)


def build_defs(
    settings: DevelopmentSettings | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """The definitions of model development; reads nothing but the environment."""
    settings = settings or DevelopmentSettings.load()
    return dg.Definitions(
        assets=[customer_ranking, training_extract],
        jobs=[train_customer_ranking],
        resources={
            "development": settings,
            "registry": ModelRegistry(settings.registry_dir),
            "clock": SystemClock(),
            **(resource_overrides or {}),
        },
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads."""
    return build_defs()
