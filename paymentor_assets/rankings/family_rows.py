"""What each family beside customer ranking says of some customers: from profiles to scored rows.

The frames are made by the code that makes the training extracts, so the two cannot differ. Each
function takes a model's reader, so that it may be called part by part. Which customers, by which
approval, and what is published stands in family_scores.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from paymentor_assets.models import families, feature_frame
from paymentor_assets.models.artefact import DECIMALS
from paymentor_assets.models.day_reader import DayReader
from paymentor_assets.models.families import (
    channel_preference,
    customer_segmentation,
    income_imputation,
    offer_propensity,
)
from paymentor_assets.models.families.customer_segmentation import Segmentation
from paymentor_assets.models.families.user_affinity import Affinity
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.feature_spec import columns_read
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.training_rows import known_incomes_sql, visits
from paymentor_assets.rankings.tables import DAY_PARTS
from resources.duck import connect
from resources.lakehouse import MONEY

#: Of the interval around an estimated income.
COVERAGE = 0.9

_Fitted = TypeVar("_Fitted", FittedModel, Segmentation, Affinity)


def frame_of(family: str, profiles: pa.Table) -> pa.Table:
    """The features of the customers of `profiles` that a family scores, after CUSTOMER_KEYS.

    Of income imputation those whose income is not known. What is an event's (the product of an
    offer, its channel) is no feature of a customer and left out; user affinity reads none.
    """
    spec: FamilySpec = families.get(family).SPEC
    customers = profiles.select(list(feature_frame.CUSTOMER_KEYS))
    if family == income_imputation.FAMILY:
        known = _known_incomes(profiles)
        unknown = known.filter(known.column("monthly_income").is_null())
        customers = unknown.select(list(feature_frame.CUSTOMER_KEYS))
    of_customer = tuple(f for f in spec.features if not columns_read([f], "e"))
    return feature_frame.of_customers(
        replace(spec, features=of_customer), profiles, events=customers
    )


def segments(model: DayReader, profiles: pa.Table) -> pa.Table:
    """The segment of every customer of `profiles` (columns of `profile_columns()`)."""
    fitted = _only(model, Segmentation)
    frame = frame_of(customer_segmentation.FAMILY, profiles)
    assigned = fitted.assign(model.features(frame))
    return _with(
        frame.select(list(feature_frame.CUSTOMER_KEYS)),
        segment_id=pa.array(assigned["segment_id"].to_numpy(np.int32)),
        segment=pa.array(assigned["segment"].to_numpy(), pa.string()),
        distance=pa.array(assigned["distance"].to_numpy().round(DECIMALS)),
    )


def affinities(model: DayReader, profiles: pa.Table, clicks: pa.Table) -> pa.Table:
    """Every product that customers of `profiles` have not looked at, ranked for each of them.

    `clicks` holds every version of the rows of CLICKS that is known. Customers without a visit have
    no rows. Equal scores are ranked by the product's name.
    """
    with connect() as con:
        con.register("profiles", profiles)
        con.register("visits", visits(clicks))
        events = con.execute(
            """
            SELECT v.customer_id, v.product, v.occurred_at FROM visits AS v
            WHERE v.customer_id IN (SELECT customer_id FROM profiles)
            """
        ).to_arrow_table()
        scored = _only(model, Affinity).score(events.to_pandas()).round({"score": DECIMALS})
        con.register("scored", scored.astype({"customer_id": "str", "product": "str"}))
        return con.execute(
            """
            SELECT p.lender_id, p.customer_id, s.product, p.as_of_date, s.score,
                   row_number() OVER (
                       PARTITION BY p.customer_id ORDER BY s.score DESC, s.product
                   ) AS rank
            FROM scored AS s JOIN profiles AS p USING (customer_id)
            """
        ).to_arrow_table()


def incomes(model: DayReader, profiles: pa.Table) -> pa.Table:
    """The income of every customer of `profiles`: known, or estimated with its interval."""
    fitted = _only(model, FittedModel)
    rows = _known_incomes(profiles)
    is_imputed = rows.column("monthly_income").is_null().to_numpy()
    # In the order of `rows`: both are ordered by lender, day and customer.
    frame = model.features(frame_of(income_imputation.FAMILY, profiles))
    income = rows.column("monthly_income").to_numpy().astype(np.float64)
    bounds = np.full((len(income), 2), np.nan)
    if len(frame):
        income[is_imputed] = fitted.predict(frame)
        bounds[is_imputed] = fitted.predict_interval(frame, COVERAGE)
    return _with(
        rows.drop(["monthly_income"]),
        income=_money(income),
        lower=_money(bounds[:, 0]),
        upper=_money(bounds[:, 1]),
        is_imputed=pa.array(is_imputed),
    )


def propensities(model: DayReader, profiles: pa.Table, channels: Collection[str]) -> pa.Table:
    """Acceptance by every customer of `profiles`, of every product learned, on every channel."""
    fitted = _only(model, FittedModel)
    learned = next(column for column in fitted.schema.columns if column.name == "product")
    with connect() as con:
        con.register("profiles", profiles)
        con.register("products", pa.table({"product": pa.array(learned.levels, pa.string())}))
        con.register("channels", pa.table({"channel": pa.array(sorted(channels), pa.string())}))
        offers = con.execute(
            """
            SELECT p.lender_id, p.customer_id, p.as_of_date, o.product, c.channel
            FROM profiles AS p CROSS JOIN products AS o CROSS JOIN channels AS c
            """
        ).to_arrow_table()
    found = feature_frame.of_customers(offer_propensity.SPEC, profiles, events=offers)
    frame = model.features(found)
    uplift: pa.Array = pa.nulls(len(frame), pa.float64())
    if fitted.knows_uplift:
        uplift = pa.array(fitted.predict_uplift(frame).round(DECIMALS))
    return _with(
        found.select([*feature_frame.CUSTOMER_KEYS, "product", "channel"]),
        p_accept=pa.array(fitted.predict(frame).round(DECIMALS)),
        uplift=uplift,
    )


def engagements(
    model: DayReader, profiles: pa.Table, engagement: pa.Table, channels: Collection[str]
) -> pa.Table:
    """Engagement of every customer of `profiles`, on every channel in every part of the day.

    `engagement` has the columns of `feature_frame.engagement_columns` for the family; rows of other
    customers are not looked at. Rank 1 is the customer's likeliest channel in that part of the day.
    """
    with connect() as con:
        con.register("profiles", profiles)
        con.register("channels", pa.table({"channel": pa.array(sorted(channels), pa.string())}))
        con.register("parts", pa.table({"hour_band": pa.array(DAY_PARTS, pa.string())}))
        contacts = con.execute(
            """
            SELECT p.lender_id, p.customer_id, p.as_of_date, c.channel, h.hour_band
            FROM profiles AS p CROSS JOIN channels AS c CROSS JOIN parts AS h
            """
        ).to_arrow_table()
    found = feature_frame.of_customers(
        channel_preference.SPEC, profiles, events=contacts, engagement=engagement
    )
    p_engage = _only(model, FittedModel).predict(model.features(found)).round(DECIMALS)
    who = pd.MultiIndex.from_frame(found.select(["customer_id", "hour_band"]).to_pandas())
    rank = channel_preference.ranks(
        who.factorize()[0], found.column("channel").to_numpy(), p_engage
    )
    return _with(
        found.select([*feature_frame.CUSTOMER_KEYS, "channel", "hour_band"]),
        p_engage=pa.array(p_engage),
        rank=pa.array(rank, pa.int32()),
    )


def _known_incomes(profiles: pa.Table) -> pa.Table:
    """Every customer of `profiles` with currency and income, in order; null where not known."""
    with connect() as con:
        con.register("profiles", profiles)
        return con.execute(
            f"""
            SELECT p.lender_id, p.customer_id, p.as_of_date, p.currency, k.monthly_income
            FROM profiles AS p
            LEFT JOIN ({known_incomes_sql(income_imputation.SPEC)}) AS k
                USING (lender_id, customer_id, as_of_date)
            ORDER BY p.lender_id, p.as_of_date, p.customer_id
            """
        ).to_arrow_table()


def _only(model: DayReader, kind: type[_Fitted]) -> _Fitted:
    """The one model of a family's artefact."""
    (fitted,) = model.of_parts.targets.values()
    if not isinstance(fitted, kind):
        raise TypeError(f"{model.of_parts.family}: a {kind.__name__} was expected.")
    return fitted


def _money(values: Floats) -> pa.Array:
    return pa.array(values.round(2), from_pandas=True).cast(MONEY)


def _with(rows: pa.Table, **values: pa.Array) -> pa.Table:
    for name, column in values.items():
        rows = rows.append_column(name, column)
    return rows
