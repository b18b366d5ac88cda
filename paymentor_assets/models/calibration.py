"""Calibration: a probability of 0.3 should come true three times in ten.

Platt scaling (Platt 1999) on the margins of rows the model had not seen: two numbers, monotone, so
the order of accounts does not change.
"""

from __future__ import annotations

import numpy as np

from paymentor_assets.models.learning.columns import Floats

_NEWTON_STEPS = 100
_SMALLEST_STEP = 1e-10
_RIDGE = 1e-9
_SMALLEST_SLOPE = 1e-3


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x) without overflow, shape as given."""
    e = np.exp(-np.abs(x))
    value: Floats = np.where(x >= 0, 1.0, e) / (1.0 + e)
    return value


def platt(margin: Floats, target: Floats, weight: Floats | None = None) -> tuple[float, float]:
    """Slope and intercept by Newton's method with step halving (Lin, Lin & Weng 2007).

    `margin`, `target` (0/1) and `weight` of shape (rows,). Without the halving a full step from a
    far start overshoots and never comes back.
    """
    weight = np.ones(len(target)) if weight is None else weight
    positives = float((weight * target).sum())
    negatives = float(weight.sum()) - positives
    smoothed = np.where(target > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    at = np.array([0.0, float(np.log((positives + 1) / (negatives + 1)))])
    loss = _loss(at, margin, smoothed, weight)
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(at[0] * margin + at[1])
        residual, curvature = weight * (p - smoothed), weight * p * (1 - p)
        gradient = np.array([(residual * margin).sum(), residual.sum()])
        across = (curvature * margin).sum()
        hessian = np.array(
            [
                [(curvature * margin * margin).sum() + _RIDGE, across],
                [across, curvature.sum() + _RIDGE],
            ]
        )
        direction = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (
            size > _SMALLEST_STEP and _loss(at - size * direction, margin, smoothed, weight) > loss
        ):
            size /= 2
        at = at - size * direction
        loss = _loss(at, margin, smoothed, weight)
        if float(np.abs(size * direction).max()) < _SMALLEST_STEP:
            break
    if at[0] < _SMALLEST_SLOPE:
        # A negative slope would turn the ranking round; noise that strong means there is no signal.
        return _SMALLEST_SLOPE, round(float(np.log((positives + 1) / (negatives + 1))), 9)
    return round(float(at[0]), 9), round(float(at[1]), 9)


def _loss(at: Floats, margin: Floats, smoothed: Floats, weight: Floats) -> float:
    score = at[0] * margin + at[1]
    return float((weight * (np.logaddexp(0.0, score) - smoothed * score)).sum())
