"""What counts as in flight, and when in vain is often enough."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from paymentor_assets.settings import REQUIRED_VARIABLES, Environment, Settings
from sensors.production import build_sensors
from sensors.runs import INPUTS_TAG, UNFINISHED, JobNames, default_status, why_latched
from tests.support.sensor_house import House


def test_every_unfinished_status_of_dagster_is_in_flight() -> None:
    assert set(UNFINISHED) == set(NOT_FINISHED_STATUSES)


@pytest.mark.parametrize("environment", Environment)
def test_sensors_run_by_themselves_only_where_automation_is_on(
    house: House, environment: Environment
) -> None:
    env = {name: str(house.home) for name in REQUIRED_VARIABLES[environment]}
    env["PAYMENTOR_HOME"] = str(house.home)
    settings = Settings.load(env | {"PAYMENTOR_ENV": environment.value})
    expected = {
        Environment.LOCAL: dg.DefaultSensorStatus.STOPPED,
        Environment.TEST: dg.DefaultSensorStatus.STOPPED,
        Environment.STAGING: dg.DefaultSensorStatus.RUNNING,
        Environment.PRODUCTION: dg.DefaultSensorStatus.RUNNING,
    }
    assert default_status(settings) is expected[environment]
    assert {s.default_status for s in build_sensors(settings)} == {expected[environment]}


def test_every_sensor_resolves_beside_its_jobs(house: House) -> None:
    sensors = build_sensors(house.settings)
    definitions = dg.Definitions.merge(
        house.definitions,
        dg.Definitions(sensors=sensors, resources={**house.resources()}),
    )
    dg.Definitions.validate_loadable(definitions)
    names = [sensor.name for sensor in sensors]
    assert len(names) == len(set(names)) == 7
    assert all(sensor.description for sensor in sensors)


def test_three_failures_with_the_same_input_latch_and_other_input_does_not(house: House) -> None:
    job = house.definitions.resolve_job_def(JobNames().ingestion)
    for expected in (False, False, False, True, True):
        assert (why_latched(house.instance, job.name, "same") is not None) is expected
        house.instance.create_run_for_job(
            job, tags={INPUTS_TAG: "same"}, status=dg.DagsterRunStatus.FAILURE
        )
    assert why_latched(house.instance, job.name, "other") is None


def test_a_success_does_not_count_towards_the_latch(house: House) -> None:
    job = house.definitions.resolve_job_def(JobNames().ingestion)
    for _ in range(5):
        house.instance.create_run_for_job(
            job, tags={INPUTS_TAG: "same"}, status=dg.DagsterRunStatus.SUCCESS
        )
    assert why_latched(house.instance, job.name, "same") is None
