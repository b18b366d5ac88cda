"""int_account_payments as a careful pandas programmer would write it, for one day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.features.pandas_versions import (
    CARRY_DAYS,
    TODAY,
    days,
    deviation,
    known,
    read,
    spread,
    with_known_until,
)

_WINDOWS = (7, 30, 90, 180)
_DAY = ["account_id", "value_date"]


def account_payments(parquet: Path) -> pd.DataFrame:
    """The model's columns, by account_id; null is NaN or NaT."""
    paid = read(parquet, "raw.payments", ["payment_id", *_DAY, "amount", "method", "status"])
    paid = known(paid, ["payment_id"])
    paid["age"] = days(TODAY - paid["value_date"])
    paid = paid[paid["age"] >= 0]
    good = paid[paid["status"] == "success"]
    by_day = _payment_days(paid, good, parquet)
    found = _windows(by_day)
    found["last_payment_date"] = good.groupby("account_id")["value_date"].max()
    recent = good[good["age"] < 180]
    found["preferred_payment_method_180d"] = _commonest(recent, recent["method"])
    found["preferred_payment_day_180d"] = _commonest(recent, recent["value_date"].dt.day)
    return pd.DataFrame(found)


def _payment_days(paid: pd.DataFrame, good: pd.DataFrame, parquet: Path) -> pd.DataFrame:
    """One row an account and value date: what came, what was due, and when."""
    is_good = paid["status"] == "success"
    counted = paid[_DAY].assign(
        payments=is_good.astype(int),
        paid_amount=paid["amount"].where(is_good, 0.0),
        bounces=(paid["status"] == "bounced").astype(int),
    )
    by_day = counted.groupby(_DAY, sort=False).sum()
    standing = _standing_before(good[good["age"] < 180], parquet)
    by_day = by_day.join(standing.groupby(_DAY)[["due_date", "owed_amount"]].max())
    by_day = by_day.reset_index()
    by_day["delay"] = days(by_day["value_date"] - by_day["due_date"])
    over = by_day["paid_amount"] - by_day["owed_amount"]
    by_day["prepaid_amount"] = over.clip(lower=0).fillna(0.0)
    age = days(TODAY - by_day["value_date"])
    by_day["span"] = np.select([age < length for length in _WINDOWS], _WINDOWS, default=0)
    return by_day


def _standing_before(good: pd.DataFrame, parquet: Path) -> pd.DataFrame:
    """Of each payment the newest snapshot before it, as it was known when the payment became so."""
    columns = [
        "account_id",
        "snapshot_date",
        "next_due_date",
        "oldest_unpaid_due_date",
        "days_past_due",
        "overdue_amount",
        "emi_amount",
    ]
    snapshots = read(parquet, "raw.portfolio_accounts", columns)
    snapshots = with_known_until(snapshots, ["account_id", "snapshot_date"])
    asked = good[[*_DAY, "_known_at"]].drop_duplicates()
    before = np.repeat(np.arange(1, CARRY_DAYS + 1), len(asked))
    asked = pd.concat([asked] * CARRY_DAYS, ignore_index=True)
    asked["snapshot_date"] = asked["value_date"] - pd.to_timedelta(before, unit="D")
    read_then = asked.merge(snapshots, on=["account_id", "snapshot_date"], suffixes=("", "_from"))
    read_then = read_then[
        (read_then["_known_at_from"] <= read_then["_known_at"])
        & ~(read_then["known_until"] <= read_then["_known_at"])
    ]
    read_then = read_then.sort_values("snapshot_date").drop_duplicates(
        [*_DAY, "_known_at"], keep="last"
    )
    oldest, snapshot = read_then["oldest_unpaid_due_date"], read_then["snapshot_date"]
    counts = (read_then["overdue_amount"] > 0) & (oldest <= snapshot)
    late = (days(snapshot - oldest) + 1).where(counts, read_then["days_past_due"])
    first_unpaid = snapshot + pd.to_timedelta(1 - late, unit="D")
    announced = read_then["next_due_date"]
    read_then["due_date"] = first_unpaid.where(late > 0, announced)
    instalment = read_then["emi_amount"].where(announced.notna(), 0.0)
    read_then["owed_amount"] = read_then["overdue_amount"] + instalment
    return read_then


def _windows(by_day: pd.DataFrame) -> dict[str, pd.Series]:
    """Counts, sums and deviations over the windows; an account with older days only has zeros."""
    summed = by_day[["account_id", "span", "payments", "bounces", "paid_amount"]].copy()
    summed["prepaid_amount"] = by_day["prepaid_amount"]
    for when, holds in (
        ("early", by_day["delay"] < 0),
        ("on_due_date", by_day["delay"] == 0),
        ("late", by_day["delay"] > 0),
    ):
        summed[f"payments_{when}"] = by_day["payments"].where(holds, 0)
    by_span = summed.groupby(["account_id", "span"]).sum()
    found = {
        f"{name}_{length}d": column
        for name in by_span
        for length, column in spread(by_span[name], _WINDOWS).items()
    }
    paying = by_day[(by_day["payments"] > 0) & (by_day["span"] > 0)]
    totals = (
        paying[["account_id", "paid_amount", "delay"]]
        .assign(amount_square=paying["paid_amount"] ** 2, delay_square=paying["delay"] ** 2)
        .groupby("account_id")
    )
    sums, counts = totals.sum(), totals.count()
    judged, paid_days = counts["delay"], counts["paid_amount"]
    found["payment_delay_mean_180d"] = (sums["delay"] / judged).round(6)
    spread_of_delay = deviation(sums["delay_square"], sums["delay"], judged)
    found["payment_delay_deviation_180d"] = spread_of_delay.where(judged >= 3)
    spread_of_amount = deviation(sums["amount_square"], sums["paid_amount"], paid_days)
    found["payment_amount_variation_180d"] = (
        (spread_of_amount * paid_days / sums["paid_amount"]).round(6).where(paid_days >= 3)
    )
    return found


def _commonest(rows: pd.DataFrame, choice: pd.Series) -> pd.Series:
    """Of each account the choice of most rows, of two the first."""
    counted = rows.groupby(["account_id", choice.rename("choice")]).size()
    usual = counted.rename("count").reset_index().sort_values(["count", "choice"])
    usual = usual.sort_values("count", ascending=False, kind="stable")
    return usual.drop_duplicates("account_id").set_index("account_id")["choice"]
