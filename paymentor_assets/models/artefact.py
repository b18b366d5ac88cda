"""The artefact: a folder of boosters (UBJ) and JSON, without a pickle, named by its own hash.

The hash covers every file, so that what was approved is what scores. Nothing in the folder depends
on when or where it was made: the same rows, seed and code give the same hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from paymentor_assets.models import boosting
from paymentor_assets.models.boosting import Floats, Task
from paymentor_assets.models.calibration import Calibration
from paymentor_assets.models.encoding import Encoder, Matrix
from resources.errors import ApprovalError

FORMAT = 1
METADATA_FILE = "metadata.json"
CARD_FILE = "model_card.md"
#: MLflow's description of a model, so that its UI and tools show the signature.
MLMODEL_FILE = "MLmodel"


@dataclass(frozen=True)
class TargetModel:
    """One booster with its calibration."""

    task: Task
    horizon_days: int
    rounds: int
    booster: Any
    calibration: Calibration

    def predict(self, matrix: Matrix) -> Floats:
        """Calibrated probability or share, rounded to 6 decimals, shape (rows,)."""
        predicted = self.calibration.apply(boosting.margin(self.booster, matrix))
        rounded: Floats = predicted.round(6)
        return rounded


@dataclass(frozen=True)
class ModelArtefact:
    """A family's trained models with everything needed to use and to judge them."""

    family: str
    encoder: Encoder
    #: What reason codes call each feature.
    phrases: Mapping[str, str]
    targets: Mapping[str, TargetModel]
    #: Metrics, data, parameters, exclusions: what the model card prints.
    card: Mapping[str, Any]

    def encode(self, frame: pa.Table) -> Matrix:
        """The feature frame as this model reads it: float32, shape (rows, columns)."""
        return self.encoder.matrix(frame)


def files_of(artefact: ModelArtefact, card_markdown: str) -> dict[str, bytes]:
    """The artefact as file name to content."""
    metadata = {
        "format": FORMAT,
        "family": artefact.family,
        "features": [
            {"name": name, "kind": kind, "phrase": artefact.phrases[name]}
            for name, kind in artefact.encoder.numbers_and_categories
        ],
        "vocabularies": {k: list(v) for k, v in artefact.encoder.vocabularies.items()},
        "targets": {
            name: {
                "task": target.task,
                "horizon_days": target.horizon_days,
                "rounds": target.rounds,
                "file": f"{name}.ubj",
                "calibration": {
                    "slope": target.calibration.slope,
                    "intercept": target.calibration.intercept,
                },
            }
            for name, target in artefact.targets.items()
        },
        "card": artefact.card,
    }
    files = {f"{name}.ubj": boosting.save(t.booster) for name, t in artefact.targets.items()}
    files[METADATA_FILE] = (json.dumps(metadata, indent=1) + "\n").encode()
    files[CARD_FILE] = card_markdown.encode()
    files[MLMODEL_FILE] = yaml.safe_dump(_mlmodel(artefact)).encode()
    return files


def signature(artefact: ModelArtefact) -> dict[str, str | None]:
    """MLflow's model signature: one optional input a feature, one output a target."""
    inputs = [
        {
            "type": "double" if kind == "number" else "string",
            "name": name,
            "required": False,
        }
        for name, kind in artefact.encoder.numbers_and_categories
    ]
    outputs = [{"type": "double", "name": name, "required": True} for name in artefact.targets]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def _mlmodel(artefact: ModelArtefact) -> dict[str, Any]:
    # No times and no random ids: the artefact's hash must not depend on when it was made.
    return {
        "artifact_path": "model",
        "flavors": {"paymentor": {"family": artefact.family, "format": FORMAT}},
        "signature": signature(artefact),
    }


def sha256_of_files(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the sorted lines `<sha256 of file>  <name>`."""
    lines = [f"{sha256(content).hexdigest()}  {name}" for name, content in sorted(files.items())]
    return sha256("\n".join(lines).encode()).hexdigest()


def read_files(folder: Path) -> dict[str, bytes]:
    """All files of an artefact folder by relative name.

    Raises ApprovalError when there is none: a version without bytes can neither be checked nor
    used.
    """
    if not folder.is_dir():
        raise ApprovalError(
            f"The artefact folder {folder} does not exist. Restore it, or train and approve anew."
        )
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def from_files(files: Mapping[str, bytes]) -> ModelArtefact:
    """Rebuild the artefact from its files; the caller has checked their hash.

    Raises ApprovalError for a format this code does not know.
    """
    metadata = metadata_of(files)
    if metadata["format"] != FORMAT:
        raise ApprovalError(
            f"The artefact has format {metadata['format']}, this code reads {FORMAT}; train anew."
        )
    encoder = Encoder(
        tuple((f["name"], f["kind"]) for f in metadata["features"]),
        {name: tuple(values) for name, values in metadata["vocabularies"].items()},
    )
    targets = {
        name: TargetModel(
            task=spec["task"],
            horizon_days=spec["horizon_days"],
            rounds=spec["rounds"],
            booster=boosting.load(files[spec["file"]]),
            calibration=Calibration(
                spec["task"], spec["calibration"]["slope"], spec["calibration"]["intercept"]
            ),
        )
        for name, spec in metadata["targets"].items()
    }
    return ModelArtefact(
        family=metadata["family"],
        encoder=encoder,
        phrases={f["name"]: f["phrase"] for f in metadata["features"]},
        targets=targets,
        card=metadata["card"],
    )


def metadata_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The parsed metadata of an artefact's files; ApprovalError when it is not there."""
    if METADATA_FILE not in files:
        raise ApprovalError(f"The artefact has no {METADATA_FILE}; train anew.")
    metadata: dict[str, Any] = json.loads(files[METADATA_FILE])
    return metadata
