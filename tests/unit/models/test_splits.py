"""Splits by time: no training label overlaps a test day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from paymentor_assets.models import splits
from resources.errors import ContractError
from tests.support.feature_days import weekly


def _split(days: list[date], horizon: int, known_through: date) -> splits.TimeSplit:
    values = np.array(days, dtype="datetime64[D]")
    return splits.by_time(
        values,
        np.ones(len(days), dtype=bool),
        horizon_days=horizon,
        known_through=np.full(len(days), np.datetime64(known_through, "D")),
        what="test",
    )


def test_every_training_label_closed_before_the_first_test_day() -> None:
    days = weekly(date(2026, 6, 30), 26)
    split = _split(days, 30, days[-1])
    assert split.test_days[-1] + timedelta(days=30) <= days[-1]
    for day in split.train_days:
        assert day + timedelta(days=30) <= split.test_days[0]
    for day in split.purged_days:
        assert day + timedelta(days=30) > split.test_days[0]
    assert len(split.train_days) + len(split.purged_days) + len(split.test_days) == 21
    assert not (split.train & split.test).any()


def test_a_label_that_closes_after_the_knowledge_is_in_neither_part() -> None:
    days = weekly(date(2026, 6, 30), 12)
    split = _split(days, 7, date(2026, 6, 23))
    assert split.test_days[-1] == date(2026, 6, 16)
    assert not split.train[-2:].any() and not split.test[-2:].any()


def test_an_unlabelled_row_is_in_neither_part() -> None:
    days = np.array(weekly(date(2026, 6, 30), 12), dtype="datetime64[D]")
    labelled = np.ones(12, dtype=bool)
    labelled[0] = False
    split = splits.by_time(
        days,
        labelled,
        horizon_days=7,
        known_through=np.full(12, days[-1]),
        what="test",
    )
    assert not split.train[0]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_short_a_history_is_refused_with_its_days(count: int) -> None:
    days = weekly(date(2026, 6, 30), count) if count else []
    with pytest.raises(ContractError, match="at least 30 days apart"):
        _split(days, 30, date(2026, 7, 30))
