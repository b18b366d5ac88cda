"""XGBoost and LightGBM, shallow and regularised, held still: one thread, fixed seeds.

Histogram sums depend on how rows are shared between threads; candidates train side by side instead.
The settings are the same for every family and data set: small steps, few leaves, half of the
columns a tree. On credit data of 1,000 to 30,000 rows the libraries' defaults overfit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.learning.columns import Floats, Schema, Values
from paymentor_assets.models.learning.designs import tree_matrix

Library = Literal["xgboost", "lightgbm"]
Matrix = npt.NDArray[np.float32]

MAX_ROUNDS = 600
PATIENCE = 40
#: From this many rows a leaf may ask for more of them.
MANY_ROWS = 5_000

XGBOOST: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 5,
    "lambda": 4.0,
    "max_bin": 128,
    "nthread": 1,
    "verbosity": 0,
}
LIGHTGBM: dict[str, Any] = {
    "num_leaves": 12,
    "learning_rate": 0.04,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True)
class Sample:
    """Rows of a boosters' matrix with what they are fitted to."""

    matrix: Matrix
    target: Floats
    weight: Floats


@dataclass(frozen=True)
class BoosterModel:
    """A booster as its library's own text or UBJ bytes, read when first used."""

    library: Library
    schema: Schema
    content: bytes

    @cached_property
    def _booster(self) -> Any:
        if self.library == "xgboost":
            import xgboost

            return xgboost.Booster(model_file=bytearray(self.content))
        import lightgbm

        return lightgbm.Booster(model_str=self.content.decode())

    def margin(self, values: Values) -> Floats:
        """Shape (rows,)."""
        matrix, _ = tree_matrix(self.schema, values)
        return predict(self.library, self._booster, matrix)

    def contributions(self, values: Values) -> Floats:
        """Exact SHAP values by schema column: shape (rows, schema columns)."""
        matrix, owners = tree_matrix(self.schema, values)
        if self.library == "xgboost":
            import xgboost

            parts = self._booster.predict(xgboost.DMatrix(matrix), pred_contribs=True)
        else:
            parts = self._booster.predict(matrix, pred_contrib=True, num_threads=1)
        total = np.zeros((len(matrix), len(self.schema.columns)))
        np.add.at(total.T, owners, np.asarray(parts, dtype=np.float64)[:, :-1].T)
        return total


def train(
    library: Library,
    sample: Sample,
    *,
    is_class: bool,
    seed: int,
    rounds: int | None = None,
    check: Sample | None = None,
) -> tuple[Any, int]:
    """A booster and its rounds: as many as asked for, or stopped early by the held-out `check`."""
    fit = _xgboost if library == "xgboost" else _lightgbm
    booster, best = fit(sample, is_class, seed, rounds or MAX_ROUNDS, check)
    return booster, best


def predict(library: Library, booster: Any, matrix: Matrix, rounds: int | None = None) -> Floats:
    """Margins of the first `rounds` trees (all when None): shape (rows,)."""
    if library == "xgboost":
        raw = booster.inplace_predict(
            matrix,
            predict_type="margin",
            iteration_range=(0, min(rounds or 0, booster.num_boosted_rounds())),
            validate_features=False,
        )
    else:
        raw = booster.predict(matrix, raw_score=True, num_iteration=rounds, num_threads=1)
    return np.asarray(raw, dtype=np.float64)


def save(library: Library, booster: Any) -> bytes:
    """UBJ (XGBoost) or text (LightGBM)."""
    if library == "xgboost":
        return bytes(booster.save_raw("ubj"))
    return str(booster.model_to_string()).encode()


def _xgboost(
    sample: Sample, is_class: bool, seed: int, rounds: int, check: Sample | None
) -> tuple[Any, int]:
    import xgboost

    objective = "binary:logistic" if is_class else "reg:squarederror"
    settings = {**XGBOOST, "objective": objective, "seed": seed}
    binning = {"max_bin": XGBOOST["max_bin"], "nthread": 1}
    data = xgboost.QuantileDMatrix(sample.matrix, sample.target, weight=sample.weight, **binning)
    if check is None:
        return xgboost.train(settings, data, num_boost_round=rounds, verbose_eval=False), rounds
    held = xgboost.QuantileDMatrix(
        check.matrix, check.target, weight=check.weight, ref=data, **binning
    )
    booster = xgboost.train(
        settings,
        data,
        num_boost_round=rounds,
        evals=[(held, "held")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    return booster, int(booster.best_iteration) + 1


def _lightgbm(
    sample: Sample, is_class: bool, seed: int, rounds: int, check: Sample | None
) -> tuple[Any, int]:
    import lightgbm

    settings = {
        **LIGHTGBM,
        "objective": "binary" if is_class else "regression",
        "min_data_in_leaf": 40 if len(sample.target) >= MANY_ROWS else 20,
        "seed": seed,
    }
    data = lightgbm.Dataset(sample.matrix, sample.target, weight=sample.weight, params=settings)
    if check is None:
        return lightgbm.train(settings, data, num_boost_round=rounds), rounds
    held = lightgbm.Dataset(
        check.matrix, check.target, weight=check.weight, reference=data, params=settings
    )
    booster = lightgbm.train(
        settings,
        data,
        num_boost_round=rounds,
        valid_sets=[held],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return booster, int(booster.best_iteration)
