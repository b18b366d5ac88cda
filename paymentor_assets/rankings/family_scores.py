"""A day's scores of the families beside customer ranking, each by its approved artefact.

The frames are made by the code that makes the training extracts, so the two cannot differ. A family
without an approved version scores nothing, which is recorded; what then serves in its place is
older than the model: declared incomes, the campaigns' acceptance rate, the channel estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    newest,
    publish_days,
    read_table,
    require,
)
from paymentor_assets.audit.sealing import refuse_changes_of_sealed_days
from paymentor_assets.lenders import Lender
from paymentor_assets.models import families, feature_frame
from paymentor_assets.models.artefact import DECIMALS, ModelArtefact
from paymentor_assets.models.families import (
    customer_segmentation,
    income_imputation,
    offer_propensity,
    user_affinity,
)
from paymentor_assets.models.families.customer_segmentation import Segmentation
from paymentor_assets.models.families.user_affinity import Affinity
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.feature_spec import columns_read
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.registry import ApprovedModel, load_approved
from paymentor_assets.models.training_extract import (
    FEATURES_STAGE,
    INGESTION_STAGE,
    events_known_before,
    feature_contract,
)
from paymentor_assets.models.training_rows import (
    CLICKS,
    known_incomes_sql,
    profile_columns,
    visits,
)
from paymentor_assets.rankings.tables import (
    AFFINITY_INDEX,
    CUSTOMER_SEGMENTS,
    INCOME_ESTIMATES,
    OFFER_PROPENSITY,
)
from resources.clock import naive_utc
from resources.duck import connect
from resources.errors import ContractError, NoApprovedModel
from resources.lakehouse import MONEY, Lakehouse, TableContract
from resources.registry import ModelRegistry

STAGE = "scores"
#: Of the interval around an estimated income.
COVERAGE = 0.9
#: A customer has an offer row for every product and channel; this bounds the memory of them.
BATCH_CUSTOMERS = 20_000

#: The table of each family.
TABLES: Mapping[str, TableContract] = {
    customer_segmentation.FAMILY: CUSTOMER_SEGMENTS,
    user_affinity.FAMILY: AFFINITY_INDEX,
    income_imputation.FAMILY: INCOME_ESTIMATES,
    offer_propensity.FAMILY: OFFER_PROPENSITY,
}

_NO_AFFINITIES = pa.schema(
    [AFFINITY_INDEX.schema.field(name) for name in (*AFFINITY_INDEX.key, "score", "rank")]
).empty_table()

_Fitted = TypeVar("_Fitted", FittedModel, Segmentation, Affinity)


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
    contract = feature_contract(lake, "features.customer_profile")
    profiles = read_table(lake, features, contract, day, profile_columns())
    tables = {table: table.schema.empty_table() for table in withdrawn}
    for family, model in models.items():
        try:
            rows = scored_rows(lake, model.artefact, lender, profiles)
        except ContractError as error:
            raise ContractError(f"Version {model.version} of {error}") from error
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


def segments(model: ModelArtefact, profiles: pa.Table) -> pa.Table:
    """The segment of every customer of `profiles` (columns of `profile_columns()`)."""
    fitted = _only(model, Segmentation)
    frame = frame_of(model.family, profiles)
    assigned = fitted.assign(_features(model, frame))
    return _with(
        frame.select(list(feature_frame.CUSTOMER_KEYS)),
        segment_id=pa.array(assigned["segment_id"].to_numpy(np.int32)),
        segment=pa.array(assigned["segment"].to_numpy(), pa.string()),
        distance=pa.array(assigned["distance"].to_numpy().round(DECIMALS)),
    )


def affinities(model: ModelArtefact, profiles: pa.Table, clicks: pa.Table) -> pa.Table:
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


def incomes(model: ModelArtefact, profiles: pa.Table) -> pa.Table:
    """The income of every customer of `profiles`: known, or estimated with its interval."""
    fitted = _only(model, FittedModel)
    rows = _known_incomes(profiles)
    is_imputed = rows.column("monthly_income").is_null().to_numpy()
    # In the order of `rows`: both are ordered by lender, day and customer.
    frame = _features(model, frame_of(model.family, profiles))
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


def propensities(model: ModelArtefact, profiles: pa.Table, channels: Collection[str]) -> pa.Table:
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
    frame = _features(model, found)
    uplift: pa.Array = pa.nulls(len(frame), pa.float64())
    if fitted.knows_uplift:
        uplift = pa.array(fitted.predict_uplift(frame).round(DECIMALS))
    return _with(
        found.select([*feature_frame.CUSTOMER_KEYS, "product", "channel"]),
        p_accept=pa.array(fitted.predict(frame).round(DECIMALS)),
        uplift=uplift,
    )


def scored_rows(
    lake: Lakehouse, model: ModelArtefact, lender: Lender, profiles: pa.Table
) -> pa.Table:
    """What the family's artefact says of the customers of `profiles`, as known on each one's day.

    Rows of the family's table of TABLES, without the columns that say what they rest on.
    """
    if model.family == user_affinity.FAMILY:
        return _affinities_by_day(lake, model, lender, profiles)
    scored: Mapping[str, Callable[[pa.Table], pa.Table]] = {
        customer_segmentation.FAMILY: lambda some: segments(model, some),
        income_imputation.FAMILY: lambda some: incomes(model, some),
        offer_propensity.FAMILY: lambda some: propensities(model, some, lender.channels),
    }
    return pa.concat_tables(
        scored[model.family](profiles.slice(start, BATCH_CUSTOMERS))
        for start in range(0, max(profiles.num_rows, 1), BATCH_CUSTOMERS)
    )


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
        found.append(affinities(model, profiles.filter(pc.equal(days, day)), clicks))
    return pa.concat_tables(found) if found else _NO_AFFINITIES


def _only(model: ModelArtefact, kind: type[_Fitted]) -> _Fitted:
    """The one model of a family's artefact."""
    (fitted,) = model.targets.values()
    if not isinstance(fitted, kind):
        raise TypeError(f"{model.family}: a {kind.__name__} was expected.")
    return fitted


def _features(model: ModelArtefact, frame: pa.Table) -> pd.DataFrame:
    features: pd.DataFrame = frame.select(list(model.phrases)).to_pandas()
    return features


def _money(values: Floats) -> pa.Array:
    return pa.array(values.round(2), from_pandas=True).cast(MONEY)


def _with(rows: pa.Table, **values: pa.Array) -> pa.Table:
    for name, column in values.items():
        rows = rows.append_column(name, column)
    return rows


def _signed(
    contract: TableContract, rows: pa.Table, model: ApprovedModel, features_publication_id: str
) -> pa.Table:
    """Rows of the contract, with the version, the artefact and the features they rest on."""
    signed = _with(
        rows,
        model_version=pa.repeat(str(model.version), rows.num_rows),
        model_artefact_sha256=pa.repeat(model.approval.artefact_sha256, rows.num_rows),
        features_publication_id=pa.repeat(features_publication_id, rows.num_rows),
    )
    return signed.select(contract.column_names).cast(contract.schema)
