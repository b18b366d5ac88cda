"""A lakehouse on disk, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paymentor_assets.audit.publications import RunInfo
from resources.clock import FixedClock
from resources.lakehouse import Lakehouse


@pytest.fixture
def open_lake(tmp_path: Path) -> Iterator[Callable[[], Lakehouse]]:
    """Opens the lakehouse of the test anew, as another process would."""
    folder = tmp_path / "lakehouse"
    folder.mkdir()
    opened: list[Lakehouse] = []

    def open_one() -> Lakehouse:
        lake = Lakehouse(
            {
                "type": "sql",
                "uri": f"sqlite:///{folder}/catalog.db",
                "warehouse": f"file://{folder}",
            }
        )
        opened.append(lake)
        return lake

    yield open_one
    for lake in opened:
        lake.catalog.close()


@pytest.fixture
def lake(open_lake: Callable[[], Lakehouse]) -> Lakehouse:
    """The lakehouse of the test."""
    return open_lake()


@pytest.fixture
def run() -> RunInfo:
    """Who publishes."""
    return RunInfo("run-1", "v1", FixedClock(datetime(2026, 7, 1, 0, 30, tzinfo=UTC)))
