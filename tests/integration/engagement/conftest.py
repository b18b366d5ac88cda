"""A world for each test; PostgreSQL where its server is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.operational_store import OperationalStore
from tests.support.engagement_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lender on SQLite."""
    made = World(tmp_path, OperationalStore(f"sqlite:///{tmp_path}/operational.db"))
    yield made
    made.close()
