"""A fresh landing house for every test of ingestion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.landing_house import LandingHouse, landing_house
from tests.support.two_deliveries import undisturbed_state


@pytest.fixture
def house(tmp_path: Path) -> Iterator[LandingHouse]:
    """An empty house of one lender."""
    with landing_house(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two deliveries come to where nothing goes wrong."""
    return undisturbed_state(tmp_path_factory.mktemp("undisturbed"))
