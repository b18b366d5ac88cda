"""Allocation: as good as trying everything, never above capacity, the same in any order."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from paymentor_assets.strategies.allocation import allocate
from resources.lakehouse import MONEY

_SCHEMA = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("customer_id", pa.string()),
        ("candidate_kind", pa.string()),
        ("channel", pa.string()),
        ("currency", pa.string()),
        ("expected_value", MONEY),
        ("cost", MONEY),
        ("days_past_due", pa.int64()),
    ]
)
Row = dict[str, Any]


def _table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, _SCHEMA)


def _row(key: int, customer: int, channel: str, value: str, **changes: object) -> Row:
    return {
        "candidate_id": f"k{key:04d}",
        "customer_id": f"c{customer:03d}",
        "candidate_kind": "contact",
        "channel": channel,
        "currency": "INR",
        "expected_value": Decimal(value),
        "cost": Decimal("0.25"),
        "days_past_due": 10,
    } | changes


def _random_rows(seed: int, customers: int, ways: int) -> list[Row]:
    rng = random.Random(seed)
    return [
        _row(
            customer * ways + way,
            customer,
            rng.choice(["email", "sms", "voice"]),
            f"{rng.randint(0, 4000) / 100:.2f}",
            candidate_kind="offer" if customer % 3 == 0 else "contact",
        )
        for customer in range(customers)
        for way in range(ways)
    ]


def _net(row: Row) -> Decimal:
    return Decimal(row["expected_value"]) - Decimal(row["cost"])


def _best_by_trying(rows: list[Row], capacity: dict[str, int], share: float) -> Decimal:
    by_customer: dict[str, list[Row | None]] = {}
    for row in rows:
        by_customer.setdefault(row["customer_id"], [None]).append(row)
    best = Decimal(0)
    for choice in itertools.product(*by_customer.values()):
        taken = [row for row in choice if row is not None and _net(row) > 0]
        used = Counter(row["channel"] for row in taken)
        offers = Counter(row["channel"] for row in taken if row["candidate_kind"] == "offer")
        if all(used[c] <= n and offers[c] <= int(n * share) for c, n in capacity.items()):
            best = max(best, sum((_net(row) for row in taken), Decimal(0)))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_it_is_as_good_as_trying_everything(seed: int) -> None:
    rows = _random_rows(seed, customers=5, ways=4)
    capacity = {"email": 1 + seed % 2, "sms": 2, "voice": seed % 3}

    allocation = allocate(_table(rows), capacity, 0.5)

    chosen = {row["candidate_id"]: row for row in rows if row["candidate_id"] in allocation.chosen}
    value = sum((_net(row) for row in chosen.values()), Decimal(0))
    assert value == _best_by_trying(rows, capacity, 0.5)
    (certificate,) = allocation.certificates
    assert certificate.value == pytest.approx(float(value))
    assert 0 <= certificate.gap < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_capacity_holds_and_nobody_is_chosen_twice(seed: int) -> None:
    rows = _random_rows(100 + seed, customers=200, ways=8)
    capacity = {"email": 30, "sms": 17, "voice": 5}

    allocation = allocate(_table(rows), capacity, 0.2)

    chosen = [row for row in rows if row["candidate_id"] in set(allocation.chosen)]
    assert len({row["customer_id"] for row in chosen}) == len(chosen) == 52
    for channel, limit in capacity.items():
        mine = [row for row in chosen if row["channel"] == channel]
        assert len(mine) <= limit
        assert sum(row["candidate_kind"] == "offer" for row in mine) <= int(limit * 0.2)


def test_the_order_of_rows_does_not_matter_even_among_equals() -> None:
    rows = [_row(i, i // 4, ("email", "sms")[i % 2], "5.00") for i in range(80)]
    shuffled = rows[:]
    random.Random(3).shuffle(shuffled)
    capacity = {"email": 4, "sms": 6}

    assert allocate(_table(rows), capacity, 1.0) == allocate(_table(shuffled), capacity, 1.0)


def test_what_costs_more_than_it_brings_is_left() -> None:
    rows = [_row(1, 1, "sms", "0.25"), _row(2, 2, "sms", "0.26")]

    assert allocate(_table(rows), {"sms": 10}, 1.0).chosen == ["k0002"]


def test_a_channel_without_terms_carries_nothing() -> None:
    assert allocate(_table([_row(1, 1, "pigeon", "9.00")]), {"sms": 10}, 1.0).chosen == []


def test_few_offers_fit_although_a_quarter_of_few_is_none() -> None:
    rows = [_row(1, 1, "sms", "9.00", candidate_kind="offer"), _row(2, 2, "sms", "9.00")]

    assert len(allocate(_table(rows), {"sms": 100}, 0.25).chosen) == 2


def test_nothing_allowed_is_an_empty_plan() -> None:
    allocation = allocate(_SCHEMA.empty_table(), {"sms": 10}, 1.0)

    assert allocation.chosen == []
    assert allocation.certificates == []


def test_capacity_is_shared_between_currencies_by_customers() -> None:
    rows = [_row(i, i, "sms", "5.00", currency="INR" if i < 30 else "USD") for i in range(40)]

    allocation = allocate(_table(rows), {"sms": 10}, 1.0)

    shares = {c.currency: c.capacity["sms"] for c in allocation.certificates}
    assert shares == {"INR": 8, "USD": 2} or shares == {"INR": 7, "USD": 3}
    assert sum(shares.values()) == 10
    assert len(allocation.chosen) == 10


def test_a_customer_with_debts_in_two_currencies_is_contacted_about_the_later_one() -> None:
    rows = [
        _row(1, 1, "sms", "900.00", days_past_due=3),
        _row(2, 1, "email", "5.00", currency="USD", days_past_due=40),
    ]

    assert allocate(_table(rows), {"sms": 5, "email": 5}, 1.0).chosen == ["k0002"]


def test_an_impossible_program_is_an_error_not_an_empty_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from scipy import optimize

    from paymentor_assets.strategies.allocation import AllocationError

    class Failed:
        status = 1
        message = "Iteration limit reached."

    monkeypatch.setattr(optimize, "linprog", lambda *_args, **_more: Failed())
    with pytest.raises(AllocationError, match="Iteration limit reached"):
        allocate(_table([_row(1, 1, "sms", "9.00")]), {"sms": 5}, 1.0)
