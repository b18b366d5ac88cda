"""Model development: settings without production, and training from the extract to the registry."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from paymentor_assets.audit.publications import RunInfo, all_publications
from paymentor_assets.models import artefact, families, model_card, trainers
from paymentor_assets.models.environment import environment
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.training import TrainingData
from paymentor_assets.settings import is_automation_on
from resources.errors import PublicationError
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry, RegisteredVersion

PROJECT_ROOT = Path(__file__).resolve().parents[2]
SEED = 7
#: The stage under which production publishes extracts into development's lakehouse.
EXTRACT_STAGE = "training_extract"


@dataclass(frozen=True)
class DevelopmentSettings:
    """All that model development knows of the world: its own folder and the registry."""

    development_dir: Path
    registry_dir: Path
    trainer: str
    is_automation_on: bool = False

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> DevelopmentSettings:
        """Read `PAYMENTOR_DEVELOPMENT_DIR`, `PAYMENTOR_REGISTRY_DIR`, `PAYMENTOR_TRAINER` and
        whether automation is on.

        The folders default to `development/` and `registry/` under `$PAYMENTOR_HOME`, the trainer
        to the person logged in.
        """
        env = os.environ if env is None else env
        home = Path(env.get("PAYMENTOR_HOME", ".paymentor"))
        development = Path(env.get("PAYMENTOR_DEVELOPMENT_DIR", home / "development"))
        registry = Path(env.get("PAYMENTOR_REGISTRY_DIR", home / "registry"))
        return cls(
            development_dir=(PROJECT_ROOT / development).resolve(),
            registry_dir=(PROJECT_ROOT / registry).resolve(),
            trainer=env.get("PAYMENTOR_TRAINER") or getpass.getuser(),
            is_automation_on=is_automation_on(env),
        )


def development_lakehouse(development_dir: Path) -> Lakehouse:
    """Development's own catalog and files, apart from production's."""
    folder = development_dir / "lakehouse"
    folder.mkdir(parents=True, exist_ok=True)
    return Lakehouse(
        {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"},
        name="development",
    )


def read_extract(lake: Lakehouse, spec: FamilySpec) -> TrainingData:
    """A family's newest extract of every lender, at the snapshots that were published.

    Raises PublicationError when there is none.
    """
    newest = {p.lender_id: p for p in all_publications(lake, stage=EXTRACT_STAGE)}
    if not newest:
        raise PublicationError(
            "Model development has no extract to learn from. "
            "Materialise models/training_extract in the production location first."
        )
    snapshots = {lender: p.table(spec.rows.name).snapshot_id for lender, p in newest.items()}
    rows = pa.concat_tables(
        lake.scan(spec.rows.name, snapshot_id, f"lender_id = '{lender}'")
        for lender, snapshot_id in sorted(snapshots.items())
    )
    return TrainingData(
        rows=rows,
        publications={lender: p.publication_id for lender, p in newest.items()},
        snapshots=snapshots,
    )


def train_and_register(
    lake: Lakehouse,
    registry: ModelRegistry,
    family: str,
    *,
    trainer: str,
    run: RunInfo,
    seed: int = SEED,
) -> tuple[RegisteredVersion, artefact.ModelArtefact]:
    """Train on the newest extract and register the artefact; the same extract makes no new version.

    Raises PublicationError without an extract, ContractError when it does not suffice to learn.
    """
    spec: FamilySpec = families.get(family).SPEC
    data = read_extract(lake, spec)
    model = trainers.train(spec, data, seed=seed)
    files = artefact.files_of(model, model_card.render(model))
    version = registry.register(
        model.family,
        files,
        artefact_sha256=artefact.sha256_of_files(files),
        trainer=trainer,
        parameters={
            "seed": seed,
            **{
                f"{name}.{parameter}": value
                for name, report in model.card["targets"].items()
                for parameter, value in _parameters(report.get("choice", {})).items()
            },
        },
        metrics=model_card.headline(model),
        tags={
            "paymentor.code_version": run.code_version,
            "paymentor.run_id": run.run_id,
            "paymentor.model_digest": model.digest(),
            "paymentor.environment": environment(),
            "paymentor.pii_classes": ", ".join(_pii_classes(model)),
            "paymentor.known_through": model.card["data"]["known_through"],
            **{
                f"paymentor.extract_publication.{lender}": publication
                for lender, publication in data.publications.items()
            },
            **{
                f"paymentor.extract_snapshot.{lender}": str(snapshot)
                for lender, snapshot in data.snapshots.items()
            },
        },
        clock=run.clock,
    )
    return version, model


def _parameters(choice: Mapping[str, Any]) -> dict[str, object]:
    """The candidate that won, and the setting of each of its members."""
    return {"chosen": choice["chosen"], **choice.get("settings", {})} if choice else {}


def _pii_classes(model: artefact.ModelArtefact) -> list[str]:
    """Classes of personal data that any feature rests on; which feature, the artefact says."""
    return sorted({name for feature in model.card["features"] for name in feature["pii_class"]})
