"""The real build over a small lake, as a story: each test goes on where the one before ended."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.features.pandas_payments import account_payments
from benchmarks.features.pandas_peer import differences, differing
from benchmarks.features.synthetic_lake import write_tables
from paymentor_assets.audit.publications import all_publications, newest, read_table
from paymentor_assets.features import build
from paymentor_assets.features.build import BuildPlace, build_features
from paymentor_assets.features.context import pinned_inputs
from paymentor_assets.features.freshness import freshness
from paymentor_assets.features.publish import LABELS, Published
from paymentor_assets.features.tables import feature_tables
from resources.duck import connect
from resources.errors import PublicationError, SealedDayError
from tests.integration.features.conftest import DAY, NEXT, deliver_day, payment
from tests.support.plans import create_empty, keyless_by_model, keyless_joins
from tests.support.raw_lake import RawLake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawLake]:
    raw = RawLake(tmp_path_factory.mktemp("features"))
    first = date(2026, 6, 8)
    for ordinal in range(first.toordinal(), DAY.toordinal() + 1):
        deliver_day(raw, date.fromordinal(ordinal))
    raw.publish(DAY)
    yield raw


def _build(
    lake: RawLake, *days: date, code: str = "code-1", sealed: Collection[date] = ()
) -> Published:
    run = lake.run(code_version=code)
    return build_features(lake.settings, lake.lake, lake.lender, days, run, sealed=sealed)


def _without_dbt(*_: object) -> None:
    raise AssertionError("dbt was started")


def _row(lake: RawLake, published: Published, table: str, key: str, day: date) -> Any:
    contract = feature_tables()[f"features.{table}"]
    publication = published.of(contract.name)
    assert publication is not None
    rows = read_table(lake.lake, publication, contract, day).to_pylist()
    return next(row for row in rows if key in row.values())


def _state(lake: RawLake) -> dict[str, int | None]:
    heads = {name: lake.lake.head(name) for name in feature_tables()}
    return {**heads, "publications": len(all_publications(lake.lake, stage="features"))}


def test_tested_marts_are_published_together(lake: RawLake) -> None:
    published = _build(lake, DAY)
    assert published.is_new and published.labels is None
    assert set(published.features.tables) == {*feature_tables()} - {"features.repayment_labels"}
    ingestion = newest(lake.lake, "ingestion", "meridian")
    assert ingestion is not None
    assert ingestion.publication_id in published.features.inputs

    payer = _row(lake, published, "account_features", "A1", DAY)
    assert (payer["payments_30d"], payer["paid_amount_30d"]) == (3, Decimal("15000.00"))
    assert (payer["days_past_due"], payer["sma_class"], payer["is_delinquent"]) == (
        0,
        "STANDARD",
        False,
    )
    debtor = _row(lake, published, "account_features", "A2", DAY)
    assert (debtor["days_past_due"], debtor["sma_class"], debtor["bucket"]) == (10, "SMA-0", "1-30")
    assert (debtor["max_dpd_30d"], debtor["days_delinquent_90d"]) == (10, 3)
    assert (debtor["payments_30d"], debtor["days_since_last_payment"]) == (0, None)
    assert (debtor["contacts_voice_30d"], debtor["right_party_contacts_90d"]) == (3, 3)
    channel = _row(lake, published, "channel_engagement", "C2", DAY)
    # 06:00 UTC is 11:30 for a borrower in Kolkata.
    assert (channel["midday_attempts_180d"], channel["randomised_engaged_180d"]) == (3, 3)


def test_pandas_computes_the_same_payments_and_cash_flow(lake: RawLake, tmp_path: Path) -> None:
    """The SQL of that build over a lake with corrections and late versions, value by value."""
    write_tables(tmp_path, 1000)
    with connect() as con:
        assert differences(con, BuildPlace.of(lake.settings).target_path, tmp_path) == []
    ours = account_payments(tmp_path)
    theirs = ours.assign(bounces_90d=ours["bounces_90d"] + (ours.index == "A7"))
    assert differing("m", ours, theirs) == ["m.bounces_90d: 1 of 1000"]
    assert differing("m", ours, theirs.drop("A7")) == [
        "m: 1 keys and the columns [] are on one side only"
    ]


def test_no_model_compares_all_rows_with_all_rows(lake: RawLake, tmp_path: Path) -> None:
    target = BuildPlace.of(lake.settings).target_path
    with connect() as con:
        create_empty(con, target, tmp_path)
        assert keyless_by_model(con, target) == {}
        joined = "FROM intermediate.int_contacts AS c {} JOIN features.customer_profile AS p ON {}"
        same = "c.customer_id = p.customer_id"
        known = "(c.known_until IS NULL OR c.known_until > p.last_engaged_at_utc)"
        loop = ["BLOCKWISE_NL_JOIN of int_contacts and customer_profile"]
        assert keyless_joins(con, joined.format("INNER", f"{same} AND {known}")) == []
        assert keyless_joins(con, joined.format("LEFT", f"{same} AND {known}")) == loop
        assert keyless_joins(con, joined.format("INNER", f"{same} OR c.channel = p.city")) == loop


def test_the_same_again_starts_nothing_and_commits_nothing(
    lake: RawLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _state(lake)
    with monkeypatch.context() as patched:
        patched.setattr(build, "run_dbt", _without_dbt)
        again = _build(lake, DAY)
    assert not again.is_new and again.features.as_of_dates == (DAY,)
    assert not _build(lake, DAY, code="code-2").is_new
    assert _state(lake) == before


def test_what_comes_later_does_not_move_an_earlier_day(lake: RawLake) -> None:
    """Tomorrow's files, a late payment and a late correction: DAY stays, NEXT knows them."""
    before = _state(lake)
    deliver_day(lake, NEXT)
    lake.deliver("raw.payments", lake.delivered(DAY, 2), [payment("P-late", "A2", DAY)])
    corrected = payment(f"P-{DAY}", "A1", DAY, "4000.00")
    lake.deliver("raw.payments", lake.delivered(DAY, 3), [corrected])
    lake.publish(NEXT)
    asked = pinned_inputs(lake.lake, lake.lender, [DAY, NEXT], lake.run().clock)
    found = freshness(lake.lake, lake.lender, asked, [DAY, NEXT], "code-1")
    assert found.stale == {NEXT: "it was never built"}
    assert not _build(lake, DAY, code="code-2").is_new
    assert _state(lake) == before

    published = _build(lake, NEXT)
    assert published.features.as_of_dates == (NEXT,)
    debtor = _row(lake, published, "account_features", "A2", NEXT)
    assert (debtor["payments_30d"], debtor["days_since_last_payment"]) == (1, 1)
    payer = _row(lake, published, "account_features", "A1", NEXT)
    assert payer["paid_amount_30d"] == Decimal("19000.00")


