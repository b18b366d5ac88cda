"""The feature frame: what a model may see of an account."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets.features.purposes import aa_columns
from paymentor_assets.models import feature_frame
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.feature_spec import Feature, columns_read
from resources.errors import ContractError
from tests.support.feature_days import feature_tables

DAY = date(2026, 6, 30)


@pytest.fixture(scope="module")
def features() -> dict[str, pa.Table]:
    return feature_tables(100, [DAY])


@pytest.fixture(scope="module")
def frame(features: dict[str, pa.Table]) -> pa.Table:
    return feature_frame.build(
        features["features.account_features"], features["features.customer_profile"]
    )


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, values)


def _is_only_from_aa(feature: Feature) -> bool:
    read = set(columns_read([feature], "p"))
    return bool(read) and read <= aa_columns()


def test_only_open_accounts_are_in_it_in_a_fixed_order(
    features: dict[str, pa.Table], frame: pa.Table
) -> None:
    accounts = features["features.account_features"]
    is_open = pc.equal(accounts.column("account_status"), "open")
    expected = sorted(accounts.filter(is_open).column("account_id").to_pylist())
    assert frame.column("account_id").to_pylist() == expected
    assert frame.num_rows == 98


def test_amounts_are_ratios(features: dict[str, pa.Table], frame: pa.Table) -> None:
    account = features["features.account_features"].slice(0, 1).to_pylist()[0]
    row = frame.slice(0, 1).to_pylist()[0]
    assert row["outstanding_share"] == pytest.approx(
        float(account["outstanding_amount"] / account["principal_amount"])
    )
    assert row["due_30d"] == account["overdue_amount"] + account["emi_amount"]


def test_account_aggregator_values_need_a_consent_for_monitoring(
    features: dict[str, pa.Table],
) -> None:
    accounts, profiles = (
        features["features.account_features"],
        features["features.customer_profile"],
    )
    purposes = pa.array(["104", "102;103", "1040", None, "103;104"] * 20, pa.string())
    frame = feature_frame.build(accounts, _with(profiles, "aa_purposes", purposes))
    number = [int(account[1:]) for account in frame.column("account_id").to_pylist()]
    is_covered = [i % 5 in (0, 4) for i in number]
    from_aa = [f.name for f in family.FEATURES if _is_only_from_aa(f)]
    assert {"savings_rate", "inflow_to_emi", "spend_share_emi", "min_balance_to_emi"} <= {*from_aa}
    for name in from_aa:
        assert [v is not None for v in frame.column(name).to_pylist()] == is_covered, name


def test_income_is_the_declared_one_without_consent(features: dict[str, pa.Table]) -> None:
    profiles = features["features.customer_profile"]
    nobody = pa.nulls(profiles.num_rows, pa.string())
    frame = feature_frame.build(
        features["features.account_features"], _with(profiles, "aa_purposes", nobody)
    )
    ratios = dict(
        zip(
            frame.column("account_id").to_pylist(),
            frame.column("emi_to_income").to_pylist(),
            strict=True,
        )
    )
    assert ratios["A000000"] is None  # declared none
    assert ratios["A000001"] == pytest.approx(1 / 3)


def test_a_customer_without_profile_is_still_in_it(features: dict[str, pa.Table]) -> None:
    profiles = features["features.customer_profile"].slice(0, 0)
    frame = feature_frame.build(features["features.account_features"], profiles)
    assert frame.num_rows == 98
    assert frame.column("bureau_score").null_count == 98


def test_a_missing_column_is_named(features: dict[str, pa.Table]) -> None:
    accounts = features["features.account_features"].drop_columns(["days_past_due"])
    with pytest.raises(ContractError, match="account_features lacks days_past_due"):
        feature_frame.build(accounts, features["features.customer_profile"])


def test_no_feature_reads_a_protected_or_identifying_column() -> None:
    forbidden = {
        "birth_year", "language", "city", "postal_code", "state", "time_zone", "country",
        "phone_token", "email_token", "account_id", "customer_id", "is_blacklisted",
        "has_open_fraud_report", "is_dnd_listed",
    }  # fmt: skip
    read = {*columns_read(family.FEATURES, "a"), *columns_read(family.FEATURES, "p")}
    assert not read & forbidden
    listed = " ".join(family.EXCLUDED)
    assert all(name in listed for name in forbidden)
