"""The model registry: MLflow on a SQLite file, artefacts beside it.

Writing goes through MLflow's client. Reading goes straight to MLflow's tables, read-only: scoring
and `paymentor models` must not pay for importing MLflow (measured: 6 to 10 s of CPU; the query 3
ms), and a reader that cannot write cannot spoil. The columns read are those of the pinned MLflow; a
test compares them with what MLflow's own client says.

What does not belong here: who approved what (`paymentor_assets.models.registry`).
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DatabaseError

from resources.clock import Clock
from resources.crash_points import reach, register
from resources.errors import NotFound, RegistryError

register(
    "models.register.after_run",
    "models.register.after_artifacts",
    "models.register.after_version",
)

HASH_TAG = "paymentor.artefact_sha256"
TRAINER_TAG = "paymentor.trainer"
#: By the clock of the run; MLflow's own column is the machine's.
REGISTERED_TAG = "paymentor.registered_at_utc"
_ARTEFACT_PATH = "model"


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a family as the registry knows it."""

    family: str
    version: int
    run_id: str
    artefact_sha256: str
    trainer: str
    registered_at_utc: datetime
    tags: Mapping[str, str]


class ModelRegistry:
    """Registered models under one folder: `mlflow.db` and `artifacts/<run>/artifacts/model/`.

    `may_write` is False in production: there every writing method raises RegistryError. Reading
    raises it when the database is there and does not answer.
    """

    def __init__(self, directory: Path, *, may_write: bool = True) -> None:
        self.directory = directory
        self._may_write = may_write

    @property
    def database(self) -> Path:
        """MLflow's SQLite file."""
        return self.directory / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        """What MLflow calls this registry (`mlflow ui --backend-store-uri …`)."""
        return f"sqlite:///{self.database}"

    # reading, without MLflow

    def families(self) -> list[str]:
        """Names of all registered models, in order."""
        return [name for (name,) in self._query("SELECT name FROM registered_models ORDER BY name")]

    def versions(self, family: str) -> list[RegisteredVersion]:
        """All versions, oldest first; empty when nothing was registered."""
        rows = self._query(
            "SELECT version, run_id FROM model_versions WHERE name = :name ORDER BY version",
            name=family,
        )
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._query(
            "SELECT version, key, value FROM model_version_tags WHERE name = :name", name=family
        ):
            tags.setdefault(int(version), {})[key] = value
        # Versions that somebody registered past us carry none of our tags: without a hash they can
        # neither be approved nor score, so they are not versions here.
        return [
            RegisteredVersion(
                family=family,
                version=int(version),
                run_id=run_id,
                artefact_sha256=tags[int(version)][HASH_TAG],
                trainer=tags[int(version)][TRAINER_TAG],
                registered_at_utc=datetime.fromisoformat(tags[int(version)][REGISTERED_TAG]),
                tags=tags[int(version)],
            )
            for version, run_id in rows
            if {HASH_TAG, TRAINER_TAG, REGISTERED_TAG} <= tags.get(int(version), {}).keys()
        ]

    def version(self, family: str, version: int) -> RegisteredVersion:
        """One version; NotFound naming those there are."""
        known = self.versions(family)
        for candidate in known:
            if candidate.version == version:
                return candidate
        listed = ", ".join(str(v.version) for v in known) or "none"
        raise NotFound(f"The registry has no version {version} of {family}; it has: {listed}.")

    def metrics(self, run_id: str) -> dict[str, float]:
        """The metrics logged with a run."""
        rows = self._query(
            "SELECT key, value FROM latest_metrics WHERE run_uuid = :run ORDER BY key", run=run_id
        )
        return {key: float(value) for key, value in rows}

    def aliases(self, family: str) -> dict[str, int]:
        """Alias to version."""
        rows = self._query(
            "SELECT alias, version FROM registered_model_aliases WHERE name = :name", name=family
        )
        return {alias: int(version) for alias, version in rows}

    def artefact_dir(self, version: RegisteredVersion) -> Path:
        """Where a version's files are. From the run id, so that the whole folder may be moved."""
        return self.directory / "artifacts" / version.run_id / "artifacts" / _ARTEFACT_PATH

    @cached_property
    def _reader(self) -> Engine:
        return create_engine(f"sqlite:///file:{self.database}?mode=ro&uri=true")

    def _query(self, sql: str, **parameters: str) -> list[Any]:
        if not self.database.exists():
            return []
        try:
            with self._reader.connect() as connection:
                return list(connection.execute(text(sql), parameters))
        except DatabaseError as error:
            about = ", ".join(parameters.values()) or "its models"
            raise RegistryError(
                f"The model registry {self.database} does not answer about {about}: {error.orig}. "
                "Restore the file or its permissions; nothing scores without it."
            ) from error

    # writing, with MLflow

    def prepare(self) -> None:
        """Create the database if there is none; MLflow's migrations take a second or two."""
        self._client()

    def register(
        self,
        family: str,
        files: Mapping[str, bytes],
        *,
        artefact_sha256: str,
        trainer: str,
        parameters: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        clock: Clock,
    ) -> RegisteredVersion:
        """Log a run with its artefact and register it as the family's next version.

        The same artefact registered twice is the same version: a run that died half-way leaves an
        unregistered run behind, which is marked as failed, and is simply repeated.
        """
        for known in self.versions(family):
            if known.artefact_sha256 == artefact_sha256:
                return known
        client = self._client()
        now = clock.now()
        at_ms = int(now.timestamp() * 1000)
        all_tags = {
            **tags,
            HASH_TAG: artefact_sha256,
            TRAINER_TAG: trainer,
            REGISTERED_TAG: now.isoformat(),
        }
        experiment = self._experiment(client, family)
        for orphan in client.search_runs(
            [experiment],
            f"tags.`{HASH_TAG}` = '{artefact_sha256}' and attributes.status = 'RUNNING'",
        ):
            client.set_terminated(orphan.info.run_id, status="FAILED", end_time=at_ms)
        run_id = client.create_run(
            experiment, start_time=at_ms, tags=all_tags, run_name=f"{family}-{artefact_sha256[:8]}"
        ).info.run_id
        reach("models.register.after_run")
        self._log(client, run_id, at_ms, parameters, metrics, files)
        reach("models.register.after_artifacts")
        self._ensure_model(client, family)
        version = client.create_model_version(
            family,
            source=f"{client.get_run(run_id).info.artifact_uri}/{_ARTEFACT_PATH}",
            run_id=run_id,
            tags=all_tags,
        )
        reach("models.register.after_version")
        client.set_terminated(run_id, status="FINISHED", end_time=at_ms)
        return self.version(family, int(version.version))

    def set_alias(self, family: str, alias: str, version: int | None) -> None:
        """Point an alias at a version, or remove it; nothing happens when it is so already."""
        if self.aliases(family).get(alias) == version:
            return
        client = self._client()
        if version is None:
            client.delete_registered_model_alias(family, alias)
        else:
            client.set_registered_model_alias(family, alias, str(version))

    def _client(self) -> Any:
        if not self._may_write:
            raise RegistryError(
                f"The model registry {self.directory} is open for reading only: production never "
                "writes it. Register and alias in the model_development location."
            )
        # MLflow reads these when it is imported: no telemetry, no chatter about migrations.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
        self.directory.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # Deprecations inside MLflow's own imports are not ours to answer.
            warnings.simplefilter("ignore")
            from mlflow.tracking import MlflowClient

            return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def _experiment(self, client: Any, family: str) -> str:
        found = client.get_experiment_by_name(family)
        if found is not None:
            return str(found.experiment_id)
        location = f"file://{self.directory / 'artifacts'}"
        return str(client.create_experiment(family, artifact_location=location))

    def _log(
        self,
        client: Any,
        run_id: str,
        at_ms: int,
        parameters: Mapping[str, object],
        metrics: Mapping[str, float],
        files: Mapping[str, bytes],
    ) -> None:
        from mlflow.entities import Metric, Param

        client.log_batch(
            run_id,
            metrics=[Metric(key, value, at_ms, 0) for key, value in sorted(metrics.items())],
            params=[Param(key, str(value)) for key, value in sorted(parameters.items())],
        )
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in files.items():
                path = Path(scratch) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            client.log_artifacts(run_id, scratch, _ARTEFACT_PATH)

    def _ensure_model(self, client: Any, family: str) -> None:
        if not client.search_registered_models(filter_string=f"name = '{family}'"):
            client.create_registered_model(family)
