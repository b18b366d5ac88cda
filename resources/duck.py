"""DuckDB connections that behave the same everywhere: UTC, two threads, packaged extensions."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import duckdb

from resources.errors import SettingsError

#: Order matters: iceberg reads its manifests through avro and its files through httpfs.
LAKE_EXTENSIONS = ("avro", "httpfs", "iceberg")


def connect(
    database: str | Path = ":memory:",
    *,
    read_only: bool = False,
    memory_limit: str | None = None,
    threads: int = 2,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection with UTC as the session zone and no network access of its own."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if memory_limit is not None:
        config["memory_limit"] = memory_limit
    con = duckdb.connect(str(database), read_only=read_only, config=config)
    con.execute("SET TimeZone = 'UTC'")
    return con


def extension_path(name: str) -> Path:
    """Where the installed package keeps a DuckDB extension for exactly this DuckDB.

    Raises SettingsError when the package is missing or made for another version.
    """
    package = f"duckdb_extension_{name}"
    path = Path(
        str(files(package) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension")
    )
    if not path.exists():
        raise SettingsError(
            f"The package {package.replace('_', '-')} holds no {name} extension for DuckDB "
            f"{duckdb.__version__}; install the same version of both (see requirements.lock)."
        )
    return path


def load_lake_extensions(con: duckdb.DuckDBPyConnection) -> None:
    """Load what `iceberg_scan` needs, by path, without asking any server."""
    for name in LAKE_EXTENSIONS:
        con.execute(f"LOAD '{extension_path(name)}'")


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def iceberg_scan_sql(metadata_location: str, snapshot_id: int | None) -> str:
    """A SELECT over one Iceberg table, pinned to a snapshot when one is given."""
    location = quote(metadata_location.removeprefix("file://"))
    pin = f", snapshot_from_id={snapshot_id}" if snapshot_id is not None else ""
    return f"SELECT * FROM iceberg_scan({location}{pin})"
