"""int_customer_cashflow as a careful pandas programmer would write it, for one day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.features.pandas_versions import (
    CARRY_DAYS,
    CUTOFF,
    TODAY,
    ZONE,
    days,
    deviation,
    known,
    read,
    spread,
)

_Numbers = npt.NDArray[np.float64]

_WINDOWS = (7, 30, 90, 180)
_MONTHS = np.arange(6)
_FIXED = ["rent", "emi", "insurance"]
_SPENDING = [
    *("rent", "utilities", "groceries", "cash", "emi", "insurance", "investment", "transfer"),
    *("card_payment", "shopping", "dining", "travel", "health", "education", "entertainment"),
    *("gambling", "tax", "fee"),
]


def customer_cashflow(parquet: Path) -> pd.DataFrame:
    """The model's columns, by customer_id; null is NaN."""
    links = _usable_links(parquet)
    currencies = _currencies(parquet)
    moved = _moved(parquet, links, currencies)
    customer = moved.groupby("customer_id")
    observed = (customer["age"].max() + 1).clip(30, 90)
    months = ((customer["fetched_age"].max() + 1) // 30).clip(upper=6)
    found = _windows(moved)
    spent = _spent(moved).reindex(observed.index, fill_value=0.0)
    inflow, outflow = found["inflow_90d"], found["outflow_90d"]
    for name, flow in (("inflow", inflow), ("outflow", outflow)):
        found[f"monthly_{name}_mean"] = (flow * 30 / observed).round(6).round(2)
    found["savings_rate"] = _ratio(inflow - outflow, inflow)
    for category in _SPENDING:
        found[f"spend_share_{category}"] = _ratio(spent[category], outflow)
    found["spend_share_other"] = _ratio(outflow - spent[_SPENDING].sum(axis=1), outflow)
    owed = spent[_FIXED].sum(axis=1) * 30
    found["fixed_obligations_monthly"] = _ratio(owed, observed).round(2)
    found |= _months(moved, months)
    found |= _habits(moved)
    found["min_balance_before_emi_90d"] = _before_instalments(moved)
    found |= _held_balances(moved)
    own = links.merge(currencies, on=["customer_id", "currency"])
    balance = own.groupby("customer_id")["current_balance"].sum(min_count=1)
    found["bank_balance"] = balance.reindex(observed.index)
    found["liquidity_days"] = _ratio(found["bank_balance"] * observed, outflow)
    return pd.DataFrame(found)


def _ratio(numerator: pd.Series, denominator: pd.Series) -> pd.Series:
    return (numerator / denominator.where(denominator != 0)).round(6)


def _currencies(parquet: Path) -> pd.DataFrame:
    """Of each customer the currency of the account with the newest snapshot, lowest number."""
    keys = ["account_id", "snapshot_date"]
    snapshots = read(parquet, "raw.portfolio_accounts", [*keys, "customer_id", "currency"])
    age = days(TODAY - snapshots["snapshot_date"])
    snapshots = known(snapshots[(age >= 0) & (age < CARRY_DAYS)], keys)
    newest = snapshots.sort_values("account_id", ascending=False).sort_values(
        "snapshot_date", kind="stable"
    )
    return newest.drop_duplicates("customer_id", keep="last")[["customer_id", "currency"]]


def _consents(parquet: Path) -> pd.DataFrame:
    """Consents that are valid at the cut-off, and cover transactions for features."""
    heard = read(
        parquet,
        "raw.aa_consents",
        [
            *("consent_id", "customer_id", "status", "purpose_code", "consent_types"),
            *("created_at_utc", "consent_start_utc", "consent_expiry_utc"),
        ],
    )
    heard = heard[heard["_known_at"] <= CUTOFF]
    ended = heard.loc[heard["status"].isin(["REVOKED", "EXPIRED"]), "consent_id"]
    order = ["created_at_utc", "_known_at", "_file_id", "_row_number"]
    newest = heard.sort_values(order).drop_duplicates("consent_id", keep="last")
    return newest.loc[
        ~newest["consent_id"].isin(ended)
        & (newest["status"] == "ACTIVE")
        & (newest["consent_start_utc"] <= CUTOFF)
        & (newest["consent_expiry_utc"] > CUTOFF)
        & newest["purpose_code"].isin(["103", "104"])
        & newest["consent_types"].str.contains("TRANSACTIONS", regex=False),
        ["consent_id", "customer_id"],
    ]


def _usable_links(parquet: Path) -> pd.DataFrame:
    """Of each linked account the consent with the freshest fetch."""
    keys = ["consent_id", "link_ref_number", "fetched_at_utc"]
    columns = [*keys, "fi_type", "currency", "current_balance"]
    fetches = read(parquet, "raw.aa_accounts", columns)
    fetches = known(fetches[fetches["fi_type"] == "DEPOSIT"], keys)
    links = fetches.merge(_consents(parquet), on="consent_id")
    links = links.sort_values(["fetched_at_utc", "consent_id"])
    links = links.drop_duplicates("link_ref_number", keep="last")
    fetched = links["fetched_at_utc"].dt.tz_localize("UTC").dt.tz_convert(ZONE)
    return links.assign(fetched_date=fetched.dt.tz_localize(None).dt.normalize())


def _moved(parquet: Path, links: pd.DataFrame, currencies: pd.DataFrame) -> pd.DataFrame:
    """The transactions that count, with their customer and ages in days."""
    link = ["consent_id", "link_ref_number"]
    moved = read(
        parquet,
        "raw.aa_transactions",
        [
            *(*link, "transaction_id", "value_date", "direction", "category", "currency"),
            *("amount", "balance_after"),
        ],
    )
    usable = links[[*link, "customer_id", "fetched_date"]].merge(currencies, on="customer_id")
    usable = usable.rename(columns={"currency": "own_currency"})
    moved = known(moved.merge(usable, on=link), [*link, "transaction_id"])
    moved = moved[moved["currency"] == moved["own_currency"]]
    moved["age"] = days(TODAY - moved["value_date"])
    moved = moved[(moved["age"] >= 0) & (moved["age"] < 180)].copy()
    since_fetch = days(moved["fetched_date"] - moved["value_date"])
    moved["fetched_age"] = since_fetch.clip(lower=0)
    credit, amount = moved["direction"] == "CREDIT", moved["amount"]
    moved["inflow"] = amount.where(credit, 0.0)
    moved["outflow"] = amount.where(moved["direction"] == "DEBIT", 0.0)
    moved["salary"] = amount.where(credit & (moved["category"] == "salary"), 0.0)
    moved["bounce_count"] = (moved["category"] == "bounce_charge").astype(int)
    return moved


def _windows(moved: pd.DataFrame) -> dict[str, pd.Series]:
    """Flows, bounces and lowest balances of the windows that end on the day."""
    age = moved["age"]
    span = np.select([age < length for length in _WINDOWS], _WINDOWS)
    by_span = moved.groupby(["customer_id", span])
    found = {
        f"{name}_{length}d": column
        for name in ("inflow", "outflow", "bounce_count")
        for length, column in spread(by_span[name].sum(), _WINDOWS).items()
    }
    lowest = by_span["balance_after"].min().unstack().reindex(columns=list(_WINDOWS))
    for length, column in lowest.cummin(axis=1).ffill(axis=1).items():
        found[f"min_balance_{length}d"] = column
    return found


def _spent(moved: pd.DataFrame) -> pd.DataFrame:
    """Debits of 90 days by category, one column each."""
    debits = moved[(moved["direction"] == "DEBIT") & (moved["age"] < 90)]
    sums = debits.groupby(["customer_id", "category"])["amount"].sum()
    wide = sums.unstack(fill_value=0)
    return wide.reindex(columns=sorted({*wide.columns, *_SPENDING}), fill_value=0.0)


def _months(moved: pd.DataFrame, months: pd.Series) -> dict[str, pd.Series]:
    """Volatility, trend and regularity over the whole months before the newest fetch."""
    month = (moved["fetched_age"] // 30).rename("month")
    sums = moved.groupby(["customer_id", month])[["inflow", "outflow", "salary"]].sum()
    count = months.to_numpy(dtype=float)
    whole = count[:, None] > _MONTHS
    found: dict[str, pd.Series] = {}
    for name in sums:
        wide = sums[name].unstack(fill_value=0)
        wide = wide.reindex(index=months.index, columns=_MONTHS, fill_value=0.0)
        values = np.where(whole, wide.to_numpy(), 0.0)
        if name == "salary":
            share = (values > 0).sum(axis=1) / np.where(count >= 1, count, np.nan)
            found["income_regularity"] = pd.Series(share, months.index).round(6)
        else:
            found[f"{name}_trend"] = pd.Series(_trend(values, count, whole), months.index)
        found[f"{name}_volatility"] = pd.Series(_volatility(values, count), months.index)
    return found


def _mean(values: _Numbers, count: _Numbers) -> _Numbers:
    """Mean of the whole months; NaN with fewer than three or a mean of zero."""
    mean = values.sum(axis=1) / np.where(count >= 3, count, np.nan)
    found: _Numbers = np.where(mean == 0, np.nan, mean)
    return found


def _volatility(values: _Numbers, count: _Numbers) -> _Numbers:
    mean = _mean(values, count)
    squares = (values**2).sum(axis=1) / np.where(count >= 3, count, np.nan)
    found: _Numbers = np.round(np.sqrt(np.maximum(squares - mean**2, 0)) / mean, 6)
    return found


def _trend(values: _Numbers, count: _Numbers, whole: npt.NDArray[np.bool_]) -> _Numbers:
    middle = np.where(whole, (count[:, None] - 1) / 2 - _MONTHS, 0.0)
    slope = (
        12 * (middle * values).sum(axis=1) / np.where(count >= 3, count * (count**2 - 1), np.nan)
    )
    found: _Numbers = np.round(slope / _mean(values, count), 6)
    return found


def _habits(moved: pd.DataFrame) -> dict[str, pd.Series]:
    """Salary a month, and the usual days of the month of salary and of instalments."""
    salary = moved[(moved["direction"] == "CREDIT") & (moved["category"] == "salary")]
    instalments = moved[(moved["direction"] == "DEBIT") & (moved["category"] == "emi")]
    recent = salary[salary["age"] < 90]
    date = recent["value_date"].dt
    paid = recent.assign(month=date.year * 12 + date.month).groupby("customer_id")
    monthly = _ratio(paid["amount"].sum(), paid["month"].nunique()).round(2)
    return {
        "salary_monthly": monthly,
        "salary_day": _usual_day(salary),
        "emi_day": _usual_day(instalments),
    }


def _usual_day(rows: pd.DataFrame) -> pd.Series:
    day = rows["value_date"].dt.day.rename("day")
    counted = rows.groupby(["customer_id", day]).size().rename("count")
    usual = counted.reset_index().sort_values(["count", "day"], ascending=[False, True])
    return usual.drop_duplicates("customer_id").set_index("customer_id")["day"]


def _before_instalments(moved: pd.DataFrame) -> pd.Series:
    """Lowest balance in the week before an instalment of the last 90 days and right before it."""
    taken = moved[
        (moved["direction"] == "DEBIT") & (moved["category"] == "emi") & (moved["age"] < 90)
    ]
    right_before = (taken["balance_after"] + taken["amount"]).groupby(taken["customer_id"]).min()
    lowest = moved.groupby(["customer_id", "age"])["balance_after"].min()
    week = taken[["customer_id", "age"]].drop_duplicates()
    asked = pd.concat([week.assign(age=week["age"] + ago) for ago in range(1, 8)])
    earlier = asked.merge(lowest.reset_index(), on=["customer_id", "age"])
    of_week = earlier.groupby("customer_id")["balance_after"].min()
    return pd.concat([right_before, of_week], axis=1).min(axis=1)


def _held_balances(moved: pd.DataFrame) -> dict[str, pd.Series]:
    """Mean and relative deviation of balances, each held until the account's next day or fetch."""
    link = ["customer_id", "link_ref_number"]
    by_day = moved.groupby([*link, "value_date"])[["fetched_age", "balance_after"]].min()
    by_day = by_day.reset_index()
    held = by_day["fetched_age"] + 1 - (by_day.groupby(link)["fetched_age"].shift(-1) + 1).fillna(0)
    units = by_day["balance_after"].round()
    sums = by_day[link].assign(
        held=held,
        total=by_day["balance_after"] * held,
        units=units * held,
        squares=units**2 * held,
    )
    of_link = sums.groupby(link).sum()
    spread_of_link = deviation(of_link["squares"], of_link["units"], of_link["held"]).round(2)
    mean_of_link = _ratio(of_link["total"], of_link["held"]).round(2)
    mean = mean_of_link.groupby("customer_id").sum()
    around = spread_of_link.groupby("customer_id").sum()
    return {
        "mean_balance_180d": mean,
        "balance_volatility_180d": _ratio(around, mean).where(mean > 0),
    }
