"""One commit of rows that come in pieces, in bounded memory.

Pieces become data files as they come; nothing is visible before `commit`, and what was written
since a mark can be taken back. pyiceberg streams into unpartitioned tables only
(apache/iceberg-python#2152), hence this door to its file writer.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import pyarrow as pa
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile

from resources.lakehouse import Lakehouse, TableContract

#: Arrow bytes that are gathered before a data file is written.
PIECE_BYTES = 32 << 20


class PiecewiseAppend:
    """Rows for one table, written piece by piece and committed once."""

    def __init__(self, lake: Lakehouse, contract: TableContract) -> None:
        self._lake = lake
        self._contract = contract
        self._gathered: list[pa.Table] = []
        self._bytes = 0
        self._written: list[DataFile] = []
        self._marked_files = 0
        self.rows = 0
        self._marked_rows = 0
        self.preview = contract.schema.empty_table()

    def write(self, rows: pa.Table) -> None:
        """Take rows of the contract's schema."""
        if rows.num_rows == 0:
            return
        if self.preview.num_rows == 0:
            # A copy: a slice would keep all of the piece in memory.
            self.preview = rows.take(list(range(min(5, rows.num_rows))))
        self._gathered.append(rows)
        self._bytes += rows.nbytes
        self.rows += rows.num_rows
        if self._bytes >= PIECE_BYTES:
            self._flush()

    def mark(self) -> None:
        """What was taken so far stays, whatever is undone later."""
        self._flush()
        self._marked_files, self._marked_rows = len(self._written), self.rows

    def undo(self) -> None:
        """Forget what was taken since the mark; its files are deleted."""
        self._gathered, self._bytes = [], 0
        io = self._lake.ensure(self._contract).io
        for file in self._written[self._marked_files :]:
            io.delete(file.file_path)
        del self._written[self._marked_files :]
        self.rows = self._marked_rows

    def commit(self, summary: Mapping[str, str]) -> int | None:
        """Append everything in one snapshot; returns its id, None when there was nothing."""
        self._flush()
        if not self._written:
            return None
        table = self._lake.ensure(self._contract)
        with (
            table.transaction() as transaction,
            transaction.update_snapshot(snapshot_properties=dict(summary)).fast_append() as append,
        ):
            for file in self._written:
                append.append_data_file(file)
        self._written = []
        snapshot = table.current_snapshot()
        return None if snapshot is None else int(snapshot.snapshot_id)

    def _flush(self) -> None:
        if not self._gathered:
            return
        rows = pa.concat_tables(self._gathered).cast(self._contract.schema)
        self._gathered, self._bytes = [], 0
        table = self._lake.ensure(self._contract)
        self._written += _dataframe_to_data_files(
            table_metadata=table.metadata, write_uuid=uuid.uuid4(), df=rows, io=table.io
        )
