"""The second code location: model development. It trains, and registers what it trained.

Only assembles. It knows its own folder and the registry, no production path and no key; what it
learns from was put into its folder by production's `models/training_extract`.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.asset_metadata import DATA_ENGINEERING
from paymentor_assets.models import families
from paymentor_assets.models.development import DevelopmentSettings
from paymentor_assets.models.training_assets import TRAINING_EXTRACT, assets
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

#: One job a family, and one for all of them; a family that cannot be trained leaves the others be.
jobs = [
    *(
        dg.define_asset_job(
            f"train_{name}",
            selection=dg.AssetSelection.assets(["models", name]),
            description=f"Train {name} on the newest extract and register the result.",
        )
        for name in families.NAMES
    ),
    dg.define_asset_job(
        "train_all",
        selection=dg.AssetSelection.assets(*(["models", name] for name in families.NAMES)),
        description="Train every family on the newest extract and register the results.",
    ),
]


def build_defs(
    settings: DevelopmentSettings | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """The definitions of model development; reads nothing but the environment."""
    settings = settings or DevelopmentSettings.load()
    return dg.Definitions(
        assets=[*assets, training_extract],
        jobs=jobs,
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
