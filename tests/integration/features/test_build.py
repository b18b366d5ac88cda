"""The real build over a small lake, as a story: each test goes on where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from paymentor_assets.audit.publications import Publication, all_publications, newest, read_table
from paymentor_assets.features.build import build_features
from paymentor_assets.features.tables import feature_tables
from resources.errors import PublicationError
from tests.integration.features.conftest import DAY, NEXT, deliver_day, payment
from tests.support.raw_lake import RawLake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawLake]:
    raw = RawLake(tmp_path_factory.mktemp("features"))
    first = date(2026, 6, 8)
    for ordinal in range(first.toordinal(), DAY.toordinal() + 1):
        deliver_day(raw, date.fromordinal(ordinal))
    raw.publish(DAY)
    yield raw


def _build(lake: RawLake, *days: date) -> Publication:
    return build_features(lake.settings, lake.lake, lake.lender, days, lake.run())


def _row(lake: RawLake, publication: Publication, table: str, key: str, day: date) -> Any:
    contract = feature_tables()[f"features.{table}"]
    rows = read_table(lake.lake, publication, contract, day).to_pylist()
    return next(row for row in rows if key in row.values())


def _state(lake: RawLake) -> dict[str, int | None]:
    heads = {name: lake.lake.head(name) for name in feature_tables()}
    return {**heads, "publications": len(all_publications(lake.lake, stage="features"))}


def test_tested_marts_are_published_together(lake: RawLake) -> None:
    publication = _build(lake, DAY)
    assert publication.is_new
    assert set(publication.tables) == set(feature_tables())
    ingestion = newest(lake.lake, "ingestion", "meridian")
    assert ingestion is not None
    assert publication.inputs == (ingestion.publication_id,)

    payer = _row(lake, publication, "account_features", "A1", DAY)
    assert (payer["payments_30d"], payer["paid_amount_30d"]) == (3, Decimal("15000.00"))
    assert (payer["days_past_due"], payer["sma_class"], payer["is_delinquent"]) == (
        0,
        "STANDARD",
        False,
    )
    debtor = _row(lake, publication, "account_features", "A2", DAY)
    assert (debtor["days_past_due"], debtor["sma_class"], debtor["bucket"]) == (10, "SMA-0", "1-30")
    assert (debtor["max_dpd_30d"], debtor["days_delinquent_90d"]) == (10, 3)
    assert (debtor["payments_30d"], debtor["days_since_last_payment"]) == (0, None)
    assert (debtor["contacts_voice_30d"], debtor["right_party_contacts_90d"]) == (3, 3)
    channel = _row(lake, publication, "channel_engagement", "C2", DAY)
    # 06:00 UTC is 11:30 for a borrower in Kolkata.
    assert (channel["midday_attempts_180d"], channel["randomised_engaged_180d"]) == (3, 3)
    label = _row(lake, publication, "repayment_labels", "A1", DAY)
    assert (label["paid_7d"], label["paid_30d"], label["recovered_amount_30d"]) == (None,) * 3


def test_the_same_again_commits_nothing(lake: RawLake) -> None:
    before = _state(lake)
    assert not _build(lake, DAY).is_new
    assert _state(lake) == before


def test_what_comes_later_does_not_move_an_earlier_day(lake: RawLake) -> None:
    """Tomorrow's files, a late payment and a late correction: DAY stays, NEXT knows them."""
    before = _state(lake)
    deliver_day(lake, NEXT)
    lake.deliver("raw.payments", lake.delivered(DAY, 2), [payment("P-late", "A2", DAY)])
    corrected = payment(f"P-{DAY}", "A1", DAY, "4000.00")
    lake.deliver("raw.payments", lake.delivered(DAY, 3), [corrected])
    lake.publish(NEXT)
    assert not _build(lake, DAY).is_new
    assert _state(lake) == before

    publication = _build(lake, NEXT)
    assert publication.as_of_dates == (NEXT,)
    debtor = _row(lake, publication, "account_features", "A2", NEXT)
    assert (debtor["payments_30d"], debtor["days_since_last_payment"]) == (1, 1)
    payer = _row(lake, publication, "account_features", "A1", NEXT)
    assert payer["paid_amount_30d"] == Decimal("19000.00")


def test_publishing_a_day_leaves_every_other_day_in_place(lake: RawLake) -> None:
    rows = lake.lake.scan("features.account_features", columns=("as_of_date", "account_id"))
    found = sorted((str(r["as_of_date"]), r["account_id"]) for r in rows.to_pylist())
    assert found == [(str(day), account) for day in (DAY, NEXT) for account in ("A1", "A2")]


def test_a_range_in_one_build_equals_its_days_one_by_one(lake: RawLake) -> None:
    before = _state(lake)
    assert not _build(lake, DAY, NEXT).is_new
    assert _state(lake) == before


def test_a_failing_test_publishes_nothing_and_says_which(lake: RawLake) -> None:
    before = _state(lake)
    unknown = payment("P-odd", "A1", NEXT)
    lake.deliver("raw.payments", lake.delivered(NEXT), [{**unknown, "status": "maybe"}])
    lake.publish(NEXT)
    with pytest.raises(PublicationError, match="rows_satisfy_stg_payments") as refused:
        _build(lake, NEXT)
    assert "nothing was published" in str(refused.value)
    assert _state(lake) == before
