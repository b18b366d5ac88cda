"""Column lineage is found in the compiled SQL, kept by code version, and comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg

from paymentor_assets.asset_metadata import lineage_metadata
from paymentor_assets.features.lineage import column_lineage, keep, kept, lineage_path
from resources.duck import connect

_PAYMENTS = 'select amount, account_id as account from "scratch"."raw"."payments"'
_TOTALS = """
with paid as (select account, amount * 2 as doubled from "scratch"."staging"."stg_payments")
select days.day, paid.account, sum(paid.doubled) as total
from paid cross join "scratch"."pinned"."days" as days
group by days.day, paid.account
"""


def _built(folder: Path) -> tuple[Path, Path]:
    scratch = folder / "scratch.duckdb"
    with connect(scratch) as con:
        con.execute("create schema raw; create schema staging; create schema pinned")
        con.execute("create table raw.payments (amount int, account_id text)")
        con.execute("create table pinned.days (day date)")
        con.execute("create view staging.stg_payments as " + _PAYMENTS)
    nodes = {}
    for schema, name, sql in [("staging", "stg_payments", _PAYMENTS), ("marts", "totals", _TOTALS)]:
        path = folder / "compiled" / "paymentor" / "models" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql)
        nodes[name] = {
            "resource_type": "model",
            "schema": schema,
            "name": name,
            "original_file_path": f"models/{name}.sql",
        }
    (folder / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    return folder, scratch


def test_a_column_comes_from_the_columns_it_is_made_of(tmp_path: Path) -> None:
    assert column_lineage(*_built(tmp_path)) == {
        "staging__stg_payments": {
            "amount": [["raw", "payments", "amount"]],
            "account": [["raw", "payments", "account_id"]],
        },
        "marts__totals": {
            # The days of a build are asked for, not read.
            "day": [],
            "account": [["staging", "stg_payments", "account"]],
            "total": [["staging", "stg_payments", "amount"]],
        },
    }


def test_lineage_comes_back_as_it_was_found(tmp_path: Path) -> None:
    path = lineage_path(tmp_path, "abc")
    found = {"features__customer_profile": {"income": [["raw", "aa", "amount"]]}}
    keep(path, found)
    assert kept(path) == found


def test_the_page_of_an_asset_shows_it() -> None:
    (shown,) = lineage_metadata({"income": [["raw", "aa", "amount"]]}).values()
    source = dg.TableColumnDep(asset_key=dg.AssetKey(["raw", "aa"]), column_name="amount")
    assert shown.value == dg.TableColumnLineage({"income": [source]})
