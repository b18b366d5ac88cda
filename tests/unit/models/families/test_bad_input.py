"""Bad input is refused with the family's and the column's name, never scored by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from paymentor_assets.models import families
from resources.errors import ContractError
from tests.unit.models.families.conftest import Sample

SUPERVISED = ("customer_ranking", "channel_preference", "income_imputation", "offer_propensity")

Spoil = Callable[[pd.DataFrame], pd.DataFrame]

SCORING: dict[str, tuple[Spoil, str]] = {
    "missing feature": (lambda f: f.drop(columns="income"), "no column 'income'"),
    "number become text": (lambda f: f.assign(income=f["income"].astype(str)), "'income' holds"),
    "text become number": (lambda f: f.assign(product=7), "'product' holds int64"),
    "text become dates": (
        lambda f: f.assign(product=pd.Timestamp("2026-01-01")),
        "'product' holds datetime64",
    ),
    "empty column": (lambda f: f.assign(income=np.nan), "'income' is empty in all 600 rows"),
    "empty text": (lambda f: f.assign(product=None), "'product' is empty in all 600 rows"),
    "infinite": (lambda f: f.assign(noise=np.inf), "'noise' holds 600 infinite"),
    "column twice": (lambda f: pd.concat([f, f[["noise"]]], axis=1), "'noise' is there twice"),
    "no frame": (lambda f: f.to_numpy(), "pandas DataFrame"),  # type: ignore[return-value]
}

FITTING: dict[str, tuple[Spoil, str]] = {
    "empty column": (lambda f: f.assign(income=np.nan), "'income' holds no value at all"),
    "infinite": (lambda f: f.assign(noise=-np.inf), "'noise' holds 600 infinite"),
    "dates": (lambda f: f.assign(day=pd.Timestamp("2026-01-01")), "'day' holds dates"),
    "ten rows": (lambda f: f.head(10), "10 rows are too few"),
    "no columns": (lambda f: f[[]], "has no columns"),
    "nameless": (lambda f: f.rename(columns={"noise": 3}), "column name 3 is not text"),
}


@pytest.mark.parametrize("case", SCORING)
def test_scoring_refuses(case: str, ranking: Any, sample: Sample) -> None:
    spoil, message = SCORING[case]
    for use in (ranking.predict, ranking.explain):
        with pytest.raises(ContractError, match="customer_ranking") as caught:
            use(spoil(sample.X))
        assert message in str(caught.value)


@pytest.mark.parametrize("family", SUPERVISED)
@pytest.mark.parametrize("case", FITTING)
def test_fitting_refuses(case: str, family: str, sample: Sample) -> None:
    spoil, message = FITTING[case]
    spoiled = spoil(sample.X)
    outcome = sample.amount if family == "income_imputation" else sample.y
    with pytest.raises(ContractError, match=family) as caught:
        families.get(family).fit(spoiled, outcome[: len(spoiled)])
    assert message in str(caught.value)


OUTCOMES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "one class": (lambda y: np.zeros(len(y)), "one class only"),
    "few of a class": (lambda y: np.arange(len(y)) < 3, "3 ones"),
    "three classes": (lambda y: np.arange(len(y)) % 3, "other than 0 and 1"),
    "text": (lambda y: np.where(y > 0, "yes", "no"), "not numbers"),
    "missing": (lambda y: np.where(np.arange(len(y)) < 2, np.nan, y), "missing or infinite in 2"),
    "another length": (lambda y: y[1:], "y has 599 values, X has 600 rows"),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_outcomes_are_checked(case: str, sample: Sample) -> None:
    spoil, message = OUTCOMES[case]
    with pytest.raises(ContractError, match="offer_propensity") as caught:
        families.get("offer_propensity").fit(sample.X, spoil(sample.y))
    assert message in str(caught.value)


def test_negative_incomes_and_weights_are_refused(sample: Sample) -> None:
    with pytest.raises(ContractError, match="income_imputation: y holds negative"):
        families.get("income_imputation").fit(sample.X, -sample.amount)
    with pytest.raises(ContractError, match="sample_weight must be zero or more"):
        families.get("offer_propensity").fit(sample.X, sample.y, sample_weight=-sample.amount)


def test_what_a_model_cannot_do_it_says(ranking: Any, income: Any, sample: Sample) -> None:
    with pytest.raises(ContractError, match="fitted without a treatment"):
        ranking.predict_uplift(sample.X)
    with pytest.raises(ContractError, match="has no intervals"):
        ranking.predict_interval(sample.X)
    with pytest.raises(ContractError, match=r"coverage 1\.0 cannot be promised"):
        income.predict_interval(sample.X, coverage=1.0)
    with pytest.raises(ContractError, match="a treatment needs an outcome of 0 and 1"):
        families.get("income_imputation").fit(sample.X, sample.amount, treatment=sample.treatment)
