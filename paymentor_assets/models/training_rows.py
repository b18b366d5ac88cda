"""From published tables to the rows a family learns from, and to rows without identities.

One function a kind of row. What happened after a day is joined to what was known on it: contacts
and offers of the week that begins two days after the as-of day, since the day's cut-off may lie in
the morning after it, anywhere in the world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from paymentor_assets.features.purposes import aa_columns, profile_as_seen_sql
from paymentor_assets.models import feature_frame
from paymentor_assets.models.families import (
    channel_preference,
    customer_ranking,
    customer_segmentation,
    income_imputation,
    offer_propensity,
    user_affinity,
)
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.protected_groups import with_groups
from resources.duck import connect

#: What a contact that was not drawn at random counts beside one that was.
TARGETED_WEIGHT = 0.25

#: The dates of what is counted as coming after the day of `p`.
AFTER_THE_DAY = "BETWEEN p.as_of_date + 2 AND p.as_of_date + 8"


@dataclass(frozen=True)
class Source:
    """A raw table of events, its key, and the columns that are read."""

    table: str
    key: str
    columns: tuple[str, ...]


CONTACTS = Source(
    "raw.contact_history",
    "contact_id",
    ("contact_id", "customer_id", "channel", "direction", "contacted_at_utc", "outcome",
     "is_randomised"),
)  # fmt: skip
CAMPAIGNS = Source(
    "raw.campaign_responses",
    "response_id",
    ("response_id", "customer_id", "product", "channel", "offered_at_utc", "response",
     "is_control"),
)  # fmt: skip
CLICKS = Source(
    "raw.clickstream_events",
    "event_id",
    ("event_id", "customer_id", "product", "occurred_at_utc"),
)
SOURCES = (CONTACTS, CAMPAIGNS, CLICKS)


@dataclass(frozen=True)
class Published:
    """One lender's published rows that extracts are made of; tables of features by name.

    `events` holds each Source's rows with `_known_at`, every version of a row that was delivered.
    """

    lender_id: str
    days: Sequence[date]
    known_through: date
    features: Mapping[str, pa.Table]
    events: Mapping[str, pa.Table]


def profile_columns() -> list[str]:
    """Columns of features.customer_profile that any family's rows need."""
    specs = (family.SPEC for family in _BY_CUSTOMER)
    return sorted(
        {
            "time_zone",
            *income_imputation.INCOMES,
            *feature_frame.profile_columns(),
            *(name for spec in specs for name in feature_frame.customer_columns(spec)),
        }
    )


def rows_of(spec: FamilySpec, published: Published, salt: str) -> pa.Table:
    """A family's rows of one lender, without identities; rows of `spec.rows`."""
    rows = _ROWS[spec.family](spec, published)
    if spec.protected is not None:
        rows = with_groups(spec, rows, published.features["features.customer_profile"])
    return deidentified(spec, rows, published.known_through, salt)


def deidentified(spec: FamilySpec, rows: pa.Table, known_through: date, salt: str) -> pa.Table:
    """Rows with `row_key` and `customer_id` replaced by hashes; rows of `spec.rows`.

    `rows` holds `row_key`, `customer_id`, `lender_id`, `as_of_date`, and the contract's further
    columns; what the contract does not name is left behind.
    """
    named = ", ".join(f'"{name}"' for name in spec.rows.column_names[5:])
    with connect() as con:
        con.register("rows", rows)
        hashed = con.execute(
            f"""
            SELECT sha256($salt || ':' || row_key || ':' || as_of_date) AS row_id,
                   sha256($salt || ':' || customer_id) AS subject_id,
                   lender_id, as_of_date, $through AS known_through{f", {named}" if named else ""}
            FROM rows
            ORDER BY as_of_date, row_id
            """,
            {"through": known_through, "salt": salt},
        ).to_arrow_table()
    return hashed.cast(spec.rows.schema)


def of_accounts(frame: pa.Table, labels: pa.Table, known_through: date) -> pa.Table:
    """Open accounts with the outcomes known by `known_through`: what customer ranking learns from.

    `frame` as from `feature_frame.build`, `labels` with the columns of features.repayment_labels.
    A label whose horizon closes later is null, and a row without any label is left out.
    """
    with connect() as con:
        con.register("frame", frame)
        con.register("labels", labels)
        return con.execute(
            """
            WITH joined AS (
                SELECT f.*, f.account_id AS row_key,
                       CASE WHEN f.as_of_date + 7 <= $through THEN l.paid_7d END AS paid_7d,
                       CASE WHEN f.as_of_date + 30 <= $through THEN l.paid_30d END AS paid_30d,
                       CASE WHEN f.as_of_date + 30 <= $through
                            THEN least(l.recovered_amount_30d / nullif(f.due_30d, 0), $cap)
                       END AS recovered_share_30d
                FROM frame AS f
                JOIN labels AS l USING (lender_id, account_id, as_of_date)
            )
            SELECT * FROM joined WHERE paid_7d IS NOT NULL OR paid_30d IS NOT NULL
            """,
            {"through": known_through, "cap": customer_ranking.MAX_RECOVERED_SHARE},
        ).to_arrow_table()


def known_incomes_sql(spec: FamilySpec) -> str:
    """SELECT of CUSTOMER_KEYS and `monthly_income` (DOUBLE, as declared or documented, above zero).

    Reads the relation `profiles`: rows of features.customer_profile, as the family may see them. A
    customer whose income is not known has no row.
    """
    seen = profile_as_seen_sql(
        "profiles",
        [*feature_frame.CUSTOMER_KEYS, *income_imputation.INCOMES],
        spec.aa_purpose,
        tagged=aa_columns(),
    )
    income = f"coalesce({', '.join(income_imputation.INCOMES)})"
    return f"""
        SELECT lender_id, customer_id, as_of_date, CAST({income} AS DOUBLE) AS monthly_income
        FROM ({seen}) AS seen
        WHERE {income} > 0
    """


