"""A scorer: the chosen members on all rows, averaged and calibrated; and the bytes of it.

Formats: JSON for what the columns are and for the linear member, UBJ and text for the boosters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from paymentor_assets.models.learning.boosters import BoosterModel
from paymentor_assets.models.learning.candidates import Model
from paymentor_assets.models.learning.columns import Column, Floats, Schema, Values
from paymentor_assets.models.learning.designs import LinearDesign, plans_of
from paymentor_assets.models.learning.linear import LinearModel
from paymentor_assets.models.learning.targets import Target

Files = dict[str, bytes]
SCORER_FILE = "scorer.json"


@dataclass(frozen=True)
class Scorer:
    """margin = slope * mean of the members' margins + intercept."""

    schema: Schema
    target: Target
    models: tuple[Model, ...]
    slope: float
    intercept: float

    def margin(self, values: Values) -> Floats:
        """Calibrated margin, shape (rows,)."""
        margins = np.mean([model.margin(values) for model in self.models], axis=0)
        calibrated: Floats = self.slope * margins + self.intercept
        return calibrated

    def predict(self, values: Values) -> Floats:
        """Probability or amount, shape (rows,)."""
        return self.target.from_margin(self.margin(values))

    def contributions(self, values: Values) -> Floats:
        """What each column adds to the margin: shape (rows, schema columns)."""
        parts = np.mean([model.contributions(values) for model in self.models], axis=0)
        calibrated: Floats = self.slope * parts
        return calibrated


def files_of(scorer: Scorer, prefix: str = "") -> Files:
    """File name to content; `prefix` tells several scorers of one model apart."""
    files: Files = {}
    members = []
    for model in scorer.models:
        if isinstance(model, LinearModel):
            members.append(
                {
                    "library": "linear",
                    "plans": model.design.as_json(),
                    "coefficients": model.coefficients.tolist(),
                    "intercept": model.intercept,
                    "centre": model.centre.tolist(),
                }
            )
        else:
            name = f"{prefix}{model.library}.{'ubj' if model.library == 'xgboost' else 'txt'}"
            files[name] = model.content
            members.append({"library": model.library, "file": name})
    described = {
        "schema": schema_as_json(scorer.schema),
        "target": asdict(scorer.target),
        "members": members,
        "slope": scorer.slope,
        "intercept": scorer.intercept,
    }
    files[prefix + SCORER_FILE] = (json.dumps(described, indent=1) + "\n").encode()
    return files


def from_files(files: Mapping[str, bytes], prefix: str = "") -> Scorer:
    """The inverse of `files_of`."""
    described = json.loads(files[prefix + SCORER_FILE])
    schema = schema_of(described["schema"])
    models: list[Model] = []
    for member in described["members"]:
        if member["library"] == "linear":
            models.append(
                LinearModel(
                    LinearDesign(schema, plans_of(member["plans"])),
                    np.array(member["coefficients"]),
                    member["intercept"],
                    np.array(member["centre"]),
                )
            )
        else:
            models.append(BoosterModel(member["library"], schema, files[member["file"]]))
    return Scorer(
        schema,
        Target(**described["target"]),
        tuple(models),
        described["slope"],
        described["intercept"],
    )


def schema_as_json(schema: Schema) -> dict[str, Any]:
    """A schema as plain values."""
    return {"family": schema.family, "columns": [asdict(column) for column in schema.columns]}


def schema_of(given: Mapping[str, Any]) -> Schema:
    """The inverse of `schema_as_json`."""
    return Schema(
        given["family"],
        tuple(
            Column(
                column["name"],
                column["is_number"],
                tuple(column["levels"]),
                column["missing_share"],
                tuple(column["quantiles"]),
            )
            for column in given["columns"]
        ),
    )
