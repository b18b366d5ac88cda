"""The registry on a real MLflow database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from paymentor_assets.models import artefact
from resources.crash_points import SimulatedCrash, armed
from resources.errors import NotFound
from tests.integration.models.conftest import Register
from tests.support.model_lender import ModelLender

FAMILY = "customer_ranking"


def test_what_is_read_is_what_mlflow_says(place: ModelLender, register: Register) -> None:
    from mlflow.tracking import MlflowClient

    first, second = register(), register("other")
    place.registry.set_alias(FAMILY, "champion", 2)
    client = MlflowClient(
        tracking_uri=place.registry.tracking_uri, registry_uri=place.registry.tracking_uri
    )
    theirs = {int(v.version): v for v in client.search_model_versions(f"name = '{FAMILY}'")}
    assert [v.version for v in place.registry.versions(FAMILY)] == sorted(theirs) == [1, 2]
    for ours in (first, second):
        assert theirs[ours.version].run_id == ours.run_id
        assert theirs[ours.version].tags == dict(ours.tags)
        run = client.get_run(ours.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.metrics == place.registry.metrics(ours.run_id)
        assert run.data.params == {"eta": "0.12"}
        folder = place.registry.artefact_dir(ours)
        assert theirs[ours.version].source == f"file://{folder}"
    assert client.get_model_version_by_alias(FAMILY, "champion").version == 2
    assert place.registry.aliases(FAMILY) == {"champion": 2}
    place.registry.set_alias(FAMILY, "champion", None)
    assert place.registry.aliases(FAMILY) == {}


def test_mlflow_reads_the_signature(place: ModelLender, register: Register) -> None:
    from mlflow.models import Model

    signature = Model.load(str(place.registry.artefact_dir(register()))).signature
    assert "days_past_due" in signature.inputs.input_names()
    assert signature.outputs.input_names() == ["paid_7d", "paid_30d", "recovered_share_30d"]


def test_the_same_artefact_is_the_same_version(place: ModelLender, register: Register) -> None:
    assert register() == register()
    assert len(place.registry.versions(FAMILY)) == 1


def test_the_files_arrive_as_they_were(
    place: ModelLender, register: Register, files: Mapping[str, bytes]
) -> None:
    assert artefact.read_files(place.registry.artefact_dir(register())) == files


def test_an_unknown_version_is_not_found(place: ModelLender, register: Register) -> None:
    register()
    with pytest.raises(NotFound, match="no version 9 of customer_ranking; it has: 1"):
        place.registry.version(FAMILY, 9)


def test_an_empty_registry_has_no_versions(place: ModelLender) -> None:
    assert place.registry.versions(FAMILY) == []
    assert place.registry.aliases(FAMILY) == {}


@pytest.mark.parametrize(
    "point",
    [
        "models.register.after_run",
        "models.register.after_artifacts",
        "models.register.after_version",
    ],
)
def test_a_registration_that_died_is_finished_by_repeating_it(
    place: ModelLender, register: Register, point: str
) -> None:
    with pytest.raises(SimulatedCrash), armed(point):
        register()
    version = register()
    assert version.version == 1
    assert len(place.registry.versions(FAMILY)) == 1
    found = artefact.read_files(place.registry.artefact_dir(version))
    assert artefact.sha256_of_files(found) == version.artefact_sha256


def test_the_reader_cannot_write(place: ModelLender, register: Register) -> None:
    register()
    place.registry.versions(FAMILY)
    with (
        place.registry._reader.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.execute(text("DELETE FROM model_versions"))


def test_reading_does_not_import_mlflow(place: ModelLender, register: Register) -> None:
    register()
    code = (
        "import sys; from pathlib import Path; from resources.registry import ModelRegistry; "
        f"assert ModelRegistry(Path({str(place.registry.directory)!r})).versions('{FAMILY}'); "
        "assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_mlflow_reports_to_nobody() -> None:
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
