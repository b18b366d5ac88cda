"""What a run takes: rows for the lakehouse, table by table, as they come.

Nothing is visible before a commit, so what belongs to a file that is refused at its end is taken
back.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from paymentor_assets.ingestion.contracts.tables import REJECTED_ROWS, raw_tables
from resources.lakehouse import Lakehouse
from resources.piecewise import PiecewiseAppend


class Takings(Protocol):
    """Rows taken and not yet committed."""

    def accept(self, table: str, rows: pa.Table) -> None:
        """Take accepted rows of one table."""
        ...

    def reject(self, rows: pa.Table) -> None:
        """Take rejected rows."""
        ...

    def mark(self) -> None:
        """Keep what was taken so far, whatever is taken back later."""
        ...

    def undo(self) -> None:
        """Take back everything since the mark."""
        ...


class LakeTakings:
    """Rows on their way into the lakehouse."""

    def __init__(self, lake: Lakehouse) -> None:
        self._lake = lake
        self._appends: dict[str, PiecewiseAppend] = {}

    def of(self, table: str) -> PiecewiseAppend:
        """The rows taken for one table."""
        if table not in self._appends:
            self._appends[table] = PiecewiseAppend(self._lake, raw_tables()[table])
        return self._appends[table]

    def accept(self, table: str, rows: pa.Table) -> None:
        """See `Takings`."""
        self.of(table).write(rows)

    def reject(self, rows: pa.Table) -> None:
        """See `Takings`."""
        self.of(REJECTED_ROWS.name).write(rows)

    def mark(self) -> None:
        """See `Takings`."""
        for append in self._appends.values():
            append.mark()

    def undo(self) -> None:
        """See `Takings`."""
        for append in self._appends.values():
            append.undo()


class DryTakings:
    """Rows that go nowhere: a dry run keeps them in memory, to be looked at."""

    def __init__(self) -> None:
        self.accepted: dict[str, list[pa.Table]] = {}
        self._rejected: list[pa.Table] = []
        self._marked: tuple[dict[str, int], int] = ({}, 0)

    @property
    def rejected(self) -> pa.Table:
        """All rejected rows."""
        return pa.concat_tables([REJECTED_ROWS.schema.empty_table(), *self._rejected])

    def accept(self, table: str, rows: pa.Table) -> None:
        """See `Takings`."""
        self.accepted.setdefault(table, []).append(rows)

    def reject(self, rows: pa.Table) -> None:
        """See `Takings`."""
        self._rejected.append(rows)

    def mark(self) -> None:
        """See `Takings`."""
        self._marked = ({t: len(rows) for t, rows in self.accepted.items()}, len(self._rejected))

    def undo(self) -> None:
        """See `Takings`."""
        accepted, rejected = self._marked
        for table, rows in self.accepted.items():
            del rows[accepted.get(table, 0) :]
        del self._rejected[rejected:]
