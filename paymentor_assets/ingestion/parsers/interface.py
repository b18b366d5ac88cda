"""What every format offers to the pipeline, and the scratch tables it fills.

A parser turns the bytes of one file into rows of text. It knows nothing of lenders, tables or
Dagster, and it judges form only: whether a value is good is for the contract (`checks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import duckdb
import pyarrow as pa

#: Columns that every relation `fields_<i>` begins with. `row_number` counts the rows of the file
#: from 1; `line_number` is the row number of the record itself or, for a nested record, of the
#: record it belongs to. A row with a `parse_error` (a reason code) is rejected whole; then
#: `fault_column` names the column at fault when one is known.
STAGED = (
    "file_index INTEGER, row_number BIGINT, line_number BIGINT, parse_error VARCHAR, "
    "fault_column VARCHAR, column_count INTEGER"
)
STAGED_SCHEMA = pa.schema(
    [
        pa.field("file_index", pa.int32()),
        pa.field("row_number", pa.int64()),
        pa.field("line_number", pa.int64()),
        pa.field("parse_error", pa.string()),
        pa.field("fault_column", pa.string()),
        pa.field("column_count", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Source:
    """One file as a parser sees it: its plain bytes, how sentences call it (ending with its name as
    delivered), and a private folder for formats that must be read from their end."""

    stream: BinaryIO
    file_index: int
    name: str
    scratch: Path


class Parser(Protocol):
    """One format, for the files of one batch; made anew for each batch.

    For each file the pipeline calls `read`; whenever enough is read, and at the end, it calls
    `stage` on what was read since the last time. Row numbers go on through a file however it is
    cut. A record and what is nested in it always stand in the same batch.
    """

    def tables(self) -> Mapping[str, pa.Schema]:
        """The scratch tables that `read` fills."""
        ...

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Rows for those tables, from about 8 MiB of input at a time.

        Raises RejectedFile when the file as a whole is refused, also after some batches: then
        nothing of it is taken.
        """
        ...

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fill `fields_0` (and `fields_1`, …) from the scratch tables: STAGED, then one text a
        delivered column, named as the contract names it; blank text is NULL."""
        ...

    def original(self, index: int) -> tuple[str, str]:
        """SQL for the original bytes of a row of `fields_<index>` (alias `v`): an expression of
        type BLOB, and the joins it needs. Used for rejected rows only."""
        ...
