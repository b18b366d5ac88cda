"""Reason codes: at most four, strongest first, true to the model, readable."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from paymentor_assets.rankings.reason_codes import MAX_REASONS, reason_codes
from tests.support import trained_model


@pytest.fixture(scope="module")
def delinquent() -> pd.DataFrame:
    frame = trained_model.last_day_frame()
    return trained_model.features(frame.filter(frame.column("is_delinquent")))


@pytest.fixture(scope="module")
def reasons(delinquent: pd.DataFrame) -> list[list[dict[str, object]]]:
    return [
        json.loads(text) for text in reason_codes(trained_model.model(), delinquent).to_pylist()
    ]


def test_at_most_four_strongest_first(reasons: list[list[dict[str, object]]]) -> None:
    for row in reasons:
        assert 1 <= len(row) <= MAX_REASONS
        strength = [abs(float(str(reason["contribution"]))) for reason in row]
        assert strength == sorted(strength, reverse=True)
        assert len({reason["feature"] for reason in row}) == len(row)


def test_direction_is_the_sign_and_the_text_is_in_words(
    reasons: list[list[dict[str, object]]], delinquent: pd.DataFrame
) -> None:
    model = trained_model.model()
    for row in reasons:
        for reason in row:
            is_positive = float(str(reason["contribution"])) > 0
            assert reason["direction"] == ("raises" if is_positive else "lowers")
            assert reason["code"] == str(reason["feature"]).upper()
            phrase, _, value = str(reason["text"]).partition(": ")
            assert phrase == model.phrases[str(reason["feature"])]
            assert value


def test_contributions_add_up_to_the_score(delinquent: pd.DataFrame) -> None:
    model = trained_model.model()
    p = model.learned("paid_30d").predict(delinquent)
    margin = np.log(p / (1 - p))
    explained = model.learned("paid_30d").explain(delinquent, top=len(model.phrases))
    rest = margin - explained.groupby("row")["contribution"].sum().to_numpy()
    np.testing.assert_allclose(rest, rest[0], atol=1e-4)  # the bias is the same for everybody


def test_unknown_and_quoted_values_stay_json() -> None:
    frame = trained_model.features(trained_model.last_day_frame().slice(0, 1))
    unknown = frame.assign(employment_type='a "quoted" \\ value', days_past_due=np.nan)
    for text in reason_codes(trained_model.model(), unknown).to_pylist():
        for reason in json.loads(text):
            if reason["feature"] == "days_past_due":
                assert reason["text"] == "days past due: unknown"


def test_nobody_has_no_reasons() -> None:
    none = trained_model.features(trained_model.last_day_frame().slice(0, 0))
    assert len(reason_codes(trained_model.model(), none)) == 0


def test_values_are_those_of_the_account(
    reasons: list[list[dict[str, object]]], delinquent: pd.DataFrame
) -> None:
    overdue = delinquent["days_past_due"].tolist()
    for row, days in zip(reasons, overdue, strict=True):
        for reason in row:
            if reason["feature"] == "days_past_due":
                assert reason["text"] == f"days past due: {days:g}"
    assert min(overdue) > 0
