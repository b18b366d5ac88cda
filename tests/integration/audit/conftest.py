"""A lakehouse on disk, and a clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paymentor_assets.audit.publications import RunInfo
from resources.clock import FixedClock
from resources.lakehouse import Lakehouse
from tests.support.lakes import OpenLake, lakes_in


@pytest.fixture
def open_lake(tmp_path: Path) -> Iterator[OpenLake]:
    """Opens the lakehouse of the test anew, as another process would."""
    folder = tmp_path / "lakehouse"
    folder.mkdir()
    with lakes_in(folder) as open_one:
        yield open_one


@pytest.fixture
def lake(open_lake: OpenLake) -> Lakehouse:
    """The lakehouse of the test."""
    return open_lake()


@pytest.fixture
def run() -> RunInfo:
    """Who publishes."""
    return RunInfo("run-1", "v1", FixedClock(datetime(2026, 7, 1, 0, 30, tzinfo=UTC)))
