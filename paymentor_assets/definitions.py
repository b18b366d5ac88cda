"""The production code location: only assembles what the stages define.

`build_defs(settings, deployment, resource_overrides)` makes the definitions of one deployment;
`workspace.yaml` loads `defs`. Nothing here reads or writes data.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from paymentor_assets.audit import assets as audit
from paymentor_assets.deployment import Deployment
from paymentor_assets.engagement import assets as engagement
from paymentor_assets.features import assets as features
from paymentor_assets.ingestion import assets as ingestion
from paymentor_assets.ingestion import connector_assets as connectors
from paymentor_assets.ingestion import retention_assets as retention
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.jobs import production_jobs
from paymentor_assets.models import assets as models
from paymentor_assets.rankings import assets as rankings
from paymentor_assets.rankings import monitoring_assets as monitoring
from paymentor_assets.rankings import score_assets
from paymentor_assets.settings import Settings
from paymentor_assets.strategies import assets as strategies
from paymentor_assets.strategies import inventory_assets as inventory
from sensors.production import build_sensors
from sensors.upkeep import build_schedules


def build_defs(
    settings: Settings,
    deployment: Deployment | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """Assets, checks, jobs, sensors and doors of production, in lineage order."""
    return dg.Definitions(
        assets=[
            connectors.connector_files,
            ingestion.raw,
            *retention.ASSETS,
            *engagement.STREAM_ASSETS,
            *features.build_assets(settings),
            models.training_extract,
            *models.trained_models,
            models.model_approvals,
            rankings.rankings,
            monitoring.monitoring,
            score_assets.scores,
            strategies.planned_day,
            inventory.model_inventory,
            *engagement.DISPATCH_ASSETS,
            *audit.ASSETS,
        ],
        jobs=production_jobs(),
        schedules=build_schedules(settings),
        sensors=build_sensors(settings, ui_url=settings.ui_url),
        resources={**doors(deployment or Deployment(settings)), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def doors(deployment: Deployment) -> dict[str, object]:
    """The resources of the assets and sensors, by key; none is opened before it is used."""
    return {
        "settings": deployment.settings,
        "lakehouse": deployment.lakehouse,
        "operational_store": deployment.store,
        "vault": deployment.vault,
        "landing_zone": deployment.landing_zone,
        "connectors": deployment.connectors,
        "streams": deployment.streams,
        "channels": deployment.channels,
        "registry": deployment.registry,
        "notifier": deployment.notifier,
        "lenders": deployment.lenders,
        "pgp_keys": deployment.pgp_keys,
        "session_keys": deployment.session_keys,
        "contracts": ContractBook(deployment.settings.lenders_dir),
        "clock": deployment.clock,
        "receipt_clock": deployment.receipt_clock,
        "dbt": features.dbt_resource(),
    }


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads."""
    return build_defs(Settings.load())
