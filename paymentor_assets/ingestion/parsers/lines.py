"""Bytes to records: where one row ends and the next begins, block by block, without a row loop.

What counts as a record is what Python's `csv.reader` would return for the same text split at
newlines: a quote opens a field only at its beginning, a quoted field may hold newlines, a blank
line is no row. Regular lines (without quotes, or well quoted) are cut with vector operations;
only the irregular ones go through `csv.reader` itself.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import RejectedFile

BLOCK_BYTES = 8 << 20
#: A block is handed on in parts, which DuckDB's threads share.
BATCH_ROWS = 10_000
#: A record longer than this is no record of a lender's: a quote was opened and never closed.
MAX_RECORD_BYTES = 4 << 20
# How long a field may be is decided here, not by the 128 KiB that the csv module begins with.
csv.field_size_limit(MAX_RECORD_BYTES)
#: csv.reader gives up on a carriage return that ends no line; to us it is a character like any
#: other, so it travels through that reader as one from the private-use area.
_LONE_RETURN = "\ue00d"
BOM = b"\xef\xbb\xbf"

RECORD_SCHEMA = pa.schema(
    [
        pa.field("file_index", pa.int32()),
        pa.field("row_number", pa.int64()),
        # Text to split: the line itself, or a rewritten one when the original is irregular.
        pa.field("record", pa.large_string()),
        # The original bytes where `record` is not exactly them.
        pa.field("original", pa.large_binary()),
        pa.field("is_utf8", pa.bool_()),
    ]
)


def original_record() -> tuple[str, str]:
    """SQL for the original bytes of a record in table `records`; see `Parser.original`."""
    return "coalesce(o.original, encode(o.record))", (
        "JOIN records AS o ON o.file_index = v.file_index AND o.row_number = v.line_number"
    )


@dataclass
class RecordReader:
    """Cuts one file into records.

    After `records()` is exhausted: `rows` (records after the header), `is_terminated` (did the last
    line end with a newline?), `last_record` (its text).
    """

    stream: BinaryIO
    file_index: int
    name: str
    delimiter: str | None = None  # None: lines are records, quotes mean nothing (JSON lines)
    rows: int = 0
    is_terminated: bool = True
    last_record: str = ""

    def __post_init__(self) -> None:
        self._carry = b""
        self._at_end = False

    def header(self) -> bytes:
        """The first line without its newline and byte order mark; consumes it.

        Raises RejectedFile (HEADER_MISMATCH) when it is longer than any record.
        """
        while b"\n" not in self._carry and not self._at_end:
            if len(self._carry) > MAX_RECORD_BYTES:
                break
            self._fill()
        line, newline, rest = self._carry.partition(b"\n")
        if len(line) > MAX_RECORD_BYTES:
            raise RejectedFile(
                "HEADER_MISMATCH",
                f"{self.name}: the first line is longer than {MAX_RECORD_BYTES} bytes, so it is no "
                "header; deliver the file again with the column names in its first line.",
            )
        self._carry = rest
        self.is_terminated = bool(newline)
        return line.removeprefix(BOM).rstrip(b"\r")

    def skip_bom(self) -> None:
        """Drop a byte order mark at the very beginning of a file without header."""
        while len(self._carry) < len(BOM) and not self._at_end:
            self._fill()
        self._carry = self._carry.removeprefix(BOM)

    def records(self) -> Iterator[pa.RecordBatch]:
        """Batches of RECORD_SCHEMA in file order.

        Raises RejectedFile: TRUNCATED_FILE when a quote that opens a field is never closed,
        RECORD_TOO_LONG.
        """
        while True:
            if self._carry:
                batch, used = self._cut(self._carry)
                self._carry = self._carry[used:]
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield batch.slice(start, BATCH_ROWS)
            if self._at_end:
                break
            if len(self._carry) > MAX_RECORD_BYTES:
                raise self._too_long()
            self._fill()

    def _fill(self) -> None:
        block = self.stream.read(BLOCK_BYTES)
        self._carry += block
        # One byte short of a block is not the end for a stream; only nothing is.
        self._at_end = not block

    def _cut(self, data: bytes) -> tuple[pa.RecordBatch, int]:
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0x0A) + 1
        if self._at_end and (not len(ends) or ends[-1] < len(data)):
            ends = np.append(ends, len(data))
            self.is_terminated = False
        if not len(ends):
            return _empty(), 0
        offsets = np.concatenate(([0], ends)).astype(np.int64)
        if np.diff(offsets).max() > MAX_RECORD_BYTES:
            raise self._too_long()
        raw = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        )
        text, is_utf8 = _decoded(raw)
        text = pc.ascii_rtrim(text, characters="\r\n")
        original = pa.nulls(len(raw), pa.large_binary())
        if not all_true(is_utf8):
            original = pc.if_else(is_utf8, original, raw)
        used = int(ends[-1])
        if self.delimiter is not None and b'"' in data:
            text, original, is_utf8, used = self._joined(text, original, is_utf8, raw, offsets)
        return self._numbered(text, original, is_utf8), used

    def _joined(
        self,
        text: pa.LargeStringArray,
        original: pa.LargeBinaryArray,
        is_utf8: pa.BooleanArray,
        raw: pa.LargeBinaryArray,
        offsets: np.ndarray,
    ) -> tuple[pa.LargeStringArray, pa.LargeBinaryArray, pa.BooleanArray, int]:
        """Put irregular lines through `csv.reader`, joining those that one record spans."""
        quoted = pc.match_substring(text, '"')
        regular = pc.or_(pc.invert(quoted), pc.match_substring_regex(text, self._regular()))
        irregular = np.flatnonzero(~regular.to_numpy(zero_copy_only=False))
        keep = np.ones(len(text), bool)
        changed: dict[int, tuple[str, bytes, bool]] = {}
        beyond, used = 0, int(offsets[-1])
        for start in irregular.tolist():
            if start < beyond:
                continue
            record, lines = self._irregular(text, raw, start)
            if record is None:
                # The record goes on after this block; it is read again together with the next.
                if self._at_end:
                    raise self._unclosed(self.rows + int(keep[:start].sum()) + 1)
                keep[start:] = False
                used = int(offsets[start])
                break
            beyond = start + lines
            keep[start + 1 : beyond] = False
            whole = b"".join(raw[i].as_py() for i in range(start, beyond)).rstrip(b"\r\n")
            is_text = all(is_utf8[i].as_py() for i in range(start, beyond))
            changed[start] = (_rewritten(record, self.delimiter or ","), whole, is_text)
        if changed:
            where = np.zeros(len(text), bool)
            where[list(changed)] = True
            mask, values = pa.array(where), list(changed.values())
            text = pc.replace_with_mask(text, mask, pa.array([v[0] for v in values], text.type))
            original = pc.replace_with_mask(
                original, mask, pa.array([v[1] for v in values], original.type)
            )
            is_utf8 = pc.replace_with_mask(is_utf8, mask, pa.array([v[2] for v in values]))
        mask = pa.array(keep)
        return text.filter(mask), original.filter(mask), is_utf8.filter(mask), used

    def _irregular(
        self, text: pa.LargeStringArray, raw: pa.LargeBinaryArray, start: int
    ) -> tuple[list[str] | None, int]:
        """The fields of the record that begins at line `start`, and how many lines it takes.

        None when its last field is still open at the end of the lines at hand.
        """
        taken = size = 0
        ran_out = False

        def lines() -> Iterator[str]:
            nonlocal taken, size, ran_out
            for i in range(start, len(text)):
                line = raw[i].as_py()
                taken += 1
                size += len(line)
                if size > MAX_RECORD_BYTES:
                    raise self._too_long()
                ended = line.endswith(b"\n")
                yield text[i].as_py().replace("\r", _LONE_RETURN) + ("\n" if ended else "")
            ran_out = True

        fields = next(csv.reader(lines(), delimiter=self.delimiter or ","))
        if ran_out:
            return None, taken
        return [f.replace(_LONE_RETURN, "\r") for f in fields], taken

    def _regular(self) -> str:
        d = rf"\x{{{ord(self.delimiter or ','):02x}}}"
        field = rf'(?:[^"{d}]*|"(?:[^"]|"")*")'
        return rf"\A{field}(?:{d}{field})*\z"

    def _numbered(
        self, text: pa.LargeStringArray, original: pa.LargeBinaryArray, is_utf8: pa.BooleanArray
    ) -> pa.RecordBatch:
        filled = pc.greater(pc.binary_length(text), 0)
        if not all_true(filled):
            text, original, is_utf8 = (a.filter(filled) for a in (text, original, is_utf8))
        count = len(text)
        numbers = np.arange(self.rows + 1, self.rows + count + 1, dtype=np.int64)
        self.rows += count
        if count:
            self.last_record = text[count - 1].as_py()
        return pa.record_batch(
            [
                pa.array(np.full(count, self.file_index, np.int32)),
                pa.array(numbers),
                text,
                original,
                is_utf8,
            ],
            schema=RECORD_SCHEMA,
        )

    def _unclosed(self, row: int) -> RejectedFile:
        return RejectedFile(
            "TRUNCATED_FILE",
            f"{self.name}, row {row}: a quote is opened and never closed, so the file is cut off "
            "or misquoted; deliver it again, complete.",
        )

    def _too_long(self) -> RejectedFile:
        return RejectedFile(
            "RECORD_TOO_LONG",
            f"{self.name}: a row at or after row {self.rows + 1} is longer than {MAX_RECORD_BYTES} "
            "bytes, which no row of a lender's is; correct it (a quote that is never closed makes "
            "such rows) and deliver the file again.",
        )


def all_true(values: pa.BooleanArray) -> bool:
    """Whether every element is true; true for none."""
    return bool(pc.all(values, min_count=0).as_py())


def _decoded(raw: pa.LargeBinaryArray) -> tuple[pa.LargeStringArray, pa.BooleanArray]:
    try:
        return raw.cast(pa.large_string()), pa.array(np.ones(len(raw), bool))
    except pa.ArrowInvalid:
        pass
    # Only lines with a byte beyond ASCII can be at fault; they alone are looked at one by one.
    ends = np.frombuffer(raw.buffers()[1], np.int64)[1:]
    data = np.frombuffer(raw.buffers()[2], np.uint8)[: ends[-1]]
    suspects = np.unique(np.searchsorted(ends, np.flatnonzero(data >= 0x80), side="right"))
    readable: dict[int, bytes] = {}
    for line in suspects.tolist():
        value = raw[line].as_py()
        try:
            value.decode()
        except UnicodeDecodeError:
            readable[line] = value.decode(errors="replace").encode()
    is_utf8 = np.ones(len(raw), bool)
    is_utf8[list(readable)] = False
    repaired = pc.replace_with_mask(
        raw, pa.array(~is_utf8), pa.array(list(readable.values()), pa.large_binary())
    )
    return repaired.cast(pa.large_string()), pa.array(is_utf8)


def _rewritten(fields: list[str], delimiter: str) -> str:
    return delimiter.join('"' + f.replace('"', '""') + '"' for f in fields)


def _empty() -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=RECORD_SCHEMA)
