"""What production hands to development: approvals, which become aliases, and alarms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from paymentor_assets import model_development
from paymentor_assets.audit.publications import publish_days
from paymentor_assets.models import approvals, handover
from paymentor_assets.models import registry as models
from paymentor_assets.models.development import DevelopmentSettings
from paymentor_assets.models.monitoring_table import MONITORING, SCORE_PSI, STAGE
from resources.errors import ApprovalError, RegistryError
from resources.registry import ModelRegistry
from tests.integration.models.conftest import Register
from tests.support.feature_days import LENDER
from tests.support.model_lender import CLOCK, RUN, ModelLender

FAMILY = "customer_ranking"
DAY = date(2026, 6, 30)
Sense = Callable[[str], dg.RunRequest | dg.SkipReason]


def _approve(place: ModelLender, version: int) -> None:
    models.approve(
        place.lake, place.registry, place.store, family=FAMILY, version=version, actor="officer",
        reason="good", clock=CLOCK,
    )  # fmt: skip


def _settings(place: ModelLender) -> DevelopmentSettings:
    return DevelopmentSettings(place.home / "development", place.registry.directory, "scientist")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def sense(place: ModelLender, instance: dg.DagsterInstance) -> Sense:
    """One tick of a sensor of the location, with what it decided."""
    location = model_development.build_defs(_settings(place)).get_repository_def()

    def _sense(name: str) -> dg.RunRequest | dg.SkipReason:
        context = dg.build_sensor_context(
            instance=instance,
            resources={"development": _settings(place), "registry": place.registry},
        )
        decided = location.get_sensor_def(name)(context)
        assert isinstance(decided, dg.RunRequest | dg.SkipReason)
        return decided

    return _sense


def test_approvals_are_handed_over_once(place: ModelLender, register: Register) -> None:
    assert not handover.hand_over_approvals(place.lake, place.development)
    register()
    _approve(place, 1)
    assert handover.hand_over_approvals(place.lake, place.development)
    assert not handover.hand_over_approvals(place.lake, place.development)
    assert approvals.history(place.development, FAMILY) == approvals.history(place.lake, FAMILY)


def test_the_sensor_of_development_sets_the_alias(
    place: ModelLender, register: Register, sense: Sense, instance: dg.DagsterInstance
) -> None:
    register()
    register("second")
    _approve(place, 1)
    assert isinstance(sense("champion_alias_sensor"), dg.SkipReason)  # nothing handed over yet
    location = model_development.build_defs(_settings(place))
    for version, decide in (
        (1, None),
        (2, lambda: _approve(place, 2)),
        (1, lambda: _rollback(place)),
        (None, lambda: _rollback(place)),
    ):
        if decide is not None:
            decide()
        handover.hand_over_approvals(place.lake, place.development)
        assert isinstance(sense("champion_alias_sensor"), dg.RunRequest)
        ran = location.resolve_job_def("mirror_approvals").execute_in_process(instance=instance)
        assert ran.success
        expected = {} if version is None else {"champion": version}
        assert place.registry.aliases(FAMILY) == expected
        assert isinstance(sense("champion_alias_sensor"), dg.SkipReason)


def _rollback(place: ModelLender) -> None:
    models.rollback(
        place.lake, place.registry, place.store, family=FAMILY, actor="officer", reason="worse",
        clock=CLOCK,
    )  # fmt: skip


def _hand_over_day(place: ModelLender, day: date, version: int, *, is_alarm: bool) -> None:
    row = {
        "lender_id": LENDER, "as_of_date": day, "family": FAMILY, "model_version": version,
        "monitor": SCORE_PSI, "subject": "p_pay_30d", "reference": None,
        "value": 0.4 if is_alarm else 0.01, "threshold": 0.25, "row_count": 50, "first_date": day,
        "last_date": day, "is_alarm": is_alarm,
    }  # fmt: skip
    rows = pa.Table.from_pylist([row], schema=MONITORING.schema)
    publication = publish_days(
        place.lake, stage=STAGE, lender_id=LENDER, days=[day], tables={MONITORING: rows},
        inputs=[], run=RUN,
    )  # fmt: skip
    handover.hand_over_monitoring(place.development, publication, rows, RUN)


def test_drift_asks_for_training_until_a_newer_version_is_there(
    place: ModelLender, register: Register, sense: Sense, instance: dg.DagsterInstance
) -> None:
    register()
    _approve(place, 1)
    handover.hand_over_approvals(place.lake, place.development)
    _hand_over_day(place, DAY, 1, is_alarm=False)
    assert "No model" in str(sense("drift_sensor"))
    _hand_over_day(place, DAY + timedelta(days=1), 1, is_alarm=True)
    asked = sense("drift_sensor")
    assert isinstance(asked, dg.RunRequest)
    job = model_development.build_defs(_settings(place)).resolve_job_def("train_all")
    tried = instance.create_run_for_job(job, tags=asked.tags, status=dg.DagsterRunStatus.STARTED)
    assert "is training" in str(sense("drift_sensor"))
    instance.report_run_failed(tried)
    assert "newer one" in str(sense("drift_sensor"))
    _hand_over_day(place, DAY, 1, is_alarm=False)  # an older day, monitored again, says nothing new
    assert "newer one" in str(sense("drift_sensor"))
    register("second")
    assert "waits for a decision" in str(sense("drift_sensor"))
    _approve(place, 2)
    handover.hand_over_approvals(place.lake, place.development)
    assert "No model" in str(sense("drift_sensor"))


def _bytes(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_production_decides_and_scores_without_writing_the_registry(
    place: ModelLender, register: Register
) -> None:
    register()
    register("second")
    read_only = ModelRegistry(place.registry.directory, may_write=False)
    before = _bytes(place.registry.directory)
    words = {"family": FAMILY, "actor": "officer", "reason": "because", "clock": CLOCK}
    for path in (place.registry.database, place.registry.directory):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        models.record_registrations(place.lake, read_only, place.store, family=FAMILY, clock=CLOCK)
        for version in (1, 2):
            models.approve(place.lake, read_only, place.store, version=version, **words)
        models.rollback(place.lake, read_only, place.store, **words)
        models.reject(place.lake, read_only, place.store, version=2, **words)
        assert models.load_approved(place.lake, read_only, FAMILY).version == 1
    finally:
        for path in (place.registry.directory, place.registry.database):
            path.chmod(path.stat().st_mode | 0o200)
    assert _bytes(place.registry.directory) == before


def test_productions_registry_refuses_to_write(
    place: ModelLender, register: Register, files: dict[str, bytes]
) -> None:
    register()
    read_only = ModelRegistry(place.registry.directory, may_write=False)
    with pytest.raises(RegistryError, match="never writes it"):
        read_only.set_alias(FAMILY, "champion", 1)
    with pytest.raises(RegistryError, match="never writes it"):
        read_only.register(
            FAMILY, files, artefact_sha256="f" * 64, trainer="x", parameters={}, metrics={},
            tags={}, clock=CLOCK,
        )  # fmt: skip


def test_a_registry_that_is_down_names_family_and_version(
    place: ModelLender, register: Register
) -> None:
    register()
    _approve(place, 1)
    whole = place.registry.database.read_bytes()
    place.registry.database.write_bytes(b"not a database" * 1000)
    down = ModelRegistry(place.registry.directory, may_write=False)
    with pytest.raises(RegistryError, match="does not answer about customer_ranking"):
        down.versions(FAMILY)
    with pytest.raises(ApprovalError, match=r"customer_ranking version 1 .*does not answer"):
        models.load_approved(place.lake, down, FAMILY)
    place.registry.database.unlink()
    with pytest.raises(ApprovalError, match="customer_ranking version 1 is approved but gone"):
        models.load_approved(place.lake, place.registry, FAMILY)
    place.registry.database.write_bytes(whole)
    assert models.load_approved(place.lake, ModelRegistry(down.directory), FAMILY).version == 1
