"""What every family's `fit` may be told besides the sample."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict


class Options(TypedDict, total=False):
    """Options of `supervised.fit`, all with a default."""

    #: Leave leaking columns out, and record it, instead of raising LeakageError.
    drop_leaks: bool
    #: Columns that are known only after the outcome.
    post_outcome: Collection[str]
    #: Columns that somebody has looked at and found to be known in time: however well such a column
    #: tells the outcome, it is kept, and the card says so.
    reviewed: Collection[str]
    #: The most rows that candidates are compared on.
    choose_on: int


def with_post_outcome(options: Options, names: Collection[str]) -> Options:
    """These options, with further columns that are known only after the outcome."""
    return {**options, "post_outcome": {*names, *options.get("post_outcome", ())}}
