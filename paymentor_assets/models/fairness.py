"""Fairness before an approval: is a protected group acted on as often as another?

A family declares the group (`FamilySpec.protected`); the extract carries it, no feature reads it,
and the stored predictions keep it. Who is selected is compared between groups, with an interval.

Does not belong here: which features may be read at all (`fair_use`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.approval_checks import LEAST_BORROWERS, Finding
from paymentor_assets.models.predictions import Predictions

#: Four fifths: the smallest group's selection rate over the largest's (29 CFR 1607.4(D)).
LEAST_RATE_RATIO = 0.8
#: Whose score is among the best tenth is selected: acted on first.
SELECTED_SHARE = 0.1
#: The chance, on either side, of being wrong about some pair of groups.
ONE_SIDED = 0.025


def fair(predictions: Mapping[str, Predictions]) -> Finding:
    """The gap of selection rates between protected groups, with an interval.

    Fails when the rate of one group is surely below four fifths of another's: a score test that
    counts borrowers, not rows. The interval and the test hold for all pairs of groups at once
    (Bonferroni), since the widest gap is looked for.
    """
    name = "fairness"
    parts, is_unfair = [], False
    for target, found in predictions.items():
        groups = _groups(found)
        if len(groups) < 2:
            continue
        pairs = list(permutations(groups.values(), 2))
        level = _normal_quantile(1 - ONE_SIDED / len(pairs))
        is_unfair |= any(_is_surely_below(low, high, level) for low, high in pairs)
        ordered = sorted(groups.values(), key=lambda group: group.rate)
        least, most = ordered[0], ordered[-1]
        error = np.sqrt(least.variance(least.rate) + most.variance(most.rate))
        gap = most.rate - least.rate
        rates = ", ".join(f"{group} {of.rate:.1%}" for group, of in groups.items())
        parts.append(
            f"{target} selection-rate gap {gap:.3f} ({gap - level * error:+.3f} to "
            f"{gap + level * error:+.3f}): {rates}"
        )
    if not parts:
        return Finding(
            name,
            "not measured",
            f"fewer than two protected groups of {LEAST_BORROWERS} borrowers are stored",
        )
    return Finding(name, "failed" if is_unfair else "passed", "; ".join(parts))


@dataclass(frozen=True)
class _Group:
    """How often a group's rows are selected, and of how many borrowers they are."""

    rate: float
    borrowers: int

    def variance(self, rate: float) -> float:
        """Of the group's rate, were the true one `rate`: a borrower counts once."""
        return rate * (1 - rate) / self.borrowers


def _groups(found: Predictions) -> dict[str, _Group]:
    """The protected groups that are large enough, by name."""
    if found.protected is None or found.kind == "segment":
        return {}
    selected = _selected(found)
    named = {}
    for group in sorted({group for group in found.protected if isinstance(group, str)}):
        rows = found.protected == group
        borrowers = len(np.unique(found.test.borrower[rows]))
        if borrowers >= LEAST_BORROWERS:
            named[group] = _Group(float(selected[rows].mean()), borrowers)
    return named


def _selected(found: Predictions) -> npt.NDArray[np.bool_]:
    """The best tenth; of estimated incomes, those not held for poorer than they are."""
    if found.kind == "log_amount":
        return np.asarray(found.test.predicted >= found.actual)
    return np.asarray(found.test.predicted >= np.quantile(found.test.predicted, 1 - SELECTED_SHARE))


def _is_surely_below(low: _Group, high: _Group, level: float) -> bool:
    # The error of the difference is taken where both rates are the same: an estimate from the
    # lower rate alone would be certain of a group of which nobody happened to be selected.
    rows = low.borrowers + high.borrowers
    common = (low.rate * low.borrowers + high.rate * high.borrowers) / rows
    error = np.sqrt(low.variance(common) + LEAST_RATE_RATIO**2 * high.variance(common))
    return bool(low.rate - LEAST_RATE_RATIO * high.rate < -level * error)


def _normal_quantile(share: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(share))
