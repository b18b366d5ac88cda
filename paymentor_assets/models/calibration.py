"""Calibration: a probability of 0.3 should come true three times in ten.

Platt scaling (Platt 1999) on the margins of rows the booster had not seen: two numbers, monotone,
so the order of accounts does not change. For amounts one factor that makes the mean right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paymentor_assets.models.boosting import Floats, Task

_NEWTON_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """`probability`: sigmoid(slope * margin + intercept); `amount_share`: exp(margin) * slope."""

    task: Task
    slope: float
    intercept: float

    def apply(self, margin: Floats) -> Floats:
        """Calibrated predictions, shape (rows,)."""
        if self.task == "probability":
            return sigmoid(self.slope * margin + self.intercept)
        predicted: Floats = np.exp(margin) * self.slope
        return predicted


def learn(task: Task, margin: Floats, target: Floats) -> Calibration:
    """Fit on out-of-fold margins, shape (rows,), and their outcomes."""
    if task == "probability":
        slope, intercept = _platt(margin, target)
        return Calibration(task, slope, intercept)
    predicted = float(np.exp(margin).mean())
    return Calibration(task, round(float(target.mean()) / predicted, 9) if predicted else 1.0, 0.0)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x) without overflow, shape as given."""
    e = np.exp(-np.abs(x))
    value: Floats = np.where(x >= 0, 1.0, e) / (1.0 + e)
    return value


def _platt(margin: Floats, target: Floats) -> tuple[float, float]:
    """Newton's method on the log loss of two parameters, with Platt's smoothed targets."""
    positives, negatives = float(target.sum()), float(len(target) - target.sum())
    smoothed = np.where(target > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, intercept = 1.0, 0.0
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(slope * margin + intercept)
        residual, weight = p - smoothed, p * (1 - p) + 1e-12
        gradient = np.array([(residual * margin).sum(), residual.sum()])
        hessian = np.array(
            [
                [(weight * margin * margin).sum() + 1e-9, (weight * margin).sum()],
                [(weight * margin).sum(), weight.sum() + 1e-9],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        slope, intercept = slope - float(step[0]), intercept - float(step[1])
        if float(np.abs(step).max()) < 1e-10:
            break
    # A negative slope would turn the ranking round; noise that strong means there is no signal.
    return round(max(slope, 1e-3), 9), round(intercept, 9)
