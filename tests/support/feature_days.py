"""Published feature days of an invented lender, for tests of models and rankings.

Outcomes depend on what the features show (days past due, past payments, willingness that only
shows in behaviour), so a model has something to learn and a test something to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from resources.lakehouse import MONEY, TIMESTAMP, TableContract

LENDER = "meridian"
CHANNELS = ("email", "sms", "voice", "whatsapp")


def weekly(last: date, count: int) -> list[date]:
    """`count` days a week apart, the newest last."""
    return [last - timedelta(weeks=k) for k in range(count - 1, -1, -1)]


def _money(values: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    return pa.array(
        [
            None if mask is not None and mask[i] else Decimal(f"{v:.2f}")
            for i, v in enumerate(values)
        ],
        MONEY,
    )


def _dates(values: Sequence[date]) -> pa.Array:
    return pa.array(values, pa.date32())


def feature_tables(
    customers: int,
    days: Sequence[date],
    *,
    seed: int = 1,
    lender_id: str = LENDER,
    labels_known_through: date | None = None,
) -> dict[str, pa.Table]:
    """The four features.* tables of `customers` with one account each, on `days`.

    Labels whose horizon closes after `labels_known_through` (by default the last day) are null.
    """
    rng = np.random.default_rng(seed)
    known = labels_known_through or days[-1]
    n, total = customers, customers * len(days)
    willing = rng.normal(size=n)
    emi = rng.uniform(2_000, 20_000, n).round(2)
    is_us = rng.random(n) < 0.2
    has_aa = rng.random(n) < 0.5
    product = rng.choice(["personal_loan", "two_wheeler", "auto_loan", "credit_card"], n)
    employment = rng.choice(["salaried", "self_employed", "student"], n, p=[0.7, 0.25, 0.05])
    who = np.tile(np.arange(n), len(days))
    when = [d for d in days for _ in range(n)]
    dpd = np.clip(rng.normal(10 - 14 * willing[who], 12), 0, 120).round().astype(int)
    overdue = np.ceil(dpd / 30) * emi[who]
    paid_30 = rng.poisson(np.clip(0.6 + 0.3 * willing[who], 0.05, None))
    score = 1.2 * willing[who] - 0.05 * dpd + 0.5 * paid_30 + 0.3
    p30 = 1 / (1 + np.exp(-score))
    y30 = rng.random(total) < p30
    y7 = y30 & (rng.random(total) < 0.4)
    share = np.where(y30, rng.uniform(0.3, 1.1, total), 0.0)
    due = overdue + emi[who]
    account_ids = [f"A{i:06d}" for i in who]
    customer_ids = [f"C{i:06d}" for i in who]
    currency = np.where(is_us, "USD", "INR")[who]
    keys = {"lender_id": [lender_id] * total, "as_of_date": _dates(when)}

    accounts = {
        **keys,
        "account_id": account_ids,
        "customer_id": customer_ids,
        "product": product[who].tolist(),
        "currency": currency.tolist(),
        "outstanding_amount": _money(emi[who] * 10 + overdue),
        "overdue_amount": _money(overdue),
        "emi_amount": _money(emi[who]),
        "principal_amount": _money(emi[who] * 24),
        "annual_rate": np.round(0.1 + 0.01 * (who % 10), 4),
        "tenor_months": (12 + who % 48).astype(np.int32),
        "months_on_book": (who % 40).astype(np.int32),
        "emis_overdue": np.ceil(dpd / 30).astype(np.int32),
        "days_past_due": dpd.astype(np.int32),
        "bucket": np.where(dpd == 0, "current", "1-30").tolist(),
        "sma_class": np.where(dpd == 0, "STANDARD", "SMA-0").tolist(),
        "is_delinquent": (dpd > 0).tolist(),
        "account_status": np.where(who % 50 == 49, "closed", "open").tolist(),
        "next_due_date": _dates([d + timedelta(days=5) for d in when]),
        "days_to_next_due": np.full(total, 5, np.int32),
        "days_since_last_payment": np.where(paid_30 > 0, 10, 60).astype(np.int32),
        "on_time_share_180d": np.round(1 / (1 + np.exp(-willing[who])), 6),
        "days_since_right_party_contact": pa.array(
            [None if i % 3 else 12 for i in who], pa.int32()
        ),
    }
    for window in (30, 90, 180):
        accounts[f"payments_{window}d"] = (paid_30 * (window // 30)).astype(np.int32)
        accounts[f"paid_amount_{window}d"] = _money(paid_30 * (window // 30) * emi[who])
        accounts[f"max_dpd_{window}d"] = (dpd + window // 30).astype(np.int32)
    for name in ("bounces_90d", "days_delinquent_90d", "right_party_contacts_90d"):
        accounts[name] = rng.poisson(1.0, total).astype(np.int32)
    for name in ("promises_180d", "promises_kept_180d", "promises_broken_180d"):
        accounts[name] = rng.poisson(0.5, total).astype(np.int32)
    for channel in CHANNELS:
        accounts[f"contacts_{channel}_30d"] = rng.poisson(1.0, total).astype(np.int32)

    inflow = emi[who] * 4
    profiles = {
        **keys,
        "customer_id": customer_ids,
        "birth_year": (1956 + 3 * (who % 17)).astype(np.int32),
        "country": np.where(is_us, "US", "IN")[who].tolist(),
        "time_zone": np.where(is_us, "America/New_York", "Asia/Kolkata")[who].tolist(),
        "currency": currency.tolist(),
        "last_product_viewed": product[who].tolist(),
        "total_sanctioned": _money(emi[who] * 40),
        "employment_type": employment[who].tolist(),
        "declared_monthly_income": _money(emi[who] * 3, who % 7 == 0),
        "income_monthly": _money(emi[who] * 5),
        "bureau_score": pa.array(
            [None if i % 11 == 0 else int(700 + 60 * willing[i]) for i in who], pa.int32()
        ),
        "bureau_report_date": _dates([d - timedelta(days=20) for d in when]),
        "total_balance": _money(emi[who] * 20),
        "bureau_overdue": _money(overdue / 2),
        "utilisation": np.round(rng.random(total), 6),
        "total_emi_monthly": _money(emi[who] * 2),
        "savings_rate": np.round(0.2 + 0.1 * willing[who], 6),
        "monthly_inflow_mean": _money(inflow),
        "monthly_outflow_mean": _money(inflow * 0.9),
        "min_balance_30d": _money(inflow * 0.1),
        "min_balance_90d": _money(inflow * 0.05),
        "mean_balance_180d": _money(inflow * 0.5),
        "bank_balance": _money(inflow * 0.4),
        "balance_volatility_180d": np.round(0.5 - 0.1 * np.tanh(willing[who]), 6),
        "bounce_count_90d": rng.poisson(0.5, total).astype(np.int32),
        "aa_purposes": np.where(has_aa, "102;104", "103")[who].tolist(),
        "last_engaged_at_utc": pa.array(
            [
                None if i % 4 == 0 else np.datetime64(d, "us") - np.timedelta64(3, "D")
                for i, d in zip(who, when, strict=True)
            ],
            TIMESTAMP,
        ),
        "open_accounts": np.ones(total, np.int32),
        "max_days_past_due": dpd.astype(np.int32),
    }
    for name in ("rent", "groceries", "cash", "emi"):
        profiles[f"spend_share_{name}"] = np.round(rng.random(total) / 4, 6)
    for name in (
        "open_tradelines", "enquiries_30d", "enquiries_90d", "enquiries_180d", "worst_status_6m",
        "worst_status_12m", "worst_status_24m", "clickstream_events_30d", "product_views_30d",
        "campaign_offers_180d", "campaign_accepts_180d", "engagement_opens_30d",
        "engagement_clicks_30d", "engagement_replies_30d", "tenure_months",
        "credit_vintage_months", "open_home_loan_lines", "open_auto_loan_lines",
        "open_credit_card_lines",
    ):  # fmt: skip
        profiles[name] = rng.poisson(1.0, total).astype(np.int32)

    closed_7 = np.array([d + timedelta(days=7) <= known for d in when])
    closed_30 = np.array([d + timedelta(days=30) <= known for d in when])
    labels = {
        **keys,
        "account_id": account_ids,
        "paid_7d": pa.array(y7, pa.bool_(), mask=~closed_7),
        "paid_30d": pa.array(y30, pa.bool_(), mask=~closed_30),
        "recovered_amount_30d": _money(share * due, ~closed_30),
    }
    return {
        "features.account_features": pa.table(accounts),
        "features.customer_profile": pa.table(profiles),
        "features.repayment_labels": pa.table(labels),
        "features.channel_engagement": _engagement(customers, days, lender_id, rng),
    }


def _engagement(
    customers: int, days: Sequence[date], lender_id: str, rng: np.random.Generator
) -> pa.Table:
    rate = {"email": 0.2, "sms": 0.3, "voice": 0.4, "whatsapp": 0.6}
    rows = []
    for channel in CHANNELS:
        for i in range(0, customers, 2):
            parts = {
                part: int(k)
                for part, k in zip(
                    ("morning", "midday", "afternoon", "evening"), rng.poisson(1.5, 4), strict=True
                )
            }
            engaged = {part: int(rng.binomial(k, rate[channel])) for part, k in parts.items()}
            attempts, hits = sum(parts.values()), sum(engaged.values())
            for day in days:
                rows.append(
                    {
                        "lender_id": lender_id,
                        "customer_id": f"C{i:06d}",
                        "channel": channel,
                        "as_of_date": day,
                        "attempts_180d": attempts,
                        "engaged_180d": hits,
                        "randomised_attempts_180d": attempts // 2,
                        "randomised_engaged_180d": min(hits, attempts // 2),
                        **{f"{part}_attempts_180d": k for part, k in parts.items()},
                        **{f"{part}_engaged_180d": k for part, k in engaged.items()},
                    }
                )
    return pa.Table.from_pylist(rows)


KEYS = {
    "features.account_features": ("lender_id", "account_id", "as_of_date"),
    "features.customer_profile": ("lender_id", "customer_id", "as_of_date"),
    "features.repayment_labels": ("lender_id", "account_id", "as_of_date"),
    "features.channel_engagement": ("lender_id", "customer_id", "channel", "as_of_date"),
}


def contract(name: str, rows: pa.Table) -> TableContract:
    """The contract such a table has in the lakehouse."""
    return TableContract(name=name, schema=rows.schema, key=KEYS[name], description=name)
