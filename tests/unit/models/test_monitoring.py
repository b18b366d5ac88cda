"""Drift: silent on the same people, loud on others; the index as the textbook has it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from paymentor_assets.models import monitoring
from resources.errors import ContractError


def _people(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "income": chance.lognormal(8 + shift, 0.5, rows),
            "channel": chance.choice(["sms", "call"], rows, p=[0.5 - shift / 3, 0.5 + shift / 3]),
            "age": chance.integers(20, 70, rows),
        }
    )


def test_index_of_two_groups() -> None:
    """(0.7 - 0.5) ln(0.7 / 0.5) + (0.3 - 0.5) ln(0.3 / 0.5) = 0.1695."""
    assert monitoring.psi(np.array([0.5, 0.5]), np.array([0.7, 0.3])) == pytest.approx(
        0.169460, abs=1e-6
    )
    assert np.isfinite(monitoring.psi(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


def test_the_same_people_raise_no_alarm() -> None:
    chance = np.random.default_rng(3)
    report = monitoring.drift(
        _people(5000, 0),
        _people(2000, 1),
        score_before=chance.random(5000),
        score_now=chance.random(2000),
        outcome_before=(chance.random(5000) < 0.1) * 1.0,
        outcome_now=(chance.random(2000) < 0.1) * 1.0,
    )
    assert not report.is_alarm
    assert max(report.features.values()) < monitoring.WATCH
    assert report.score is not None and report.score < monitoring.WATCH


def test_what_moved_is_named() -> None:
    chance = np.random.default_rng(3)
    report = monitoring.drift(
        _people(5000, 0),
        _people(2000, 1, shift=0.9),
        score_before=chance.random(5000),
        score_now=chance.random(2000) ** 3,
        outcome_before=(chance.random(5000) < 0.05) * 1.0,
        outcome_now=(chance.random(2000) < 0.13) * 1.0,
    )
    said = " ".join(report.alarms)
    assert "feature income" in said and "feature channel" in said and "feature age" not in said
    assert "score: PSI" in said and "base rate: " in said


def test_a_column_that_vanished_is_an_error() -> None:
    with pytest.raises(ContractError, match="drift monitor: the frame has no column 'age'"):
        monitoring.drift(_people(500, 0), _people(500, 1).drop(columns="age"))


def test_small_samples_need_more_to_raise_an_alarm() -> None:
    rng = np.random.default_rng(3)
    large = monitoring.psi_alarm(20_000, 20_000, 10)
    small = monitoring.psi_alarm(200, 200, 10)
    assert large == monitoring.ALARM < small
    draws = [monitoring.score_psi(rng.normal(size=200), rng.normal(size=200)) for _ in range(500)]
    assert np.mean(np.array(draws) > small) < 0.02
