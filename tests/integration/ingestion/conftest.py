"""A fresh landing house for every test of ingestion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.landing_house import LandingHouse, landing_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[LandingHouse]:
    """An empty house of one lender."""
    with landing_house(tmp_path) as made:
        yield made
