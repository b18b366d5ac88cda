"""A dbt developer's day: dbt alone, on an own scratch, with every unit test of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paymentor_assets.engagement.tables import EVENTS
from paymentor_assets.features import freshness
from paymentor_assets.features.project import PROJECT_DIR
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.data_life import AA_PURGES
from resources.warehouse import source_columns
from tests.support.raw_lake import RawLake, raw_contract


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all homes: dbt parses once."""
    return tmp_path_factory.mktemp("artefacts")


def dbt(home: Path, artefacts: Path, *arguments: str, returns: int = 0) -> None:
    """A developer's dbt in a home."""
    finished = subprocess.run(
        [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--quiet", *arguments],
        cwd=PROJECT_DIR,
        env={
            **{k: v for k, v in os.environ.items() if k != "PAYMENTOR_DBT_CONTEXT"},
            "PAYMENTOR_HOME": str(home),
            "DBT_TARGET_PATH": str(artefacts),
            "DBT_LOG_PATH": str(artefacts),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == returns, finished.stdout[-3000:] + finished.stderr[-3000:]


def test_dbt_builds_and_passes_its_unit_tests_without_a_lake(
    tmp_path: Path, artefacts: Path
) -> None:
    dbt(tmp_path, artefacts, "build")
    results = json.loads((artefacts / "run_results.json").read_text())["results"]
    unit_tests = [r for r in results if r["unique_id"].startswith("unit_test.")]
    assert len(unit_tests) >= 14
    assert (tmp_path / "warehouse" / "scratch.duckdb").exists()
    assert not (tmp_path / "lakehouse").exists()


def test_sources_that_stopped_coming_are_told(tmp_path: Path, artefacts: Path) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    lake = RawLake(tmp_path)
    for name, days_ago in (
        ("raw.payments", 0),
        ("raw.portfolio_accounts", 3),
        ("raw.contact_history", 3),
        ("raw.blacklist", 40),
    ):
        lake.deliver(name, now - timedelta(days=days_ago), [{}])
    lake.deliver("raw.ingested_files", now, [{"known_at": now - timedelta(days=3)}])
    lake.deliver("raw.aa_purges", now, [{"purged_at_utc": now}])
    lake.publish(now.date())

    # Of what the lender's contract calls for every night a refused file is an error.
    dbt(tmp_path, artefacts, "source", "freshness", returns=1)
    told = json.loads((artefacts / "sources.json").read_text())["results"]
    status = {r["unique_id"].removeprefix("source.paymentor."): r["status"] for r in told}
    assert status == {
        **dict.fromkeys(source_columns(), "warn"),
        "raw.payments": "pass",
        "raw.portfolio_accounts": "warn",
        "raw.contact_history": "pass",
        "raw.blacklist": "warn",
        "raw.ingested_files": "error",
        "raw.aa_purges": "pass",
    }


def test_dbt_sources_are_the_tables_that_ingestion_and_engagement_write() -> None:
    written = {contract.name: contract for contract in (*raw_tables().values(), AA_PURGES, EVENTS)}
    for name, columns in source_columns().items():
        actual = written[name].schema
        declared = raw_contract(name).schema
        missing = set(columns) - set(actual.names)
        assert not missing, f"{name}: dbt reads columns that are not written: {missing}"
        for field in declared:
            assert actual.field(field.name).type == field.type, f"{name}.{field.name}"


def test_every_table_that_a_build_pins_says_when_its_rows_became_known_and_whose_they_are() -> None:
    for contract in (*raw_tables().values(), AA_PURGES):
        names = set(contract.column_names)
        assert names & set(freshness._KNOWN), contract.name
        assert names & set(freshness._LENDER), contract.name
