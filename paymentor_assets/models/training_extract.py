"""The training extract: what model development may see, and nothing that says about whom.

Weekly as-of days of published features with the outcomes known by now. Names, tokens, ids, places,
birth years and amounts in money stay behind; rows carry an id salted per extract, so two extracts
cannot be joined to follow a person, and development cannot join one to anything of production.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import (
    Publication,
    RunInfo,
    all_publications,
    lender_days,
    publish_days,
    read_table,
)
from paymentor_assets.models import feature_frame
from paymentor_assets.models.families import customer_ranking as family
from resources.crash_points import reach, register
from resources.duck import connect
from resources.errors import PublicationError
from resources.lakehouse import Lakehouse, TableContract, column

register("models.extract.after_commit")

STAGE = "training_extract"
FEATURES_STAGE = "features"
LABELS_STAGE = "labels"
#: Days closer together repeat the same customers in nearly the same state.
STRIDE_DAYS = 7

_FEATURE_KEYS = {
    "features.account_features": ("lender_id", "account_id", "as_of_date"),
    "features.customer_profile": ("lender_id", "customer_id", "as_of_date"),
    "features.repayment_labels": ("lender_id", "account_id", "as_of_date"),
    "features.channel_engagement": ("lender_id", "customer_id", "channel", "as_of_date"),
}
_LABEL_COLUMNS = (
    "lender_id", "account_id", "as_of_date", "paid_7d", "paid_30d", "recovered_amount_30d",
)  # fmt: skip

TRAINING_ROWS = TableContract(
    name="training.customer_ranking",
    description="De-identified rows to learn customer ranking from: features and later outcomes.",
    key=("lender_id", "row_id", "as_of_date"),
    schema=pa.schema(
        [
            column("row_id", pa.string(), "Account and day, hashed with the extract's salt."),
            column("subject_id", pa.string(), "Borrower, hashed with the extract's salt."),
            column("lender_id", pa.string(), "Lender."),
            column("as_of_date", pa.date32(), "Day whose knowledge the features are."),
            column("known_through", pa.date32(), "Last day whose knowledge the labels are."),
            column("is_delinquent", pa.bool_(), "Whether anything was overdue on the day."),
            *(
                column(
                    feature.name,
                    pa.float64() if feature.kind == "number" else pa.string(),
                    feature.phrase.capitalize() + ".",
                )
                for feature in family.FEATURES
            ),
            column("paid_7d", pa.bool_(), "Paid within 7 days; null while open."),
            column("paid_30d", pa.bool_(), "Paid within 30 days; null while open."),
            column(
                "recovered_share_30d",
                pa.float64(),
                "Paid within 30 days as a share of what fell due; null while open or nothing due.",
            ),
        ]
    ),
    partition_by=("lender_id",),
)


def feature_contract(lake: Lakehouse, name: str) -> TableContract:
    """The contract of a features table as it stands in the lakehouse."""
    schema = lake.load(name).schema().as_arrow()
    return TableContract(name=name, schema=schema, key=_FEATURE_KEYS[name], description=name)


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
    covering = _covering_days(lake, FEATURES_STAGE, lender_id)
    outcomes = _covering_days(lake, LABELS_STAGE, lender_id)
    through = known_through or max(covering, default=None)
    days = weekly_days([day for day in covering if day in outcomes and through and day <= through])
    if not days or through is None:
        raise PublicationError(
            f"There are no published features of lender {lender_id}"
            f"{f' up to {known_through}' if known_through else ''} to learn from; "
            "run the features of past days first (job features_history)."
        )
    inputs = sorted({p[day].publication_id for p in (covering, outcomes) for day in days})
    accounts = _read(
        lake, covering, "features.account_features", days, feature_frame.account_columns()
    )
    profiles = _read(
        lake, covering, "features.customer_profile", days, feature_frame.profile_columns()
    )
    labels = _read(lake, outcomes, "features.repayment_labels", days, _LABEL_COLUMNS)
    salt = hmac.new(
        salt_key, "\x1f".join([lender_id, through.isoformat(), *inputs]).encode(), sha256
    )
    rows = deidentified(feature_frame.build(accounts, profiles), labels, through, salt.hexdigest())
    # Days of an earlier extract that are not in this one are emptied: what production erased or
    # outgrew must not live on in development.
    earlier = _days_with_rows(development_lake, lender_id)
    publication = publish_days(
        development_lake,
        stage=STAGE,
        lender_id=lender_id,
        days=sorted({*days, *earlier}),
        tables={TRAINING_ROWS: rows},
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


def deidentified(frame: pa.Table, labels: pa.Table, known_through: date, salt: str) -> pa.Table:
    """Features joined with the outcomes known by `known_through`, without identities.

    `frame` as from `feature_frame.build`, `labels` with the columns of features.repayment_labels.
    Returns rows of TRAINING_ROWS; a label whose horizon closes later is null, and a row without
    any label is left out.
    """
    features = ", ".join(f'f."{feature.name}"' for feature in family.FEATURES)
    with connect() as con:
        con.register("frame", frame)
        con.register("labels", labels)
        rows = con.execute(
            f"""
            WITH joined AS (
                SELECT f.*,
                       CASE WHEN f.as_of_date + 7 <= $through THEN l.paid_7d END AS label_7d,
                       CASE WHEN f.as_of_date + 30 <= $through THEN l.paid_30d END AS label_30d,
                       CASE WHEN f.as_of_date + 30 <= $through
                            THEN least(l.recovered_amount_30d / nullif(f.due_30d, 0), $cap)
                       END AS label_share
                FROM frame AS f
                JOIN labels AS l USING (lender_id, account_id, as_of_date)
            )
            SELECT sha256($salt || ':' || f.account_id || ':' || f.as_of_date) AS row_id,
                   sha256($salt || ':' || f.customer_id) AS subject_id,
                   f.lender_id, f.as_of_date, $through AS known_through, f.is_delinquent,
                   {features},
                   f.label_7d AS paid_7d, f.label_30d AS paid_30d,
                   f.label_share AS recovered_share_30d
            FROM joined AS f
            WHERE f.label_7d IS NOT NULL OR f.label_30d IS NOT NULL
            ORDER BY f.as_of_date, row_id
            """,
            {"through": known_through, "salt": salt, "cap": family.MAX_RECOVERED_SHARE},
        ).to_arrow_table()
    return rows.cast(TRAINING_ROWS.schema)


def _covering_days(lake: Lakehouse, stage: str, lender_id: str) -> dict[date, Publication]:
    covering: dict[date, Publication] = {}
    for publication in all_publications(lake, stage=stage, lender_id=lender_id):
        covering.update(dict.fromkeys(publication.as_of_dates, publication))
    return covering


def _read(
    lake: Lakehouse,
    covering: dict[date, Publication],
    name: str,
    days: Sequence[date],
    columns: Sequence[str],
) -> pa.Table:
    """Rows of all days, each at the snapshot of the publication that covers it."""
    contract = feature_contract(lake, name)
    by_publication: dict[str, list[date]] = {}
    for day in days:
        by_publication.setdefault(covering[day].publication_id, []).append(day)
    parts: list[pa.Table] = []
    for own_days in by_publication.values():
        publication = covering[own_days[0]]
        snapshot_id = publication.table(name).snapshot_id
        if lake.has_snapshot(name, snapshot_id):
            # One scan for all days: a scan costs more than what it reads.
            wanted = lender_days(publication.lender_id, own_days)
            parts.append(lake.scan(name, snapshot_id, wanted, columns))
        else:
            parts += [read_table(lake, publication, contract, day, columns) for day in own_days]
    return pa.concat_tables([part.select(list(columns)) for part in parts])


def _days_with_rows(development_lake: Lakehouse, lender_id: str) -> list[date]:
    if not development_lake.exists(TRAINING_ROWS.name):
        return []
    rows = development_lake.scan(TRAINING_ROWS.name, columns=("lender_id", "as_of_date"))
    mine = rows.filter(pc.equal(rows.column("lender_id"), lender_id))
    return sorted(mine.column("as_of_date").unique().to_pylist())
