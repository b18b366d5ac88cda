"""The artefact: one version of a family, a folder without a pickle, named by its own hash.

It holds one fitted model a target, each as the family's own files in a folder of the target's name.
The hash covers every file, so that what was approved is what scores. Nothing in the folder depends
on when or where it was made: the same rows, seed and code give the same hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from paymentor_assets.models.families import customer_segmentation, user_affinity
from paymentor_assets.models.families.customer_segmentation import Segmentation
from paymentor_assets.models.families.user_affinity import Affinity
from paymentor_assets.models.learning import affinity, supervised
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.predictions import EVALUATION_FILE
from resources.errors import ApprovalError

Fitted = FittedModel | Segmentation | Affinity

FORMAT = 2
METADATA_FILE = "metadata.json"
CARD_FILE = "model_card.md"
#: MLflow's description of a model, so that its UI and tools show the signature.
MLMODEL_FILE = "MLmodel"
#: Decimals of a prediction.
DECIMALS = 6

_READERS: Mapping[str, Callable[[Mapping[str, bytes]], Fitted]] = {
    "outcomes": supervised.from_files,
    "segments": customer_segmentation.from_files,
    "affinity": user_affinity.from_files,
}


@dataclass(frozen=True)
class ModelArtefact:
    """A family's fitted models by target, with everything needed to use and to judge them."""

    family: str
    targets: Mapping[str, Fitted]
    #: What reason codes call each feature.
    phrases: Mapping[str, str]
    #: Metrics, data, parameters, exclusions: what the model card prints.
    card: Mapping[str, Any]
    #: The predictions that it is judged by: content of EVALUATION_FILE; empty when none are kept.
    evaluation: bytes = b""

    def learned(self, target: str) -> FittedModel:
        """The model of a target that was learned from outcomes; TypeError for another kind."""
        fitted = self.targets[target]
        if not isinstance(fitted, FittedModel):
            raise TypeError(f"{self.family}: {target} was not learned from outcomes.")
        return fitted

    def predict(self, X: pd.DataFrame) -> dict[str, Floats]:  # noqa: N803 - the field's name
        """Probability or amount by target, rounded to 6 decimals, shape (rows,).

        Each row's prediction depends on that row alone. Raises ContractError naming family and
        column for a frame that lacks one or holds another type, TypeError for a family without
        outcomes.
        """
        return {name: self.learned(name).predict(X).round(DECIMALS) for name in self.targets}

    def of_parts(self) -> ModelArtefact:
        """The same models for frames that are parts of a day: a column may be empty in one.

        `check_filled` looks at the whole afterwards (see `models.day_reader`).
        """
        return replace(
            self,
            targets={
                name: fitted
                if isinstance(fitted, Affinity)
                else replace(fitted, schema=fitted.schema.of_parts())
                for name, fitted in self.targets.items()
            },
        )

    def check_filled(self, filled: Collection[str], rows: int) -> None:
        """ContractError for a column not `filled` in any of a day's `rows` but in training."""
        for fitted in self.targets.values():
            if not isinstance(fitted, Affinity):
                fitted.schema.check_filled(filled, rows)

    def digest(self) -> str:
        """SHA-256 over the digests of the fitted models: equal for models that predict alike."""
        lines = [f"{fitted.digest()}  {name}" for name, fitted in sorted(self.targets.items())]
        return sha256("\n".join(lines).encode()).hexdigest()


def files_of(artefact: ModelArtefact, card_markdown: str) -> dict[str, bytes]:
    """The artefact as file name to content."""
    metadata = {
        "format": FORMAT,
        "family": artefact.family,
        "targets": {name: _kind(fitted) for name, fitted in artefact.targets.items()},
        "phrases": dict(artefact.phrases),
        "card": artefact.card,
    }
    files = {
        f"{target}/{name}": content
        for target, fitted in artefact.targets.items()
        for name, content in fitted.files().items()
    }
    if artefact.evaluation:
        files[EVALUATION_FILE] = artefact.evaluation
    files[METADATA_FILE] = (json.dumps(metadata, indent=1) + "\n").encode()
    files[CARD_FILE] = card_markdown.encode()
    files[MLMODEL_FILE] = yaml.safe_dump(_mlmodel(artefact)).encode()
    return files


def signature(artefact: ModelArtefact) -> dict[str, str | None]:
    """MLflow's model signature: one optional input a feature, one output a target."""
    types: dict[str, str] = {}
    for fitted in artefact.targets.values():
        types.update(_inputs(fitted))
    inputs = [{"type": kind, "name": name, "required": False} for name, kind in types.items()]
    outputs = [
        {
            "type": "string" if isinstance(fitted, Segmentation) else "double",
            "name": name,
            "required": True,
        }
        for name, fitted in artefact.targets.items()
    ]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


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
        path.relative_to(folder).as_posix(): path.read_bytes()
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
    return ModelArtefact(
        family=metadata["family"],
        targets={
            name: _READERS[kind](_within(files, name)) for name, kind in metadata["targets"].items()
        },
        phrases=metadata["phrases"],
        card=metadata["card"],
        evaluation=files.get(EVALUATION_FILE, b""),
    )


def metadata_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The parsed metadata of an artefact's files; ApprovalError when it is not there."""
    if METADATA_FILE not in files:
        raise ApprovalError(f"The artefact has no {METADATA_FILE}; train anew.")
    metadata: dict[str, Any] = json.loads(files[METADATA_FILE])
    return metadata


def _kind(fitted: Fitted) -> str:
    if isinstance(fitted, Segmentation):
        return "segments"
    return "affinity" if isinstance(fitted, Affinity) else "outcomes"


def _inputs(fitted: Fitted) -> dict[str, str]:
    if isinstance(fitted, Affinity):
        return {
            name: "datetime" if name == "occurred_at" else "string" for name in affinity.COLUMNS
        }
    return {
        column.name: "double" if column.is_number else "string" for column in fitted.schema.columns
    }


def _mlmodel(artefact: ModelArtefact) -> dict[str, Any]:
    # No times and no random ids: the artefact's hash must not depend on when it was made.
    return {
        "artifact_path": "model",
        "flavors": {"paymentor": {"family": artefact.family, "format": FORMAT}},
        "signature": signature(artefact),
    }


def _within(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    prefix = f"{folder}/"
    return {
        name.removeprefix(prefix): content
        for name, content in files.items()
        if name.startswith(prefix)
    }
