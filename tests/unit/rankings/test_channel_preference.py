"""Channel preference: thin evidence follows the group, thick evidence itself."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from paymentor_assets.rankings.channel_preference import preferences
from paymentor_assets.rankings.tables import CHANNEL_PREFERENCES, DAY_PARTS

DAY = date(2026, 6, 30)
CHANNELS = ["sms", "email"]


def _customers(count: int, country: str = "IN") -> pa.Table:
    return pa.table(
        {
            "lender_id": ["meridian"] * count,
            "customer_id": [f"C{i:03d}" for i in range(count)],
            "as_of_date": pa.array([DAY] * count, pa.date32()),
            "country": pa.array([country] * count),
        }
    )


def _tried(
    customer: str, channel: str, attempts: int, engaged: int, *, is_random: bool = True,
    part: str = "morning",
) -> dict[str, object]:  # fmt: skip
    row: dict[str, object] = {
        "lender_id": "meridian",
        "customer_id": customer,
        "channel": channel,
        "as_of_date": DAY,
        "attempts_180d": attempts,
        "engaged_180d": engaged,
        "randomised_attempts_180d": attempts if is_random else 0,
        "randomised_engaged_180d": engaged if is_random else 0,
    }
    for name in DAY_PARTS:
        row[f"{name}_attempts_180d"] = attempts if name == part else 0
        row[f"{name}_engaged_180d"] = engaged if name == part else 0
    return row


def _estimate(rows: list[dict[str, object]], count: int = 40) -> dict[tuple[str, str], dict]:
    engagement = pa.Table.from_pylist(rows or [_tried("nobody", "sms", 0, 0)])
    found = preferences(
        _customers(count), engagement, channels=CHANNELS, features_publication_id="features-1"
    )
    assert found.schema.equals(CHANNEL_PREFERENCES.schema)
    return {(row["customer_id"], row["channel"]): row for row in found.to_pylist()}


def test_every_customer_has_every_channel_ranked() -> None:
    found = _estimate([_tried("C000", "sms", 5, 4)])
    assert len(found) == 80
    for i in range(40):
        ranks = {found[f"C{i:03d}", channel]["rank"] for channel in CHANNELS}
        assert ranks == {1, 2}


def test_nothing_known_is_a_coin_and_channels_rank_by_name() -> None:
    found = _estimate([])
    assert {row["p_engage"] for row in found.values()} == {0.5}
    assert found["C007", "email"]["rank"] == 1


def test_a_customer_never_tried_gets_the_rate_of_the_group() -> None:
    rows = [_tried(f"C{i:03d}", "sms", 20, 16) for i in range(30)]
    rows += [_tried(f"C{i:03d}", "email", 20, 2) for i in range(30)]
    found = _estimate(rows)
    assert 0.7 < found["C035", "sms"]["p_engage"] < 0.85
    assert 0.08 < found["C035", "email"]["p_engage"] < 0.2
    assert found["C035", "sms"]["rank"] == 1


def test_own_evidence_counts_the_more_the_more_there_is() -> None:
    rows = [_tried(f"C{i:03d}", "sms", 20, 4 + 12 * (i % 2)) for i in range(30)]
    few = _estimate([*rows, _tried("C030", "sms", 2, 2)])["C030", "sms"]["p_engage"]
    many = _estimate([*rows, _tried("C030", "sms", 60, 60)])["C030", "sms"]["p_engage"]
    group = _estimate(rows)["C030", "sms"]["p_engage"]
    assert group < few < many
    assert many > 0.85


def test_randomised_attempts_count_more_than_chosen_ones() -> None:
    rows = [_tried(f"C{i:03d}", "sms", 20, 4 + 12 * (i % 2)) for i in range(30)]
    drawn = _estimate([*rows, _tried("C030", "sms", 6, 6)])["C030", "sms"]["p_engage"]
    chosen = _estimate([*rows, _tried("C030", "sms", 6, 6, is_random=False)])
    assert drawn > chosen["C030", "sms"]["p_engage"]


def test_a_good_part_of_the_day_stands_out() -> None:
    rows = [_tried(f"C{i:03d}", "sms", 20, 16, part="evening") for i in range(20)]
    rows += [_tried(f"C{i:03d}", "sms", 20, 4, part="morning") for i in range(20, 40)]
    found = _estimate(rows)["C000", "sms"]
    assert found["p_evening"] > found["p_midday"] > found["p_morning"]
    assert all(0 <= found[f"p_{part}"] <= 1 for part in DAY_PARTS)


def test_countries_are_groups_of_their_own() -> None:
    both = pa.concat_tables([_customers(20), _customers(40, "US").slice(20)])
    rows = [_tried(f"C{i:03d}", "sms", 20, 18 if i < 20 else 2) for i in range(0, 40, 2)]
    found = preferences(
        both,
        pa.Table.from_pylist(rows),
        channels=CHANNELS,
        features_publication_id="features-1",
    ).to_pylist()
    rate = {(r["customer_id"], r["channel"]): r["p_engage"] for r in found}
    assert rate["C001", "sms"] > 0.6 > 0.4 > rate["C021", "sms"]


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [_tried(f"C{i:03d}", "sms", 7 + i % 5, i % 5) for i in range(40)]
    assert _estimate(rows) == _estimate(rows[::-1])


def test_a_day_without_customers_has_no_preferences() -> None:
    found = preferences(
        _customers(0),
        pa.Table.from_pylist([_tried("C000", "sms", 1, 1)]),
        channels=CHANNELS,
        features_publication_id="features-1",
    )
    assert found.num_rows == 0
