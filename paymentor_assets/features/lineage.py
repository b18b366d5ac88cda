"""Column lineage: a property of the code, worked out once a version and kept.

Each model's SQL is qualified once and its scope shared by all its columns. dagster-dbt would
optimise the SQL anew for every column, which takes minutes where this takes seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from resources.duck import connect

_DIALECT = "duckdb"
#: What a build is about, not what it reads.
_NOT_ASSETS = {"pinned"}

#: Output name to column to the columns (schema, table, column) that it is made of.
Lineage = dict[str, dict[str, list[list[str]]]]


def lineage_path(folder: Path, code_version: str) -> Path:
    """Where the lineage of this version of the SQL is kept."""
    return folder / f"column_lineage_{code_version}.json"


def column_lineage(target_path: Path, scratch: Path) -> Lineage:
    """The lineage of every model of a finished build, from its compiled SQL.

    `target_path` holds dbt's manifest and compiled files, `scratch` the tables with their columns.
    """
    manifest = json.loads((target_path / "manifest.json").read_text())
    schema = _schema(scratch)
    found: Lineage = {}
    for node in manifest["nodes"].values():
        compiled = target_path / "compiled" / "paymentor" / str(node["original_file_path"])
        if node["resource_type"] == "model" and compiled.exists():
            found[f"{node['schema']}__{node['name']}"] = _of_model(compiled.read_text(), schema)
    return found


def keep(path: Path, found: Lineage) -> None:
    """Write the lineage down for later builds of the same version."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(found, sort_keys=True))
    scratch.replace(path)


def kept(path: Path) -> Lineage:
    """What `keep` wrote."""
    content: Lineage = json.loads(path.read_text())
    return content


def _of_model(sql: str, schema: MappingSchema) -> dict[str, list[list[str]]]:
    qualified: Any = qualify(
        sqlglot.parse_one(sql, dialect=_DIALECT),
        schema=schema,
        dialect=_DIALECT,
        validate_qualify_columns=False,
        quote_identifiers=False,
        identify=False,
    )
    scope = build_scope(qualified)
    return {
        name: _leaves(
            lineage(
                name,
                qualified,
                schema=schema,
                dialect=_DIALECT,
                scope=scope,
                trim_selects=False,
                copy=False,
            )
        )
        for name in qualified.named_selects
    }


def _leaves(node: Any) -> list[list[str]]:
    return [
        list(path)
        for path in sorted(
            {
                (found.expression.db, found.expression.name, found.name.rpartition(".")[2])
                for found in node.walk()
                if isinstance(found.expression, exp.Table)
                and found.expression.db not in _NOT_ASSETS
            }
        )
    ]


def _schema(scratch: Path) -> MappingSchema:
    columns: dict[str, Any] = {}
    with connect(scratch, read_only=True) as con:
        for database, schema, table, column in con.execute(
            "SELECT table_catalog, table_schema, table_name, column_name "
            "FROM information_schema.columns"
        ).fetchall():
            tables = columns.setdefault(str(database), {}).setdefault(str(schema), {})
            # Lineage asks which columns there are, not of what type.
            tables.setdefault(str(table), {})[str(column)] = "VARCHAR"
    return MappingSchema(columns, dialect=_DIALECT)
