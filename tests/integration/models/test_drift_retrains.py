"""From a world that moved to a model that learned it: monitoring, alarm, training, a new version.

Every step is the real one, in the order in which the sensors start them; only people are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets import model_development
from paymentor_assets.audit.publications import publish_days
from paymentor_assets.features.publish import STAGE
from paymentor_assets.models import handover
from paymentor_assets.models import registry as models
from paymentor_assets.models.development import DevelopmentSettings
from paymentor_assets.models.training_extract import extract
from paymentor_assets.rankings.daily import rank_day
from tests.integration.models.conftest import Register
from tests.support.feature_days import LENDER, contract, feature_tables
from tests.support.model_lender import CLOCK, RUN, SALT_KEY, ModelLender, publish_features
from tests.support.monitored import materialize_monitoring
from tests.support.trained_model import CUSTOMERS, DAYS, LAST_DAY

FAMILY = "customer_ranking"
DAY = LAST_DAY + timedelta(days=1)


def _publish_day(place: ModelLender, day: date, *, days_later: int) -> None:
    """Features of one day on which everybody is `days_later` further past due."""
    tables = feature_tables(CUSTOMERS, [day])
    del tables["features.repayment_labels"]
    name = "features.account_features"
    late = tables[name].column("days_past_due")
    moved = pc.add(late, pa.scalar(days_later, pa.int32()))
    at = tables[name].schema.get_field_index("days_past_due")
    tables[name] = tables[name].set_column(at, "days_past_due", moved)
    publish_days(
        place.lake, stage=STAGE, lender_id=LENDER, days=[day], inputs=["ingestion-1"], run=RUN,
        tables={contract(key, rows): rows for key, rows in tables.items()},
    )  # fmt: skip


def _approve(place: ModelLender, version: int) -> None:
    models.approve(
        place.lake, place.registry, place.store, family=FAMILY, version=version, actor="officer",
        reason="good", clock=CLOCK,
    )  # fmt: skip
    handover.hand_over_approvals(place.lake, place.development)


def _score_and_monitor(place: ModelLender, day: date) -> None:
    rank_day(place.lake, place.registry, place.lender, day, RUN)
    assert materialize_monitoring(place, day).success


@pytest.fixture
def development(place: ModelLender) -> DevelopmentSettings:
    return DevelopmentSettings(place.home / "development", place.registry.directory, "scientist")


def _tick(
    place: ModelLender, development: DevelopmentSettings, instance: dg.DagsterInstance
) -> dg.RunRequest | dg.SkipReason:
    location = model_development.build_defs(development).get_repository_def()
    context = dg.build_sensor_context(
        instance=instance, resources={"development": development, "registry": place.registry}
    )
    decided = location.get_sensor_def("drift_sensor")(context)
    assert isinstance(decided, dg.RunRequest | dg.SkipReason)
    return decided


def _train(
    development: DevelopmentSettings, instance: dg.DagsterInstance, tags: Mapping[str, str]
) -> dg.ExecuteInProcessResult:
    """The job that the sensor asks for, for one family of its six."""
    job = model_development.build_defs(development).resolve_job_def(model_development.TRAIN_ALL)
    return job.execute_in_process(
        instance=instance, tags=dict(tags), asset_selection=[dg.AssetKey(["models", FAMILY])]
    )


def test_drift_trains_a_version_that_waits_for_a_person(
    place: ModelLender, register: Register, development: DevelopmentSettings
) -> None:
    publish_features(place, DAYS, customers=CUSTOMERS)
    register()
    _approve(place, 1)
    instance = dg.DagsterInstance.ephemeral()

    _publish_day(place, DAY, days_later=0)
    _score_and_monitor(place, DAY)
    assert "No model in force drifts" in str(_tick(place, development, instance))

    _publish_day(place, DAY + timedelta(days=1), days_later=90)
    _score_and_monitor(place, DAY + timedelta(days=1))
    asked = _tick(place, development, instance)
    assert isinstance(asked, dg.RunRequest)

    extract(
        place.lake, place.development, lender_id=LENDER, salt_key=SALT_KEY, run=RUN,
        known_through=LAST_DAY,
    )  # fmt: skip
    assert _train(development, instance, asked.tags).success
    newest = place.registry.versions(FAMILY)[-1]
    assert (newest.version, newest.trainer) == (2, "scientist")
    assert "waits for a decision: customer_ranking after 1" in str(
        _tick(place, development, instance)
    )
    # Only a person lets it score; then there is nothing left to train for.
    assert models.approved_version(place.lake, FAMILY).version == 1
    _approve(place, 2)
    assert "No model in force drifts" in str(_tick(place, development, instance))
