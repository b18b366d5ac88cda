"""A day's rankings: read the published features, score, publish."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pyarrow as pa

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    publish_days,
    require,
)
from paymentor_assets.audit.sealing import refuse_changes_of_sealed_days
from paymentor_assets.lenders import Lender
from paymentor_assets.models import feature_frame
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.registry import ApprovedModel, load_approved
from paymentor_assets.models.training_extract import FEATURES_STAGE, read_features
from paymentor_assets.rankings import channel_preference
from paymentor_assets.rankings.scoring import BATCH_ROWS, rank_accounts
from paymentor_assets.rankings.tables import CHANNEL_PREFERENCES, CUSTOMER_RANKINGS
from resources.crash_points import reach, register
from resources.lakehouse import Lakehouse, TableContract
from resources.registry import ModelRegistry

register("rankings.before_publish", "rankings.after_publish")

STAGE = "rankings"


def rank_day(
    lake: Lakehouse,
    registry: ModelRegistry,
    lender: Lender,
    day: date,
    run: RunInfo,
    *,
    sealed: Collection[date] = (),
) -> Publication:
    """Rank all open accounts of a lender's day and publish the result.

    Reads the newest features publication of the day. Raises NoApprovedModel or ApprovalError when
    nothing may score, PublicationError when the day has no features, SealedDayError when the day is
    among the `sealed` ones and would rank differently now. An unchanged result commits nothing.
    """
    tables, features = compute_day(lake, registry, lender, day)
    refuse_changes_of_sealed_days(
        lake, {day} & set(sealed), stage=STAGE, lender_id=lender.lender_id, tables=tables
    )
    reach("rankings.before_publish")
    publication = publish_days(
        lake,
        stage=STAGE,
        lender_id=lender.lender_id,
        days=[day],
        tables=tables,
        inputs=[features.publication_id],
        run=run,
    )
    reach("rankings.after_publish")
    return publication


def compute_day(
    lake: Lakehouse, registry: ModelRegistry, lender: Lender, day: date
) -> tuple[dict[TableContract, pa.Table], Publication]:
    """What `rank_day` would publish, and the features it rests on; writes nothing."""
    model = load_approved(lake, registry, family.FAMILY)
    features = require(lake, FEATURES_STAGE, lender.lender_id, day)
    rankings = rankings_of(lake, model, features, day)
    # What the frames were made of is gone by now: at a million accounts it is most of the memory.
    preferences = _preferences(lake, lender, features, day, rankings)
    return {CUSTOMER_RANKINGS: rankings, CHANNEL_PREFERENCES: preferences}, features


def rankings_of(
    lake: Lakehouse, model: ApprovedModel, features: Publication, day: date
) -> pa.Table:
    """Rows of decisions.customer_rankings of a published day of features, scored by `model`."""
    accounts, profiles = (
        read_features(lake, features, name, day, columns)
        for name, columns in (
            ("features.account_features", feature_frame.account_columns()),
            ("features.customer_profile", feature_frame.profile_columns()),
        )
    )
    frames = feature_frame.batches(accounts, profiles, BATCH_ROWS)
    return rank_accounts(model, frames, features.publication_id)


def _preferences(
    lake: Lakehouse, lender: Lender, features: Publication, day: date, rankings: pa.Table
) -> pa.Table:
    """Of the customers with an open account, who are those of the rankings."""
    key = ["lender_id", "customer_id", "as_of_date"]
    countries = read_features(lake, features, "features.customer_profile", day, [*key, "country"])
    customers = rankings.select(key).group_by(key).aggregate([])
    engagement = channel_preference.engagement_columns()
    return channel_preference.preferences(
        customers.join(countries, keys=key, join_type="left outer"),
        read_features(lake, features, "features.channel_engagement", day, engagement),
        channels=list(lender.channels),
        features_publication_id=features.publication_id,
    )
