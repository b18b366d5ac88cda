"""What failed in a dbt run, and the rows that made tests fail."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paymentor_assets.features.project import PROJECT_DIR, TARGET

RESULTS = "run_results.json"


def failures(target_path: Path) -> list[str]:
    """What failed in the last dbt run: node name and message each; empty without results."""
    return [f"{_name(r)}: {' '.join(str(r['message']).split())}" for r in _failed(target_path)]


def failing_rows(dbt: Sequence[str], variables: Mapping[str, str], target_path: Path) -> list[str]:
    """Run the tests that failed once more, storing their rows; returns the tables that hold them.

    Storing them in every build would cost a table a test each day. `dbt` is the command to start
    dbt with, `variables` the environment of the build; the build's own results stay as they are.
    """
    tests = sorted({_name(r) for r in _failed(target_path) if r["status"] == "fail"})
    if not tests:
        return []
    again = target_path / "failing"
    again.mkdir(exist_ok=True)
    (again / RESULTS).unlink(missing_ok=True)
    subprocess.run(
        [*dbt, "test", "--select", *tests, "--store-failures", "--target", TARGET],
        cwd=PROJECT_DIR,
        env={**os.environ, **variables, "DBT_TARGET_PATH": str(again)},
        capture_output=True,
        check=False,
    )
    return sorted(
        ".".join(part.strip('"') for part in str(r["relation_name"]).split(".")[-2:])
        for r in _failed(again)
        if r.get("relation_name")
    )


def _failed(target_path: Path) -> list[dict[str, Any]]:
    path = target_path / RESULTS
    if not path.exists():
        return []
    results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
    return [r for r in results if r["status"] in ("error", "fail")]


def _name(result: Mapping[str, Any]) -> str:
    return str(result["unique_id"]).split(".")[2]
