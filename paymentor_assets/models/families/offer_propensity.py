"""Offer propensity: who accepts an offer, and whom the offer changes.

Without a treatment `predict` is the probability of accepting. With one (was the offer made?),
`predict` is the probability when it is made and `predict_uplift` what making it adds.
"""

from __future__ import annotations

from typing import Any, Unpack

import pandas as pd
import pyarrow as pa

from paymentor_assets.models.customer_features import AGE_BAND, EMPLOYMENT, ENGAGEMENT, INTEREST
from paymentor_assets.models.family_spec import FamilySpec, Target
from paymentor_assets.models.feature_spec import Feature, profile
from paymentor_assets.models.learning import supervised
from paymentor_assets.models.learning.options import Options, with_post_outcome
from paymentor_assets.models.learning.supervised import FittedModel
from resources.lakehouse import column

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


#: Offers of the week after the as-of day, and the days in which they are answered.
OFFER_HORIZON = 14

SPEC = FamilySpec(
    family=FAMILY,
    purpose=(
        "Predicts whether a borrower accepts an offer of a product on a channel, and, where the "
        "campaigns had a control group, what making the offer adds. It orders offers; whether one "
        "may be made is decided by the offer policy and the compliance gate."
    ),
    features=(
        Feature("product", "category", "e.product", "the product offered"),
        Feature("channel", "category", "e.channel", "the channel of the offer"),
        Feature(
            "viewed_product_last",
            "number",
            "CAST(p.last_product_viewed = e.product AS INTEGER)",
            "whether the product was the last one viewed",
        ),
        *INTEREST,
        *ENGAGEMENT,
        EMPLOYMENT,
        profile("tenure_months", "months as a customer"),
        profile("open_accounts", "open accounts with the lender"),
    ),
    targets=(Target("accepted", "Accepted the product.", OFFER_HORIZON),),
    explained_target="accepted",
    excluded={
        "country, state, city, postal_code, time_zone, language, birth_year": (
            "protected characteristics, or stand for one"
        ),
        "columns from account aggregators": "no consent covers marketing",
        "bureau columns": "a bureau report is fetched for credit, not for marketing",
    },
    limits=("Learned from those whom past campaigns chose: customers without arrears.",),
    aa_purpose=None,
    extras=(column("is_offered", pa.bool_(), "Whether the offer was made; false is a control."),),
    treatment="is_offered",
    protected=AGE_BAND,
)


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    **options: Unpack[Options],
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
        **with_post_outcome(options, POST_OUTCOME),
    )
