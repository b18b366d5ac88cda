"""Published schemas are dbt contracts, whatever the manifest says."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from paymentor_assets.features.tables import tables_by_stage
from resources.errors import ContractError
from resources.lakehouse import MONEY, TIMESTAMP


def _manifest(**changes: Any) -> dict[str, Any]:
    mart = {
        "resource_type": "model",
        "name": "customer_profile",
        "description": "One customer on one day.",
        "fqn": ["paymentor", "marts", "customer_profile"],
        "config": {"meta": {"key": ["customer_id"]}, "contract": {"enforced": True}},
        "columns": {
            "customer_id": {
                "name": "customer_id",
                "data_type": "string",
                "description": "Lender's customer number.",
                "constraints": [{"type": "not_null"}],
            },
            "income_monthly": {
                "name": "income_monthly",
                "data_type": "decimal(18,2)",
                "description": "Income.",
            },
            "last_engaged_at_utc": {
                "name": "last_engaged_at_utc",
                "data_type": "timestamp",
                "description": "Newest engagement.",
            },
        },
    }
    mart.update(changes)
    staging = {**mart, "name": "stg_x", "fqn": ["paymentor", "staging", "stg_x"]}
    return {"nodes": {"model.a": mart, "model.b": staging}}


def test_a_mart_becomes_a_table_contract() -> None:
    contracts = tables_by_stage(_manifest())["features"]
    assert list(contracts) == ["features.customer_profile"]
    contract = contracts["features.customer_profile"]
    assert contract.key == ("customer_id",)
    assert contract.partition_by == ("lender_id", "as_of_date")
    assert [f.type for f in contract.schema] == [pa.string(), MONEY, TIMESTAMP]
    assert [f.nullable for f in contract.schema] == [False, True, True]
    assert contract.schema.field("income_monthly").metadata == {b"description": b"Income."}


def test_a_mart_without_an_enforced_contract_or_key_cannot_be_published() -> None:
    with pytest.raises(ContractError, match="no enforced contract"):
        tables_by_stage(_manifest(config={"meta": {"key": ["a"]}, "contract": {"enforced": False}}))
    with pytest.raises(ContractError, match=r"meta\.key"):
        tables_by_stage(_manifest(config={"meta": {}, "contract": {"enforced": True}}))


def test_a_type_that_engines_read_differently_is_refused() -> None:
    columns = {"a": {"name": "a", "data_type": "hugeint", "description": "A."}}
    with pytest.raises(ContractError, match="column a: type 'hugeint' cannot be published"):
        tables_by_stage(_manifest(columns=columns))


def test_a_mart_says_under_which_stage_it_is_published() -> None:
    meta = {"key": ["customer_id"], "stage": "labels"}
    config = {"meta": meta, "contract": {"enforced": True}}
    assert list(tables_by_stage(_manifest(config=config))) == ["labels"]
