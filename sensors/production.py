"""The sensors of the production code location, in one list."""

from __future__ import annotations

import dagster as dg

from paymentor_assets.settings import Settings
from sensors.daily import build_cutoff_sensor
from sensors.dispatch import build_dispatch_sensor
from sensors.engagement_stream import build_engagement_stream_sensor
from sensors.landing import build_landing_sensor
from sensors.monitoring import build_monitoring_sensor
from sensors.notifications import build_completion_sensor, build_failure_sensor
from sensors.runs import JobNames

#: Where `paymentor dev` serves the UI.
LOCAL_UI_URL = "http://127.0.0.1:3000"


def build_sensors(
    settings: Settings, jobs: JobNames | None = None, *, ui_url: str = LOCAL_UI_URL
) -> list[dg.SensorDefinition]:
    """All sensors; running where unattended automation is on, stopped elsewhere.

    They need the resources `lakehouse`, `operational_store`, `landing_zone`, `streams`, `lenders`,
    `clock` and `notifier`. `ui_url` is where links in notices lead.
    """
    names = JobNames() if jobs is None else jobs
    return [
        build_landing_sensor(settings, names),
        build_engagement_stream_sensor(settings, names),
        build_cutoff_sensor(settings, names),
        build_dispatch_sensor(settings, names),
        build_monitoring_sensor(settings),
        build_completion_sensor(settings, names, ui_url),
        build_failure_sensor(settings, ui_url),
    ]
