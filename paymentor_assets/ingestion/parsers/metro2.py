"""Metro 2, the format in which lenders of the United States report accounts to credit bureaus.

A record is a base segment and what is appended to it: further consumers (J1, J2), the original
creditor (K1), a purchase or sale (K2), mortgage numbers (K3), specialised payments (K4), changed
account numbers (L1), employment (N1). Its row of `fields_0` has the base segment and K1 to N1, its
consumers are rows of `fields_1`. Row numbers count records and consumers, without header and
trailer.

Only form is judged here: where records and segments end, that they are printable ASCII, that
packed numbers are numbers, and that the trailer states what the file holds. What values may be is
for the feed contract. Sources of layout and words: `metro2_layout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.metro2_framing import RecordFile
from paymentor_assets.ingestion.parsers.metro2_layout import ACCOUNT, CONSUMER, Field
from paymentor_assets.ingestion.parsers.metro2_segments import Rows, take_apart
from paymentor_assets.ingestion.parsers.metro2_totals import Totals
from resources.errors import ContractError

#: Columns that are the same in every row: amounts of Metro 2 are whole United States dollars.
_CONSTANTS = {"currency": "'USD'"}
#: What a field is filled with where nothing is reported.
_FILLED: Mapping[str, tuple[str, ...]] = {
    "date": ("00000000",),
    "timestamp": ("00000000000000",),
    "ssn": ("000000000", "999999999"),
    "phone": ("0000000000", "9999999999"),
}
_BLANK = 0x20


class Metro2:
    """Parser of Metro 2 files in any layout; which one it is, the bytes tell.

    The contract's `trailer` says whether a file is refused whose trailer is missing or states
    something else than the file holds; `ignored` is for extracts that were cut from a file.
    """

    def __init__(self, contract: FeedContract) -> None:
        account, consumer = contract.records
        self._account_columns = _expressions(account.delivered_columns, ACCOUNT, {})
        self._consumer_columns = _expressions(
            consumer.delivered_columns,
            CONSUMER,
            {"consumer_number": "c.consumer_number"},
            parent=ACCOUNT,
        )
        self._is_trailer_checked = contract.trailer == "checked"

    def tables(self) -> Mapping[str, pa.Schema]:
        """Accounts, and the consumers that are appended to them."""
        return {"metro2_accounts": _ACCOUNTS, "metro2_consumers": _CONSUMERS}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Batches of both tables.

        Raises RejectedFile: EMPTY_FILE, BAD_HEADER, BAD_RECORD_LENGTH, TRUNCATED_FILE (also for a
        file without trailer), BAD_TRAILER naming the figures that disagree.
        """
        file = RecordFile(source.stream, source.name)
        totals = Totals(is_packed=file.is_packed)
        last = 0
        for block in file.blocks():
            rows = take_apart(block, is_packed=file.is_packed)
            totals.add(rows)
            numbers = last + 1 + np.arange(len(rows.text)) + rows.consumers_before
            last += len(rows.text) + len(rows.consumers)
            yield {
                "metro2_accounts": _accounts(source.file_index, numbers, rows),
                "metro2_consumers": _consumers(source.file_index, numbers, rows),
            }
        if self._is_trailer_checked:
            totals.check(file.trailer, source.name)

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """`fields_0` (accounts) and `fields_1` (associated consumers)."""
        names = ", ".join(f'"{name}" VARCHAR' for name in self._account_columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 ({STAGED}, {names})")
        con.execute(
            f"""
            INSERT INTO fields_0
            SELECT file_index, row_number, row_number, parse_error, fault_column, NULL,
                   {", ".join(self._account_columns.values())}
            FROM metro2_accounts AS a
            """
        )
        names = ", ".join(f'"{name}" VARCHAR' for name in self._consumer_columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_1 ({STAGED}, {names})")
        con.execute(
            f"""
            INSERT INTO fields_1
            SELECT c.file_index, c.row_number, c.line_number, NULL, NULL, NULL,
                   {", ".join(self._consumer_columns.values())}
            FROM metro2_consumers AS c
            JOIN metro2_accounts AS a
              ON a.file_index = c.file_index AND a.row_number = c.line_number
            """
        )

    def original(self, index: int) -> tuple[str, str]:
        """The record as delivered; for a consumer its own segment."""
        if index == 0:
            return "o.original", (
                "JOIN metro2_accounts AS o "
                "ON o.file_index = v.file_index AND o.row_number = v.row_number"
            )
        return "o.original", (
            "JOIN metro2_consumers AS o "
            "ON o.file_index = v.file_index AND o.row_number = v.row_number"
        )


def _schema(of_the_row: Mapping[str, pa.DataType], fields: tuple[Field, ...]) -> pa.Schema:
    columns = {**of_the_row, **{field.name: pa.string() for field in fields}}
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


_ACCOUNTS = _schema(
    {
        "file_index": pa.int32(),
        "row_number": pa.int64(),
        "parse_error": pa.string(),
        "fault_column": pa.string(),
        "original": pa.large_binary(),
    },
    ACCOUNT,
)
_CONSUMERS = _schema(
    {
        "file_index": pa.int32(),
        "row_number": pa.int64(),
        "line_number": pa.int64(),
        "consumer_number": pa.int32(),
        "original": pa.large_binary(),
    },
    CONSUMER,
)


def _expressions(
    columns: tuple[ColumnContract, ...],
    fields: tuple[Field, ...],
    known: Mapping[str, str],
    parent: tuple[Field, ...] = (),
) -> dict[str, str]:
    """SQL of each column of the contract, by its name there.

    Fields of the record itself go before those of the record it belongs to (alias `a`).
    """
    own = "c" if parent else "a"
    found = {field.name: f"a.{field.name}" for field in parent}
    found |= {field.name: f"{own}.{field.name}" for field in fields}
    found |= {**_CONSTANTS, **known}
    names = {c.name: c.delivered_as or c.name for c in columns}
    if unknown := [name for name in names.values() if name not in found]:
        raise ContractError(
            f"Metro 2 has no fields {', '.join(unknown)}; name them as the platform's own "
            "contract of feed bureau_metro2 does."
        )
    return {name: found[field] for name, field in names.items()}


def _accounts(file_index: int, numbers: npt.NDArray[np.int64], rows: Rows) -> pa.RecordBatch:
    return pa.record_batch(
        [
            pa.array(np.full(len(numbers), file_index, np.int32)),
            pa.array(numbers),
            pa.array(rows.errors, pa.string()),
            pa.array(rows.fault_columns, pa.string()),
            pa.array(rows.originals, pa.large_binary()),
            *(_column(rows.text, field) for field in ACCOUNT),
        ],
        schema=_ACCOUNTS,
    )


def _consumers(file_index: int, numbers: npt.NDArray[np.int64], rows: Rows) -> pa.RecordBatch:
    parents = numbers[rows.consumer_of]
    return pa.record_batch(
        [
            pa.array(np.full(len(parents), file_index, np.int32)),
            pa.array(parents + rows.consumer_number),
            pa.array(parents),
            pa.array(rows.consumer_number.astype(np.int32)),
            pa.array([segment.tobytes() for segment in rows.consumers], pa.large_binary()),
            *(_column(rows.consumers, field) for field in CONSUMER),
        ],
        schema=_CONSUMERS,
    )


def _column(characters: npt.NDArray[np.uint8], field: Field) -> pa.StringArray:
    """One field of all rows as text, null where it says nothing."""
    content = np.ascontiguousarray(characters[:, field.start : field.start + field.width])
    if (content == _BLANK).all():
        return pa.nulls(len(content), pa.string())
    offsets = np.arange(len(content) + 1, dtype=np.int32) * np.int32(field.width)
    text = pa.StringArray.from_buffers(len(content), pa.py_buffer(offsets), pa.py_buffer(content))
    text = pc.ascii_trim(text, characters=" ")
    nothing = pa.array(["", *_FILLED.get(field.kind, ())])
    return pc.if_else(pc.is_in(text, value_set=nothing), pa.scalar(None, pa.string()), text)
