"""Ten thousand mutants through parser, contract and conservation, in memory.

Whatever is done to a file: accepted and rejected rows are together those that another reader
counts, or the whole file is refused with a reason and a sentence; in bounded time and memory, and
without harm to the other files of its batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest

from tests.fuzz.formats import FORMATS, Fuzzed
from tests.fuzz.in_memory import check, memory_cap, small_pieces, take, time_limit
from tests.fuzz.mutants import mutants

BATCH = 500
SECONDS_A_BATCH = 120
MEMORY_MIB = 600
#: Files that grow beyond this size do not come in blocks of a hundred bytes, but of this size.
SMALL_BYTES = 20_000
#: Each chunk of a file is staged anew, so only one mutant in so many comes in chunks.
CHUNKED_OF = 150


def test_they_are_ten_thousand() -> None:
    assert sum(fuzzed.mutants for fuzzed in FORMATS.values()) == 10_000


@pytest.mark.parametrize("name", FORMATS)
def test_the_sound_file_is_taken_whole(name: str) -> None:
    fuzzed = FORMATS[name]
    taken = take(fuzzed, [fuzzed.sound])
    assert check(fuzzed, [fuzzed.sound], taken) == {"ingested": 1}
    assert taken.files[0].rows_accepted >= 2 and not taken.rejected


@pytest.mark.parametrize("name", FORMATS)
def test_every_row_of_a_mutant_is_accounted_for(name: str) -> None:
    fuzzed = FORMATS[name]
    outcomes: Counter[str] = Counter()
    with memory_cap(MEMORY_MIB):
        for contents, pieces, share in _batches(
            fuzzed, list(mutants(name, fuzzed, fuzzed.mutants))
        ):
            with pieces, time_limit(SECONDS_A_BATCH):
                taken = take(fuzzed, contents, max_rejected_share=share)
            outcomes += check(fuzzed, contents, taken)
    assert outcomes.total() == fuzzed.mutants
    # The mutants are worth something: some are read, some are refused.
    assert 0 < outcomes["ingested"] < fuzzed.mutants


def _batches(
    fuzzed: Fuzzed, files: Sequence[bytes]
) -> Iterator[tuple[Sequence[bytes], AbstractContextManager[None], float]]:
    """Batches, how they are cut, and the share of rejected rows that their lender allows."""
    is_plain = fuzzed.contract.compression == "none"
    small = [content for content in files if len(content) < SMALL_BYTES]
    large = [content for content in files if len(content) >= SMALL_BYTES]
    chunked = [c for c in small if len(c) < 1.5 * len(fuzzed.sound)]
    chunked = chunked[: max(1, len(files) // CHUNKED_OF)]
    others = [content for content in small if content not in chunked]
    half = len(others) // 2
    yield chunked, small_pieces(block=len(fuzzed.plain) // 2, chunk=1), 1.0
    for batch in _cut(others[:half]):
        yield batch, small_pieces(block=100 if is_plain else SMALL_BYTES), 0.3
    for batch in _cut([*others[half:], *large]):
        yield batch, nullcontext(), 1.0


def _cut(files: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(files), BATCH):
        yield files[start : start + BATCH]
