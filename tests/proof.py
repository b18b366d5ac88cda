"""`make proof`: the long counts, written to `docs/results/proof.md`.

Random `kill -9` of ingestions: after each, an undisturbed run must end where a run that was never
disturbed ends. Ten thousand spoiled files through the full commit. And a history of which every
day's features are built when only that day's files are there, then looked back at. Instants and
files come from seeded generators, so a failure can be looked at again.
"""

from __future__ import annotations

import argparse
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fuzz.through_commit import take_in_mutants
from tests.support.feature_replay import live_through
from tests.support.killed import died_by_kill, ingest_in_a_process, steps_of
from tests.support.landing_house import landing_house
from tests.support.two_deliveries import end_state, first_delivery, second_delivery

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "proof.md"
END = date(2026, 6, 30)


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


@dataclass
class Kills:
    """What became of ingestions that were killed at random instants."""

    killed: int = 0
    unequal: int = 0
    #: How many died after which step, and before the next.
    after: Counter[str] = field(default_factory=Counter)


def kill_ingestions(count: int, seed: int, scratch: Path) -> Kills:
    """Kill `count` ingestions at random instants of their work, and let another run finish it."""
    prepare(scratch / "undisturbed")
    expected = finish(scratch / "undisturbed")
    prepare(scratch / "timed")
    process, begun = begun_ingestion(scratch / "timed")
    assert not died_by_kill(process)
    seconds = time.monotonic() - begun
    chance = random.Random(seed)
    kills = Kills()
    for number in range(1, count + 1):
        root = scratch / f"run-{number}"
        prepare(root)
        process, _ = begun_ingestion(root)
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        if died_by_kill(process):
            kills.killed += 1
            kills.after[steps_of(root)[-1]] += 1
        is_equal = finish(root) == expected
        kills.unequal += not is_equal
        print(f"{number:4d}/{count}  {'equal' if is_equal else 'UNEQUAL'}", flush=True)  # noqa: T201
    return kills


def begun_ingestion(root: Path) -> tuple[subprocess.Popen[bytes], float]:
    """A process that has loaded its libraries and begins to ingest, and the instant of that."""
    process = ingest_in_a_process(root)
    while process.poll() is None and not steps_of(root):
        time.sleep(0.005)
    return process, time.monotonic()


def take_in_all(count: int, seed: int, scratch: Path) -> tuple[Counter[str], float]:
    """Mutants through the full commit; (outcomes, seconds)."""
    scratch.mkdir()
    begun = time.monotonic()
    with landing_house(scratch) as house:
        outcomes = take_in_mutants(house, count, seed=seed)
    return outcomes, time.monotonic() - begun


@dataclass(frozen=True)
class Replay:
    """Days lived through one by one, and those that looked otherwise from their future."""

    days: int
    unequal: tuple[date, ...]


def replay(days: int, scratch: Path) -> Replay:
    """Live through `days` days and compare each with the same day looked back at."""
    looked_at = [END - timedelta(days=n) for n in reversed(range(days))]
    lived, looked_back = live_through(
        scratch, customers=60, days=days + 15, end=END, looked_at=looked_at
    )
    return Replay(days, tuple(day for day in looked_at if lived[day] != looked_back[day]))


def page(
    arguments: argparse.Namespace,
    kills: Kills,
    fuzzed: Counter[str],
    seconds: float,
    replayed: Replay,
) -> str:
    """The results as Markdown."""
    after = "\n".join(f"| {step} | {n} |" for step, n in sorted(kills.after.items()))
    outcomes = "\n".join(f"| {code} | {n} |" for code, n in fuzzed.most_common())
    return f"""# Proof

Written by `make proof` on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}.

## Ingestions killed

A process that ingests is sent `kill -9` at a random instant of its work; another run finishes. The
end state (tables, publication, file index, vault) is compared with that of an undisturbed run.

| what | count |
|---|---|
| ingestions | {arguments.kills} |
| killed before they had ended by themselves | {kills.killed} |
| end states that differ from the undisturbed run's | {kills.unequal} |

| the last durable step before the kill | kills |
|---|---|
{after}

## Spoiled files taken in

Mutants of sound files of every format (`tests/fuzz/formats.py`), through parser, contract, commit
and publication. For each, accepted and rejected rows in the tables were those that another reader
counts, or the file was refused and the tables hold nothing of it.

| what became of it | files |
|---|---|
| all | {fuzzed.total()} |
{outcomes}

They took {seconds:.0f} s. Seed {arguments.seed}.

## Days lived through

A simulated lender's files come in the order in which they became known; the features of each day
are built when only its files are there. Then the whole history is ingested at once and all days are
built in one run.

| what | count |
|---|---|
| days | {replayed.days} |
| days of which any value of any feature table differs | {len(replayed.unequal)} |
"""


def main() -> int:
    """Run the counts and write the page; exit code 1 when anything was unequal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="how many ingestions to kill")
    parser.add_argument("--mutants", type=int, default=10_000, help="how many files to spoil")
    parser.add_argument("--days", type=int, default=30, help="how many days to live through")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--page", type=Path, default=RESULTS, help="where to write the results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        fuzzed, seconds = take_in_all(arguments.mutants, arguments.seed, scratch / "fuzz")
        kills = kill_ingestions(arguments.kills, arguments.seed, scratch)
        replayed = replay(arguments.days, scratch / "replay")
    arguments.page.write_text(page(arguments, kills, fuzzed, seconds, replayed))
    return 1 if kills.unequal or replayed.unequal else 0


if __name__ == "__main__":
    sys.exit(main())
