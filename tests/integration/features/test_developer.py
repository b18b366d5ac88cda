"""A dbt developer's day: dbt alone, on an own scratch, with every unit test of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from paymentor_assets.engagement.tables import EVENTS
from paymentor_assets.features import freshness
from paymentor_assets.features.project import PROJECT_DIR
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.data_life import AA_PURGES
from resources.warehouse import source_columns
from tests.support.raw_lake import raw_contract


def test_dbt_builds_and_passes_its_unit_tests_without_a_lake(tmp_path: Path) -> None:
    env = {
        **{k: v for k, v in os.environ.items() if k != "PAYMENTOR_DBT_CONTEXT"},
        "PAYMENTOR_HOME": str(tmp_path),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    finished = subprocess.run(
        [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--quiet", "build"],
        cwd=PROJECT_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    results = json.loads((tmp_path / "target" / "run_results.json").read_text())["results"]
    unit_tests = [r for r in results if r["unique_id"].startswith("unit_test.")]
    assert len(unit_tests) >= 14
    assert (tmp_path / "warehouse" / "scratch.duckdb").exists()
    assert not (tmp_path / "lakehouse").exists()


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
