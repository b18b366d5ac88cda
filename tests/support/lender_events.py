"""What befell the customers of tests/support/feature_days.py: contacts, offers, visits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import cache

import numpy as np
import pyarrow as pa

from paymentor_assets.models.training_rows import Published
from resources.lakehouse import TIMESTAMP
from tests.support.feature_days import CHANNELS, LENDER, feature_tables, weekly

DAYS = weekly(date(2026, 6, 30), 14)
CUSTOMERS = 200
PRODUCTS = ("personal_loan", "two_wheeler", "auto_loan", "credit_card")
#: Who answers on which channel; what people look at after what.
ANSWERS = {"email": 0.1, "sms": 0.2, "whatsapp": 0.5, "voice": 0.8}


@cache
def published() -> Published:
    """Features and events of one lender, as an extract reads them."""
    rng = np.random.default_rng(4)
    return Published(
        lender_id=LENDER,
        days=DAYS,
        known_through=DAYS[-1],
        features=feature_tables(CUSTOMERS, DAYS),
        events={
            "raw.contact_history": _contacts(rng),
            "raw.campaign_responses": _offers(rng),
            "raw.clickstream_events": _clicks(rng),
        },
    )


def _who_and_when(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[datetime]]:
    who = rng.integers(0, CUSTOMERS, count)
    days = rng.integers(0, (DAYS[-1] - DAYS[0]).days, count)
    hours = rng.integers(3, 14, count)
    when = [
        datetime.combine(DAYS[0] + timedelta(days=int(d)), time(int(h)))
        for d, h in zip(days, hours, strict=True)
    ]
    return who, when


def _table(
    key: str, who: np.ndarray, when: Sequence[datetime], rest: dict[str, object]
) -> pa.Table:
    count = len(who)
    return pa.table(
        {
            key: [f"{key}-{i:06d}" for i in range(count)],
            "customer_id": [f"C{i:06d}" for i in who],
            **rest,
            "_known_at": pa.array([at + timedelta(hours=8) for at in when], TIMESTAMP),
            "_file_id": ["file"] * count,
            "_row_number": pa.array(range(count), pa.int64()),
        }
    )


def _contacts(rng: np.random.Generator) -> pa.Table:
    who, when = _who_and_when(rng, 2400)
    is_random = rng.random(len(who)) < 0.3
    channel = rng.choice(CHANNELS, len(who))
    engaged = rng.random(len(who)) < np.array([ANSWERS[c] for c in channel])
    return _table(
        "contact_id",
        who,
        when,
        {
            "channel": channel.tolist(),
            "direction": np.where(rng.random(len(who)) < 0.05, "inbound", "outbound").tolist(),
            "contacted_at_utc": pa.array(when, TIMESTAMP),
            "outcome": np.where(engaged, "replied", "no_answer").tolist(),
            "is_randomised": is_random.tolist(),
        },
    )


def _offers(rng: np.random.Generator) -> pa.Table:
    who, when = _who_and_when(rng, 2400)
    is_control = rng.random(len(who)) < 0.3
    channel = rng.choice(CHANNELS, len(who))
    chance = 0.1 + 0.5 * ((channel == "whatsapp") & ~is_control)
    accepted = rng.random(len(who)) < chance
    return _table(
        "response_id",
        who,
        when,
        {
            "product": rng.choice(PRODUCTS, len(who)).tolist(),
            "channel": channel.tolist(),
            "offered_at_utc": pa.array(when, TIMESTAMP),
            "response": np.where(accepted, "accepted", "ignored").tolist(),
            "is_control": is_control.tolist(),
        },
    )


def _clicks(rng: np.random.Generator) -> pa.Table:
    who, when = _who_and_when(rng, 1500)
    return _table(
        "event_id",
        who,
        when,
        {
            "product": [*rng.choice(PRODUCTS, len(who) - 1).tolist(), None],
            "occurred_at_utc": pa.array(when, TIMESTAMP),
        },
    )
