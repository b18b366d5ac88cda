"""The bytes of a Parquet file to batches of text, in bounded memory.

Knows columns and their text; which columns a file should have is for the parser that asks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from paymentor_assets.ingestion.contracts.model import ColumnContract
from paymentor_assets.ingestion.parsers.interface import Source
from paymentor_assets.ingestion.parsers.lines import BLOCK_BYTES, MAX_RECORD_BYTES
from paymentor_assets.ingestion.parsers.parquet_text import is_readable, rendered, text_lengths
from resources.errors import RejectedFile

MAGIC = b"PAR1"
#: Repeated values cost a Parquet file nothing, so a few kilobytes can stand for terabytes of text.
#: Up to this many bytes any file may grow; beyond, to `_MAX_EXPANSION` times its size. A cell
#: counts for one byte more than its text, so that rows of nothing count as well.
_FREE_BYTES = 1 << 30
_MAX_EXPANSION = 250
#: The distinct text of a row group is held until its end.
_MAX_GROUP_BYTES = 512 << 20
_MAX_BATCH_ROWS = 1 << 16
#: What pyarrow raises on bytes that are not what they claim; a name that is not UTF-8 fails on its
#: way out to Python.
_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError)


def cells_schema(columns: Sequence[ColumnContract]) -> pa.Schema:
    """Schema of table `cells`: place of the row, the column that is not UTF-8, one text a column;
    blank text is NULL."""
    return pa.schema(
        [
            pa.field("file_index", pa.int32()),
            pa.field("row_number", pa.int64()),
            pa.field("fault_column", pa.string()),
            *(pa.field(c.name, pa.string()) for c in columns),
        ]
    )


@contextmanager
def opened(source: Source) -> Iterator[ParquetRows]:
    """The Parquet file behind a stream, which is spooled: its table of contents stands at its end.

    The spool has no name, so nobody else can open it. Raises RejectedFile: UNREADABLE,
    HEADER_MISMATCH for a column that no text can stand for, ROW_GROUP_TOO_LARGE or ARCHIVE_BOMB.
    """
    with tempfile.TemporaryFile(dir=source.scratch) as spool:
        while block := source.stream.read(BLOCK_BYTES):
            spool.write(block)
        size = spool.tell()
        if not size:
            raise RejectedFile(
                "EMPTY_FILE", f"{source.name} holds no byte; deliver the file again, complete."
            )
        spool.seek(0)
        yield _rows(source, spool, size)


def _rows(source: Source, spool: BinaryIO, size: int) -> ParquetRows:
    try:
        metadata = pq.read_metadata(spool)
        columns = [metadata.schema.column(i) for i in range(metadata.num_columns)]
        # Read as dictionaries, repeated text stays as small as it is in the file.
        texts = [c.path for c in columns if c.physical_type == "BYTE_ARRAY"]
        fixed = sum(c.length for c in columns if c.physical_type == "FIXED_LEN_BYTE_ARRAY")
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        claimed = max(1, fixed, sum(max(group.total_byte_size, 0) for group in groups))
        spool.seek(0)
        file = pq.ParquetFile(spool, metadata=metadata, buffer_size=1 << 20, read_dictionary=texts)
        schema = file.schema_arrow
        names = tuple(schema.names)
    except _FAULTS as error:
        raise _unreadable(source.name, error) from error
    for field in schema:
        if not is_readable(field.type):
            raise RejectedFile(
                "HEADER_MISMATCH",
                f"{source.name}, column {field.name[:40]!r} is of type {str(field.type)[:80]}, "
                "which is no single value; deliver text, numbers, dates or timestamps.",
            )
    if any(group.total_byte_size > _MAX_GROUP_BYTES for group in groups):
        raise RejectedFile(
            "ROW_GROUP_TOO_LARGE",
            f"{source.name} has a row group of more than {_MAX_GROUP_BYTES >> 20} MiB; write it "
            "with smaller ones (a million rows are usual).",
        )
    # What one row takes decides how many are decoded at once.
    per_row = max(fixed, claimed // max(metadata.num_rows, 1), 1)
    rows = ParquetRows(
        source,
        file,
        names,
        frozenset(c.name for c in columns if c.physical_type == "INT96"),
        max(_FREE_BYTES, size * _MAX_EXPANSION),
        max(1, min(_MAX_BATCH_ROWS, BLOCK_BYTES // per_row)),
    )
    rows.check_size(max(claimed, metadata.num_rows * len(names)))
    return rows


@dataclass(frozen=True)
class ParquetRows:
    """One open file: `names` of its columns in its own order, and its rows as text."""

    source: Source
    file: pq.ParquetFile
    names: tuple[str, ...]
    int96: frozenset[str]
    max_bytes: int
    batch_rows: int

    def batches(self, columns: Sequence[ColumnContract]) -> Iterator[pa.RecordBatch]:
        """Batches of `cells_schema(columns)`; a column that the file lacks is NULL throughout.

        Raises RejectedFile: UNREADABLE, RECORD_TOO_LONG or ARCHIVE_BOMB.
        """
        schema = cells_schema(columns)
        done = grown = 0
        for batch in self._decoded():
            start = 0
            for rows in self._cut(batch, done):
                grown += self._text_bytes(rows).sum() + rows.num_rows * len(self.names)
                self.check_size(int(grown))
                yield self._cells(rows, columns, schema, done + start)
                start += rows.num_rows
            done += batch.num_rows
        if done != self.file.metadata.num_rows:
            raise RejectedFile(
                "UNREADABLE",
                f"{self.source.name} holds {done} rows where it says it holds "
                f"{self.file.metadata.num_rows}; deliver it again, complete.",
            )

    def check_size(self, size: int) -> None:
        """Raise RejectedFile (ARCHIVE_BOMB) when `size` is more than the file may grow to."""
        if size > self.max_bytes:
            raise RejectedFile(
                "ARCHIVE_BOMB",
                f"{self.source.name} grows to more than {self.max_bytes} bytes when it is read, "
                f"over {_MAX_EXPANSION} times its size, which no file of rows does; deliver it "
                "in several files.",
            )

    def _decoded(self) -> Iterator[pa.RecordBatch]:
        batches = self.file.iter_batches(self.batch_rows, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except _FAULTS as error:
                raise _unreadable(self.source.name, error) from error
            if batch is None:
                return
            yield batch

    def _cut(self, batch: pa.RecordBatch, done: int) -> Iterator[pa.RecordBatch]:
        """The batch in pieces of about a block of text each."""
        sizes = self._text_bytes(batch)
        if len(sizes) and sizes.max() > MAX_RECORD_BYTES:
            raise RejectedFile(
                "RECORD_TOO_LONG",
                f"{self.source.name}, row {done + int(sizes.argmax()) + 1}: the row is longer than "
                f"{MAX_RECORD_BYTES >> 20} MiB, which no row of a lender's is; correct it and "
                "deliver the file again.",
            )
        block = np.cumsum(sizes) // BLOCK_BYTES
        starts = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), batch.num_rows]
        for start, end in pairwise(starts):
            if end > start:
                yield batch.slice(start, end - start)

    def _text_bytes(self, batch: pa.RecordBatch) -> np.ndarray:
        """Bytes of text in each row."""
        sizes = np.zeros(batch.num_rows, np.int64)
        try:
            for array in batch.columns:
                lengths = text_lengths(array)
                if lengths is not None:
                    sizes += lengths.fill_null(0).to_numpy(zero_copy_only=False)
        except _FAULTS as error:  # e.g. a place in the dictionary that it does not have
            raise _unreadable(self.source.name, error) from error
        return sizes

    def _cells(
        self, batch: pa.RecordBatch, columns: Sequence[ColumnContract], schema: pa.Schema, done: int
    ) -> pa.RecordBatch:
        count = batch.num_rows
        texts: list[pa.Array] = []
        faults = pa.nulls(count, pa.string())
        for column in columns:
            name = column.delivered_as or column.name
            if name not in self.names:
                texts.append(pa.nulls(count, pa.string()))
                continue
            try:
                text, is_utf8 = rendered(batch.column(name), column, name in self.int96)
            except _FAULTS as error:
                raise _unreadable(self.source.name, error) from error
            texts.append(text)
            if is_utf8 is not None:
                faults = pc.if_else(is_utf8, faults, pc.coalesce(faults, pa.scalar(column.name)))
        places = [
            pa.array(np.full(count, self.source.file_index, np.int32)),
            pa.array(np.arange(done + 1, done + count + 1, dtype=np.int64)),
        ]
        return pa.record_batch([*places, faults, *texts], schema=schema)


def _unreadable(name: str, error: BaseException) -> RejectedFile:
    return RejectedFile(
        "UNREADABLE",
        f"{name} cannot be read as Parquet ({str(error)[:200]}); deliver the file again, complete.",
    )
