"""The leakage guard: columns that know the outcome must not train a model.

A column leaks when it is declared to be known only after the outcome, or when it tells the outcome
alone: an AUC of 0.98 for a class, a rank correlation or explained share of 0.98 for an amount. Both
are taken of the value itself and, cross-fitted, of its groups, so that a leak that is not monotone,
or sits in a category or in what is missing, is found too.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

from paymentor_assets.models.evaluation import auc
from paymentor_assets.models.learning.columns import Codes, Floats, Schema, Values
from paymentor_assets.models.learning.designs import bin_of

TOO_GOOD = 0.98
#: Why a declared column leaks.
KNOWN_AFTER = "is known only after the outcome"
#: Pulls the mean of a small group towards the overall mean, in rows.
SHRINKAGE = 1.0


def find(
    schema: Schema, values: Values, outcome: Floats, declared: Collection[str], *, is_class: bool
) -> dict[str, str]:
    """Leaking columns in the schema's order, each with the reason as the end of a sentence."""
    known_after = {_plain(name) for name in declared}
    found = {}
    for column in schema.columns:
        if _plain(column.name) in known_after:
            found[column.name] = KNOWN_AFTER
            continue
        given = values[column.name]
        strength = _by_group(bin_of(given, column), outcome, is_class=is_class)
        if column.is_number:
            strength = max(strength, _by_value(given, outcome, is_class=is_class))
        if strength >= TOO_GOOD:
            measure = "AUC" if is_class else "correlation"
            found[column.name] = f"tells the outcome alone ({measure} {strength:.3f})"
    return found


def _by_value(values: Floats, outcome: Floats, *, is_class: bool) -> float:
    known = ~np.isnan(values)
    if known.mean() < 0.5:
        return 0.0
    if is_class:
        area = auc(outcome[known], values[known])
        return max(area, 1 - area) if area is not None else 0.0
    return abs(_correlation(_ranks(values[known]), _ranks(outcome[known])))


def _by_group(group: Codes, outcome: Floats, *, is_class: bool) -> float:
    half = np.random.default_rng(0).permutation(len(group)) % 2
    guess = np.empty(len(group))
    for side in (0, 1):
        learn = half != side
        count = np.bincount(group[learn], minlength=int(group.max()) + 1)
        total = np.bincount(group[learn], outcome[learn], minlength=int(group.max()) + 1)
        mean = (total + SHRINKAGE * outcome[learn].mean()) / (count + SHRINKAGE)
        guess[half == side] = mean[group[half == side]]
    if is_class:
        return auc(outcome, guess) or 0.0
    return abs(_correlation(guess, outcome))


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)


def _correlation(one: Floats, other: Floats) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
