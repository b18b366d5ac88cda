"""A house for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sensor_house import House, opened


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One lender, empty landing zone, real lakehouse and store, an ephemeral Dagster instance."""
    with opened(tmp_path) as made:
        yield made
