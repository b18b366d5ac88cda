"""What came of a scored day, out of events: only what was offered, only what was known by then."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from paymentor_assets.rankings import outcomes
from resources.lakehouse import TIMESTAMP
from tests.support.feature_days import LENDER
from tests.support.model_lender import ModelLender, model_lender, take_in

DAY = date(2026, 6, 1)
BY = DAY + timedelta(days=20)


def _events(table: str, key: str, at: str, rows: list[dict[str, Any]]) -> dict[str, pa.Table]:
    """Rows of `day` (days after DAY) and what else the table holds, known the same evening."""
    when = [datetime.combine(DAY, time(9)) + timedelta(days=row.pop("day")) for row in rows]
    known = [w + timedelta(hours=row.pop("known", 8)) for w, row in zip(when, rows, strict=True)]
    return {
        table: pa.table(
            {
                **{name: [row[name] for row in rows] for name in rows[0]},
                key: [row.get(key, f"{i}") for i, row in enumerate(rows)],
                at: pa.array(when, TIMESTAMP),
                "_known_at": pa.array(known, TIMESTAMP),
                "_file_id": ["file"] * len(rows),
                "_row_number": pa.array(range(len(rows)), pa.int64()),
            }
        )
    }


@pytest.fixture
def place(tmp_path: Path) -> ModelLender:
    return model_lender(tmp_path)


def test_an_offer_counts_when_it_was_made_in_the_week_after(place: ModelLender) -> None:
    def offer(customer: str, day: int, response: str = "ignored", **more: Any) -> dict[str, Any]:
        return {
            "customer_id": customer, "day": day, "response": response, "product": "auto_loan",
            "channel": "sms", "is_control": False, **more,
        }  # fmt: skip

    rows = [
        offer("before", 1, "accepted"),
        offer("first", 2, "accepted"),
        offer("last", 8),
        offer("after", 9, "accepted"),
        offer("control", 3, "accepted", is_control=True),
        offer("late", 4, "accepted", known=24 * 30),
    ]
    take_in(place, BY, _events("raw.campaign_responses", "response_id", "offered_at_utc", rows))
    found = outcomes.accepted(place.lake, place.lender, BY, [DAY]).to_pylist()
    assert sorted((row["customer_id"], row["accepted"]) for row in found) == [
        ("first", True), ("last", False),
    ]  # fmt: skip
    assert {(row["lender_id"], row["as_of_date"], row["channel"]) for row in found} == {
        (LENDER, DAY, "sms")
    }


def test_who_visited_something_could_have_visited_the_rest(place: ModelLender) -> None:
    rows = [
        {"customer_id": "one", "day": 3, "product": "auto_loan"},
        {"customer_id": "one", "day": 4, "product": "auto_loan"},
        {"customer_id": "two", "day": 5, "product": "credit_card"},
        {"customer_id": "two", "day": 12, "product": "auto_loan"},
        {"customer_id": "nobody", "day": 4, "product": None},
    ]
    take_in(place, BY, _events("raw.clickstream_events", "event_id", "occurred_at_utc", rows))
    found = outcomes.visited(place.lake, place.lender, BY, [DAY]).to_pylist()
    assert sorted((row["customer_id"], row["product"], row["visited"]) for row in found) == [
        ("one", "auto_loan", True), ("one", "credit_card", False),
        ("two", "auto_loan", False), ("two", "credit_card", True),
    ]  # fmt: skip


def test_without_events_nothing_is_known(place: ModelLender) -> None:
    for read in (outcomes.accepted, outcomes.visited, outcomes.label("paid_7d")):
        assert read(place.lake, place.lender, BY, [DAY]).num_rows == 0
