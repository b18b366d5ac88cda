"""The leakage guard names every leaking column, and drops them only when told to."""

from __future__ import annotations

import numpy as np
import pytest

from paymentor_assets.models import families
from paymentor_assets.models.families import LeakageError
from tests.unit.models.families.conftest import Sample

LEAKS = ["copy", "noisy", "told_by_text", "told_by_gap", "u_shaped", "Call Duration", "declared"]


def _leaking(sample: Sample) -> tuple[object, np.random.Generator]:
    chance = np.random.default_rng(0)
    y = sample.y
    leaking = sample.X.assign(
        copy=-y,
        noisy=y + chance.normal(0, 0.2, len(y)),
        told_by_text=np.where(y > 0, "closed", "open"),
        told_by_gap=np.where(y > 0, chance.normal(size=len(y)), np.nan),
        u_shaped=np.where(y > 0, chance.choice([-5, 5], len(y)), 0) + chance.normal(size=len(y)),
        declared=chance.normal(size=len(y)),
    )
    leaking["Call Duration"] = chance.normal(size=len(y))
    return leaking, chance


def test_all_leaking_columns_are_named(sample: Sample) -> None:
    leaking, _ = _leaking(sample)
    with pytest.raises(LeakageError) as caught:
        families.get("offer_propensity").fit(leaking, sample.y, post_outcome=["declared"])
    assert sorted(caught.value.columns) == sorted(LEAKS)
    assert "offer_propensity" in str(caught.value)
    assert caught.value.reasons["Call Duration"] == "is known only after the outcome"


def test_dropped_leaks_are_recorded_and_not_needed(sample: Sample) -> None:
    leaking, _ = _leaking(sample)
    fitted = families.get("offer_propensity").fit(
        leaking, sample.y, post_outcome=["declared"], drop_leaks=True
    )
    assert sorted(fitted.card["dropped_leaks"]) == sorted(LEAKS)
    assert fitted.schema.names == sample.X.columns.tolist()
    assert fitted.predict(sample.X).shape == (len(sample.y),)


def test_a_reviewed_column_is_kept_and_said_unless_it_is_known_too_late(sample: Sample) -> None:
    telling = sample.X.assign(copy=-sample.y, duration=sample.y)
    family = families.get("offer_propensity")
    with pytest.raises(LeakageError) as caught:
        family.fit(telling, sample.y, reviewed=["copy", "duration"])
    assert caught.value.columns == ["duration"]
    fitted = family.fit(telling.drop(columns="duration"), sample.y, reviewed=["copy"])
    assert "copy" in fitted.schema.names
    assert fitted.card["reviewed_columns"] == {"copy": "tells the outcome alone (AUC 1.000)"}


def test_nothing_is_left_of_a_frame_of_leaks(sample: Sample) -> None:
    with pytest.raises(LeakageError):
        families.get("offer_propensity").fit(
            sample.X[[]].assign(copy=sample.y), sample.y, drop_leaks=True
        )


def test_an_amount_in_other_words_leaks(sample: Sample) -> None:
    with pytest.raises(LeakageError) as caught:
        families.get("income_imputation").fit(
            sample.X.assign(monthly=sample.amount / 12), sample.amount
        )
    assert caught.value.columns == ["monthly"]


def test_good_columns_are_no_leaks(sample: Sample) -> None:
    strong = sample.X.assign(strong=sample.y + np.random.default_rng(1).normal(size=len(sample.y)))
    fitted = families.get("offer_propensity").fit(strong, sample.y)
    assert fitted.card["dropped_leaks"] == {}
