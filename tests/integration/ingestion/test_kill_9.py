"""Real `kill -9` of an ingestion at each of its durable steps: nothing handled, nothing flushed.

Together with the killed dispatchers these are the ten real kills of a CI run; `make proof` kills at
random instants, many times.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.killed import died_by_kill, ingest_in_a_process
from tests.support.landing_house import landing_house
from tests.support.two_deliveries import end_state, first_delivery, second_delivery

POINTS = [
    "ingestion.after_files_noted",
    "ingestion.while_files_are_read",
    "ingestion.after_raw_commit",
    "ingestion.after_rejected_rows",
    "ingestion.after_ingested_files",
    "audit.publish.before_row",
    "audit.publish.after_row",
    "ingestion.before_index_commit",
    "ingestion.after_index_commit",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_ingestion_is_made_whole(
    tmp_path: Path, undisturbed: dict[str, Any], point: str
) -> None:
    root = tmp_path / "house"
    root.mkdir()
    with landing_house(root) as house:
        first_delivery(house)
        house.ingest()
        second_delivery(house)
    process = ingest_in_a_process(root, point)
    assert died_by_kill(process), f"the process was to die at {point}"
    with landing_house(root, has_tables=False) as house:
        house.ingest(run_id="run-3")
        assert end_state(house) == undisturbed
