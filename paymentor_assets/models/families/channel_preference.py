"""Channel preference: who engages, on which channel, in which band of hours.

One row is one contact: the customer's features with `channel` and `hour_band` among them. Past
contacts went where past policies sent them, so their channels stand for the customers who were
chosen. `propensity` (the known probability with which the policy chose this channel) undoes that:
rows are weighted by its inverse, and contacts whose channel was drawn at random count as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from paymentor_assets.models.customer_features import AGE_BAND, ENGAGEMENT
from paymentor_assets.models.family_spec import FamilySpec, Target
from paymentor_assets.models.feature_spec import Feature, profile
from paymentor_assets.models.learning import supervised, targets
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.options import Options, with_post_outcome
from paymentor_assets.models.learning.supervised import FittedModel
from resources.errors import ContractError
from resources.lakehouse import column

FAMILY = "channel_preference"

#: What is recorded of a contact once the customer has, or has not, answered.
POST_OUTCOME = frozenset(
    {
        "duration",
        "call_duration",
        "call_duration_seconds",
        "talk_time",
        "talk_seconds",
        "outcome",
        "opened_at_utc",
        "clicked_at_utc",
        "replied_at_utc",
        "delivered_at_utc",
        "engaged_at_utc",
    }
)
#: An inverse propensity counts at most this often: a single row must not be the model.
MAX_WEIGHT = 10.0
#: Contacts of the week after the as-of day, and how long their answers take to be known.
CONTACT_HORIZON = 9


FEATURES: tuple[Feature, ...] = (
    Feature("channel", "category", "e.channel", "the channel"),
    Feature("hour_band", "category", "e.hour_band", "the part of the day"),
    Feature("channel_attempts", "number", "g.attempts_180d", "contacts on the channel, 180 days"),
    Feature(
        "channel_engaged_share",
        "number",
        "g.engaged_180d / nullif(g.attempts_180d, 0)",
        "the share of them that was answered",
    ),
    *ENGAGEMENT,
    profile("max_days_past_due", "the most days past due over all accounts"),
    profile("open_accounts", "open accounts with the lender"),
    profile("clickstream_events_30d", "visits to the lender's pages within 30 days"),
)

SPEC = FamilySpec(
    family=FAMILY,
    purpose=(
        "Predicts whether a contact is engaged with, by channel and part of the day, so that a "
        "borrower's channels can be put in order. Whether a contact may be made at all is decided "
        "by the compliance gate."
    ),
    features=FEATURES,
    targets=(
        Target("engaged", "Opened, clicked, replied, or spoken to in person.", CONTACT_HORIZON),
    ),
    explained_target="engaged",
    excluded={
        "country, state, city, postal_code, time_zone, language, birth_year": (
            "protected characteristics, or stand for one; the time zone only dates the contact"
        ),
        "columns from account aggregators": "no consent covers choosing a channel",
    },
    limits=(
        "Learned from the lender's own contact log; of the platform's messages only counts enter.",
        "Contacts whose channel was not drawn at random count a quarter: they tell what the old "
        "policy's choice did for those it chose.",
    ),
    aa_purpose=None,
    extras=(
        column("is_randomised", pa.bool_(), "Whether the channel was drawn at random."),
        column("weight", pa.float64(), "1 for a randomised contact, a quarter for another."),
    ),
    weight="weight",
    judged_apart="randomised",
    protected=AGE_BAND,
)


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    *,
    propensity: Any = None,
    **options: Unpack[Options],
) -> FittedModel:
    """Learn whether a contact was engaged with (1) or not (0).

    `propensity`, in (0, 1], one a row: the probability with which this channel was chosen. See
    `supervised.fit` for the other shapes and errors.
    """
    return supervised.fit(
        FAMILY,
        X,
        y,
        kind="probability",
        treatment=treatment,
        time=time,
        sample_weight=_weighted(sample_weight, propensity, len(X)),
        seed=seed,
        **with_post_outcome(options, POST_OUTCOME),
    )


def rank_channels(model: FittedModel, X: pd.DataFrame, channels: Collection[str]) -> pd.DataFrame:  # noqa: N803
    """Each row's channels by predicted engagement: `row`, `channel`, `p_engage`, `rank` (1 best).

    `X` holds the model's columns; its `channel` is replaced by each of `channels` in turn.
    """
    asked = sorted(set(channels))
    scored = pd.DataFrame(
        {
            "row": np.tile(np.arange(len(X)), len(asked)),
            "channel": np.repeat(asked, len(X)),
            "p_engage": np.concatenate(
                [model.predict(X.assign(channel=channel)) for channel in asked]
            ),
        }
    )
    scored["rank"] = ranks(scored["row"], scored["channel"], scored["p_engage"])
    return scored.sort_values(["row", "rank"], ignore_index=True)


def ranks(row: Any, channel: Any, p_engage: Any) -> npt.NDArray[np.int64]:
    """Each channel's place among those of the same `row`: 1 is the likeliest, then by its name.

    Three vectors of one value a scored row; shape (scored rows,).
    """
    scored = pd.DataFrame({"row": row, "channel": channel, "p_engage": p_engage})
    ordered = scored.sort_values(["row", "p_engage", "channel"], ascending=[True, False, True])
    place = ordered.groupby("row").cumcount().sort_index() + 1
    return np.asarray(place, dtype=np.int64)


def _weighted(sample_weight: Any, propensity: Any, rows: int) -> Floats | None:
    if propensity is None:
        return (
            None
            if sample_weight is None
            else targets.numbers(FAMILY, "sample_weight", sample_weight, rows)
        )
    chosen = targets.numbers(FAMILY, "propensity", propensity, rows)
    if ((chosen <= 0) | (chosen > 1)).any():
        raise ContractError(f"{FAMILY}: propensity must be above 0 and at most 1.")
    weight = np.minimum(1 / chosen, MAX_WEIGHT)
    if sample_weight is None:
        return weight
    return weight * targets.numbers(FAMILY, "sample_weight", sample_weight, rows)
