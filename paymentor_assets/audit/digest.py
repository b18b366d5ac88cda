"""Content digests: one number that says whether two tables hold the same rows.

The SHA-256 of the rows in the order of their key, column by column as Arrow lays them out: name,
type and number of rows, a byte a row that says whether it holds a value, and the values,
little-endian; of texts their lengths first, and then their UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from itertools import pairwise
from math import nan

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.lakehouse import TableContract

EMPTY_DIGEST = sha256(b"").hexdigest()


@dataclass(frozen=True)
class DayDigest:
    """Digest and row count of one table on one day."""

    digest: str
    rows: int


def digested_columns(contract: TableContract) -> list[str]:
    """Columns that count: all but those that begin with `_` (run ids, wall-clock times)."""
    return [name for name in contract.column_names if not name.startswith("_")]


def content_digest(rows: pa.Table, contract: TableContract) -> DayDigest:
    """Digest of all rows, whatever their order; sorted by the contract's key."""
    counted = _counted(rows, contract)
    if counted.num_rows == 0:
        return DayDigest(EMPTY_DIGEST, 0)
    return _digest(counted.take(_in_order(counted, contract)))


def digests_by_day(rows: pa.Table, contract: TableContract) -> dict[date, DayDigest]:
    """Digest of each day present in `as_of_date`."""
    if rows.num_rows == 0:
        return {}
    counted = _counted(rows, contract)
    order = _in_order(counted, contract, "as_of_date")
    days = counted.column("as_of_date").take(order).combine_chunks()
    starts = [*_first_of_each(days), len(days)]
    return {
        days[start].as_py(): _digest(counted.take(order.slice(start, end - start)))
        for start, end in pairwise(starts)
    }


def _counted(rows: pa.Table, contract: TableContract) -> pa.Table:
    """The columns that count, in the order and of the types that the contract says."""
    names = digested_columns(contract)
    fields = [contract.schema.field(name) for name in names]
    return rows.select(names).cast(pa.schema([f.with_type(_wide(f.type)) for f in fields]))


def _wide(kind: pa.DataType) -> pa.DataType:
    """The type to count a column in: a column of `string` holds 2 GB, and then Arrow gives up."""
    if pa.types.is_string(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary(kind) else kind


def _in_order(rows: pa.Table, contract: TableContract, *before: str) -> pa.Array:
    # Rows that share a key are told apart by what else they say.
    columns = dict.fromkeys((*before, *contract.key, *rows.column_names))
    return pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in columns])


def _first_of_each(ordered: pa.Array) -> list[int]:
    differs = pc.not_equal(ordered[1:], ordered[:-1])
    changes: list[int] = np.flatnonzero(differs.to_numpy(zero_copy_only=False)).tolist()
    return [0, *(change + 1 for change in changes)]


def _digest(ordered: pa.Table) -> DayDigest:
    found = sha256()
    for name, column in zip(ordered.column_names, ordered.columns, strict=True):
        found.update(f"{name} {column.type} {len(column)}\n".encode())
        for part in _parts(column):
            found.update(part)
    return DayDigest(found.hexdigest(), ordered.num_rows)


def _parts(column: pa.ChunkedArray) -> Iterator[memoryview]:
    """Which rows hold a value, and the values; where chunks end does not show."""
    for chunk in column.chunks:
        yield _fixed(chunk.is_valid().cast(pa.uint8()))
    held = [chunk for chunk in column.drop_null().chunks if len(chunk)]
    if pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type):
        yield from (_fixed(pc.binary_length(chunk)) for chunk in held)
        yield from (_texts(chunk) for chunk in held)
    elif pa.types.is_boolean(column.type):
        yield from (_fixed(chunk.cast(pa.uint8())) for chunk in held)
    elif pa.types.is_floating(column.type):
        # There are many patterns of bits that are no number.
        yield from (_fixed(pc.if_else(pc.is_nan(chunk), nan, chunk)) for chunk in held)
    else:
        yield from (_fixed(chunk) for chunk in held)


def _fixed(values: pa.Array) -> memoryview:
    """The values of a column whose values take the same number of bytes each."""
    width = values.type.byte_width
    start = values.offset * width
    return memoryview(values.buffers()[1])[start : start + len(values) * width]


def _texts(values: pa.Array) -> memoryview:
    """The bytes of texts, one after the other."""
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int64)
    start, end = offsets[values.offset], offsets[values.offset + len(values)]
    return memoryview(values.buffers()[2] or b"")[start:end]
