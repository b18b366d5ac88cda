"""Offer propensity: who accepts an offer, and whom the offer changes.

Without a treatment `predict` is the probability of accepting. With one (was the offer made?),
`predict` is the probability when it is made and `predict_uplift` what making it adds.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from paymentor_assets.models.learning import supervised
from paymentor_assets.models.learning.fitting import CHOOSE_ON
from paymentor_assets.models.learning.supervised import FittedModel

FAMILY = "offer_propensity"

#: What a campaign records of a contact only once the answer is known: how long the call took is
#: the textbook case (Moro, Cortez & Rita 2014).
POST_OUTCOME = frozenset(
    {
        "duration",
        "call_duration",
        "call_duration_seconds",
        "talk_time",
        "talk_seconds",
        "outcome",
        "response",
        "responded_at",
        "responded_at_utc",
        "accepted_at",
        "accepted_at_utc",
        "purchase_amount",
        "disbursed_amount",
    }
)


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    *,
    drop_leaks: bool = False,
    post_outcome: Collection[str] = (),
    choose_on: int = CHOOSE_ON,
) -> FittedModel:
    """Learn acceptance (1) or not (0); see `supervised.fit` for shapes and errors."""
    return supervised.fit(
        FAMILY,
        X,
        y,
        kind="probability",
        treatment=treatment,
        time=time,
        sample_weight=sample_weight,
        seed=seed,
        drop_leaks=drop_leaks,
        choose_on=choose_on,
        post_outcome=POST_OUTCOME.union(post_outcome),
    )
