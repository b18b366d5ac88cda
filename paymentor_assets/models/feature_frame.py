"""The feature frame: one row an open account, one column a model feature.

Training and scoring both come through here, over the same expressions and the same view of
account-aggregator data (features/purposes.py); what differs is only which days are read. The frame
still names account and customer; the extract drops them.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from paymentor_assets.features.purposes import aa_columns, profile_as_seen_sql
from paymentor_assets.models.families import customer_ranking as family
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


def _require(rows: pa.Table, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise ContractError(
            f"{name} lacks {', '.join(missing)}, which family {family.FAMILY} reads. "
            "Publish features that have them, or change the family's feature list."
        )
