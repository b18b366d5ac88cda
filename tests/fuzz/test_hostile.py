"""What is made to do harm ends as it should, and takes no sound file of its batch with it."""

from __future__ import annotations

import pytest

from tests.fuzz.formats import FORMATS
from tests.fuzz.hostile import HOSTILE, INGESTED
from tests.fuzz.in_memory import check, memory_cap, take, time_limit

MEMORY_MIB = 500
SECONDS = 60


@pytest.mark.parametrize("name", HOSTILE)
def test_harm_ends_at_the_file_that_does_it(name: str) -> None:
    hostile = HOSTILE[name]
    fuzzed = FORMATS[hostile.format]
    # With other keys and at another time no sound file would be one.
    is_sealed = fuzzed.contract.encryption is not None
    sound = [] if is_sealed else [fuzzed.sound]
    contents = [hostile.make(), *sound]
    with memory_cap(MEMORY_MIB), time_limit(SECONDS):
        taken = take(fuzzed, contents, keys=hostile.keys(), now=hostile.now)
    check(fuzzed, contents, taken)
    outcomes = [file.reason_code or file.status for file in taken.files]
    assert outcomes == [hostile.outcome, *[INGESTED] * len(sound)]
