"""Two hundred mutants of all formats through the full commit; `make proof` takes ten thousand."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.formats import FORMATS
from tests.fuzz.in_memory import time_limit
from tests.fuzz.through_commit import shares, take_in_mutants
from tests.support.landing_house import landing_house

MUTANTS = 200
SECONDS = 400


def test_what_is_committed_is_what_was_good(tmp_path: Path) -> None:
    with landing_house(tmp_path) as house, time_limit(SECONDS):
        outcomes = take_in_mutants(house, MUTANTS)
        assert house.rows("raw.payments") and house.rows("raw.rejected_rows")
    assert outcomes.total() == MUTANTS
    assert 0 < outcomes["ingested"] < MUTANTS


def test_every_format_has_its_share() -> None:
    assert shares(10_000) == {name: fuzzed.mutants for name, fuzzed in FORMATS.items()}
    assert sum(shares(MUTANTS).values()) == MUTANTS
