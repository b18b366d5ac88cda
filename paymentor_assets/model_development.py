"""The second code location: model development. It trains, and registers what it trained.

Only assembles. It knows its own folder and the registry, no production path and no key; what it
learns from and acts on was put into its folder by production: the extract, approvals, monitoring.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.asset_metadata import DATA_ENGINEERING, RISK
from paymentor_assets.models import families
from paymentor_assets.models.alias_assets import champion_aliases
from paymentor_assets.models.development import DevelopmentSettings
from paymentor_assets.models.training_assets import TRAINING_EXTRACT, assets
from resources.clock import SystemClock
from resources.registry import ModelRegistry
from sensors.development import (
    MIRROR_JOB,
    build_development_schedules,
    build_development_sensors,
)

TRAIN_ALL = "train_all"

#: Produced by the production location; named here so that the lineage is whole.
training_extract = dg.AssetSpec(
    TRAINING_EXTRACT,
    group_name="models",
    owners=[DATA_ENGINEERING],
    kinds={"iceberg"},
    description="De-identified rows, published here by the production location.",
)

#: Decided in production and handed over here; named for the lineage as well.
approvals = dg.AssetSpec(
    ["models", "approvals"],
    group_name="models",
    owners=[RISK],
    kinds={"iceberg"},
    description="Who allowed which version to score, handed over by the production location.",
)

#: One job a family, and one for all of them; a family that cannot be trained leaves the others be.
training_jobs = [
    *(
        dg.define_asset_job(
            f"train_{name}",
            selection=dg.AssetSelection.assets(["models", name]),
            description=f"Train {name} on the newest extract and register the result.",
        )
        for name in families.NAMES
    ),
    dg.define_asset_job(
        TRAIN_ALL,
        selection=dg.AssetSelection.assets(*(["models", name] for name in families.NAMES)),
        description="Train every family on the newest extract and register the results.",
    ),
]

mirror_approvals = dg.define_asset_job(
    MIRROR_JOB,
    selection=[champion_aliases],
    description="Point MLflow's aliases at the versions in force.",
)


def build_defs(
    settings: DevelopmentSettings | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """The definitions of model development; reads nothing but the environment."""
    settings = settings or DevelopmentSettings.load()
    return dg.Definitions(
        assets=[*assets, champion_aliases, training_extract, approvals],
        jobs=[*training_jobs, mirror_approvals],
        schedules=build_development_schedules(settings, TRAIN_ALL),
        sensors=build_development_sensors(settings, TRAIN_ALL),
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
