"""Joins without a key, found in the physical plans of the models.

Without an equality a join compares all rows of one side with all of the other. That is right where
one side is the handful of days of a build, and quadratic elsewhere. What a build computes is
compared elsewhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.features.bare_sql import compiled_models, create_models
from resources.warehouse import source_columns

_KEYLESS = frozenset(
    {
        "BLOCKWISE_NL_JOIN",
        "CROSS_PRODUCT",
        "IE_JOIN",
        "NESTED_LOOP_JOIN",
        "PIECEWISE_MERGE_JOIN",
    }
)
#: Tables with a row for each day, or lender, of a build.
_FEW_ROWS = frozenset({"int_as_of_dates", "build_days", "build_lenders"})


def create_empty(con: duckdb.DuckDBPyConnection, target: Path, folder: Path) -> None:
    """Create every model of the build whose artefacts lie in `target` over sources without rows.

    The sources are files, written to `folder`: a query that is known to be empty would be planned
    away. Raises what DuckDB raises.
    """
    for name, columns in source_columns().items():
        nothing = ", ".join(f'CAST(NULL AS {kind}) AS "{c}"' for c, kind in columns.items())
        con.execute(f"COPY (SELECT {nothing} WHERE false) TO '{folder / name}.parquet'")
    create_models(con, target, folder)


def keyless_by_model(con: duckdb.DuckDBPyConnection, target: Path) -> dict[str, list[str]]:
    """The models of that build, as `create_empty` made them, that have keyless joins, and which."""
    found = {node["name"]: keyless_joins(con, sql) for node, sql in compiled_models(target)}
    return {name: joins for name, joins in found.items() if joins}


def keyless_joins(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The joins of a query that compare all rows with all rows, and the tables of many rows."""
    ((_, plan),) = con.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
    found: list[str] = []
    for root in json.loads(plan):
        _tables(root, {}, found)
    return found


def _tables(node: dict[str, Any], defined: dict[str, set[str]], found: list[str]) -> set[str]:
    """The tables of many rows that a part of a plan reads; keyless joins are added to `found`."""
    name, info = node["name"].strip(), node["extra_info"]
    if name == "CTE":
        definition, query = node["children"]
        defined[info["Table Index"]] = _tables(definition, defined, found)
        return _tables(query, defined, found)
    sides = [_tables(child, defined, found) for child in node["children"]]
    if name in _KEYLESS and all(sides):
        found.append(f"{name} of {' and '.join('+'.join(sorted(side)) for side in sides)}")
    if name == "UNGROUPED_AGGREGATE":
        return set()
    if name == "CTE_SCAN":
        return defined[info["CTE Index"]]
    read = info.get("Table") or info.get("Function")
    own = {read.split(".")[-1]} if read and name.endswith("SCAN") else set()
    return set().union(own - _FEW_ROWS, *sides)
