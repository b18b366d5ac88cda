"""Regularised logistic and linear regression over the linear design: the simplest candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.learning.columns import Floats, Values
from paymentor_assets.models.learning.designs import LinearDesign

#: Strength of the ridge penalty (scikit-learn's alpha = 1 / C), strongest first. Stronger ones seem
#: safer when the base rate drifts, and lose rare values that matter (an earlier offer's success).
PENALTIES = (50.0, 15.0, 5.0)
MAX_STEPS = 100
DECIMALS = 9


@dataclass(frozen=True)
class LinearModel:
    """margin = intercept + matrix @ coefficients."""

    design: LinearDesign
    coefficients: Floats
    intercept: float
    #: Mean of each matrix column in training: what a contribution is measured from.
    centre: Floats

    def margin(self, values: Values) -> Floats:
        """Shape (rows,)."""
        matrix, _ = self.design.matrix(values)
        # Row by row: a matrix product adds up in an order that depends on how many rows there are.
        margin: Floats = np.einsum("ij,j->i", matrix, self.coefficients) + self.intercept
        return margin

    def contributions(self, values: Values) -> Floats:
        """What each column adds to the margin of an average row: shape (rows, schema columns)."""
        matrix, owners = self.design.matrix(values)
        parts = (matrix - self.centre) * self.coefficients
        total = np.zeros((len(matrix), len(self.design.schema.columns)))
        np.add.at(total.T, owners, parts.T)
        return total


def solve(
    matrix: Floats, target: Floats, weight: Floats, penalty: float, *, is_class: bool
) -> tuple[Floats, float]:
    """Coefficients (columns,) and intercept, by Newton steps (logistic) or directly (ridge).

    Rounded, so that the last bits of a matrix product do not make another model.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    if is_class:
        model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", max_iter=MAX_STEPS)
    else:
        model = Ridge(alpha=penalty)
    model.fit(matrix, target, sample_weight=weight)
    coefficients: npt.NDArray[np.float64] = np.ravel(model.coef_).round(DECIMALS)
    return coefficients, round(float(np.ravel(model.intercept_)[0]), DECIMALS)
