"""Damaged bureau files: whatever happens to the bytes, a file is refused with a reason or every row
of it is accounted for; no other exception, no gap in the row numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers.interface import Parser, Source
from paymentor_assets.ingestion.parsers.metro2 import Metro2
from paymentor_assets.ingestion.parsers.tudf import Tudf
from resources.errors import RejectedFile
from tests.support import metro2_files, tudf_files
from tests.support.parsing import parse

MUTANTS = 300
#: Mutants that go through DuckDB as well, which costs most of the time.
STAGED = 15
FILE_CODES = {
    "EMPTY_FILE",
    "BAD_HEADER",
    "BAD_RECORD_LENGTH",
    "RECORD_TOO_LONG",
    "TRUNCATED_FILE",
    "BAD_TRAILER",
}
Mutation = Callable[[bytes, random.Random], bytes]


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _swap(data: bytes, chance: random.Random) -> bytes:
    a, b = sorted(chance.sample(range(len(data)), 2))
    length = min(chance.randint(1, 200), b - a)
    return (
        data[:a]
        + data[b : b + length]
        + data[a + length : b]
        + data[a : a + length]
        + (data[b + length :])
    )


def _digits(data: bytes, chance: random.Random) -> bytes:
    """Wrong lengths: other digits where digits stand."""
    places = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    changed = bytearray(data)
    for place in chance.sample(places, min(len(places), chance.choice((1, 2, 10)))):
        changed[place] = chance.choice(b"0123456789")
    return bytes(changed)


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    foreign = chance.choice(
        (b"\n", b"\0", b"\xff" * 5, b"ES02**", b"TRLR", b"0426TRAILER", b"PN03N01", b"J1" * 9)
    )
    return data[:at] + foreign + data[at:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    a, b = sorted(chance.sample(range(len(data) + 1), 2))
    return data[:b] + data[a:b] + data[b:]


def _cut_out(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randint(1, 300) :]


MUTATIONS: tuple[Mutation, ...] = (_flip, _truncate, _swap, _digits, _insert, _repeat, _cut_out)

_ACCOUNTS = [
    metro2_files.good(account_number="A1"),
    metro2_files.Account(
        {**metro2_files.GOOD, "employer_name": "EXAMPLE WORKS"},
        [metro2_files.consumer("J1"), metro2_files.consumer("J2")],
        ["K1", "N1"],
    ),
    metro2_files.good(account_number="A3"),
]
_SUBJECTS = [tudf_files.good(), tudf_files.Subject([tudf_files.GOOD] * 2), tudf_files.good()]


def _metro2() -> Parser:
    # Most mutants would fall at the trailer, and never come to the records.
    return Metro2(load_feeds()["bureau_metro2"].model_copy(update={"trailer": "ignored"}))


def _tudf() -> Parser:
    return Tudf(load_feeds()["bureau_tudf"])


FORMATS: dict[str, tuple[Callable[[], Parser], bytes, int]] = {
    "metro2 lines": (_metro2, metro2_files.lines(*_ACCOUNTS), 2),
    "metro2 fixed": (_metro2, metro2_files.fixed(*_ACCOUNTS), 2),
    "metro2 variable": (_metro2, metro2_files.variable(*_ACCOUNTS, per_block=2), 2),
    "metro2 binary": (_metro2, metro2_files.packed(*_ACCOUNTS), 2),
    "metro2 decimals": (_metro2, metro2_files.packed(*_ACCOUNTS, decimals=True), 2),
    "tudf": (_tudf, tudf_files.tudf(*_SUBJECTS), 1),
}


@pytest.mark.parametrize("name", FORMATS)
def test_no_mutant_escapes(name: str) -> None:
    make, sound, records = FORMATS[name]
    # A string seeds the same in every process, which hash() of it would not.
    chance = random.Random(name)
    ends: set[str] = set()
    for i in range(MUTANTS):
        mutant = chance.choice(MUTATIONS)(sound, chance)
        try:
            numbers = []
            for batch in make().read(Source(BytesIO(mutant), 0, "mutant", Path())):
                for table in batch.values():
                    numbers += table.column("row_number").to_pylist()
                    ends |= set(table.to_pydict().get("parse_error", []))
            assert sorted(numbers) == list(range(1, len(numbers) + 1)), f"mutant {i}"
            if i < STAGED:
                staged = parse(make(), mutant, records=records)
                assert sum(map(len, staged.rows.values())) == len(numbers)
        except RejectedFile as refusal:
            assert refusal.reason_code in FILE_CODES
            assert "mutant" in str(refusal) or "file_0" in str(refusal)
            ends.add(refusal.reason_code)
    # The mutants are worth something: some are refused, some lose rows, some pass.
    assert ends & FILE_CODES
    assert ends - FILE_CODES - {None}
    assert None in ends