def visits(clicks: pa.Table) -> pa.Table:
    """Visits to a product: event_id, customer_id, product, occurred_at and `_known_at`.

    `clicks` holds every version of the rows of CLICKS; each event counts as it was known last.
    """
    with connect() as con:
        con.register(relation(CLICKS), clicks)
        return con.execute(
            f"""
            SELECT event_id, customer_id, product, occurred_at_utc AS occurred_at, _known_at
            FROM ({newest_sql(CLICKS)})
            WHERE product IS NOT NULL
            """
        ).to_arrow_table()


def _ranking(spec: FamilySpec, published: Published) -> pa.Table:
    frame = feature_frame.build(
        published.features["features.account_features"],
        published.features["features.customer_profile"],
    )
    labels = published.features["features.repayment_labels"]
    return of_accounts(frame, labels, published.known_through)


def _customers(spec: FamilySpec, published: Published) -> pa.Table:
    return _framed(spec, published, "SELECT customer_id AS row_key, {keys} FROM profiles AS p")


def _incomes(spec: FamilySpec, published: Published) -> pa.Table:
    return _framed(
        spec,
        published,
        f"""
        SELECT customer_id AS row_key, {{keys}}, monthly_income
        FROM ({known_incomes_sql(spec)}) AS p
        """,
    )


def _contacts(spec: FamilySpec, published: Published) -> pa.Table:
    local = "timezone(p.time_zone, timezone('UTC', c.contacted_at_utc))"
    return _framed(
        spec,
        published,
        f"""
        SELECT c.contact_id AS row_key, {{keys}}, c.channel,
               CASE WHEN extract(hour FROM {local}) < 11 THEN 'morning'
                    WHEN extract(hour FROM {local}) < 14 THEN 'midday'
                    WHEN extract(hour FROM {local}) < 17 THEN 'afternoon'
                    ELSE 'evening' END AS hour_band,
               coalesce(c.is_randomised, false) AS is_randomised,
               CASE WHEN c.is_randomised THEN 1.0 ELSE {TARGETED_WEIGHT} END AS weight,
               coalesce(c.outcome IN ('opened', 'clicked', 'replied', 'right_party_contact',
                                      'promise_to_pay'), false) AS engaged
        FROM profiles AS p
        JOIN ({newest_sql(CONTACTS)}) AS c USING (customer_id)
        WHERE c.direction = 'outbound' AND CAST(c.contacted_at_utc AS DATE) {AFTER_THE_DAY}
        """,
    )


def _offers(spec: FamilySpec, published: Published) -> pa.Table:
    return _framed(
        spec,
        published,
        f"""
        SELECT c.response_id AS row_key, {{keys}}, c.product, c.channel,
               NOT c.is_control AS is_offered, c.response = 'accepted' AS accepted
        FROM profiles AS p
        JOIN ({newest_sql(CAMPAIGNS)}) AS c USING (customer_id)
        WHERE CAST(c.offered_at_utc AS DATE) {AFTER_THE_DAY}
        """,
    )


def _clicks(spec: FamilySpec, published: Published) -> pa.Table:
    """Visits to a product, each under the first day that knew it."""
    with connect() as con:
        _register(con, published)
        con.register("visits", visits(published.events[CLICKS.table]))
        return con.execute(
            """
            SELECT c.event_id AS row_key, c.customer_id, $lender AS lender_id, d.as_of_date,
                   c.product, c.occurred_at
            FROM visits AS c
            JOIN days AS d ON CAST(c._known_at AS DATE) BETWEEN d.as_of_date - 6 AND d.as_of_date
            """,
            {"lender": published.lender_id},
        ).to_arrow_table()


def _framed(spec: FamilySpec, published: Published, events_sql: str) -> pa.Table:
    """The features of each event's customer on its day, with the event's own columns."""
    keys = "p.lender_id, p.customer_id, p.as_of_date"
    with connect() as con:
        _register(con, published)
        events = con.execute(events_sql.format(keys=keys)).to_arrow_table()
    return feature_frame.of_customers(
        spec,
        published.features["features.customer_profile"],
        events=events,
        engagement=published.features["features.channel_engagement"],
    )


def _register(con: duckdb.DuckDBPyConnection, published: Published) -> None:
    con.register("profiles", published.features["features.customer_profile"])
    con.register("days", pa.table({"as_of_date": pa.array(published.days, pa.date32())}))
    for source in SOURCES:
        con.register(relation(source), published.events[source.table])


def relation(source: Source) -> str:
    """The name under which `newest_sql` reads a source's rows."""
    return source.table.removeprefix("raw.")


def newest_sql(source: Source) -> str:
    """SELECT of each row as it was known last, out of `relation(source)`.

    A lender may deliver a correction under the same key.
    """
    return f"""
        SELECT * EXCLUDE (recency) FROM (
            SELECT *, row_number() OVER (
                PARTITION BY {source.key} ORDER BY _known_at DESC, _file_id, _row_number
            ) AS recency
            FROM {relation(source)}
        ) WHERE recency = 1
    """


_BY_CUSTOMER = (channel_preference, customer_segmentation, income_imputation, offer_propensity)
_ROWS: Mapping[str, Callable[[FamilySpec, Published], pa.Table]] = {
    customer_ranking.FAMILY: _ranking,
    customer_segmentation.FAMILY: _customers,
    income_imputation.FAMILY: _incomes,
    channel_preference.FAMILY: _contacts,
    offer_propensity.FAMILY: _offers,
    user_affinity.FAMILY: _clicks,
}
