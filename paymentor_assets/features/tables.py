"""Published feature tables: their contracts are dbt's own, read from the manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from paymentor_assets.features.project import MANIFEST_PATH, load_manifest
from resources.errors import ContractError
from resources.lakehouse import TIMESTAMP, TableContract, column

NAMESPACE = "features"
PARTITION_BY = ("lender_id", "as_of_date")

#: Types that marts may use: those that mean the same in DuckDB, Spark and Iceberg.
_ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": TIMESTAMP,
}
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


def feature_tables(manifest_path: Path = MANIFEST_PATH) -> dict[str, TableContract]:
    """Contracts of all published marts by table name (`features.customer_profile`).

    Raises ContractError for a mart without an enforced contract, key, or usable column type.
    """
    by_stage = tables_by_stage(load_manifest(manifest_path))
    return {name: table for tables in by_stage.values() for name, table in tables.items()}


def tables_by_stage(manifest: Mapping[str, Any]) -> dict[str, dict[str, TableContract]]:
    """The same by the stage that publishes them: a mart's `meta.stage`, else `features`."""
    marts = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] == "marts"
    ]
    found: dict[str, dict[str, TableContract]] = {}
    for mart in sorted(marts, key=lambda m: str(m["name"])):
        stage = str(mart["config"].get("meta", {}).get("stage", NAMESPACE))
        found.setdefault(stage, {})[f"{NAMESPACE}.{mart['name']}"] = _contract(mart)
    return found


def _contract(mart: Mapping[str, Any]) -> TableContract:
    name = str(mart["name"])
    key = tuple(mart["config"].get("meta", {}).get("key", ()))
    if not mart["config"]["contract"]["enforced"] or not key:
        raise ContractError(
            f"Mart {name} has no enforced contract or no `meta.key` in its YAML; both are needed "
            "to publish it."
        )
    return TableContract(
        name=f"{NAMESPACE}.{name}",
        schema=pa.schema(
            [
                column(
                    str(c["name"]),
                    _arrow_type(name, str(c["name"]), str(c["data_type"])),
                    str(c["description"]),
                    nullable=not _is_not_null(c),
                )
                for c in mart["columns"].values()
            ]
        ),
        key=key,
        description=str(mart["description"]),
        partition_by=PARTITION_BY,
    )


def _arrow_type(table: str, name: str, data_type: str) -> pa.DataType:
    decimal = _DECIMAL.fullmatch(data_type)
    if decimal:
        return pa.decimal128(int(decimal.group(1)), int(decimal.group(2)))
    try:
        return _ARROW_TYPES[data_type]
    except KeyError:
        raise ContractError(
            f"Mart {table}, column {name}: type {data_type!r} cannot be published; use one of "
            f"{', '.join(_ARROW_TYPES)} or decimal(p, s)."
        ) from None


def _is_not_null(mart_column: Mapping[str, Any]) -> bool:
    return any(c["type"] == "not_null" for c in mart_column.get("constraints", []))
