"""Training: from an extract to an artefact with its evaluation.

Runs in model development, on de-identified rows only. The model that is evaluated is the model that
is kept: no refit on the held-out days, so every figure on the card is about these very bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models import boosting, calibration, evaluation, splits
from paymentor_assets.models.artefact import ModelArtefact, TargetModel
from paymentor_assets.models.boosting import Floats
from paymentor_assets.models.encoding import Encoder, Matrix, learn
from paymentor_assets.models.families import customer_ranking as family
from resources.errors import ContractError

MIN_TRAINING_ROWS = 100
#: Targets trained side by side; a booster uses one thread, so the result does not depend on it.
WORKERS = 2


@dataclass(frozen=True)
class TrainingData:
    """Extract rows of all lenders, and where they come from.

    `rows` has the columns of training.customer_ranking; `publications` names the extract's
    publications by lender, `snapshots` the Iceberg snapshots read.
    """

    rows: pa.Table
    publications: Mapping[str, str] = field(default_factory=dict)
    snapshots: Mapping[str, int] = field(default_factory=dict)


def train(data: TrainingData, *, seed: int = 7) -> ModelArtefact:
    """Fit, calibrate and evaluate all targets of customer ranking.

    Raises ContractError when rows, days or outcomes do not suffice, naming target and cause.
    """
    rows = data.rows.sort_by(
        [("lender_id", "ascending"), ("as_of_date", "ascending"), ("row_id", "ascending")]
    )
    if rows.num_rows < MIN_TRAINING_ROWS:
        raise ContractError(
            f"{family.FAMILY}: the extract has {rows.num_rows} rows, fewer than "
            f"{MIN_TRAINING_ROWS}; extract more days."
        )
    encoder = learn(family.FEATURES, rows)
    matrix = encoder.matrix(rows)
    folds = splits.by_subject(rows.column("subject_id").to_pylist())
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        results = list(
            pool.map(
                lambda target: _one_target(target, rows, matrix, folds, seed),
                family.TARGETS,
            )
        )
    models = {target.name: r[0] for target, r in zip(family.TARGETS, results, strict=True)}
    reports = {target.name: r[1] for target, r in zip(family.TARGETS, results, strict=True)}
    return ModelArtefact(
        family=family.FAMILY,
        encoder=encoder,
        phrases={feature.name: feature.phrase for feature in family.FEATURES},
        targets=models,
        card={
            "targets": reports,
            "top_features": _top_features(models[family.EXPLAINED_TARGET], encoder),
            "missing_share": _missing_share(matrix, encoder),
            "excluded": family.EXCLUDED,
            "parameters": {**boosting.PARAMETERS, "nthread": boosting.TRAINING_THREADS},
            "seed": seed,
            "data": {
                "rows": rows.num_rows,
                "known_through": max(rows.column("known_through").to_pylist()).isoformat(),
                "publications": dict(data.publications),
                "snapshots": {name: str(snapshot) for name, snapshot in data.snapshots.items()},
            },
        },
    )


def _one_target(
    target: family.Target,
    rows: pa.Table,
    matrix: Matrix,
    folds: Any,
    seed: int,
) -> tuple[TargetModel, dict[str, Any]]:
    label = rows.column(target.label)
    actual = np.asarray(
        pc.fill_null(pc.cast(label, pa.float64()), 0.0).to_numpy(zero_copy_only=False)
    )
    split = splits.by_time(
        rows.column("as_of_date").to_numpy().astype("datetime64[D]"),
        label.is_valid().to_numpy(zero_copy_only=False),
        horizon_days=target.horizon_days,
        known_through=rows.column("known_through").to_numpy().astype("datetime64[D]"),
        what=f"{family.FAMILY} target {target.name}",
    )
    _check_outcomes(target, actual[split.train], folds[split.train])
    fitted = boosting.fit(
        matrix[split.train], actual[split.train], folds[split.train], target.task, seed
    )
    model = TargetModel(
        task=target.task,
        horizon_days=target.horizon_days,
        rounds=fitted.rounds,
        booster=fitted.booster,
        calibration=calibration.learn(
            target.task, fitted.held_margin, actual[split.train][fitted.held]
        ),
    )
    baseline = evaluation.baseline_predictions(
        matrix[split.train],
        actual[split.train],
        matrix[split.test],
        is_probability=target.task == "probability",
    )
    is_delinquent = rows.column("is_delinquent").to_numpy(zero_copy_only=False)[split.test]
    report = _report(
        target, actual[split.test], model.predict(matrix[split.test]), baseline, is_delinquent
    )
    report.update(
        {
            "horizon_days": target.horizon_days,
            "rounds": fitted.rounds,
            "train_rows": int(split.train.sum()),
            "train_days": [d.isoformat() for d in split.train_days],
            "purged_days": [d.isoformat() for d in split.purged_days],
            "test_days": [d.isoformat() for d in split.test_days],
        }
    )
    return model, report


def _report(
    target: family.Target,
    actual: Floats,
    predicted: Floats,
    baseline: Floats,
    is_delinquent: evaluation.Mask,
) -> dict[str, Any]:
    if target.task == "probability":
        metrics = evaluation.probability_metrics
        more: dict[str, Any] = {"calibration": evaluation.calibration_table(actual, predicted)}
    else:
        metrics, more = evaluation.amount_metrics, {}
    return {
        "test": metrics(actual, predicted),
        "test_delinquent": metrics(actual[is_delinquent], predicted[is_delinquent]),
        "baseline": metrics(actual, baseline),
        "baseline_delinquent": metrics(actual[is_delinquent], baseline[is_delinquent]),
        **more,
    }


def _check_outcomes(target: family.Target, actual: Floats, folds: Any) -> None:
    if len(actual) < MIN_TRAINING_ROWS or len(np.unique(folds)) < boosting.FOLDS:
        raise ContractError(
            f"{family.FAMILY} target {target.name}: {len(actual)} training rows of "
            f"{len(np.unique(folds))} groups of borrowers are too few; extract more."
        )
    for fold in range(boosting.FOLDS):
        inside, outside = actual[folds == fold], actual[folds != fold]
        if inside.min() == inside.max() or outside.min() == outside.max():
            raise ContractError(
                f"{family.FAMILY} target {target.name}: the outcome is {inside[0]:g} throughout a "
                "group of borrowers; there is nothing to learn. Check the labels."
            )


def _top_features(model: TargetModel, encoder: Encoder) -> list[dict[str, Any]]:
    gains = model.booster.get_score(importance_type="total_gain")
    by_feature = dict.fromkeys(encoder.feature_names, 0.0)
    for position, owner in enumerate(encoder.owners):
        by_feature[encoder.feature_names[owner]] += float(gains.get(f"f{position}", 0.0))
    total = sum(by_feature.values()) or 1.0
    best = sorted(by_feature.items(), key=lambda item: (-item[1], item[0]))[:15]
    return [{"feature": name, "gain_share": round(gain / total, 4)} for name, gain in best]


def _missing_share(matrix: Matrix, encoder: Encoder) -> dict[str, float]:
    share = np.isnan(matrix).mean(axis=0)
    return {
        encoder.feature_names[owner]: round(float(share[position]), 4)
        for position, owner in enumerate(encoder.owners)
    }
