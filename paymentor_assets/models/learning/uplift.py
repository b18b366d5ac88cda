"""What an offer changes: treated and control learned apart, judged by the Qini coefficient.

A response model finds those who accept anyway; on campaigns without an average effect its Qini is
negative although its AUC is high. So candidates are compared by the Qini of the difference of two
models, on rows that neither has seen.
"""

from __future__ import annotations

import numpy as np

from paymentor_assets.models.learning.columns import Floats


def qini(uplift: Floats, outcome: Floats, treatment: Floats) -> float:
    """Mean over prefixes of gained outcomes, less half of the end value, a row.

    Gained = Y_treated - Y_control * N_treated / N_control among the first k by falling uplift
    (Radcliffe 2007). All arguments have shape (rows,); outcome and treatment are 0 and 1.
    """
    order = np.argsort(-uplift, kind="stable")
    y, treated = outcome[order], treatment[order]
    n_treated, n_control = np.cumsum(treated), np.cumsum(1 - treated)
    gained = np.cumsum(y * treated) - np.cumsum(y * (1 - treated)) * n_treated / np.maximum(
        n_control, 1
    )
    return float((gained.mean() - gained[-1] / 2) / len(y))


def qini_interval(
    uplift: Floats,
    outcome: Floats,
    treatment: Floats,
    *,
    coverage: float = 0.9,
    draws: int = 500,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the Qini coefficient over rows."""
    chance = np.random.default_rng(seed)
    drawn = [
        qini(uplift[rows], outcome[rows], treatment[rows])
        for rows in (chance.integers(0, len(outcome), len(outcome)) for _ in range(draws))
    ]
    low, high = np.quantile(drawn, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
