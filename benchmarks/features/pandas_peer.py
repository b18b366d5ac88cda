"""Two feature models in pandas, and whether every value of them is that of the SQL.

The pandas side reads the same files and knows the same: versions and what was known when, consents,
currencies, what was owed when a payment came. It computes one day, where SQL computes any number.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.features.bare_sql import create_models
from benchmarks.features.pandas_cashflow import customer_cashflow
from benchmarks.features.pandas_payments import account_payments

MODELS = {"int_account_payments": account_payments, "int_customer_cashflow": customer_cashflow}
#: Means of money are rounded to cents, and binary fractions do not always round as decimals do.
_CENTS = {
    "salary_monthly",
    "monthly_inflow_mean",
    "monthly_outflow_mean",
    "fixed_obligations_monthly",
    "mean_balance_180d",
}
#: What is such a mean, over another column.
_CENTS_OVER = {"balance_volatility_180d": "mean_balance_180d"}


def compute(parquet: Path) -> dict[str, pd.DataFrame]:
    """Both models, by their names."""
    return {name: model(parquet) for name, model in MODELS.items()}


def differences(con: duckdb.DuckDBPyConnection, target: Path, parquet: Path) -> list[str]:
    """Where SQL and pandas say something else over these files, as `differing` tells it.

    `target` is the folder of dbt's artefacts; the models are created in `con`.
    """
    create_models(con, target, parquet, MODELS)
    found = []
    for name, theirs in compute(parquet).items():
        ours = con.execute(f"SELECT * FROM intermediate.{name}").df().drop(columns="as_of_date")
        found += differing(name, ours.set_index(ours.columns[0]), theirs)
    return found


def differing(name: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> list[str]:
    """`name.column: n of m` for each column with n other values, or what only one side has.

    Both are indexed by their key. Numbers may differ by one in the last place they are rounded to.
    """
    keys = set(ours.index) ^ set(theirs.index)
    columns = sorted(set(ours.columns) ^ set(theirs.columns))
    if keys or columns:
        return [f"{name}: {len(keys)} keys and the columns {columns} are on one side only"]
    theirs = theirs.reindex(ours.index)
    wrong = {str(c): int((~_same(str(c), ours, theirs)).sum()) for c in ours}
    return [f"{name}.{column}: {count} of {len(ours)}" for column, count in wrong.items() if count]


def _same(column: str, our_rows: pd.DataFrame, their_rows: pd.DataFrame) -> pd.Series:
    ours, theirs = our_rows[column], their_rows[column]
    if pd.api.types.is_numeric_dtype(ours.dtype) or pd.api.types.is_numeric_dtype(theirs.dtype):
        last_place: pd.Series | float = 0.010001 if column in _CENTS else 0.0000011
        if column in _CENTS_OVER:
            last_place = 0.0000011 + 0.010001 / our_rows[_CENTS_OVER[column]].astype(float)
        apart = (ours.astype(float) - theirs.astype(float)).abs()
        return (apart <= last_place) | (ours.isna() & theirs.isna())
    plain = [side.astype(object).where(side.notna(), None) for side in (ours, theirs)]
    return plain[0].eq(plain[1]) | (ours.isna() & theirs.isna())
