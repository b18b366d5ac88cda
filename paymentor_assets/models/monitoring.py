"""Drift: have the people, the scores or the outcomes moved away from what a model learned?

Population stability index (PSI) of each feature and of the score, and the change of the base rate.
What belongs here: the measures and their thresholds. What does not: assets and sensors that act.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from paymentor_assets.models.learning import columns
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.designs import bin_of

#: The industry's reading of PSI (Siddiqi 2006): below 0.1 stable, above 0.25 another population.
WATCH, ALARM = 0.1, 0.25
#: Standard errors by which a base rate may differ before it is another one.
RATE_ERRORS = 4.0
#: A change of the base rate below a tenth of itself is small however sure it is.
RATE_CHANGE = 0.1
SCORE_BINS = 10
#: An empty bin counts as this share, so that the logarithm exists.
EMPTY_SHARE = 1e-4


@dataclass(frozen=True)
class DriftReport:
    """PSI by feature, PSI of the score, base rates before and now, and what raises the alarm."""

    features: Mapping[str, float]
    score: float | None
    base_rate_before: float | None
    base_rate_now: float | None
    alarms: tuple[str, ...]

    @property
    def is_alarm(self) -> bool:
        """Whether anything moved past its threshold."""
        return bool(self.alarms)


def psi(before: Floats, now: Floats) -> float:
    """Sum over groups of (now - before) * ln(now / before); shares of shape (groups,)."""
    one, other = np.maximum(before, EMPTY_SHARE), np.maximum(now, EMPTY_SHARE)
    return float(((other - one) * np.log(other / one)).sum())


def score_psi(before: Floats, now: Floats) -> float:
    """PSI of two samples of scores over the tenths of the earlier one; shapes (rows,), any size."""
    return group_psi(*tenths(before, now))


def tenths(before: Floats, now: Floats) -> tuple[columns.Codes, columns.Codes]:
    """The tenth of the earlier sample into which each score falls; shapes (rows,), any size."""
    edges = np.quantile(before, np.linspace(0, 1, SCORE_BINS + 1)[1:-1])
    return np.searchsorted(edges, before), np.searchsorted(edges, now)


def categories(
    before: npt.NDArray[Any], now: npt.NDArray[Any]
) -> tuple[columns.Codes, columns.Codes]:
    """A number for each name (or number that stands for one); shapes (rows,), any size."""
    _, place = np.unique(np.concatenate([before, now]), return_inverse=True)
    return place[: len(before)], place[len(before) :]


def group_psi(before: columns.Codes, now: columns.Codes) -> float:
    """PSI of two samples of group numbers, 0 and up; shapes (rows,), any size."""
    groups = int(max(before.max(), now.max())) + 1
    # An empty group of a small sample is worth half an observation: that one of ten groups of
    # sixty rows is empty is chance, and must not look like a share of one in ten thousand.
    one, other = (
        np.maximum(np.bincount(some, minlength=groups), 0.5) / len(some) for some in (before, now)
    )
    return psi(one, other)


def usual_psi(
    groups: columns.Codes, days: npt.NDArray[np.datetime64], *, span: int, least: int
) -> float:
    """The largest PSI between any `span` neighbouring days of a sample and its other days.

    Days of one population differ, too: due dates and paydays follow the calendar. What is no more
    unlike than this has not moved. `groups` and `days` (rows,); stretches with fewer than `least`
    rows on either side are not looked at, and 0 is what is said of too few days.
    """
    known = np.unique(days)
    found = [0.0]
    for start in range(len(known) - span + 1):
        is_in = (days >= known[start]) & (days <= known[start + span - 1])
        if min(is_in.sum(), (~is_in).sum()) >= least:
            found.append(group_psi(groups[~is_in], groups[is_in]))
    return max(found)


def psi_alarm(before: int, now: int, groups: int) -> float:
    """The PSI from which on two samples of these sizes and numbers of groups differ.

    ALARM, or what chance alone stays below in 999 of 1,000 comparisons: PSI over the sum of both
    sizes' inverses is chi-square (Yurdakul and Naranjo 2020).
    """
    from scipy.stats import chi2

    return max(ALARM, float(chi2.ppf(0.999, groups - 1)) * (1 / before + 1 / now))


def drift(
    before: pd.DataFrame,
    now: pd.DataFrame,
    *,
    score_before: Floats | None = None,
    score_now: Floats | None = None,
    outcome_before: Floats | None = None,
    outcome_now: Floats | None = None,
    what: str = "drift monitor",
) -> DriftReport:
    """Compare a later frame with the training frame; scores and outcomes where they are known.

    Vectors have one value a row of their frame. Raises ContractError for frames that differ in
    columns or types, naming the column.
    """
    schema = columns.learn(what, before)
    old, new = schema.read(before), schema.read(now)
    features = {
        column.name: group_psi(bin_of(old[column.name], column), bin_of(new[column.name], column))
        for column in schema.columns
    }
    alarms = [
        f"feature {name}: PSI {value:.2f}" for name, value in features.items() if value > ALARM
    ]
    score = None
    if score_before is not None and score_now is not None:
        score = score_psi(score_before, score_now)
        if score > ALARM:
            alarms.append(f"score: PSI {score:.2f}")
    rate_before = rate_now = None
    if outcome_before is not None and outcome_now is not None:
        rate_before, rate_now = float(outcome_before.mean()), float(outcome_now.mean())
        if _is_another_rate(outcome_before, outcome_now):
            alarms.append(f"base rate: {rate_before:.1%} before, {rate_now:.1%} now")
    return DriftReport(features, score, rate_before, rate_now, tuple(alarms))


def _is_another_rate(before: Floats, now: Floats) -> bool:
    change = float(now.mean() - before.mean())
    error = float(np.sqrt(before.var() / len(before) + now.var() / len(now)))
    return abs(change) > RATE_ERRORS * error and abs(change) > RATE_CHANGE * float(before.mean())
