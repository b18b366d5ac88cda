"""Splits by time: later days judge, and a gap as long as the label's horizon lies between.

A label of day D with horizon h is known once D + h has closed. Training rows are those whose label
was already known on the first test day, so no training outcome overlaps a test day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from resources.errors import ContractError

TEST_SHARE = 0.2
#: Tenths of the subjects that judge, where a subject is not both learned from and judged on.
SUBJECT_TENTHS = 3


@dataclass(frozen=True)
class TimeSplit:
    """Masks over the rows, shape (rows,), and the days behind them."""

    train: npt.NDArray[np.bool_]
    test: npt.NDArray[np.bool_]
    train_days: tuple[date, ...]
    purged_days: tuple[date, ...]
    test_days: tuple[date, ...]


def by_time(
    days: npt.NDArray[np.datetime64],
    is_labelled: npt.NDArray[np.bool_],
    *,
    horizon_days: int,
    known_through: npt.NDArray[np.datetime64],
    what: str,
) -> TimeSplit:
    """Hold out the last fifth of the labelled days, purge a horizon before them, train on the rest.

    `days` and `known_through` (rows,) datetime64[D]; rows without a label, or whose label closes
    after the row's `known_through`, are in neither part.

    Raises ContractError when the history is too short for both parts.
    """
    closes = days + np.timedelta64(horizon_days, "D")
    usable = is_labelled & (closes <= known_through)
    labelled = [_as_date(d) for d in np.unique(days[usable])]
    count = max(1, round(len(labelled) * TEST_SHARE))
    test_days = tuple(labelled[-count:]) if len(labelled) > 1 else ()
    train_days = tuple(
        d
        for d in labelled
        if test_days and d < test_days[0] and d + timedelta(days=horizon_days) <= test_days[0]
    )
    if not test_days or not train_days:
        raise ContractError(
            f"{what} needs labelled days at least {horizon_days} days apart to train on some and "
            f"be judged on later ones; there are {len(labelled)} labelled days"
            f"{f' from {labelled[0]} to {labelled[-1]}' if labelled else ''}. "
            "Build features for earlier days, then extract again."
        )
    purged = tuple(d for d in labelled if d not in train_days and d not in test_days)
    return TimeSplit(
        train=usable & np.isin(days, np.array(train_days, dtype="datetime64[D]")),
        test=usable & np.isin(days, np.array(test_days, dtype="datetime64[D]")),
        train_days=train_days,
        purged_days=purged,
        test_days=test_days,
    )


def one_row_a_subject(split: TimeSplit, subjects: Sequence[str]) -> TimeSplit:
    """The same days, but a subject is learned from or judged on, never both, and only once.

    For outcomes that hardly change: a hundred weeks of one person are one observation, and a person
    seen in training is no test. The newest row of each counts. `subjects` are hexadecimal hashes in
    order of time, so their value modulo ten is as good as random.
    """
    held = np.array([int(subject[:8], 16) % 10 < SUBJECT_TENTHS for subject in subjects])
    return replace(
        split,
        train=_newest(split.train & ~held, subjects),
        test=_newest(split.test & held, subjects),
    )


def _newest(rows: npt.NDArray[np.bool_], subjects: Sequence[str]) -> npt.NDArray[np.bool_]:
    last = {subjects[row]: row for row in np.flatnonzero(rows).tolist()}
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[list(last.values())] = True
    return chosen


def _as_date(day: np.datetime64) -> date:
    value = day.astype("datetime64[D]").item()
    assert isinstance(value, date)
    return value
