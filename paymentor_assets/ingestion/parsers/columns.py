"""Whether a file of named columns has the columns of its contract, for every format with names."""

from __future__ import annotations

from collections.abc import Sequence

from resources.errors import RejectedFile

#: A hostile file may have a million columns with long names; a sentence shows the first few.
_SHOWN_COLUMNS = 10
_SHOWN_CHARACTERS = 40


def require_columns(name: str, found: Sequence[str], expected: Sequence[str], feed: str) -> None:
    """Refuse file `name` unless it has exactly the expected columns, in any order.

    Raises RejectedFile (HEADER_MISMATCH) naming the columns that are missing, extra or repeated.
    """
    if sorted(found) == sorted(expected):
        return
    faults = {
        "missing": [c for c in expected if c not in set(found)],
        "extra": [c for c in found if c not in set(expected)],
        "repeated": sorted({c for c in found if c in set(expected) and found.count(c) > 1}),
    }
    said = "; ".join(
        f"{label} {', '.join(repr(c[:_SHOWN_CHARACTERS]) for c in columns[:_SHOWN_COLUMNS])}"
        for label, columns in faults.items()
        if columns
    )
    raise RejectedFile(
        "HEADER_MISMATCH",
        f"{name}, header: {said}. The contract of feed {feed} has {len(expected)} columns; "
        "deliver exactly those.",
    )
