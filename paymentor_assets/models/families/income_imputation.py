"""Income imputation: the income of those who have not said, with an interval.

Learned on the logarithm: errors of income are relative. `predict` is the typical (median) income of
such a customer, not the mean. An outcome that is only 0 and 1 is an income class (above a bound or
not) and is learned as a probability.
"""

from __future__ import annotations

from typing import Any, Literal, Unpack

import numpy as np
import pandas as pd

from paymentor_assets.models.customer_features import AGE_BAND, DEBTS, EMPLOYMENT
from paymentor_assets.models.family_spec import FamilySpec, Target
from paymentor_assets.models.feature_spec import Feature, profile
from paymentor_assets.models.learning import supervised
from paymentor_assets.models.learning.options import Options
from paymentor_assets.models.learning.supervised import FittedModel

FAMILY = "income_imputation"
#: Where a customer's income is known, in features.customer_profile; the first that is there counts.
INCOMES = ("income_monthly", "declared_monthly_income")

SPEC = FamilySpec(
    family=FAMILY,
    purpose=(
        "Estimates the monthly income of borrowers who have not said, with an interval, for "
        "affordability. An estimate never stands in for a declared or documented income."
    ),
    features=(
        Feature("currency", "category", "p.currency", "the market of the borrower"),
        EMPLOYMENT,
        *(feature for feature in DEBTS if feature.name != "max_days_past_due"),
        profile("total_sanctioned", "all credit ever granted"),
        profile("total_balance", "all balances"),
        profile("total_emi_monthly", "all instalments a month"),
        profile("tenure_months", "months as a customer"),
        profile("credit_vintage_months", "months since the oldest credit line"),
        profile("open_home_loan_lines", "open home loans"),
        profile("open_auto_loan_lines", "open car loans"),
        profile("open_credit_card_lines", "open credit cards"),
    ),
    targets=(
        Target(
            "monthly_income",
            "Monthly income in `currency`: salary credits under consent, else as declared.",
            0,
            kind="log_amount",
            options={"task": "amount"},
        ),
    ),
    explained_target="monthly_income",
    excluded={
        "state, city, postal_code, postal_prefix, time_zone": (
            "where a person lives stands for origin, and incomes enter decisions on credit: "
            "geography would predict better and is refused"
        ),
        "birth_year, language": "protected characteristics, or stand for one",
        "columns from account aggregators": (
            "known only where the income is known too; those who need the estimate have none"
        ),
        "visits, campaigns, messages": "excluded from decisions on credit",
    },
    limits=(
        "Learned from those who have said what they earn; those who have not may differ.",
        "Declared incomes are taken as they were declared.",
    ),
    aa_purpose="104",
    is_steady=True,
    protected=AGE_BAND,
    decides_credit=True,
)


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    *,
    task: Literal["amount", "class"] | None = None,
    **options: Unpack[Options],
) -> FittedModel:
    """Learn an income (any unit, zero or more) or an income class; see `supervised.fit`."""
    is_class = _is_class(y) if task is None else task == "class"
    return supervised.fit(
        FAMILY,
        X,
        y,
        kind="probability" if is_class else "log_amount",
        treatment=treatment,
        time=time,
        sample_weight=sample_weight,
        seed=seed,
        **options,
        with_intervals=not is_class,
    )


def _is_class(y: Any) -> bool:
    return bool(pd.Series(np.asarray(y).ravel()).dropna().isin((0, 1)).all())
