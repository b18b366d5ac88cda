"""The dbt plugin: contexts in and out, empty typed views, and a lender's cut-off in SQL."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from paymentor_assets.lenders import Lender
from resources.duck import connect
from resources.errors import SettingsError, UsageError
from resources.warehouse import (
    CONTEXT_VARIABLE,
    BuildContext,
    BuildLender,
    Pin,
    Plugin,
    create_pinned_views,
    source_columns,
)

CONTEXT = BuildContext(
    lenders=(
        BuildLender(
            "meridian",
            "Asia/Kolkata",
            time(6),
            date(2026, 6, 30),
            (date(2026, 6, 29), date(2026, 6, 30)),
        ),
    ),
    pins={"raw.payments": Pin("file:///lake/raw/payments/metadata/1.json", 2**62 + 1)},
)


def test_a_context_survives_its_file() -> None:
    assert BuildContext.from_json(CONTEXT.to_json()) == CONTEXT


def test_another_file_is_not_a_context() -> None:
    with pytest.raises(SettingsError, match=f"unset {CONTEXT_VARIABLE}"):
        BuildContext.from_json('{"lenders": [{}]}')


def test_a_context_file_that_is_gone_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTEXT_VARIABLE, str(tmp_path / "gone.json"))
    plugin = Plugin.create("resources.warehouse", config={"home": "a:b", "default_context": "a:b"})
    with connect() as con, pytest.raises(SettingsError, match="does not exist"):
        plugin.configure_connection(con)


def test_a_reader_only_loads_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTEXT_VARIABLE, raising=False)
    plugin = Plugin.create("resources.warehouse", config={"home": "a:b", "default_context": "a:b"})
    plugin.creds = SimpleNamespace(config_options={"access_mode": "READ_ONLY"})
    with connect() as con:
        plugin.configure_connection(con)
        assert con.execute("select count(*) from duckdb_views() where not internal").fetchone() == (
            0,
        )


def test_a_scratch_lies_in_the_home_however_often_dbt_connects(home: Path) -> None:
    functions = {"home": "paymentor_assets.settings:current_home", "default_context": "a:b"}
    plugin = Plugin.create("resources.warehouse", config=functions)
    credentials = DuckDBCredentials(schema="main", path="warehouse/mine/scratch.duckdb")
    for _ in range(2):
        plugin.update_connection_config(credentials, {})
        assert Path(credentials.path) == home.resolve() / "warehouse" / "mine" / "scratch.duckdb"
    assert Path(credentials.path).parent.is_dir()


def test_a_function_of_the_plugin_is_written_with_its_module() -> None:
    plugin = Plugin.create("resources.warehouse", config={"home": "home", "default_context": "a:b"})
    with pytest.raises(UsageError, match=r"'home'.*must be written module:function"):
        plugin.update_connection_config(DuckDBCredentials(schema="main", path="scratch.duckdb"), {})


def test_a_source_that_is_not_in_the_lake_is_an_empty_typed_view() -> None:
    with connect() as con:
        create_pinned_views(con, BuildContext(CONTEXT.lenders, {}))
        for name, columns in source_columns().items():
            described = con.execute(f"describe {name}").fetchall()
            assert [row[0] for row in described] == list(columns)
            assert con.execute(f"select count(*) from {name}").fetchone() == (0,)
        assert con.execute(
            "select column_type from (describe raw.payments) where column_name = 'amount'"
        ).fetchone() == ("DECIMAL(18,2)",)
        assert con.execute("select * from pinned.build_days order by all").fetchall() == [
            ("meridian", date(2026, 6, 29)),
            ("meridian", date(2026, 6, 30)),
        ]


@pytest.mark.parametrize(
    "zone", ["Asia/Kolkata", "America/New_York", "Europe/Prague", "Australia/Lord_Howe"]
)
def test_sql_and_python_agree_on_the_cutoff(zone: str) -> None:
    """The spine's SQL (macro local_to_utc) over two years, both changes of the clocks included."""
    lender = Lender.model_construct(zone=zone, daily_cutoff=time(6))
    days = [date.fromordinal(date(2025, 1, 1).toordinal() + n) for n in range(730)]
    with connect() as con:
        found = con.execute(
            "select timezone('UTC', timezone(?, cast(concat(cast(day + 1 as string), ' 06:00:00') "
            "as timestamp))) from (select unnest(?) as day)",
            [zone, days],
        ).fetchall()
    expected = [lender.cutoff_utc(day).replace(tzinfo=None) for day in days]
    assert [row[0] for row in found] == expected
