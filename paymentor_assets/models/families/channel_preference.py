"""Channel preference: who engages, on which channel, in which band of hours.

One row is one contact: the customer's features with `channel` and `hour_band` among them. Past
contacts went where past policies sent them, so their channels stand for the customers who were
chosen. `propensity` (the known probability with which the policy chose this channel) undoes that:
rows are weighted by its inverse, and contacts whose channel was drawn at random count as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from paymentor_assets.models.learning import supervised, targets
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.fitting import CHOOSE_ON
from paymentor_assets.models.learning.supervised import FittedModel
from resources.errors import ContractError

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


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    *,
    propensity: Any = None,
    drop_leaks: bool = False,
    post_outcome: Collection[str] = (),
    choose_on: int = CHOOSE_ON,
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
        drop_leaks=drop_leaks,
        choose_on=choose_on,
        post_outcome=POST_OUTCOME.union(post_outcome),
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
    ).sort_values(["row", "p_engage", "channel"], ascending=[True, False, True])
    scored["rank"] = scored.groupby("row").cumcount() + 1
    return scored.reset_index(drop=True)


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
