"""Training: from an extract to an artefact with its evaluation.

Runs in model development, on de-identified rows only. Every target is learned by the family's
public `fit` on the earlier days and judged on the later ones. The model that is evaluated is the
model that is kept: no refit on the held-out days, so every figure on the card is about these very
bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models import evaluation, families, splits
from paymentor_assets.models.artefact import DECIMALS, ModelArtefact
from paymentor_assets.models.family_spec import FamilySpec, Target
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.designs import tree_matrix
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.splits import TimeSplit
from resources.errors import ContractError

MIN_TRAINING_ROWS = 100
#: Rows on which candidates are compared: weekly days of the same borrowers repeat each other, and a
#: comparison on more of them costs minutes (17,000 rows x 60 columns: 60 s of CPU instead of 25).
CHOOSE_ON = 8_000
#: Rows of which contributions are averaged for the list of features that matter.
EXPLAINED_ROWS = 2_000
TOP_FEATURES = 15


@dataclass(frozen=True)
class TrainingData:
    """Extract rows of all lenders, and where they come from.

    `rows` has the columns of training.<family>; `publications` names the extract's publications by
    lender, `snapshots` the Iceberg snapshots read.
    """

    rows: pa.Table
    publications: Mapping[str, str] = field(default_factory=dict)
    snapshots: Mapping[str, int] = field(default_factory=dict)

    def in_order(self, family: str) -> pa.Table:
        """Rows in an order that does not depend on how they were stored.

        Raises ContractError when there are too few to learn from.
        """
        if self.rows.num_rows < MIN_TRAINING_ROWS:
            raise ContractError(
                f"{family}: the extract has {self.rows.num_rows} rows, fewer than "
                f"{MIN_TRAINING_ROWS}; extract more days."
            )
        return self.rows.sort_by(
            [(name, "ascending") for name in ("lender_id", "as_of_date", "row_id")]
        )

    def described(self) -> dict[str, Any]:
        """What the model card says of the data."""
        return {
            "rows": self.rows.num_rows,
            "known_through": max(self.rows.column("known_through").to_pylist()).isoformat(),
            "publications": dict(self.publications),
            "snapshots": {name: str(snapshot) for name, snapshot in self.snapshots.items()},
        }


def train(spec: FamilySpec, data: TrainingData, *, seed: int = 7) -> ModelArtefact:
    """Fit and evaluate all targets of a family that learns from outcomes.

    Raises ContractError when rows, days or outcomes do not suffice, naming target and cause, and
    LeakageError naming the features that know the outcome.
    """
    rows = data.in_order(spec.family)
    frame = rows.select([feature.name for feature in spec.features]).to_pandas()
    models: dict[str, FittedModel] = {}
    reports: dict[str, dict[str, Any]] = {}
    for target in spec.targets:
        models[target.name], reports[target.name] = _one_target(spec, target, rows, frame, seed)
    return ModelArtefact(
        family=spec.family,
        targets=models,
        phrases=spec.phrases,
        card={
            "purpose": spec.purpose,
            "targets": reports,
            "explained_target": spec.explained_target,
            "missing_share": frame.isna().mean().round(4).to_dict(),
            "excluded": dict(spec.excluded),
            "limits": list(spec.limits),
            "seed": seed,
            "data": data.described(),
        },
    )


def _one_target(
    spec: FamilySpec, target: Target, rows: pa.Table, frame: pd.DataFrame, seed: int
) -> tuple[FittedModel, dict[str, Any]]:
    what = f"{spec.family} target {target.name}"
    label = pc.cast(rows.column(target.name), pa.float64())
    actual = label.to_numpy()
    split = splits.by_time(
        rows.column("as_of_date").to_numpy().astype("datetime64[D]"),
        label.is_valid().to_numpy(),
        horizon_days=target.horizon_days,
        known_through=rows.column("known_through").to_numpy().astype("datetime64[D]"),
        what=what,
    )
    learned_from = frame[split.train]
    unknown = [name for name in frame if learned_from[name].isna().all()]
    known = learned_from.drop(columns=unknown)
    days = rows.column("as_of_date").to_numpy()[split.train]
    try:
        model: FittedModel = families.get(spec.family).fit(
            known, actual[split.train], time=days, seed=seed, choose_on=CHOOSE_ON, **target.options
        )
    except ContractError as error:
        raise ContractError(f"{what}: {error}") from error
    return model, {
        **_judged(spec, target, model, rows, frame, actual, split),
        "horizon_days": target.horizon_days,
        "left_out_unknown": unknown,
        "train_rows": int(split.train.sum()),
        "train_days": [d.isoformat() for d in split.train_days],
        "purged_days": [d.isoformat() for d in split.purged_days],
        "test_days": [d.isoformat() for d in split.test_days],
        "choice": dict(model.card),
    }


def _judged(
    spec: FamilySpec,
    target: Target,
    model: FittedModel,
    rows: pa.Table,
    frame: pd.DataFrame,
    actual: Floats,
    split: TimeSplit,
) -> dict[str, Any]:
    """Metrics on the later days, beside a plain regression on the same days."""
    metrics = evaluation.probability_metrics if target.is_probability else evaluation.amount_metrics
    later, outcome = frame[split.test], actual[split.test]
    predictions = {
        "test": model.predict(later).round(DECIMALS),
        "baseline": evaluation.baseline_predictions(
            tree_matrix(model.schema, model.schema.read(frame[split.train]))[0],
            actual[split.train],
            tree_matrix(model.schema, model.schema.read(later))[0],
            is_probability=target.is_probability,
        ),
    }
    report: dict[str, Any] = {name: metrics(outcome, p) for name, p in predictions.items()}
    if spec.judged_apart:
        part = rows.column(f"is_{spec.judged_apart}").to_numpy()[split.test]
        for name, predicted in predictions.items():
            report[f"{name}_{spec.judged_apart}"] = metrics(outcome[part], predicted[part])
    if target.is_probability:
        report["calibration"] = evaluation.calibration_table(outcome, predictions["test"])
    report["top_features"] = _top_features(model, later)
    return report


def _top_features(model: FittedModel, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Features by their share of all contributions to the margin, on evenly spaced rows."""
    taken = np.unique(np.linspace(0, len(frame) - 1, EXPLAINED_ROWS).astype(np.int64))
    reasons = model.explain(frame.iloc[taken], top=len(model.schema.columns))
    strength = reasons["contribution"].abs().groupby(reasons["feature"]).sum()
    total = float(strength.sum()) or 1.0
    best = sorted(strength.items(), key=lambda item: (-item[1], str(item[0])))[:TOP_FEATURES]
    return [{"feature": str(name), "share": round(value / total, 4)} for name, value in best]
