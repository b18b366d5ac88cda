"""Segments keep their names over retrains; products are ranked for people never seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from paymentor_assets.models import families
from resources.errors import ContractError

SEGMENTS = families.get("customer_segmentation")
AFFINITY = families.get("user_affinity")


def _customers(rows: int, seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    kind = chance.choice(3, rows, p=[0.3, 0.5, 0.2])
    return pd.DataFrame(
        {
            "kind": np.array(["late", "plain", "rich"])[kind],
            "days_past_due": np.where(kind == 0, 60, 1) + chance.gamma(1, 2, rows),
            "broken_promises": np.where(kind == 0, 3, 0) + chance.poisson(0.2, rows),
            "total_balance": np.where(kind == 2, 9e5, 5e4) * chance.lognormal(0, 0.2, rows),
            "loans": np.where(kind == 2, 6, 1) + chance.poisson(0.3, rows),
            "income": np.where(chance.random(rows) < 0.1, np.nan, 1e4 * (1 + 4 * (kind == 2))),
        }
    )


def test_segments_are_named_by_their_centroids() -> None:
    customers = _customers(900, 0)
    found = SEGMENTS.fit(customers, seed=0).assign(customers)
    assert found.columns.tolist() == ["segment_id", "segment", "distance"]
    named = pd.crosstab(customers["kind"], found["segment"], normalize="index")
    assert named.loc["late", "high_risk"] > 0.9
    assert named.loc["rich", "high_value"] > 0.9
    assert named.loc["plain", "low_risk"] > 0.9


def test_a_retrain_calls_the_same_people_by_the_same_name() -> None:
    first, second = _customers(900, 0), _customers(700, 1)
    old = SEGMENTS.fit(first, seed=0).assign(first)
    for seed in (1, 2, 3):
        new = SEGMENTS.fit(pd.concat([first, second], ignore_index=True), seed=seed).assign(first)
        assert (old["segment"] == new["segment"]).mean() > 0.98
        assert (old["segment_id"] == new["segment_id"]).mean() > 0.98


def test_segments_are_read_back_and_refuse_bad_frames() -> None:
    customers = _customers(300, 0)
    fitted = SEGMENTS.fit(customers)
    assert SEGMENTS.from_files(fitted.files()).digest() == fitted.digest()
    assert SEGMENTS.fit(customers).digest() == fitted.digest()
    with pytest.raises(ContractError, match=r"customer_segmentation.*'loans'"):
        fitted.assign(customers.drop(columns="loans"))
    with pytest.raises(ContractError, match="10 rows are too few"):
        SEGMENTS.fit(customers.head(10))
    with pytest.raises(ContractError, match="rows are alike"):
        SEGMENTS.fit(pd.DataFrame({"a": np.ones(99)}))


def _events(customers: int, seed: int) -> pd.DataFrame:
    """Customers of four tastes, six products each, and a fixed order within a taste."""
    chance = np.random.default_rng(seed)
    count = chance.integers(2, 6, customers)
    who = np.repeat(np.arange(customers), count)
    step = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    product = 6 * chance.integers(0, 4, customers)[who] + step
    product = np.where(chance.random(len(who)) < 0.1, chance.integers(0, 24, len(who)), product)
    return pd.DataFrame(
        {
            "customer_id": [f"c{seed}-{number}" for number in who],
            "product": [f"p{number:02d}" for number in product],
            "occurred_at": pd.Timestamp("2026-01-01")
            + pd.to_timedelta(chance.integers(0, 200, customers)[who] + step, unit="D"),
        }
    )


def test_products_are_ranked_for_customers_never_seen() -> None:
    fitted = AFFINITY.fit(_events(800, 0))
    later = _events(200, 1)
    last = later.groupby("customer_id").tail(1)
    before = later.drop(index=last.index)
    before, last = (
        before,
        last[
            ~last.set_index(["customer_id", "product"]).index.isin(
                before.set_index(["customer_id", "product"]).index
            )
        ],
    )
    scored = fitted.score(before)
    assert scored.columns.tolist() == ["customer_id", "product", "score"]
    seen = before.merge(scored, on=["customer_id", "product"])
    assert seen.empty
    touched = before.groupby("customer_id")["product"].nunique()
    assert (scored.groupby("customer_id").size() == 24 - touched).all()
    scored["place"] = scored.groupby("customer_id")["score"].rank(ascending=False)
    place = last.merge(scored, on=["customer_id", "product"])["place"]
    assert (place <= 3).mean() > 0.75, "by chance it would be 3 of 22"
    assert len(fitted.card["candidates"]) == 4


def test_affinity_repeats_itself_and_is_read_back() -> None:
    events = _events(300, 0)
    fitted = AFFINITY.fit(events, seed=2)
    shuffled = events.sample(frac=1, random_state=0)
    assert AFFINITY.fit(events, seed=2).digest() == fitted.digest()
    back = AFFINITY.from_files(fitted.files())
    pd.testing.assert_frame_equal(back.score(shuffled), fitted.score(events))


def test_a_customer_of_unknown_products_gets_the_popular_ones() -> None:
    fitted = AFFINITY.fit(_events(300, 0))
    stranger = pd.DataFrame(
        {"customer_id": ["x"], "product": ["unheard of"], "occurred_at": ["2026-05-05"]}
    )
    scored = fitted.score(stranger)
    assert len(scored) == 24 and scored["score"].nunique() > 1


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("product", None, "'product' is missing in"),
        ("occurred_at", "yesterday-ish", "'occurred_at' holds no instants"),
    ],
)
def test_events_are_checked(column: str, value: object, message: str) -> None:
    events = _events(300, 0)
    with pytest.raises(ContractError, match=f"user_affinity.*{message}"):
        AFFINITY.fit(events.assign(**{column: value}))
    with pytest.raises(ContractError, match=f"user_affinity: events have no column '{column}'"):
        AFFINITY.fit(events.drop(columns=column))


def test_too_few_events_are_refused() -> None:
    with pytest.raises(ContractError, match="user_affinity: customers came to a new product"):
        AFFINITY.fit(_events(10, 0))
