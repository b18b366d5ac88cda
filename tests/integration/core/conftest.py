"""The operational store on both of its databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.operational_schema import metadata
from resources.operational_store import OperationalStore
from tests.support.postgres import postgres_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server; skips where none is installed."""
    with postgres_url() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OperationalStore]:
    """An empty operational store."""
    if request.param == "sqlite":
        opened = OperationalStore(f"sqlite:///{tmp_path}/deep/operational.db")
    else:
        opened = OperationalStore(request.getfixturevalue("postgres"))
        metadata.drop_all(opened.engine)
        metadata.create_all(opened.engine)
    yield opened
    opened.close()
