"""A fresh house for every test, whose lender can be connected to fake sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.connector_house import ConnectorHouse
from tests.support.landing_house import landing_house


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[ConnectorHouse]:
    """An empty house of one lender."""
    with landing_house(tmp_path) as house:
        yield ConnectorHouse(house)
