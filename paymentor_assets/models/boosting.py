"""XGBoost, held still: the same rows, seed and settings give the same trees, bit for bit.

Histogram sums depend on how rows are shared between threads, so every booster trains on one thread
and the targets of a family train side by side instead (measured on two busy cores: as fast as two
threads a booster, at two thirds of the CPU). Prediction sums each row's leaves in tree order and
does not care.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.encoding import Matrix

Floats = npt.NDArray[np.float64]
Task = Literal["probability", "amount_share"]

TRAINING_THREADS = 1
MAX_ROUNDS = 200
PATIENCE = 10
FOLDS = 3
#: Below this many rows one held-out fold is too small to choose the number of rounds by.
FEW_ROWS = 10_000

PARAMETERS: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.12,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "min_child_weight": 5,
    "lambda": 4.0,
    "max_bin": 64,
}

_OBJECTIVES: dict[Task, dict[str, Any]] = {
    "probability": {"objective": "binary:logistic", "eval_metric": "logloss"},
    # Zero for most, positive for the rest: the mean of such a value is what Tweedie models.
    "amount_share": {
        "objective": "reg:tweedie",
        "tweedie_variance_power": 1.4,
        "eval_metric": "tweedie-nloglik@1.4",
    },
}


@dataclass(frozen=True)
class Fitted:
    """A booster on all rows, and what was learned about it on borrowers it had not seen."""

    booster: Any
    rounds: int
    #: Rows that were held out once: a mask, shape (rows,).
    held: npt.NDArray[np.bool_]
    #: Their margins by a model that had not seen their borrower: shape (held rows,).
    held_margin: Floats


def fit(
    matrix: Matrix, target: Floats, folds: npt.NDArray[np.int64], task: Task, seed: int
) -> Fitted:
    """Choose the number of rounds by early stopping on held-out borrowers, then fit on all rows.

    `matrix` (rows, columns), `target` (rows,), `folds` (rows,) in 0..FOLDS-1. With few rows every
    fold is held out once, because one would decide by chance; with many, one is enough.
    """
    import xgboost

    settings = _settings(task, seed)
    binning = {"max_bin": PARAMETERS["max_bin"], "nthread": TRAINING_THREADS}
    examined = FOLDS if len(target) < FEW_ROWS else 1
    margins = np.zeros(len(target), dtype=np.float64)
    best: list[int] = []
    for fold in range(examined):
        held = folds == fold
        train = xgboost.QuantileDMatrix(matrix[~held], target[~held], **binning)
        check = xgboost.QuantileDMatrix(matrix[held], target[held], ref=train, **binning)
        booster = xgboost.train(
            settings,
            train,
            num_boost_round=MAX_ROUNDS,
            evals=[(check, "held")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        rounds = int(booster.best_iteration) + 1
        best.append(rounds)
        margins[held] = booster.predict(
            check, output_margin=True, iteration_range=(0, rounds)
        ).astype(np.float64)
    rounds = max(1, round(sum(best) / len(best)))
    everything = xgboost.QuantileDMatrix(matrix, target, **binning)
    booster = xgboost.train(settings, everything, num_boost_round=rounds, verbose_eval=False)
    was_held = folds < examined
    return Fitted(booster, rounds, was_held, margins[was_held])


def margin(booster: Any, matrix: Matrix) -> Floats:
    """Raw scores before the link function: float64, shape (rows,)."""
    if len(matrix) == 0:
        return np.zeros(0, dtype=np.float64)
    raw = booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
    return np.asarray(raw, dtype=np.float64)


def contributions(booster: Any, matrix: Matrix) -> Floats:
    """Exact SHAP contributions to the margin: shape (rows, columns), the bias left out."""
    import xgboost

    if len(matrix) == 0:
        return np.zeros(matrix.shape, dtype=np.float64)
    raw = booster.predict(xgboost.DMatrix(matrix), pred_contribs=True, validate_features=False)
    return np.asarray(raw, dtype=np.float64)[:, :-1]


def save(booster: Any) -> bytes:
    """The booster as UBJ bytes."""
    return bytes(booster.save_raw("ubj"))


def load(content: bytes) -> Any:
    """The booster of UBJ bytes."""
    import xgboost

    return xgboost.Booster(model_file=bytearray(content))


def _settings(task: Task, seed: int) -> dict[str, Any]:
    return {
        **PARAMETERS,
        **_OBJECTIVES[task],
        "nthread": TRAINING_THREADS,
        "seed": seed,
        "verbosity": 0,
    }
