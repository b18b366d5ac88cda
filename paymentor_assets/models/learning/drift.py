"""Which columns say when a row was, rather than who it is about.

A column whose groups stand at different times (an interest rate of the week, a month, a channel
that was introduced) lets a model learn the past's calendar. The correlation ratio (Fisher's eta²)
of time given the column's groups is the share of time's variance that the column explains.
"""

from __future__ import annotations

import numpy as np

from paymentor_assets.models.learning.columns import Column, Floats, Schema, Values
from paymentor_assets.models.learning.designs import bin_of
from paymentor_assets.models.learning.folds import Rows

#: A column that explains more of time than this is not a stable one.
MAX_SHARE_OF_TIME = 0.25


def share_of_time(values: Floats | Rows, column: Column, rank: Rows) -> float:
    """eta² of time given the column's groups, 0 to 1."""
    group = bin_of(values, column)
    counts = np.bincount(group)
    totals = np.bincount(group, weights=rank)
    mean = rank.mean()
    between = float((totals**2 / np.maximum(counts, 1)).sum() - len(rank) * mean**2)
    return between / float(((rank - mean) ** 2).sum())


def unstable_columns(schema: Schema, values: Values, rank: Rows) -> list[str]:
    """Names of the columns that explain too much of time, in the schema's order."""
    return [
        column.name
        for column in schema.columns
        if share_of_time(values[column.name], column, rank) > MAX_SHARE_OF_TIME
    ]
