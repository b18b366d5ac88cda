"""The training extract: what model development may see, and nothing that says about whom.

Weekly as-of days of published features with the outcomes known by now, one table a family. Names,
tokens, ids, places and birth years stay behind, but for a band of age to judge fairness by; rows
carry an id salted per extract, so two extracts cannot be joined to follow a person, and development
cannot join one to anything of production. What the rows of a family are stands in training_rows.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import EqualTo

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    covering,
    lender_days,
    newest,
    publish_days,
    read_table,
)
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.models import families, feature_frame, protected_groups, training_rows
from paymentor_assets.models.families import channel_preference
from paymentor_assets.models.training_rows import SOURCES, Published, Source, rows_of
from resources.crash_points import reach, register
from resources.errors import PublicationError
from resources.lakehouse import Lakehouse, TableContract

register("models.extract.after_commit")

STAGE = "training_extract"
FEATURES_STAGE = "features"
LABELS_STAGE = "labels"
INGESTION_STAGE = "ingestion"
#: Days closer together repeat the same customers in nearly the same state.
STRIDE_DAYS = 7

_FEATURE_KEYS = {
    "features.account_features": ("lender_id", "account_id", "as_of_date"),
    "features.customer_profile": ("lender_id", "customer_id", "as_of_date"),
    "features.repayment_labels": ("lender_id", "account_id", "as_of_date"),
    "features.channel_engagement": ("lender_id", "customer_id", "channel", "as_of_date"),
}
_LABELS = "features.repayment_labels"
_VERSION_COLUMNS = ("_known_at", "_file_id", "_row_number")
_LABEL_COLUMNS = (
    "lender_id", "account_id", "as_of_date", "paid_7d", "paid_30d", "recovered_amount_30d",
)  # fmt: skip


def feature_contract(lake: Lakehouse, name: str) -> TableContract:
    """The contract of a features table as it stands in the lakehouse."""
    schema = lake.load(name).schema().as_arrow()
    return TableContract(name=name, schema=schema, key=_FEATURE_KEYS[name], description=name)


def read_features(
    lake: Lakehouse, features: Publication, name: str, day: date, columns: Sequence[str]
) -> pa.Table:
    """Those of `columns` that a published features table has; whoever reads one refuses the rest.

    So the refusal names who reads the column, and why it is needed.
    """
    contract = feature_contract(lake, name)
    known = [column for column in columns if column in contract.column_names]
    return read_table(lake, features, contract, day, known)


def extract(
    lake: Lakehouse,
    development_lake: Lakehouse,
    *,
    lender_id: str,
    salt_key: bytes,
    run: RunInfo,
    known_through: date | None = None,
) -> Publication:
    """Publish one lender's extract into development's own lakehouse.

    `known_through` (by default the newest day with published features) is the last day whose
    outcomes may be used. `salt_key` stays in production; the salt is made from it and from the
    publications read, so the same input gives the same extract.

    Raises PublicationError when no features were published.
    """
    built = covering(lake, FEATURES_STAGE, lender_id)
    outcomes = covering(lake, LABELS_STAGE, lender_id)
    through = known_through or max(built, default=None)
    days = weekly_days([day for day in built if day in outcomes and through and day <= through])
    if not days or through is None:
        raise PublicationError(
            f"There are no published features of lender {lender_id}"
            f"{f' up to {known_through}' if known_through else ''} to learn from; "
            "run the features of past days first (job features_history)."
        )
    ingestion = newest(lake, INGESTION_STAGE, lender_id)
    end = datetime.combine(through + timedelta(days=1), time.min)
    published = Published(
        lender_id=lender_id,
        days=days,
        known_through=through,
        features={
            name: _read(lake, outcomes if name == _LABELS else built, name, days, columns)
            for name, columns in _columns().items()
        },
        events={s.table: events_known_before(lake, ingestion, s, lender_id, end) for s in SOURCES},
    )
    inputs = sorted(
        {p[day].publication_id for p in (built, outcomes) for day in days}
        | ({ingestion.publication_id} if ingestion else set())
    )
    salt = hmac.new(
        salt_key, "\x1f".join([lender_id, through.isoformat(), *inputs]).encode(), sha256
    ).hexdigest()
    specs = [families.get(name).SPEC for name in families.NAMES]
    rows = {spec.rows: rows_of(spec, published, salt) for spec in specs}
    # Days of an earlier extract that are not in this one are emptied: what production erased or
    # outgrew must not live on in development.
    earlier = _days_with_rows(development_lake, lender_id)
    publication = publish_days(
        development_lake,
        stage=STAGE,
        lender_id=lender_id,
        days=sorted({*days, *earlier}),
        tables=rows,
        inputs=inputs,
        run=run,
    )
    reach("models.extract.after_commit")
    return publication


def weekly_days(days: Sequence[date]) -> list[date]:
    """Days at least a week apart, chosen backwards from the newest, oldest first."""
    chosen: list[date] = []
    for day in sorted(days, reverse=True):
        if not chosen or chosen[-1] - day >= timedelta(days=STRIDE_DAYS):
            chosen.append(day)
    return chosen[::-1]


def _read(
    lake: Lakehouse,
    published: dict[date, Publication],
    name: str,
    days: Sequence[date],
    columns: Sequence[str],
) -> pa.Table:
    """Rows of all days, each at the snapshot of the publication that covers it."""
    contract = feature_contract(lake, name)
    by_publication: dict[str, list[date]] = {}
    for day in days:
        by_publication.setdefault(published[day].publication_id, []).append(day)
    parts: list[pa.Table] = []
    for own_days in by_publication.values():
        publication = published[own_days[0]]
        snapshot_id = publication.table(name).snapshot_id
        if lake.has_snapshot(name, snapshot_id):
            # One scan for all days: a scan costs more than what it reads.
            wanted = lender_days(publication.lender_id, own_days)
            parts.append(lake.scan(name, snapshot_id, wanted, columns))
        else:
            parts += [read_table(lake, publication, contract, day, columns) for day in own_days]
    return pa.concat_tables([part.select(list(columns)) for part in parts])


def _columns() -> dict[str, list[str]]:
    """The features tables that are read, and their columns."""
    return {
        "features.account_features": feature_frame.account_columns(),
        "features.customer_profile": sorted(
            {*training_rows.profile_columns(), *protected_groups.protected_columns()}
        ),
        "features.channel_engagement": feature_frame.engagement_columns(channel_preference.SPEC),
        _LABELS: list(_LABEL_COLUMNS),
    }


def events_known_before(
    lake: Lakehouse,
    ingestion: Publication | None,
    source: Source,
    lender_id: str,
    end: datetime,
) -> pa.Table:
    """Every version of a lender's rows of one raw table that was known before `end` (naive UTC).

    The source's columns and those that order versions; empty when nothing was taken in yet.
    """
    columns = [*source.columns, *_VERSION_COLUMNS]
    if ingestion is None or source.table not in ingestion.tables:
        schema = raw_tables()[source.table].schema
        return pa.schema([schema.field(name) for name in columns]).empty_table()
    snapshot_id = ingestion.table(source.table).snapshot_id
    rows = lake.scan(source.table, snapshot_id, EqualTo("_lender_id", lender_id), columns)
    return rows.filter(pc.less(rows.column("_known_at"), end)).select(columns)


def _days_with_rows(development_lake: Lakehouse, lender_id: str) -> list[date]:
    """Days of any family's table that hold rows of the lender."""
    found: set[date] = set()
    for name in families.NAMES:
        table = families.get(name).SPEC.rows.name
        if development_lake.exists(table):
            rows = development_lake.scan(
                table, None, EqualTo("lender_id", lender_id), ("as_of_date",)
            )
            found.update(rows.column("as_of_date").unique().to_pylist())
    return sorted(found)
