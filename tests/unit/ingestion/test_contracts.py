"""Feed contracts say what they must, and say so when they do not."""

from __future__ import annotations

import pytest

from paymentor_assets.ingestion.contracts.book import (
    feed_of_table,
    load_feeds,
)
from paymentor_assets.ingestion.contracts.tables import PROVENANCE, raw_tables
from resources.landing_zone import landed_file


def test_every_feed_of_the_design_has_a_contract() -> None:
    assert len(load_feeds()) == 21
    assert len(feed_of_table()) == 23
    assert len(raw_tables()) == 25


def test_every_raw_table_describes_its_columns_and_says_where_rows_came_from() -> None:
    for table in raw_tables().values():
        for field in table.schema:
            assert (field.metadata or {}).get(b"description"), f"{table.name}.{field.name}"
        assert set(table.key) <= set(table.schema.names)
    for name in feed_of_table():
        assert raw_tables()[name].schema.names[-5:] == [c.name for c in PROVENANCE]


def test_personal_data_is_named_a_token() -> None:
    named = {c.name for f in load_feeds().values() for r in f.records for c in r.columns if c.pii}
    assert named >= {"full_name", "phone", "email", "national_id", "holder_name", "mobile", "pan"}
    stored = {column for table in raw_tables().values() for column in table.schema.names}
    assert not named & stored


@pytest.mark.parametrize(
    ("uri", "is_read"),
    [
        ("m/payments/payments_2026-06-30_20260630T200000Z.csv", True),
        ("m/payments/payments_2026-06-30_20260630T200000Z_part2.csv", True),
        ("m/payments/payments_2026-06-30.csv", True),
        ("m/payments/payments_2026-06-30_full.csv", True),
        ("m/payments/payments_2026-06-31.csv", False),
        ("m/payments/payments_2026-06-30_20260630T250000Z.csv", False),
        ("m/payments/portfolio_2026-06-30.csv", False),
        ("m/payments_2026-06-30.csv", False),
        ("payments_2026-06-30.csv", False),
    ],
)
def test_names_are_read_or_complained_about(uri: str, is_read: bool) -> None:
    landed = landed_file(uri, etag="e", size=1)
    assert (landed.name_error is None) == is_read
    assert landed.name_error is None or uri in landed.name_error
