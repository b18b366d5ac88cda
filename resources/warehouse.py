"""The warehouse door: dbt-duckdb sees the lakehouse as views that are pinned for the whole build.

dbt loads this module as a plugin (`dbt_project/profiles.yml`). What a build is about (lenders,
days, snapshots) comes from a context file, or, for a developer's own `dbt build`, from a function
that the profile names: this module knows neither publications nor lender contracts, nor where
the home is.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

import duckdb
import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from resources.duck import iceberg_scan_sql, load_lake_extensions, quote
from resources.errors import SettingsError, UsageError

CONTEXT_VARIABLE = "PAYMENTOR_DBT_CONTEXT"
SOURCES_DIR = Path(__file__).resolve().parents[1] / "dbt_project" / "models"


@dataclass(frozen=True)
class Pin:
    """One snapshot of one Iceberg table."""

    metadata_location: str
    snapshot_id: int


@dataclass(frozen=True)
class BuildLender:
    """A lender of a build: its zone and cut-off, and the days to build.

    `known_through` is the last closed day that files speak of; outcomes are known up to its
    cut-off.
    """

    lender_id: str
    time_zone: str
    daily_cutoff: time
    known_through: date
    as_of_dates: tuple[date, ...]


@dataclass(frozen=True)
class BuildContext:
    """What a build reads and for whom; `pins` by table name (`raw.payments`)."""

    lenders: tuple[BuildLender, ...]
    pins: Mapping[str, Pin]

    def to_json(self) -> str:
        """The context file's text; equal contexts give equal text."""
        content = {
            "lenders": [
                {
                    "lender_id": lender.lender_id,
                    "time_zone": lender.time_zone,
                    "daily_cutoff": lender.daily_cutoff.isoformat("seconds"),
                    "known_through": lender.known_through.isoformat(),
                    "as_of_dates": [day.isoformat() for day in lender.as_of_dates],
                }
                for lender in self.lenders
            ],
            "pins": {
                name: {"metadata_location": pin.metadata_location, "snapshot_id": pin.snapshot_id}
                for name, pin in sorted(self.pins.items())
            },
        }
        return json.dumps(content, indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> BuildContext:
        """Read what `to_json` wrote; raises SettingsError when it is something else."""
        try:
            content = json.loads(text)
            return cls(
                lenders=tuple(
                    BuildLender(
                        lender["lender_id"],
                        lender["time_zone"],
                        time.fromisoformat(lender["daily_cutoff"]),
                        date.fromisoformat(lender["known_through"]),
                        tuple(date.fromisoformat(day) for day in lender["as_of_dates"]),
                    )
                    for lender in content["lenders"]
                ),
                pins={
                    name: Pin(pin["metadata_location"], int(pin["snapshot_id"]))
                    for name, pin in content["pins"].items()
                },
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError(
                f"The build context is not what the features stage writes ({error!r}); "
                f"unset {CONTEXT_VARIABLE} to read the newest publications."
            ) from error


class Plugin(BasePlugin):
    """The dbt-duckdb plugin: packaged extensions, pinned views, and the build's days."""

    def initialize(self, plugin_config: Mapping[str, Any]) -> None:
        """Remember the functions that find the home and, without a context file, a context."""
        self._home = str(plugin_config["home"])
        self._default_context = str(plugin_config["default_context"])
        self._connect: Callable[[], duckdb.DuckDBPyConnection] = duckdb.connect
        self._held: duckdb.DuckDBPyConnection | None = None

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Place the scratch file in the home, in a folder that DuckDB would not make."""
        creds.path = str(_named_function(self._home)() / creds.path)
        Path(creds.path).parent.mkdir(parents=True, exist_ok=True)
        self._connect = lambda: duckdb.connect(creds.path, config=dict(config))

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Load the extensions and write the views, once a build.

        `keep_open: false` lets a reader (Dagster fetching column metadata) go of the file at once,
        but would make a build open it for every model, at 0.3 s of loading extensions each: while
        dbt writes, the plugin holds the database open itself until dbt's process ends.
        """
        if self._held is not None:
            return
        load_lake_extensions(conn)
        options = self.creds.config_options if self.creds is not None else None
        if (options or {}).get("access_mode") == "READ_ONLY":
            return
        create_pinned_views(conn, self._context())
        # A connection of its own: a cursor of `conn` would not keep the instance in DuckDB's cache.
        self._held = self._connect()

    def _context(self) -> BuildContext:
        path = os.environ.get(CONTEXT_VARIABLE)
        if path is None:
            found: BuildContext = _named_function(self._default_context)()
            return found
        try:
            return BuildContext.from_json(Path(path).read_text())
        except FileNotFoundError:
            raise SettingsError(
                f"{CONTEXT_VARIABLE} names {path}, which does not exist; "
                "unset it to read the newest publications."
            ) from None


def create_pinned_views(con: duckdb.DuckDBPyConnection, context: BuildContext) -> None:
    """Create one view a dbt source, pinned or (not in the lake yet) empty, and the build's tables.

    `pinned.build_lenders` holds one row a lender, `pinned.build_days` one row a lender and day.
    """
    for name, columns in source_columns().items():
        schema, table = name.split(".")
        pin = context.pins.get(name)
        fields = ", ".join(f'CAST(NULL AS {kind}) AS "{c}"' for c, kind in columns.items())
        select = f"SELECT {fields} WHERE false"
        if pin is not None:
            # DuckDB gives a snapshot the columns of its own time; those gained since are null.
            select += (
                f" UNION ALL BY NAME {iceberg_scan_sql(pin.metadata_location, pin.snapshot_id)}"
            )
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        con.execute(f"CREATE OR REPLACE VIEW {schema}.{table} AS {select}")
    con.execute("CREATE SCHEMA IF NOT EXISTS pinned")
    _create_table(
        con,
        "pinned.build_lenders",
        {
            "lender_id": "VARCHAR",
            "time_zone": "VARCHAR",
            "daily_cutoff": "VARCHAR",
            "known_through": "DATE",
        },
        [
            (
                lender.lender_id,
                lender.time_zone,
                lender.daily_cutoff.isoformat("seconds"),
                lender.known_through.isoformat(),
            )
            for lender in context.lenders
        ],
    )
    _create_table(
        con,
        "pinned.build_days",
        {"lender_id": "VARCHAR", "as_of_date": "DATE"},
        [
            (lender.lender_id, day.isoformat())
            for lender in context.lenders
            for day in lender.as_of_dates
        ],
    )


def source_columns(models: Path = SOURCES_DIR) -> dict[str, dict[str, str]]:
    """Columns and types of every dbt source as its YAML declares them, by `schema.table`."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(models.rglob("*.yml")):
        content = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        for source in content.get("sources", []):
            for table in source["tables"]:
                found[f"{source['schema']}.{table['name']}"] = {
                    c["name"]: c["data_type"] for c in table["columns"]
                }
    return found


def _create_table(
    con: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, str],
    rows: list[tuple[str, ...]],
) -> None:
    fields = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    con.execute(f"CREATE OR REPLACE TABLE {name} ({fields})")
    if rows:
        values = ", ".join("(" + ", ".join(quote(v) for v in row) + ")" for row in rows)
        con.execute(f"INSERT INTO {name} VALUES {values}")


def _named_function(name: str) -> Callable[[], Any]:
    module_name, separator, function_name = name.partition(":")
    if not separator:
        raise UsageError(
            f"{name!r}, a function of the plugin in profiles.yml, must be written module:function."
        )
    function: Callable[[], Any] = getattr(importlib.import_module(module_name), function_name)
    return function