def test_publishing_a_day_leaves_every_other_day_in_place(lake: RawLake) -> None:
    rows = lake.lake.scan("features.account_features", columns=("as_of_date", "account_id"))
    found = sorted((str(r["as_of_date"]), r["account_id"]) for r in rows.to_pylist())
    assert found == [(str(day), account) for day in (DAY, NEXT) for account in ("A1", "A2")]


def test_a_range_in_one_build_equals_its_days_one_by_one(lake: RawLake) -> None:
    before = _state(lake)
    assert not _build(lake, DAY, NEXT, code="code-2").is_new
    assert _state(lake) == before


def test_rows_let_into_the_past_make_their_days_stale_and_may_not_move_a_sealed_one(
    lake: RawLake,
) -> None:
    """A file that says it was known before a cut-off that has passed."""
    backdated = payment("P-backdated", "A2", DAY)
    lake.deliver("raw.payments", lake.delivered(DAY), [backdated])
    lake.publish(NEXT)
    days = [DAY, NEXT]
    asked = pinned_inputs(lake.lake, lake.lender, days, lake.run().clock)
    told = "1 data files of raw.payments with rows known by its cut-off are new"
    assert freshness(lake.lake, lake.lender, asked, days, "code-1").stale == {DAY: told, NEXT: told}

    before = _state(lake)
    with pytest.raises(SealedDayError, match=f"account_features of {DAY}"):
        _build(lake, DAY, sealed=[DAY])
    assert _state(lake) == before
    # Other SQL may say something else of a sealed day.
    assert _build(lake, *days, code="code-2", sealed=[DAY]).is_new


def test_outcomes_are_published_apart_when_they_are_known(lake: RawLake) -> None:
    later = DAY + timedelta(days=8)
    deliver_day(lake, later)
    lake.deliver("raw.payments", lake.delivered(later), [payment("P-8", "A2", later)])
    lake.publish(later)
    published = _build(lake, DAY, NEXT, later, code="code-2")
    assert published.labels is not None
    assert published.labels.as_of_dates == (DAY, NEXT)
    features = newest(lake.lake, "features", "meridian", DAY)
    assert features is not None and features.sequence < published.features.sequence
    label = _row(lake, published, "repayment_labels", "A2", DAY)
    assert (label["paid_7d"], label["paid_30d"], label["recovered_amount_30d"]) == (
        False,
        None,
        None,
    )
    assert _row(lake, published, "repayment_labels", "A2", NEXT)["paid_7d"] is True
    assert newest(lake.lake, LABELS, "meridian", later) is None


def test_a_failing_test_publishes_nothing_and_says_which(lake: RawLake) -> None:
    before = _state(lake)
    unknown = payment("P-odd", "A1", NEXT)
    lake.deliver("raw.payments", lake.delivered(NEXT), [{**unknown, "status": "maybe"}])
    lake.publish(NEXT)
    with pytest.raises(PublicationError, match="rows_satisfy_stg_payments") as refused:
        _build(lake, NEXT)
    assert "nothing was published" in str(refused.value)
    stored = re.search(r"failing rows are in (\S+) of", str(refused.value))
    assert stored is not None
    with connect(BuildPlace.of(lake.settings).scratch, read_only=True) as con:
        rows = con.execute(f"SELECT payment_id FROM {stored.group(1)}").fetchall()
    assert rows == [("P-odd",)]
    assert _state(lake) == before
