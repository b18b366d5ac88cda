"""What planning reads of the lakehouse, pinned to the newest publications of the day."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
from pyiceberg.expressions import And, EqualTo, LessThanOrEqual

from paymentor_assets.audit.publications import Publication, lender_days, newest, require
from paymentor_assets.lenders import Lender
from paymentor_assets.offers.affordability import READ_FROM_PROFILE as OFFERS_READ_FROM_PROFILE
from paymentor_assets.offers.candidates import READ_FROM_ACCOUNTS as OFFERS_READ_FROM_ACCOUNTS
from paymentor_assets.offers.candidates import READ_FROM_CAMPAIGNS
from paymentor_assets.strategies.candidates import (
    READ_FROM_ACCOUNTS,
    READ_FROM_PREFERENCES,
    READ_FROM_PROFILE,
    READ_FROM_RANKINGS,
)
from paymentor_assets.strategies.decide import DayInputs
from resources.clock import naive_utc
from resources.duck import connect
from resources.errors import PublicationError
from resources.lakehouse import Lakehouse

_CAMPAIGNS = pa.schema(
    [
        ("response_id", pa.string()),
        ("product", pa.string()),
        ("response", pa.string()),
        ("is_control", pa.bool_()),
    ]
)


def read_inputs(lake: Lakehouse, lender: Lender, day: date) -> DayInputs:
    """Features and rankings of the day, and the campaign history known at its cut-off.

    Raises PublicationError when a stage has not published the day.
    """
    features = require(lake, "features", lender.lender_id, day)
    rankings = require(lake, "rankings", lender.lender_id, day)
    ingestion = newest(lake, "ingestion", lender.lender_id)
    publications = [features.publication_id, rankings.publication_id]
    if ingestion is not None:
        publications.append(ingestion.publication_id)
    return DayInputs(
        profile=_rows(
            lake,
            features,
            "features.customer_profile",
            day,
            READ_FROM_PROFILE + OFFERS_READ_FROM_PROFILE,
        ),
        accounts=_rows(
            lake,
            features,
            "features.account_features",
            day,
            READ_FROM_ACCOUNTS + OFFERS_READ_FROM_ACCOUNTS,
        ),
        rankings=_rows(lake, rankings, "decisions.customer_rankings", day, READ_FROM_RANKINGS),
        preferences=_rows(
            lake, rankings, "decisions.channel_preferences", day, READ_FROM_PREFERENCES
        ),
        campaigns=_campaigns(lake, ingestion, lender, day),
        publications=publications,
    )


def _rows(
    lake: Lakehouse, publication: Publication, name: str, day: date, columns: tuple[str, ...]
) -> pa.Table:
    snapshot = publication.table(name).snapshot_id
    if not lake.has_snapshot(name, snapshot):
        raise PublicationError(
            f"Snapshot {snapshot} of {name} was expired; publish {publication.stage} of "
            f"{day.isoformat()} again before planning it."
        )
    row_filter = lender_days(publication.lender_id, [day])
    return lake.scan(name, snapshot, row_filter, sorted(set(columns)))


def _campaigns(
    lake: Lakehouse, ingestion: Publication | None, lender: Lender, day: date
) -> pa.Table:
    if ingestion is None or "raw.campaign_responses" not in ingestion.tables:
        return _CAMPAIGNS.empty_table()
    known = And(
        EqualTo("_lender_id", lender.lender_id),
        LessThanOrEqual("_known_at", naive_utc(lender.cutoff_utc(day)).isoformat()),
    )
    provenance = ["_known_at", "_file_id", "_row_number"]
    rows = lake.scan(
        "raw.campaign_responses",
        ingestion.table("raw.campaign_responses").snapshot_id,
        known,
        [*READ_FROM_CAMPAIGNS, *provenance],
    )
    with connect() as con:
        con.register("known", rows)
        return (
            con.execute(
                "SELECT response_id, product, response, is_control FROM known "
                "QUALIFY row_number() OVER (PARTITION BY response_id "
                "ORDER BY _known_at DESC, _file_id DESC, _row_number DESC) = 1 "
                "ORDER BY response_id"
            )
            .to_arrow_table()
            .cast(_CAMPAIGNS)
        )
