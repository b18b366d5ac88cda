"""The jobs of production: what the sensors, the UI and the command line start."""

from __future__ import annotations

from typing import Any

from dagster import AssetSelection, define_asset_job

from paymentor_assets.engagement.assets import DISPATCH_ASSETS, STREAM_ASSETS
from paymentor_assets.ingestion.connector_assets import connector_files

_CONNECTED = AssetSelection.assets(connector_files)
_RETENTION = AssetSelection.assets("raw/aa_purges")
_STREAM = AssetSelection.assets(*STREAM_ASSETS)
_DISPATCH = AssetSelection.assets(*DISPATCH_ASSETS)
_DAY = AssetSelection.groups(
    "features", "rankings", "offers", "compliance", "strategies", "decisions"
)


def production_jobs() -> list[Any]:
    """Every job, in the order in which a day needs them."""
    return [
        define_asset_job(
            "pull",
            selection=_CONNECTED,
            description="Ask the connected sources for what is new; it lands as files.",
        ),
        define_asset_job(
            "ingest",
            selection=AssetSelection.groups("ingestion") - _CONNECTED - _RETENTION,
            description="Take in the landing files that wait.",
        ),
        define_asset_job(
            "retention",
            selection=_RETENTION,
            description="Delete data past its data life, and leave the proof.",
        ),
        define_asset_job(
            "engagement",
            selection=_STREAM,
            description="Read the engagement stream: raw events, then normalised ones.",
        ),
        define_asset_job(
            "features_history",
            selection=AssetSelection.groups("features"),
            description="Features of many days in one build, for training or a backfill.",
        ),
        define_asset_job(
            "training_extract",
            selection=AssetSelection.assets("models/training_extract"),
            description="Hand model development what it may learn from, without identities.",
        ),
        define_asset_job(
            "approvals",
            selection=AssetSelection.assets("models/approvals", "models/inventory"),
            description="Write down which model versions exist, which may score, and what decides.",
        ),
        define_asset_job(
            "daily",
            selection=_DAY,
            description="Plan one day: features, rankings, gate, strategies, actions, offers.",
        ),
        define_asset_job(
            "monitoring",
            selection=AssetSelection.assets("models/monitoring"),
            description="Measure how far a ranked day is from what its model learned.",
        ),
        define_asset_job(
            "dispatch",
            selection=_DISPATCH,
            description="Carry out a planned day: gate again, send, record.",
        ),
        define_asset_job(
            "audit",
            selection=AssetSelection.groups("audit"),
            description="Copy the ledger to the lakehouse, and keep the tables in shape.",
        ),
    ]
