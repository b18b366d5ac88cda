"""What a model feature is: one value of one account on one day, named once for every use.

The same expressions make the training extract and the daily scoring frame, so the two cannot
drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "category"]

_COLUMN = re.compile(r"\b([apge])\.([a-z_0-9]+)")


@dataclass(frozen=True)
class Feature:
    """One feature of a family.

    `sql` reads `a` (features.account_features) and `p` (features.customer_profile). `phrase` is how
    a reason code names it. `reviewed` says, where somebody has looked, why the value is known in
    time however well it may tell the outcome alone.
    """

    name: str
    kind: Kind
    sql: str
    phrase: str
    reviewed: str = ""

    @property
    def expression(self) -> str:
        """The select item, typed by kind."""
        kind = "DOUBLE" if self.kind == "number" else "VARCHAR"
        return f'CAST({self.sql} AS {kind}) AS "{self.name}"'


def columns_read(features: Sequence[Feature], alias: str, *also: str) -> list[str]:
    """Columns of `a`, `p`, `g` or `e` that the features and further expressions read, sorted."""
    found = {
        name
        for text in (*(feature.sql for feature in features), *also)
        for table, name in _COLUMN.findall(text)
        if table == alias
    }
    return sorted(found)


def account(name: str, phrase: str, reviewed: str = "") -> Feature:
    """A number taken as it stands from features.account_features."""
    return Feature(name, "number", f"a.{name}", phrase, reviewed)


def profile(name: str, phrase: str) -> Feature:
    """A number taken as it stands from features.customer_profile."""
    return Feature(name, "number", f"p.{name}", phrase)
