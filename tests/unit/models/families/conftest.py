"""A synthetic sample with numbers, text, booleans and gaps, and models fitted to it once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from paymentor_assets.models import families
from paymentor_assets.models.learning import folds

ROWS = 600


@dataclass(frozen=True)
class Sample:
    """Features, a class, an amount, and a treatment that helps people in arrears only."""

    X: pd.DataFrame
    y: npt.NDArray[np.float64]
    amount: npt.NDArray[np.float64]
    treatment: npt.NDArray[np.float64]
    treated_y: npt.NDArray[np.float64]


def make(rows: int = ROWS, seed: int = 1) -> Sample:
    """A sample drawn with `seed`."""
    chance = np.random.default_rng(seed)
    dpd = np.round(chance.gamma(1.0, 20.0, rows) * (chance.random(rows) < 0.5))
    product = chance.choice(["gold", "auto", "home"], rows, p=[0.5, 0.3, 0.2])
    income = chance.lognormal(8, 0.6, rows)
    status = chance.choice([-2, -1, 0, 1], rows)
    risk = 0.03 * dpd - 0.8 * (product == "home") + 1.2 * (status == -1) - 0.6
    y = (chance.random(rows) < 1 / (1 + np.exp(-risk))).astype(np.float64)
    treatment = (chance.random(rows) < 0.5).astype(np.float64)
    lift = np.where(dpd > 10, 2.0, -1.0) * treatment
    treated_y = (chance.random(rows) < 1 / (1 + np.exp(-(lift - 0.3)))).astype(np.float64)
    frame = pd.DataFrame(
        {
            "days_past_due": dpd,
            "income": np.where(chance.random(rows) < 0.1, np.nan, income),
            "status": status,
            "product": pd.Series(np.where(chance.random(rows) < 0.05, None, product), dtype=object),
            "is_salaried": chance.random(rows) < 0.7,
            "noise": chance.normal(size=rows),
        }
    )
    amount = np.exp(5 + 0.4 * np.log(income) + 0.3 * chance.normal(size=rows))
    return Sample(frame, y, amount, treatment, treated_y)


@pytest.fixture(scope="package", autouse=True)
def folds_once() -> Iterator[None]:
    """Few rows repeat their folds three times; once is enough to see that fitting works."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "REPEATS", 1)
        yield


@pytest.fixture(scope="package")
def sample() -> Sample:
    """The sample all tests of the package share; nobody writes to it."""
    return make()


@pytest.fixture(scope="package")
def ranking(sample: Sample) -> Any:
    """Customer ranking, fitted to the class."""
    return families.get("customer_ranking").fit(sample.X, sample.y, seed=3)


@pytest.fixture(scope="package")
def income(sample: Sample) -> Any:
    """Income imputation, fitted to the amount."""
    return families.get("income_imputation").fit(sample.X, sample.amount)
