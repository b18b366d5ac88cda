"""What a run says while it works and when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from paymentor_assets.audit.publications import Publication
from paymentor_assets.ingestion.intake import IncomingFile


@dataclass(frozen=True)
class Progress:
    """One step of a run, for whoever watches: what, and how many files of how many."""

    step: str
    done: int
    total: int


@dataclass
class IngestionResult:
    """What a run did, by table. `publication` is the newest one, also when nothing was new."""

    lender_id: str
    files: list[IncomingFile] = field(default_factory=list)
    publication: Publication | None = None
    snapshots: dict[str, int] = field(default_factory=dict)
    rows_added: dict[str, int] = field(default_factory=dict)
    previews: dict[str, pa.Table] = field(default_factory=dict)
    dead_rows_deleted: dict[str, int] = field(default_factory=dict)

    def count(self, status: str) -> int:
        """Files that ended so."""
        return sum(f.status == status for f in self.files)

    @property
    def is_nothing_new(self) -> bool:
        """Whether the run committed nothing to the lakehouse."""
        return not self.snapshots

    def note(self, table: str, snapshot_id: int, rows: int, preview: pa.Table) -> None:
        """Remember one commit."""
        self.snapshots[table] = snapshot_id
        self.rows_added[table] = self.rows_added.get(table, 0) + rows
        self.previews.setdefault(table, preview)
