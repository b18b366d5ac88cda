"""What monitoring watches of each family that scores daily: frames, scores, and their outcomes.

A family says here how its frame of a day is made and scored again, which published columns are
watched for their spread, and which of them promise something that later comes true or not. How that
is measured is the same for all (`monitors`).

Channels are not among them: strategies choose by an estimator that is fitted anew every day.
Segments and incomes promise nothing that could be held against them by the week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa

from paymentor_assets.audit.publications import Publication, covering, read_table
from paymentor_assets.lenders import Lender
from paymentor_assets.models import feature_frame
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.families import (
    customer_ranking,
    customer_segmentation,
    income_imputation,
    offer_propensity,
    user_affinity,
)
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.training_extract import FEATURES_STAGE, feature_contract
from paymentor_assets.models.training_rows import profile_columns
from paymentor_assets.rankings import daily, family_rows, family_scores, outcomes
from paymentor_assets.rankings.scoring import predict
from paymentor_assets.rankings.tables import CUSTOMER_RANKINGS
from resources.lakehouse import Lakehouse, TableContract


@dataclass(frozen=True)
class Spread:
    """A published column whose spread is compared with the reference."""

    column: str
    #: Names rather than numbers.
    is_category: bool = False
    #: Only rows in which this column is true.
    only: str | None = None


@dataclass(frozen=True)
class Promise:
    """A published column that says how likely something is that becomes known later."""

    column: str
    #: The outcome: a target of the family, or what `read` calls it.
    target: str
    #: Days after which it is known.
    horizon: int
    read: outcomes.Reader
    #: A place in an order, 1 first, is no probability: its lift is measured, not its calibration.
    is_probability: bool = True

    def said(self, rows: pa.Table) -> Floats:
        """The larger, the more likely; shape (rows,)."""
        values: Floats = rows.column(self.column).to_numpy().astype(np.float64)
        return values if self.is_probability else 1 / values


@dataclass(frozen=True)
class Seen:
    """Days as the model saw them: the feature frame, and what it says of the same rows.

    Both have `customer_id` and `as_of_date`; `scores` has the columns of the family's spreads.
    """

    frame: pa.Table
    scores: pa.Table


@dataclass(frozen=True)
class FeatureDays:
    """The published features of a lender's days, read once for all families."""

    lake: Lakehouse
    lender: Lender
    #: Evenly spaced customers (or accounts) of each day at most.
    most_rows: int
    _profiles: dict[date, pa.Table] = field(default_factory=dict)

    @cached_property
    def published(self) -> Mapping[date, Publication]:
        """The days that have features, and the publication of each."""
        return covering(self.lake, FEATURES_STAGE, self.lender.lender_id)

    def read(self, day: date, name: str, columns: Sequence[str]) -> pa.Table:
        """A features table of one day; KeyError for a day without features."""
        return read_table(
            self.lake, self.published[day], feature_contract(self.lake, name), day, columns
        ).select(list(columns))

    def customers(self, day: date) -> pa.Table:
        """Profiles of a day's customers, with `profile_columns()`."""
        if day not in self._profiles:
            rows = self.read(day, "features.customer_profile", profile_columns())
            self._profiles[day] = evenly(rows.sort_by("customer_id"), self.most_rows)
        return self._profiles[day]


Look = Callable[[FeatureDays, ModelArtefact, Sequence[date]], Seen]


@dataclass(frozen=True)
class Watched:
    """A family, the table in which it scores, and what is watched of it."""

    family: str
    stage: str
    table: TableContract
    look: Look
    spreads: tuple[Spread, ...]
    promises: tuple[Promise, ...] = ()


@dataclass(frozen=True)
class Scored:
    """A family's scores of a day, and the artefact that made them."""

    watched: Watched
    lender: Lender
    day: date
    rows: pa.Table
    version: int
    model: ModelArtefact


def _accounts(features: FeatureDays, model: ModelArtefact, days: Sequence[date]) -> Seen:
    columns = {
        "features.account_features": feature_frame.account_columns(),
        "features.customer_profile": feature_frame.profile_columns(),
    }
    frame = pa.concat_tables(
        evenly(
            feature_frame.build(*(features.read(day, *table) for table in columns.items())),
            features.most_rows,
        )
        for day in days
    )
    said = predict(model, frame)
    scores = {promise.column: said[promise.target] for promise in RANKING_PROMISES}
    about = {name: frame.column(name) for name in ("customer_id", "as_of_date")}
    return Seen(frame, pa.table({**about, **scores}))


def _customers(features: FeatureDays, model: ModelArtefact, days: Sequence[date]) -> Seen:
    profiles = pa.concat_tables(features.customers(day) for day in days)
    frame = family_rows.frame_of(model.family, profiles)
    return Seen(frame, family_scores.scored_rows(features.lake, model, features.lender, profiles))


def evenly(rows: pa.Table, most: int) -> pa.Table:
    """At most so many rows, evenly spaced."""
    taken = np.linspace(0, rows.num_rows - 1, min(rows.num_rows, most)).astype(np.int64)
    return rows.take(taken)


RANKING_PROMISES = (
    Promise("p_pay_7d", "paid_7d", 7, outcomes.label("paid_7d")),
    Promise("p_pay_30d", "paid_30d", 30, outcomes.label("paid_30d")),
)
_SPREADS: Mapping[str, tuple[Spread, ...]] = {
    customer_segmentation.FAMILY: (Spread("segment", is_category=True), Spread("distance")),
    user_affinity.FAMILY: (Spread("score"),),
    income_imputation.FAMILY: (Spread("income", only="is_imputed"),),
    offer_propensity.FAMILY: (Spread("p_accept"),),
}
_PROMISES: Mapping[str, tuple[Promise, ...]] = {
    user_affinity.FAMILY: (Promise("rank", "visited", 9, outcomes.visited, is_probability=False),),
    offer_propensity.FAMILY: (
        Promise("p_accept", "accepted", offer_propensity.OFFER_HORIZON, outcomes.accepted),
    ),
}

WATCHED = (
    Watched(
        customer_ranking.FAMILY,
        daily.STAGE,
        CUSTOMER_RANKINGS,
        _accounts,
        tuple(Spread(promise.column) for promise in RANKING_PROMISES),
        RANKING_PROMISES,
    ),
    *(
        Watched(
            family,
            family_scores.STAGE,
            family_scores.TABLES[family],
            _customers,
            spreads,
            _PROMISES.get(family, ()),
        )
        for family, spreads in _SPREADS.items()
    ),
)
