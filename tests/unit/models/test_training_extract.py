"""The extract: nobody's identity, and no outcome from the future."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models.families.customer_ranking import SPEC
from paymentor_assets.models.training_extract import weekly_days
from paymentor_assets.models.training_rows import deidentified, of_accounts
from tests.support import trained_model
from tests.support.feature_days import feature_tables


def test_no_identity_is_in_it() -> None:
    rows = trained_model.training_rows()
    names = set(rows.column_names)
    assert not names & {"account_id", "customer_id", "postal_code", "city", "birth_year"}
    assert not any("token" in name for name in names)
    ids = {*trained_model.frame().column("account_id").to_pylist()}
    ids |= {*trained_model.frame().column("customer_id").to_pylist()}
    for name in names:
        if pa.types.is_string(rows.schema.field(name).type):
            assert not ids & set(rows.column(name).to_pylist()), name


def test_ids_of_two_extracts_cannot_be_joined() -> None:
    rows = trained_model.named_rows()
    one = deidentified(SPEC, rows, trained_model.LAST_DAY, "one")
    two = deidentified(SPEC, rows, trained_model.LAST_DAY, "two")
    for name in ("row_id", "subject_id"):
        assert not set(one.column(name).to_pylist()) & set(two.column(name).to_pylist())


def test_a_borrower_is_one_subject_over_all_days() -> None:
    rows = trained_model.training_rows()
    borrowers = set(trained_model.frame().column("customer_id").to_pylist())
    assert len(rows.column("subject_id").unique()) == len(borrowers)
    assert len(rows.column("row_id").unique()) == rows.num_rows


def test_outcomes_known_later_are_not_used() -> None:
    # Labels of a later build know more than the day the extract is made for.
    days = trained_model.DAYS
    known_through = days[-6]
    labels = feature_tables(
        trained_model.CUSTOMERS, days, labels_known_through=days[-1] + timedelta(days=90)
    )["features.repayment_labels"]
    assert labels.column("paid_30d").null_count == 0
    rows = of_accounts(trained_model.frame(), labels, known_through)
    for label, horizon in (("paid_7d", 7), ("paid_30d", 30), ("recovered_share_30d", 30)):
        used = rows.filter(pc.is_valid(rows.column(label))).column("as_of_date").to_pylist()
        assert max(used) + timedelta(days=horizon) <= known_through
    assert max(rows.column("as_of_date").to_pylist()) + timedelta(days=7) <= known_through


def test_features_and_labels_of_one_day_stay_together() -> None:
    labels = trained_model.tables()["features.repayment_labels"]
    rows = trained_model.training_rows()
    day = trained_model.DAYS[0]
    of_day = rows.filter(pc.equal(rows.column("as_of_date"), day))
    of_day_labels = labels.filter(pc.equal(labels.column("as_of_date"), day))
    open_ids = {f"A{i:06d}" for i in range(trained_model.CUSTOMERS) if i % 50 != 49}
    expected = sum(
        row["paid_7d"] for row in of_day_labels.to_pylist() if row["account_id"] in open_ids
    )
    assert sum(of_day.column("paid_7d").to_pylist()) == expected


def test_columns_are_those_of_the_contract() -> None:
    assert trained_model.training_rows().schema.equals(SPEC.rows.schema)


def test_days_are_a_week_apart_from_the_newest() -> None:
    first = date(2026, 1, 1)
    daily = [first + timedelta(days=k) for k in range(15)]
    assert weekly_days(daily) == [daily[0], daily[7], daily[14]]
    assert weekly_days([]) == []
