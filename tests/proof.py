"""`make proof`: the long counts, written to `docs/results/proof.md`.

Random `kill -9` of ingestions: after each, an undisturbed run must end where a run that was never
disturbed ends. The instants come from a seeded generator, so a failure can be looked at again.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.integration.ingestion.test_crashes import end_state, first_delivery, second_delivery
from tests.support.killed import died_by_kill, ingest_in_a_process
from tests.support.landing_house import landing_house

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "proof.md"


def prepare(root: Path) -> None:
    """A house with one delivery taken in and a second one waiting."""
    root.mkdir(parents=True)
    with landing_house(root) as house:
        first_delivery(house)
        house.ingest()
        second_delivery(house)


def finish(root: Path) -> dict[str, Any]:
    """Take in what waits and tell the end state."""
    with landing_house(root, has_tables=False) as house:
        house.ingest(run_id="finish")
        return end_state(house)


def kill_ingestions(count: int, seed: int, scratch: Path) -> tuple[int, int, float]:
    """Kill `count` ingestions at random instants; (killed in time, unequal ends, seconds a run)."""
    prepare(scratch / "undisturbed")
    expected = finish(scratch / "undisturbed")
    prepare(scratch / "timed")
    begun = time.monotonic()
    process = ingest_in_a_process(scratch / "timed")
    assert not died_by_kill(process)
    seconds = time.monotonic() - begun
    chance = random.Random(seed)
    killed = unequal = 0
    for number in range(1, count + 1):
        root = scratch / f"run-{number}"
        prepare(root)
        process = ingest_in_a_process(root)
        # Imports take the first half; the durable steps are in the second.
        time.sleep(chance.uniform(0.4, 1.05) * seconds)
        process.kill()
        killed += died_by_kill(process)
        is_equal = finish(root) == expected
        unequal += not is_equal
        print(f"{number:4d}/{count}  {'equal' if is_equal else 'UNEQUAL'}", flush=True)  # noqa: T201
    return killed, unequal, seconds


def main() -> int:
    """Run the counts and write the page; exit code 1 when anything was unequal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="how many ingestions to kill")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        killed, unequal, seconds = kill_ingestions(arguments.kills, arguments.seed, Path(scratch))
    RESULTS.write_text(
        "# Proof\n\n"
        f"Written by `make proof` on {datetime.now(UTC):%Y-%m-%d}, Python "
        f"{platform.python_version()}.\n\n"
        "| what | count |\n|---|---|\n"
        f"| ingestions started and sent `kill -9` at a random instant | {arguments.kills} |\n"
        f"| of these, killed before they had ended by themselves | {killed} |\n"
        f"| end states that differ from the undisturbed run's | {unequal} |\n\n"
        f"Seed {arguments.seed}; an undisturbed run took {seconds:.1f} s.\n"
    )
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
