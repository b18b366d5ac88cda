"""What every test needs: no telemetry, no network, no state outside its own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty `$PAYMENTOR_HOME` of the test environment."""
    root = tmp_path / "home"
    root.mkdir()
    monkeypatch.setenv("PAYMENTOR_ENV", "test")
    monkeypatch.setenv("PAYMENTOR_HOME", str(root))
    monkeypatch.setenv("DAGSTER_HOME", str(root / "dagster"))
    yield root
