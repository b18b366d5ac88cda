"""Account-aggregator columns are seen under the purpose of a valid consent only."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from paymentor_assets.features.purposes import aa_columns, profile_as_seen_sql
from paymentor_assets.settings import PROJECT_ROOT
from resources.duck import connect
from resources.errors import ContractError

ROWS = """(VALUES
    ('both', '103;104', 10, 1), ('underwriting', '103', 20, 2), ('longer', '1040', 30, 3),
    ('nothing', NULL, 40, 4)) AS t(customer_id, aa_purposes, savings_rate, bureau_score)"""


def _seen(purpose: str | None) -> dict[str, tuple[int | None, int]]:
    sql = profile_as_seen_sql(
        ROWS, ["customer_id", "savings_rate", "bureau_score"], purpose, tagged=["savings_rate"]
    )
    with connect() as con:
        rows = con.execute(f"SELECT customer_id, savings_rate, bureau_score FROM ({sql})")
        return {name: (tagged, plain) for name, tagged, plain in rows.fetchall()}


def test_a_tagged_column_is_null_where_no_consent_covers_the_purpose() -> None:
    assert _seen("104") == {
        "both": (10, 1), "underwriting": (None, 2), "longer": (None, 3), "nothing": (None, 4),
    }  # fmt: skip
    assert _seen("103")["underwriting"] == (20, 2)


def test_a_reader_without_a_purpose_sees_none_of_it() -> None:
    assert {tagged for tagged, _ in _seen(None).values()} == {None}


def test_the_profile_tags_what_rests_on_transactions_and_nothing_else() -> None:
    tagged = aa_columns()
    assert tagged >= {
        "income_monthly", "debt_to_income", "savings_rate", "monthly_inflow_mean",
        "monthly_outflow_mean", "spend_share_rent", "spend_share_other", "bounce_count_90d",
        "min_balance_30d", "salary_day",
    }  # fmt: skip
    assert not tagged & {
        "customer_id", "aa_purposes", "declared_monthly_income", "bureau_score",
        "total_emi_monthly", "open_accounts",
    }  # fmt: skip


def test_lost_tags_open_nothing(tmp_path: Path) -> None:
    column = {"name": "savings_rate", "config": {"tags": []}, "tags": []}
    node = {"resource_type": "model", "name": "customer_profile", "columns": {"a": column}}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": {"m": node}}))
    with pytest.raises(ContractError, match="No column of customer_profile is tagged aa_derived"):
        aa_columns(manifest)


def test_only_model_families_and_affordability_name_such_a_column() -> None:
    # Families are read through the frame, and the frame and offers through `profile_as_seen_sql`.
    package = PROJECT_ROOT / "paymentor_assets"
    affordability = package / "offers" / "affordability.py"
    named = {
        f"{path.relative_to(package)} names {column}"
        for path in package.rglob("*.py")
        if path.parent != package / "models" / "families" and path != affordability
        for column in aa_columns() & set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    }
    assert not named
