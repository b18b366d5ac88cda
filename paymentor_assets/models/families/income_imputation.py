"""Income imputation: the income of those who have not said, with an interval.

Learned on the logarithm: errors of income are relative. `predict` is the typical (median) income of
such a customer, not the mean. An outcome that is only 0 and 1 is an income class (above a bound or
not) and is learned as a probability.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import pandas as pd

from paymentor_assets.models.learning import supervised
from paymentor_assets.models.learning.fitting import CHOOSE_ON
from paymentor_assets.models.learning.supervised import FittedModel

FAMILY = "income_imputation"


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    *,
    task: Literal["amount", "class"] | None = None,
    drop_leaks: bool = False,
    post_outcome: Collection[str] = (),
    choose_on: int = CHOOSE_ON,
) -> FittedModel:
    """Learn an income (any unit, zero or more) or an income class; see `supervised.fit`."""
    is_class = _is_class(y) if task is None else task == "class"
    return supervised.fit(
        FAMILY,
        X,
        y,
        kind="probability" if is_class else "log_amount",
        treatment=treatment,
        time=time,
        sample_weight=sample_weight,
        seed=seed,
        drop_leaks=drop_leaks,
        choose_on=choose_on,
        post_outcome=post_outcome,
        with_intervals=not is_class,
    )


def _is_class(y: Any) -> bool:
    return bool(pd.Series(np.asarray(y).ravel()).dropna().isin((0, 1)).all())
