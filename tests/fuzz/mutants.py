"""Mutants of one format: a seeded sequence of files, all different, that can be made again.

What is sealed differs from run to run, as encryption does; the places of its mutations do not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice

from tests.fuzz import mutations
from tests.fuzz.formats import Fuzzed

#: How many mutants of a packed format are spoiled after packing.
_SPOILED_OUTSIDE = 0.2
#: How many of the others keep the head without which a file is refused before its rows are read.
_KEPT_HEAD = 0.6


def mutants(name: str, fuzzed: Fuzzed, count: int, *, seed: int = 7) -> Iterator[bytes]:
    """`count` different files that are not the sound one, and hold at least one byte."""
    return islice(_endless(fuzzed, random.Random(f"{seed} {name}")), count)


def _endless(fuzzed: Fuzzed, chance: random.Random) -> Iterator[bytes]:
    seen = {sha256(fuzzed.sound).digest(), sha256(b"").digest()}
    while True:
        mutant = _mutant(fuzzed, chance)
        digest = sha256(mutant).digest()
        if digest not in seen:
            seen.add(digest)
            yield mutant


def _mutant(fuzzed: Fuzzed, chance: random.Random) -> bytes:
    is_packed = fuzzed.packed is not bytes
    if is_packed and chance.random() < _SPOILED_OUTSIDE:
        return chance.choice(mutations.INDEXED)(fuzzed.sound, chance)
    head = fuzzed.head if chance.random() < _KEPT_HEAD else 0
    content = fuzzed.plain[head:]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = chance.choice(fuzzed.mutations)(content, chance)
    return fuzzed.packed(fuzzed.plain[:head] + content)
