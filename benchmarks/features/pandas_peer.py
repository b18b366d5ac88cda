"""Two feature models as a careful pandas programmer would write them: vectorised, no row loops.

The account's payments and the customer's cash flow, over the same files, for one day. What versions
and consents would add is left out, in pandas' favour: the files hold one version of each row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.features.synthetic_lake import DAY

MODELS = ("int_account_payments", "int_customer_cashflow")
_FIXED = ("rent", "emi", "insurance")


def compute(home: Path) -> None:
    """Both models, as two frames; raises AssertionError when one is empty."""
    parquet = home / "parquet"
    assert len(account_payments(parquet)) and len(customer_cashflow(parquet))


def account_payments(parquet: Path) -> pd.DataFrame:
    """Counts and sums of payments over 30, 90 and 180 days, by account."""
    paid = pd.read_parquet(
        parquet / "raw.payments.parquet",
        columns=["account_id", "value_date", "amount", "status"],
    )
    paid["amount"] = paid["amount"].astype(float)
    paid["age"] = (pd.Timestamp(DAY) - pd.to_datetime(paid["value_date"])).dt.days
    paid = paid[paid["age"] >= 0]
    good = paid[paid["status"] == "success"]
    by_account = {}
    for length in (30, 90, 180):
        recent = good[good["age"] < length].groupby("account_id")["amount"]
        by_account[f"payments_{length}d"] = recent.count()
        by_account[f"paid_amount_{length}d"] = recent.sum()
    bounced = paid[(paid["status"] == "bounced") & (paid["age"] < 90)]
    by_account["bounces_90d"] = bounced.groupby("account_id")["amount"].count()
    by_account["last_payment_date"] = good.groupby("account_id")["value_date"].max()
    return pd.DataFrame(by_account)


def customer_cashflow(parquet: Path) -> pd.DataFrame:
    """Flows, balances, bounces, spending shares, volatility and trend, by customer."""
    moved = pd.read_parquet(
        parquet / "raw.aa_transactions.parquet",
        columns=["customer_id", "value_date", "direction", "category", "amount", "balance_after"],
    )
    moved[["amount", "balance_after"]] = moved[["amount", "balance_after"]].astype(float)
    moved["age"] = (pd.Timestamp(DAY) - pd.to_datetime(moved["value_date"])).dt.days
    moved = moved[(moved["age"] >= 0) & (moved["age"] < 180)]
    is_credit = moved["direction"] == "CREDIT"
    moved["inflow"] = np.where(is_credit, moved["amount"], 0.0)
    moved["outflow"] = np.where(is_credit, 0.0, moved["amount"])
    moved["bounce"] = (moved["category"] == "bounce_charge").astype(int)
    found: dict[str, pd.Series] = {}
    for length in (7, 30, 90, 180):
        recent = moved[moved["age"] < length].groupby("customer_id")
        found[f"inflow_{length}d"] = recent["inflow"].sum()
        found[f"outflow_{length}d"] = recent["outflow"].sum()
        found[f"bounce_count_{length}d"] = recent["bounce"].sum()
        found[f"min_balance_{length}d"] = recent["balance_after"].min()
    quarter = moved[moved["age"] < 90]
    spent = quarter[~is_credit.loc[quarter.index]]
    shares = spent.pivot_table(
        index="customer_id", columns="category", values="amount", aggfunc="sum", fill_value=0.0
    )
    for category in shares.columns:
        found[f"spend_share_{category}"] = shares[category] / found["outflow_90d"]
    owed = shares[[c for c in shares.columns if c in _FIXED]].sum(axis=1)
    found["fixed_obligations_monthly"] = owed / 3
    moved["month"] = moved["age"] // 30
    for flow in ("inflow", "outflow"):
        months = moved.pivot_table(
            index="customer_id", columns="month", values=flow, aggfunc="sum", fill_value=0.0
        )
        found[f"{flow}_volatility"] = months.std(axis=1, ddof=0) / months.mean(axis=1)
        place = np.arange(months.shape[1])[::-1] - (months.shape[1] - 1) / 2
        found[f"{flow}_trend"] = (months * place).sum(axis=1) / (place**2).sum()
    salary = moved[(moved["category"] == "salary") & is_credit & (moved["age"] < 90)]
    found["salary_monthly"] = salary.groupby("customer_id")["amount"].sum() / 3
    on_day = salary.assign(day=pd.to_datetime(salary["value_date"]).dt.day)
    counted = on_day.groupby(["customer_id", "day"]).size().rename("count").reset_index()
    usual = counted.sort_values(["count", "day"], ascending=[False, True])
    found["salary_day"] = usual.drop_duplicates("customer_id").set_index("customer_id")["day"]
    found["savings_rate"] = (found["inflow_90d"] - found["outflow_90d"]) / found["inflow_90d"]
    return pd.DataFrame(found)
