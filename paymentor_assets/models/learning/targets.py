"""What is learned: a probability, an expected amount, or an amount on its logarithm.

Every candidate works on one additive scale, the margin: log-odds for a probability, the
standardised (logarithm of the) amount otherwise. So blends are averages of margins and reason codes
add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from paymentor_assets.models.calibration import sigmoid
from paymentor_assets.models.learning.columns import Floats, as_floats
from resources.errors import ContractError

Kind = Literal["probability", "amount", "log_amount"]

MIN_ROWS = 50
MIN_CLASS_ROWS = 10
#: Amounts below this quantile of the positive ones count as it: log(0) would outweigh everything.
FLOOR_QUANTILE = 0.001


@dataclass(frozen=True)
class Target:
    """A kind with the constants that turn outcomes into margins and back."""

    kind: Kind
    centre: float = 0.0
    scale: float = 1.0
    #: The smallest amount told apart from less (log_amount), or the smallest possible (amount).
    floor: float | None = None

    def to_margin(self, outcome: Floats) -> Floats:
        """What candidates are fitted to: 0/1 as it is, amounts standardised. Shape (rows,)."""
        if self.kind == "probability":
            return outcome
        if self.kind == "log_amount":
            outcome = np.log(np.maximum(outcome, self.floor or 0.0))
        standardised: Floats = (outcome - self.centre) / self.scale
        return standardised

    def from_margin(self, margin: Floats) -> Floats:
        """Probability or amount, shape (rows,).

        For log_amount this is the exponential of the mean logarithm: the typical (median) amount.
        """
        if self.kind == "probability":
            return sigmoid(margin)
        value: Floats = margin * self.scale + self.centre
        if self.kind == "log_amount":
            return np.asarray(np.exp(value), dtype=np.float64)
        return value if self.floor is None else np.maximum(value, self.floor)


def read(family: str, y: Any, rows: int, kind: Kind) -> tuple[Floats, Target]:
    """The outcomes as float64, shape (rows,), and the target they define.

    Raises ContractError for missing or infinite outcomes, too few rows, a single class, outcomes
    that are not 0 and 1 (probability), a constant, or negative income.
    """
    outcome = numbers(family, "y", y, rows)
    if rows < MIN_ROWS:
        raise ContractError(
            f"{family}: {rows} rows are too few to learn from and to check on; "
            f"give at least {MIN_ROWS}."
        )
    if kind == "probability":
        check_classes(family, outcome)
        return outcome, Target("probability")
    if outcome.min() == outcome.max():
        raise ContractError(
            f"{family}: y is {outcome[0]:g} in every row; there is nothing to learn."
        )
    if kind == "amount":
        floor = 0.0 if outcome.min() >= 0 else None
        return outcome, Target("amount", float(outcome.mean()), float(outcome.std()), floor)
    if outcome.min() < 0 or not (outcome > 0).any():
        raise ContractError(f"{family}: y holds negative amounts; an income is zero or more.")
    floor = float(np.quantile(outcome[outcome > 0], FLOOR_QUANTILE))
    logarithm = np.log(np.maximum(outcome, floor))
    if logarithm.std() == 0:
        raise ContractError(f"{family}: y hardly varies; there is nothing to learn.")
    return outcome, Target("log_amount", float(logarithm.mean()), float(logarithm.std()), floor)


def numbers(family: str, what: str, given: Any, rows: int) -> Floats:
    """A vector beside the frame (y, treatment, weights) as float64, shape (rows,), all finite."""
    series = given if isinstance(given, pd.Series) else pd.Series(np.asarray(given).ravel())
    if len(series) != rows:
        raise ContractError(f"{family}: {what} has {len(series)} values, X has {rows} rows.")
    try:
        values = as_floats(series)
    except (ValueError, TypeError) as error:
        raise ContractError(
            f"{family}: {what} holds {series.dtype} values that are not numbers ({error}); "
            "give 0 and 1, or amounts."
        ) from error
    if not np.isfinite(values).all():
        raise ContractError(
            f"{family}: {what} is missing or infinite in {int((~np.isfinite(values)).sum())} rows; "
            "leave those rows out."
        )
    return values


def check_classes(family: str, outcome: Floats, what: str = "y") -> None:
    """ContractError unless the outcome is 0 and 1 and both occur often enough."""
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise ContractError(f"{family}: {what} holds values other than 0 and 1.")
    ones = int(outcome.sum())
    if ones in (0, len(outcome)):
        raise ContractError(
            f"{family}: {what} has one class only ({outcome[0]:g} in all {len(outcome)} rows); "
            "there is nothing to learn. Check the labels."
        )
    if min(ones, len(outcome) - ones) < MIN_CLASS_ROWS:
        raise ContractError(
            f"{family}: {what} has {ones} ones in {len(outcome)} rows; at least {MIN_CLASS_ROWS} "
            "rows of each class are needed."
        )
