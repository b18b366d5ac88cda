"""A day's scores of the families beside customer ranking, each by its approved artefact.

A family without an approved version scores nothing, which is recorded; what then serves in its
place is older than the model: declared incomes, the campaigns' acceptance rate, the channel
estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    newest,
    publish_days,
    require,
)
from paymentor_assets.audit.sealing import refuse_changes_of_sealed_days
from paymentor_assets.lenders import Lender
from paymentor_assets.models import feature_frame
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.day_reader import DayReader
from paymentor_assets.models.families import (
    channel_preference,
    customer_segmentation,
    income_imputation,
    offer_propensity,
    user_affinity,
)
from paymentor_assets.models.registry import ApprovedModel, load_approved
from paymentor_assets.models.training_extract import (
    FEATURES_STAGE,
    INGESTION_STAGE,
    events_known_before,
    read_features,
)
from paymentor_assets.models.training_rows import CLICKS, profile_columns
from paymentor_assets.rankings import family_rows
from paymentor_assets.rankings.tables import (
    AFFINITY_INDEX,
    CHANNEL_PROPENSITY,
    CUSTOMER_SEGMENTS,
    INCOME_ESTIMATES,
    OFFER_PROPENSITY,
)
from resources.clock import naive_utc
from resources.errors import ContractError, NoApprovedModel
from resources.lakehouse import Lakehouse, TableContract
from resources.registry import ModelRegistry

STAGE = "scores"
#: A customer has a row for every product or part of the day, and channel; this bounds the memory.
BATCH_CUSTOMERS = 20_000

#: The table of each family.
TABLES: Mapping[str, TableContract] = {
    customer_segmentation.FAMILY: CUSTOMER_SEGMENTS,
    user_affinity.FAMILY: AFFINITY_INDEX,
    income_imputation.FAMILY: INCOME_ESTIMATES,
    offer_propensity.FAMILY: OFFER_PROPENSITY,
    channel_preference.FAMILY: CHANNEL_PROPENSITY,
}
_NO_AFFINITIES = pa.schema(
    [AFFINITY_INDEX.schema.field(name) for name in (*AFFINITY_INDEX.key, "score", "rank")]
).empty_table()


def approved_models(lake: Lakehouse, registry: ModelRegistry) -> dict[str, ApprovedModel]:
    """The approved artefact of each family of TABLES that has one.

    Raises ApprovalError when the bytes are not those that were approved.
    """
    found: dict[str, ApprovedModel] = {}
    for family in TABLES:
        try:
            found[family] = load_approved(lake, registry, family)
        except NoApprovedModel:
            continue
    return found


def not_scored(family: str) -> str:
    """What is said where a family has no approved version."""
    return f"no approved version of {family}; nothing was scored"


def score_day(
    lake: Lakehouse,
    models: Mapping[str, ApprovedModel],
    lender: Lender,
    day: date,
    run: RunInfo,
    *,
    sealed: Collection[date] = (),
) -> Publication | None:
    """Publish a lender's day of scores by `models`; None when there is nothing to publish.

    Scores of the day by a family that has lost its approval are withdrawn: its table is published
    without rows. Raises PublicationError when the day has no features, ContractError naming family
    and version for a frame the model cannot read, SealedDayError when the day is among the `sealed`
    ones and would be scored differently now. An unchanged result commits nothing.
    """
    earlier = newest(lake, STAGE, lender.lender_id, day)
    withdrawn = [
        table
        for family, table in TABLES.items()
        if family not in models and earlier is not None and table.name in earlier.tables
    ]
    if not models and not withdrawn:
        return None
    features = require(lake, FEATURES_STAGE, lender.lender_id, day)
    profiles = read_features(lake, features, "features.customer_profile", day, profile_columns())
    tables = {table: table.schema.empty_table() for table in withdrawn}
    for family, model in models.items():
        try:
            rows = _rows(lake, model.artefact, lender, features, profiles)
        except ContractError as error:
            raise ContractError(
                f"{family} version {model.version} cannot score: {error}"
            ) from error
        tables[TABLES[family]] = _signed(TABLES[family], rows, model, features.publication_id)
    refuse_changes_of_sealed_days(
        lake, {day} & set(sealed), stage=STAGE, lender_id=lender.lender_id, tables=tables
    )
    return publish_days(
        lake,
        stage=STAGE,
        lender_id=lender.lender_id,
        days=[day],
        tables=tables,
        inputs=[features.publication_id],
        run=run,
    )


def _rows(
    lake: Lakehouse,
    model: ModelArtefact,
    lender: Lender,
    features: Publication,
    profiles: pa.Table,
) -> pa.Table:
    """What a family says of all customers of the day of `features`."""
    if model.family != channel_preference.FAMILY:
        return scored_rows(lake, model, lender, profiles)
    columns = feature_frame.engagement_columns(channel_preference.SPEC)
    engagement = read_features(
        lake, features, "features.channel_engagement", features.as_of_date, columns
    )
    score = partial(family_rows.engagements, engagement=engagement, channels=lender.channels)
    return _in_parts(model, profiles, score)


def scored_rows(
    lake: Lakehouse, model: ModelArtefact, lender: Lender, profiles: pa.Table
) -> pa.Table:
    """What the family's artefact says of the customers of `profiles`, as known on each one's day.

    Rows of the family's table of TABLES, without the columns that say what they rest on. Channel
    preference is none of these families: it reads engagement beside the profiles.
    """
    score: Callable[[DayReader, pa.Table], pa.Table]
    match model.family:
        case user_affinity.FAMILY:
            return _affinities_by_day(lake, model, lender, profiles)
        case offer_propensity.FAMILY:
            score = partial(family_rows.propensities, channels=lender.channels)
        case income_imputation.FAMILY:
            score = family_rows.incomes
        case _:
            score = family_rows.segments
    return _in_parts(model, profiles, score)


def _in_parts(
    model: ModelArtefact, profiles: pa.Table, score: Callable[[DayReader, pa.Table], pa.Table]
) -> pa.Table:
    reader = DayReader(model)
    rows = pa.concat_tables(
        score(reader, profiles.slice(start, BATCH_CUSTOMERS))
        for start in range(0, max(profiles.num_rows, 1), BATCH_CUSTOMERS)
    )
    reader.check()
    return rows


def _affinities_by_day(
    lake: Lakehouse, model: ModelArtefact, lender: Lender, profiles: pa.Table
) -> pa.Table:
    ingestion = newest(lake, INGESTION_STAGE, lender.lender_id)
    days = profiles.column("as_of_date")
    found = []
    for day in sorted(days.unique().to_pylist()):
        # What is known at the very cut-off belongs to the day, as in the features.
        end = naive_utc(lender.cutoff_utc(day)) + timedelta(microseconds=1)
        clicks = events_known_before(lake, ingestion, CLICKS, lender.lender_id, end)
        of_day = profiles.filter(pc.equal(days, day))
        found.append(family_rows.affinities(DayReader(model), of_day, clicks))
    return pa.concat_tables(found) if found else _NO_AFFINITIES


def _signed(
    contract: TableContract, rows: pa.Table, model: ApprovedModel, features_publication_id: str
) -> pa.Table:
    """Rows of the contract, with the version, the artefact and the features they rest on."""
    said = {
        "model_version": str(model.version),
        "model_artefact_sha256": model.approval.artefact_sha256,
        "features_publication_id": features_publication_id,
    }
    for name, value in said.items():
        rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    return rows.select(contract.column_names).cast(contract.schema)
