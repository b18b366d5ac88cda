"""The Berka landing zone, written once a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_data.berka import Landing, source_directory, write_landing


@pytest.fixture(scope="session")
def berka_source() -> Path:
    """The folder of the source tables; skips (in CI: fails) where it is absent."""
    return source_directory()


@pytest.fixture(scope="session")
def berka_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home that the landing files are written under."""
    return tmp_path_factory.mktemp("berka")


@pytest.fixture(scope="session")
def berka_landing(berka_source: Path, berka_home: Path) -> Iterator[Landing]:
    """All landing files of Berka, and what was written."""
    landing = write_landing(berka_source, berka_home)
    yield landing
    landing.con.close()
