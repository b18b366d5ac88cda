"""Who is held out when: folds by class, or forward in time.

Without `time`, stratified folds, repeated when rows are few, because one division of few rows
decides by chance. With `time`, training is always before testing (forward chaining), and rows of
one instant are never divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from paymentor_assets.models.learning.columns import Floats
from resources.errors import ContractError

Rows = npt.NDArray[np.int64]

FEW_ROWS = 5_000
MANY_ROWS = 15_000
REPEATS = 3
BLOCKS = 6
#: With fewer instants there would not be two later ones to judge on.
MIN_INSTANTS = 3


@dataclass(frozen=True)
class Fold:
    """Row numbers to learn from and to judge on."""

    train: Rows
    held: Rows


def stratified(groups: Floats, seed: int) -> list[Fold]:
    """Folds with equal shares of each group (class, or class by treatment); shape (rows,).

    Five folds, three times over below FEW_ROWS; three folds from MANY_ROWS.
    """
    rows = len(groups)
    count = 3 if rows >= MANY_ROWS else 5
    folds = []
    for repeat in range(REPEATS if rows < FEW_ROWS else 1):
        chance = np.random.default_rng([seed, repeat])
        shuffled = chance.permutation(rows)
        # Dealing out the rows group by group gives every fold its share of each.
        dealt = shuffled[np.argsort(groups[shuffled], kind="stable")]
        owner = np.empty(rows, dtype=np.int64)
        owner[dealt] = np.arange(rows) % count
        folds += [
            Fold(np.flatnonzero(owner != fold), np.flatnonzero(owner == fold))
            for fold in range(count)
        ]
    return folds


def forward(rank: Rows, outcome: Floats, *, is_class: bool) -> list[Fold]:
    """Learn from the first k blocks, judge on the next; folds that lack a class are left out.

    `rank` is each row's position in time, equal for equal instants, shape (rows,). Two blocks lie
    before the first that judges, one when there are fewer instants than blocks.
    """
    counts = np.bincount(rank)
    blocks = min(BLOCKS, len(counts))
    middle = np.cumsum(counts) - counts / 2
    block = np.minimum((middle * blocks / counts.sum()).astype(np.int64), blocks - 1)[rank]
    folds = [
        Fold(np.flatnonzero(block < number), np.flatnonzero(block == number))
        for number in range(2 if blocks == BLOCKS else 1, blocks)
    ]
    return [
        fold
        for fold in folds
        if len(fold.held)
        and len(fold.train)
        and (not is_class or (_has_both(outcome[fold.train]) and _has_both(outcome[fold.held])))
    ]


def time_rank(family: str, time: Any, rows: int) -> Rows:
    """Each row's position in time: dates, instants, numbers or sortable text; shape (rows,).

    Raises ContractError for missing times, another length, or a single instant.
    """
    series = pd.Series(np.asarray(time).ravel())
    if len(series) != rows:
        raise ContractError(f"{family}: time has {len(series)} values, X has {rows} rows.")
    if series.isna().any():
        raise ContractError(f"{family}: time is missing in {int(series.isna().sum())} rows.")
    rank, instants = pd.factorize(series, sort=True)
    if len(instants) < MIN_INSTANTS:
        raise ContractError(
            f"{family}: time has {len(instants)} different values; to judge on later rows "
            f"at least {MIN_INSTANTS} are needed. Leave time out, or extract more days."
        )
    return rank.astype(np.int64)


def _has_both(outcome: Floats) -> bool:
    return bool(outcome.min() < outcome.max())
