"""One small simulated lender, made once for all tests of this room."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from simulator.generate import generate

SEED, CUSTOMERS, DAYS = 7, 160, 70
FIRST_DAY, LAST_DAY = date(2026, 4, 22), date(2026, 6, 30)


@dataclass(frozen=True)
class Home:
    """A generated home, and ways to read its files."""

    path: Path

    def files(self, feed: str) -> list[Path]:
        """The landing files of a feed, in order of business date."""
        return sorted((self.path / "landing" / "meridian" / feed).iterdir())

    def rows(self, feed: str) -> Iterator[dict[str, str]]:
        """Every CSV row of a feed."""
        for path in self.files(feed):
            with path.open(newline="") as handle:
                yield from csv.DictReader(handle)

    def documents(self, feed: str) -> Iterator[dict[str, object]]:
        """Every JSON line of a feed."""
        for path in self.files(feed):
            yield from map(json.loads, path.read_text().splitlines())


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A lender without a single wrong row."""
    path = tmp_path_factory.mktemp("clean")
    generate(path, customers=CUSTOMERS, days=DAYS, seed=SEED, dirty_share=0.0)
    return Home(path)


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same lender with one wrong row in fifty."""
    path = tmp_path_factory.mktemp("dirty")
    generate(path, customers=CUSTOMERS, days=DAYS, seed=SEED, dirty_share=0.02)
    return Home(path)


def tree(path: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative name."""
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
