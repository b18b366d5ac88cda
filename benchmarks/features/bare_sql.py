"""The SQL that dbt compiled, in its order, in one DuckDB over Parquet files alone.

No Iceberg, no dbt, no tests, no publication: what is left is what the features cost by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.features.synthetic_lake import DAY, LENDER
from resources.warehouse import source_columns


def create_models(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    parquet: Path,
    wanted: Collection[str] | None = None,
) -> None:
    """Create the models of the build whose artefacts lie in `target`; of `wanted` ones, with what
    they rest on.

    `parquet` holds `<source>.parquet` files; a source without one is empty. Raises what DuckDB
    raises.
    """
    _create_sources(con, parquet)
    for node, code in compiled_models(target, wanted):
        kind = "VIEW" if node["config"]["materialized"] == "view" else "TABLE"
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {node['schema']}")
        con.execute(f"CREATE {kind} {node['schema']}.{node['name']} AS {code}")


def compiled_models(
    target: Path, wanted: Collection[str] | None = None
) -> Iterator[tuple[dict[str, Any], str]]:
    """Each model of that build, in its order: the manifest's node, and its compiled SQL.

    `wanted` as in `create_models`. Names in the SQL are without the scratch file.
    """
    manifest = json.loads((target / "manifest.json").read_text())
    results = json.loads((target / "run_results.json").read_text())["results"]
    chosen = None if wanted is None else _with_parents(manifest, wanted)
    for result in results:
        name = result["unique_id"]
        node = manifest["nodes"].get(name, {})
        if node.get("resource_type") == "model" and (chosen is None or name in chosen):
            yield node, _code(node, target)


def _code(node: dict[str, Any], target: Path) -> str:
    """The compiled SQL; names are those of the scratch file, which here is another."""
    path: str = node["original_file_path"]
    compiled = (target / "compiled" / "paymentor" / path).read_text()
    return compiled.replace(f'"{node["database"]}".', "")


def _create_sources(con: duckdb.DuckDBPyConnection, parquet: Path) -> None:
    for name, columns in source_columns().items():
        schema, _, table = name.partition(".")
        path = parquet / f"{name}.parquet"
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{c}"' for c, kind in columns.items())
        select = f"FROM '{path}'" if path.exists() else f"SELECT {empty} WHERE false"
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        con.execute(f"CREATE VIEW {schema}.{table} AS {select}")
    con.execute("CREATE SCHEMA pinned")
    con.execute(
        f"CREATE TABLE pinned.build_lenders AS SELECT '{LENDER.lender_id}' AS lender_id, "
        f"'{LENDER.zone}' AS time_zone, '06:00:00' AS daily_cutoff, DATE '{DAY}' AS known_through"
    )
    con.execute(
        f"CREATE TABLE pinned.build_days AS SELECT '{LENDER.lender_id}' AS lender_id, "
        f"DATE '{DAY}' AS as_of_date"
    )


def _with_parents(manifest: dict[str, Any], names: Collection[str]) -> set[str]:
    wanted: set[str] = set()
    waiting = [f"model.paymentor.{name}" for name in names]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += manifest["parent_map"].get(name, [])
    return wanted
