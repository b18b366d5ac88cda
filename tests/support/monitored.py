"""A scored day measured as production measures it."""

from __future__ import annotations

from datetime import date

import dagster as dg

from paymentor_assets.rankings import monitoring_assets
from paymentor_assets.settings import Settings
from tests.support.feature_days import LENDER
from tests.support.model_lender import CLOCK, ModelLender


def materialize_monitoring(place: ModelLender, day: date) -> dg.ExecuteInProcessResult:
    """Materialise the monitoring asset of one day."""
    upstream = [dg.AssetSpec(key) for key in monitoring_assets.monitoring.dependency_keys]
    return dg.materialize(
        [*upstream, monitoring_assets.monitoring],
        partition_key=day.isoformat(),
        resources={
            "lakehouse": place.lake,
            "registry": place.registry,
            "settings": Settings.load({"PAYMENTOR_HOME": str(place.home), "PAYMENTOR_ENV": "test"}),
            "lenders": {LENDER: place.lender},
            "clock": CLOCK,
        },
    )
