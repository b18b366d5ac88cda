"""Metrics against hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest

from paymentor_assets.models import calibration, evaluation


def test_auc_counts_ties_half() -> None:
    actual = np.array([0.0, 0.0, 1.0, 1.0])
    assert evaluation.auc(actual, np.array([0.1, 0.2, 0.3, 0.4])) == 1.0
    assert evaluation.auc(actual, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert evaluation.auc(actual, np.array([0.1, 0.4, 0.4, 0.8])) == pytest.approx(0.875)


def test_auc_is_unknown_with_one_outcome_only() -> None:
    assert evaluation.auc(np.ones(3), np.array([0.1, 0.2, 0.3])) is None


def test_probability_metrics_by_hand() -> None:
    actual = np.array([1.0] + [0.0] * 9)
    predicted = np.array([0.8] + [0.1] * 9)
    metrics = evaluation.probability_metrics(actual, predicted)
    assert metrics["brier"] == pytest.approx((0.04 + 9 * 0.01) / 10)
    assert metrics["top_decile_lift"] == pytest.approx(10.0)
    assert metrics["base_rate"] == pytest.approx(0.1)
    assert metrics["log_loss"] == pytest.approx(-(np.log(0.8) + 9 * np.log(0.9)) / 10, abs=1e-6)


def test_an_empty_subset_has_no_metrics() -> None:
    assert evaluation.probability_metrics(np.zeros(0), np.zeros(0)) == {"rows": 0.0}
    assert evaluation.amount_metrics(np.zeros(0), np.zeros(0)) == {"rows": 0.0}


def test_amount_metrics_by_hand() -> None:
    metrics = evaluation.amount_metrics(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    assert metrics["mean_absolute_error"] == 0.5
    assert metrics["r2"] == 0.0


def test_calibration_table_groups_by_prediction() -> None:
    predicted = np.linspace(0, 1, 100)
    table = evaluation.calibration_table((predicted > 0.5).astype(float), predicted)
    assert [row["rows"] for row in table] == [10] * 10
    assert table[0]["realised"] == 0 and table[-1]["realised"] == 1


def test_platt_scaling_mends_overconfidence() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=20_000)
    actual = (rng.random(20_000) < calibration.sigmoid(truth)).astype(float)
    slope, intercept = calibration.platt(3 * truth + 1, actual)
    assert slope == pytest.approx(1 / 3, abs=0.03)
    mended = calibration.sigmoid(slope * (3 * truth + 1) + intercept)
    assert evaluation.calibration_error(actual, mended) < 0.02


def test_calibration_never_turns_the_order_round() -> None:
    margin = np.array([-1.0, 0.0, 1.0] * 50)
    slope, _ = calibration.platt(margin, (margin < 0).astype(float))
    assert slope > 0


def test_baseline_skips_columns_that_are_unknown_throughout() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(200, 3)).astype(np.float32)
    train[:, 1] = np.nan
    target = (train[:, 0] > 0).astype(float)
    predicted = evaluation.baseline_predictions(train, target, train, kind="probability")
    auc = evaluation.auc(target, predicted)
    assert auc is not None and auc > 0.95


def test_a_weight_counts_like_as_many_rows() -> None:
    actual = np.array([1.0, 0.0, 1.0, 0.0])
    predicted = np.array([0.9, 0.5, 0.5, 0.1])
    weight = np.array([1.0, 3.0, 2.0, 1.0])
    repeated = np.repeat(np.arange(4), weight.astype(int))
    assert evaluation.auc(actual, predicted, weight) == pytest.approx(
        evaluation.auc(actual[repeated], predicted[repeated])
    )
