"""Independent, named streams of random numbers.

Each (seed, name, numbers...) has its own generator, so adding a draw to one feed never shifts
another, and day 200 can be made without making days 1 to 199 first. That is what lets the
responding simulator continue exactly where the generator stopped.
"""

import hashlib

import numpy as np


def generator(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """A generator that depends on nothing but its arguments."""
    return np.random.default_rng(
        [seed & 0xFFFF_FFFF, _word(name), *(n & 0xFFFF_FFFF for n in numbers)]
    )


def generator_for_text(seed: int, text: str) -> np.random.Generator:
    """A generator for one identified thing, such as a message's action id."""
    return np.random.default_rng([seed & 0xFFFF_FFFF, _word(text), _word("#" + text)])


def _word(text: str) -> int:
    """32 stable bits of a text (Python's own ``hash`` differs from process to process)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
