"""The sensors beside the real definitions: their jobs exist and take what they are asked to do."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from paymentor_assets import definitions
from paymentor_assets.engagement.stream_ingest import ShardRange
from paymentor_assets.ingestion.reconcile import Waiting
from paymentor_assets.settings import Settings
from resources.landing_zone import landed_file
from sensors.run_config import ingestion_config, stream_config
from sensors.runs import JobNames

JOBS = JobNames()


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("home")
    return definitions.build_defs(
        Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})
    )


def a_file(name: str) -> Waiting:
    uri = f"meridian/portfolio/{name}"
    return Waiting(landed_file(uri, etag="e", size=1), 0)


def test_the_definitions_load_with_all_sensors(production: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(production)
    names = {sensor.name for sensor in production.get_repository_def().sensor_defs}
    assert names >= {
        "landing_sensor",
        "engagement_stream_sensor",
        "cutoff_sensor",
        "dispatch_sensor",
        "day_completed_sensor",
        "run_failure_sensor",
    }


def test_the_ingestion_job_takes_a_list_of_files(production: dg.Definitions) -> None:
    chosen = [a_file("portfolio_2026-06-30_20260630T220000Z.csv")]
    config = ingestion_config(chosen, [*chosen, a_file("portfolio_2026-07-01.csv")])
    assert dg.validate_run_config(production.resolve_job_def(JOBS.ingestion), dict(config))
    assert ingestion_config(chosen, chosen) == {}


def test_the_engagement_job_takes_ranges(production: dg.Definitions) -> None:
    config = stream_config({"meridian/shard-0000": ShardRange(3, 5)})
    resolved = dg.validate_run_config(production.resolve_job_def(JOBS.engagement), dict(config))
    assert resolved["ops"]["engagement__raw_events"]["config"]["ranges"] == {
        "meridian/shard-0000": {"after": 3, "upto": 5}
    }


@pytest.mark.parametrize("job_name", [JOBS.daily, JOBS.dispatch])
def test_jobs_of_a_day_are_partitioned_by_it(production: dg.Definitions, job_name: str) -> None:
    job = production.resolve_job_def(job_name)
    assert job.partitions_def is not None
    assert job.partitions_def.has_partition_key(date(2026, 6, 30).isoformat())
