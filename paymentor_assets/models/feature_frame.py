"""The feature frame: one row an open account, or a customer, one column a model feature.

Training and scoring both come through here, over the same expressions and the same view of
account-aggregator data (features/purposes.py); what differs is only which days are read. The frame
still names account and customer; the extract drops them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.features.purposes import aa_columns, profile_as_seen_sql
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.feature_spec import columns_read
from resources.duck import connect
from resources.errors import ContractError

#: Columns of the frame that are not features.
KEYS = (
    "lender_id",
    "account_id",
    "customer_id",
    "as_of_date",
    "account_currency",
    "is_delinquent",
    "due_30d",
    "outstanding_amount",
)

#: Accounts of a day that are joined at a time; each join costs 0.1 s beside its rows.
JOINED_ROWS = 100_000
_ACCOUNT_COLUMNS = (
    "lender_id",
    "account_id",
    "customer_id",
    "as_of_date",
    "account_status",
    "currency",
    "is_delinquent",
    "overdue_amount",
    "emi_amount",
    "outstanding_amount",
)
CUSTOMER_KEYS = ("lender_id", "customer_id", "as_of_date")
_ORDER = ("lender_id", "as_of_date", "customer_id")
_ENGAGEMENT_COLUMNS = (*CUSTOMER_KEYS, "channel")
_PROFILE_COLUMNS = ("lender_id", "customer_id", "as_of_date", "aa_purposes")


def account_columns() -> list[str]:
    """Columns of features.account_features that the frame reads."""
    return sorted({*_ACCOUNT_COLUMNS, *columns_read(family.FEATURES, "a", family.DUE_30D)})


def profile_columns() -> list[str]:
    """Columns of features.customer_profile that the frame reads."""
    return sorted({*_PROFILE_COLUMNS, *columns_read(family.FEATURES, "p")})


def build(accounts: pa.Table, profiles: pa.Table) -> pa.Table:
    """Join accounts with their customers' profiles and compute every feature.

    `accounts` has the columns of `account_columns()`, `profiles` those of `profile_columns()`; any
    number of lenders and days. Returns one row per open account, ordered by lender, day and
    account; numbers are DOUBLE, categories VARCHAR, unknown is NULL. A customer without a profile
    keeps NULLs: the account is still ranked.

    Raises ContractError naming the columns that are missing.
    """
    _require(accounts, account_columns(), "features.account_features")
    _require(profiles, profile_columns(), "features.customer_profile")
    items = ",\n".join(feature.expression for feature in family.FEATURES)
    profile = profile_as_seen_sql(
        "profiles", profile_columns(), family.AA_PURPOSE, tagged=aa_columns()
    )
    with connect() as con:
        con.register("accounts", accounts)
        con.register("profiles", profiles)
        frame = con.execute(
            f"""
            SELECT a.lender_id, a.account_id, a.customer_id, a.as_of_date,
                   a.currency AS account_currency,
                   coalesce(a.is_delinquent, false) AS is_delinquent,
                   CAST({family.DUE_30D} AS DECIMAL(18, 2)) AS due_30d,
                   CAST(a.outstanding_amount AS DECIMAL(18, 2)) AS outstanding_amount,
                   {items}
            FROM accounts AS a
            LEFT JOIN ({profile}) AS p USING (lender_id, customer_id, as_of_date)
            WHERE a.account_status = 'open'
            ORDER BY a.lender_id, a.as_of_date, a.account_id
            """
        ).to_arrow_table()
    return frame


def batches(accounts: pa.Table, profiles: pa.Table, rows: int) -> Iterator[pa.Table]:
    """What `build` makes of one lender's day, in frames of at most `rows` accounts.

    At least one frame, which is empty when no account is open. The frame is never in memory whole,
    nor is a join, which would hold both sides a second time.
    """
    _require(accounts, account_columns(), "features.account_features")
    _require(profiles, profile_columns(), "features.customer_profile")
    customers = profiles.column("customer_id").combine_chunks()
    place = pc.index_in(accounts.column("customer_id"), customers)
    for start in range(0, max(accounts.num_rows, 1), JOINED_ROWS):
        theirs = place.slice(start, JOINED_ROWS).unique().drop_null()
        frame = build(accounts.slice(start, JOINED_ROWS), profiles.take(theirs))
        for at in range(0, max(frame.num_rows, 1), rows):
            yield frame.slice(at, rows)


def customer_columns(spec: FamilySpec) -> list[str]:
    """Columns of features.customer_profile that a family of customers reads."""
    return sorted({*_PROFILE_COLUMNS, *columns_read(spec.features, "p")})


def engagement_columns(spec: FamilySpec) -> list[str]:
    """Columns of features.channel_engagement that a family of customers reads."""
    return sorted({*_ENGAGEMENT_COLUMNS, *columns_read(spec.features, "g")})


def of_customers(
    spec: FamilySpec,
    profiles: pa.Table,
    *,
    events: pa.Table | None = None,
    engagement: pa.Table | None = None,
) -> pa.Table:
    """The features of a family whose rows are customers, or something that befalls one.

    `profiles` has the columns of `customer_columns(spec)`. `events` names the rows: lender_id,
    customer_id, as_of_date (the day whose knowledge counts), what features read of `e` (channel,
    product, …), and anything else to carry along; by default every customer of `profiles` once.
    `engagement` has the columns of `engagement_columns(spec)`, for families that read `g`.

    Returns one row an event in the order of lender, day, customer and the event's own columns:
    those columns, then one a feature; numbers are DOUBLE, categories VARCHAR, unknown is NULL.
    Account-aggregator columns are null outside the family's purpose. Raises ContractError naming
    the columns that are missing.
    """
    _require(profiles, customer_columns(spec), "features.customer_profile", spec.family)
    rows = profiles.select(list(CUSTOMER_KEYS)) if events is None else events
    names = {feature.name for feature in spec.features}
    carried = [f'e."{name}"' for name in rows.column_names if name not in names]
    order = [f'e."{name}"' for name in dict.fromkeys([*_ORDER, *rows.column_names])]
    profile = profile_as_seen_sql(
        "profiles", customer_columns(spec), spec.aa_purpose, tagged=aa_columns()
    )
    on_channel = ""
    if columns_read(spec.features, "g"):
        engagement = engagement if engagement is not None else pa.table({})
        _require(engagement, engagement_columns(spec), "features.channel_engagement", spec.family)
        on_channel = """LEFT JOIN engagement AS g
              ON g.lender_id = e.lender_id AND g.customer_id = e.customer_id
             AND g.as_of_date = e.as_of_date AND g.channel = e.channel"""
    with connect() as con:
        con.register("events", rows)
        con.register("profiles", profiles)
        if on_channel:
            con.register("engagement", engagement)
        return con.execute(
            f"""
            SELECT {", ".join([*carried, *(feature.expression for feature in spec.features)])}
            FROM events AS e
            LEFT JOIN ({profile}) AS p
              ON p.lender_id = e.lender_id AND p.customer_id = e.customer_id
             AND p.as_of_date = e.as_of_date
            {on_channel}
            ORDER BY {", ".join(order)}
            """
        ).to_arrow_table()


def _require(
    rows: pa.Table, columns: Sequence[str], name: str, reader: str = family.FAMILY
) -> None:
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise ContractError(
            f"{name} lacks {', '.join(missing)}, which family {reader} reads. "
            "Publish features that have them, or change the family's feature list."
        )
