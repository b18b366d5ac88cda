"""Evaluation on later days: discrimination, calibration and lift, beside a simple baseline.

Sources: Brier (1950) for the score of probabilities; lift at the top decile as collections use it:
the payers' share among the tenth called most likely, over the share among all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.family_spec import Kind
from paymentor_assets.models.learning.boosters import Matrix
from paymentor_assets.models.learning.columns import Floats

Metrics = dict[str, float | None]
Mask = npt.NDArray[np.bool_]

CALIBRATION_BINS = 10


def auc(actual: Floats, predicted: Floats, weight: Floats | None = None) -> float | None:
    """Area under the ROC curve, ties counted half; None with one class only. All (rows,)."""
    weight = np.ones(len(actual)) if weight is None else weight
    _, place = np.unique(predicted, return_inverse=True)
    is_one = actual > 0.5
    ones = np.bincount(place, weight * is_one)
    others = np.bincount(place, weight * ~is_one)
    if not ones.sum() or not others.sum():
        return None
    below = np.cumsum(others) - others / 2
    return float((ones * below).sum() / (ones.sum() * others.sum()))


def probability_metrics(actual: Floats, predicted: Floats) -> Metrics:
    """AUC, Brier score, log loss, base rate, mean prediction and top-decile lift."""
    if len(actual) == 0:
        return {"rows": 0.0}
    clipped = np.clip(predicted, 1e-6, 1 - 1e-6)
    loss = -(actual * np.log(clipped) + (1 - actual) * np.log(1 - clipped)).mean()
    base = float(actual.mean())
    top = max(1, len(actual) // 10)
    best = np.argsort(-predicted, kind="stable")[:top]
    return _rounded(
        {
            "rows": float(len(actual)),
            "auc": auc(actual, predicted),
            "brier": float(((predicted - actual) ** 2).mean()),
            "log_loss": float(loss),
            "base_rate": base,
            "mean_prediction": float(predicted.mean()),
            "calibration_error": calibration_error(actual, predicted),
            "top_decile_lift": float(actual[best].mean()) / base if base else None,
        }
    )


def amount_metrics(actual: Floats, predicted: Floats) -> Metrics:
    """Error of a share of the amount due: mean absolute, root mean square, bias, explained part."""
    if len(actual) == 0:
        return {"rows": 0.0}
    error = predicted - actual
    variance = float(((actual - actual.mean()) ** 2).mean())
    return _rounded(
        {
            "rows": float(len(actual)),
            "mean_absolute_error": float(np.abs(error).mean()),
            "root_mean_square_error": float(np.sqrt((error**2).mean())),
            "mean_actual": float(actual.mean()),
            "mean_prediction": float(predicted.mean()),
            "r2": 1 - float((error**2).mean()) / variance if variance else None,
        }
    )


def log_amount_metrics(actual: Floats, predicted: Floats) -> Metrics:
    """Error of an amount above zero on its logarithm, and the median relative error."""
    if len(actual) == 0:
        return {"rows": 0.0}
    logarithm = np.log(actual)
    error = np.log(np.maximum(predicted, 1e-9)) - logarithm
    variance = float(logarithm.var())
    return _rounded(
        {
            "rows": float(len(actual)),
            "r2_log": 1 - float((error**2).mean()) / variance if variance else None,
            "median_relative_error": float(np.median(np.abs(predicted / actual - 1))),
            "bias_log": float(error.mean()),
        }
    )


def coverage(actual: Floats, interval: Floats) -> float:
    """Share of outcomes (rows,) inside their interval (rows, 2)."""
    inside = (actual >= interval[:, 0]) & (actual <= interval[:, 1])
    return round(float(inside.mean()), 6)


def calibration_table(actual: Floats, predicted: Floats) -> list[dict[str, float]]:
    """Predicted and realised rate in ten groups of equal size, least likely first."""
    if len(actual) == 0:
        return []
    order = np.argsort(predicted, kind="stable")
    return [
        {
            "rows": float(len(group)),
            "predicted": round(float(predicted[group].mean()), 6),
            "realised": round(float(actual[group].mean()), 6),
        }
        for group in np.array_split(order, CALIBRATION_BINS)
        if len(group)
    ]


def calibration_error(actual: Floats, predicted: Floats) -> float:
    """Mean gap between predicted and realised rate over the ten groups, weighted by rows."""
    table = calibration_table(actual, predicted)
    total = sum(row["rows"] for row in table)
    return sum(row["rows"] * abs(row["predicted"] - row["realised"]) for row in table) / total


def baseline_predictions(train: Matrix, target: Floats, test: Matrix, *, kind: Kind) -> Floats:
    """What logistic regression (or ridge, for amounts) says on the same split, shape (test rows,).

    Unknown becomes the training median, values are standardised; a column that is unknown
    throughout the training rows is left out.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = ~np.isnan(train).all(axis=0)
    is_class, is_log = kind == "probability", kind == "log_amount"
    model: Any = LogisticRegression(C=0.1, max_iter=2000) if is_class else Ridge(alpha=10.0)
    pipeline = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)
    pipeline.fit(train[:, known].astype(np.float64), np.log(target) if is_log else target)
    columns = test[:, known].astype(np.float64)
    if is_class:
        return np.asarray(pipeline.predict_proba(columns)[:, 1], dtype=np.float64)
    predicted = pipeline.predict(columns)
    amounts = np.exp(predicted) if is_log else np.clip(predicted, 0, None)
    return np.asarray(amounts, dtype=np.float64)


def _rounded(metrics: Metrics) -> Metrics:
    return {k: None if v is None else round(v, 6) for k, v in metrics.items()}
