"""The public data sets of the model families, as frames and outcomes, read in place.

What belongs here: files and columns of each set. What does not: how they are divided and judged
(`protocol`), and anything that would help a model on one set by name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tests.real_data.berka import PROJECT_ROOT

Floats = npt.NDArray[np.float64]

_ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation"),
    *("relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week"),
    *("native_country", "income"),
]


@dataclass(frozen=True)
class DataSet:
    """Features and outcome, one row each."""

    X: pd.DataFrame
    y: Floats


def folder() -> Path:
    """Where the sets are: `PAYMENTOR_REAL_DATA`, by default beside the project.

    Skips the test where they are absent; in CI their absence is a failure, not a skip.
    """
    place = PROJECT_ROOT / os.environ.get("PAYMENTOR_REAL_DATA", "../shared/data")
    if (place / "german_credit").is_dir():
        return place
    message = (
        f"The public data sets are not in {place.resolve()}; set PAYMENTOR_REAL_DATA to the folder "
        "that holds german_credit/ and the others."
    )
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def uci_default() -> DataSet:
    """Taiwan credit cards: default next month."""
    return _split(
        "uci_default/UCI_Credit_Card_id_1_20000.csv.gz", "default.payment.next.month", "ID"
    )


def uci_delinquent() -> DataSet:
    """The same, of those who are behind."""
    every = uci_default()
    behind = (every.X["PAY_0"] >= 1).to_numpy()
    return DataSet(every.X[behind].reset_index(drop=True), every.y[behind])


def german_credit() -> DataSet:
    """Statlog German credit: bad."""
    return _split("german_credit/germancredit.csv.gz", "creditability", true="bad")


def bank_marketing() -> DataSet:
    """Calls of a Portuguese bank in order of time, with the call's duration: said yes."""
    return _split("bank_marketing/bank-additional-rows-1-32950.csv.gz", "y", true="yes", sep=";")


def online_shoppers() -> DataSet:
    """Web sessions: purchase."""
    return _split("online_shoppers/online_shoppers_intention.csv.gz", "Revenue")


def lending_club() -> DataSet:
    """Loans: annual income, of those who stated one."""
    every = _split("lending_club/lending_club.csv.gz", "annual_inc")
    stated = every.y > 0
    return DataSet(every.X[stated].reset_index(drop=True), every.y[stated])


def cps1988() -> DataSet:
    """US wages a week."""
    return _split("cps1988/CPS1988.csv.gz", "wage")


def bureau_offer() -> tuple[DataSet, Floats]:
    """Offers and bureau variables: purchase; and whether the offer was made."""
    every = _split("bureau_offer/train.csv.gz", "PURCHASE", "UNIQUE_ID")
    treatment = every.X.pop("TREATMENT").to_numpy(dtype=np.float64)
    return every, treatment


def adult(part: str) -> DataSet:
    """Census (`data` or `test`): income above 50,000."""
    frame = pd.read_csv(
        folder() / "adult" / f"adult.{part}.gz",
        header=None,
        names=_ADULT,
        skipinitialspace=True,
        na_values="?",
        comment="|",
    )
    income = frame.pop("income")
    return DataSet(frame, income.str.startswith(">50K").to_numpy(dtype=np.float64))


def _split(
    file: str, outcome: str, *left_out: str, true: str | None = None, sep: str = ","
) -> DataSet:
    frame = pd.read_csv(folder() / file, sep=sep).drop(columns=list(left_out))
    y = frame.pop(outcome)
    return DataSet(frame, (y if true is None else y == true).to_numpy(dtype=np.float64))
