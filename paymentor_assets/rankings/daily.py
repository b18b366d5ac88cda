"""A day's rankings: read the published features, score, publish."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    publish_days,
    read_table,
    require,
)
from paymentor_assets.audit.sealing import refuse_changes_of_sealed_days
from paymentor_assets.lenders import Lender
from paymentor_assets.models import feature_frame
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.registry import load_approved
from paymentor_assets.models.training_extract import FEATURES_STAGE, feature_contract
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
    accounts = _read(
        lake, features, "features.account_features", day, feature_frame.account_columns()
    )
    profiles = _read(
        lake,
        features,
        "features.customer_profile",
        day,
        sorted({*feature_frame.profile_columns(), "country"}),
    )
    engagement = _read(
        lake,
        features,
        "features.channel_engagement",
        day,
        channel_preference.engagement_columns(),
    )
    frames = feature_frame.batches(accounts, profiles, BATCH_ROWS)
    tables = {
        CUSTOMER_RANKINGS: rank_accounts(model, frames, features.publication_id),
        CHANNEL_PREFERENCES: channel_preference.preferences(
            _customers(accounts, profiles),
            engagement,
            channels=list(lender.channels),
            features_publication_id=features.publication_id,
        ),
    }
    return tables, features


def _read(
    lake: Lakehouse, features: Publication, name: str, day: date, columns: list[str]
) -> pa.Table:
    return read_table(lake, features, feature_contract(lake, name), day, columns)


def _customers(accounts: pa.Table, profiles: pa.Table) -> pa.Table:
    """Customers with an open account, and their country."""
    key = ["lender_id", "customer_id", "as_of_date"]
    is_open = pc.equal(accounts.column("account_status"), "open")
    ranked = accounts.select(key).filter(is_open).group_by(key).aggregate([])
    return ranked.join(profiles.select([*key, "country"]), keys=key, join_type="left outer")
