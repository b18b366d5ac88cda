"""Where one Metro 2 record ends and the next begins, in any of the ways that files are written.

A record is led by its record descriptor word (RDW, its own length), a block of records by a block
descriptor word (BDW); as 4 digits in the character layouts, in binary in the packed one. Files
that went through a text editor or a portal have a record a line; their RDW is often wrong (the
CFPB's samples say 0006), so there the line counts and not the word. The header shows which it is.
What stands in a record is for `metro2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from paymentor_assets.ingestion.parsers.lines import BOM
from resources.errors import RejectedFile

BLOCK_BYTES = 4 << 20
#: The longest length that a descriptor word can state.
MAX_RECORD_BYTES = 0xFFFF
_WORD = 4
_HEADER, _TRAILER = b"HEADER", b"TRAILER"
#: The date of activity, which every header has, in both layouts at the same place.
_ACTIVITY_DATE = slice(47, 55)
_PADDING = b" \r\n\0\x1a"

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Records as they stand in `data`, each from its RDW on."""

    data: bytes
    starts: Offsets
    ends: Offsets


class RecordFile:
    """One file, cut into records; the header is read and judged at once.

    After `blocks()` is exhausted, `trailer` is the trailer record or None.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Raises RejectedFile: EMPTY_FILE, BAD_HEADER."""
        self._stream = stream
        self._name = name
        self._at_end = False
        self._data = b""
        self._records = 0
        self.trailer: bytes | None = None
        while not self._at_end and len(self._data) <= MAX_RECORD_BYTES:
            self._fill()
        self._data = self._data.removeprefix(BOM)
        if not self._data.strip(_PADDING):
            raise RejectedFile(
                "EMPTY_FILE", f"{name} holds no record; deliver the file again, complete."
            )
        is_bare = self._data[_WORD:].startswith(_HEADER)
        self._is_blocked = not is_bare
        if not is_bare and not self._data[2 * _WORD :].startswith(_HEADER):
            raise RejectedFile(
                "BAD_HEADER",
                f"{name} does not begin with a Metro 2 header record (the word HEADER after one or "
                "two descriptor words); deliver it again with its header.",
            )
        self.is_packed = min(self._data[:_WORD]) < 0x20
        _, _, after_line = self._data[: MAX_RECORD_BYTES + 1].partition(b"\n")
        self._has_lines = not self.is_packed and bool(after_line.strip(_PADDING))
        header = self._take_header()
        if not _is_date(header[_ACTIVITY_DATE]):
            raise RejectedFile(
                "BAD_HEADER",
                f"{name}, header: the activity date (positions 48 to 55) is not a date "
                "(MMDDYYYY), so its fields do not stand where they should; correct the header and "
                "deliver the file again.",
            )

    def blocks(self) -> Iterator[Block]:
        """The records between header and trailer, about BLOCK_BYTES at a time.

        Raises RejectedFile: TRUNCATED_FILE when the file ends within a record, BAD_RECORD_LENGTH
        when a descriptor word cannot be a length, BAD_TRAILER when anything follows the trailer.
        """
        while True:
            starts, ends, used = self._cut_lines() if self._has_lines else self._cut_chain()
            starts, ends = self._before_trailer(starts, ends)
            if len(starts):
                self._records += len(starts)
                yield Block(self._data, starts, ends)
            self._data = self._data[used:]
            if self.trailer is not None:
                self._check_end()
                return
            if self._at_end:
                if self._data.strip(_PADDING):
                    raise self._truncated()
                return
            if used == 0 and len(self._data) > MAX_RECORD_BYTES + 2 * _WORD:
                raise self._bad_length(len(self._data))
            self._fill()

    def _fill(self) -> None:
        block = self._stream.read(BLOCK_BYTES)
        self._data += block
        self._at_end = not block

    def _take_header(self) -> bytes:
        start = _WORD if self._is_blocked else 0
        if self._has_lines:
            header, _, self._data = self._data.partition(b"\n")
            return header[start:]
        length = self._word(start)
        header = self._data[start : start + length]
        if self._is_blocked and self._word(0) != length + _WORD:
            # More records share the header's block; what is left of it stands as a block of its
            # own, led by the length that remains.
            self._data = self._rest_of_block(self._word(0) - length) + self._data[start + length :]
        else:
            self._data = self._data[start + length :]
        return header

    def _rest_of_block(self, length: int) -> bytes:
        if not 2 * _WORD <= length <= MAX_RECORD_BYTES:
            raise self._bad_length(length)
        if self.is_packed:
            return length.to_bytes(2, "big") + b"\0\0"
        return b"%04d" % length

    def _word(self, at: int) -> int:
        word = self._data[at : at + _WORD]
        if self.is_packed:
            length = int.from_bytes(word[:2], "big")
        else:
            length = int(word) if word.isdigit() else 0
        if length <= _WORD:
            raise self._bad_length(length)
        return length

    def _cut_lines(self) -> tuple[Offsets, Offsets, int]:
        data = self._data
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0x0A)
        starts = np.concatenate(([0], ends + 1)).astype(np.int64)
        if self._at_end and starts[-1] < len(data):
            ends = np.append(ends, len(data))
        else:
            starts = starts[:-1]
        used = int(ends[-1]) + 1 if len(ends) else 0
        view = np.frombuffer(data, np.uint8)
        returns = (ends > starts) & (view[np.maximum(ends - 1, 0)] == 0x0D)
        ends = ends - returns
        longest = int(np.max(ends - starts, initial=0))
        if longest > MAX_RECORD_BYTES:
            raise self._bad_length(longest)
        if self._is_blocked:
            led = ~_is_trailer(view, starts, ends)
            starts = np.where(led, np.minimum(starts + _WORD, ends), starts)
        is_line = ends > starts
        return starts[is_line], ends[is_line], used

    def _cut_chain(self) -> tuple[Offsets, Offsets, int]:
        data, size = self._data, len(self._data)
        starts: list[int] = []
        ends: list[int] = []
        at = used = 0
        while at + _WORD <= size and data[at : at + _WORD].strip(_PADDING):
            block_end = None
            first = at
            if self._is_blocked and not data.startswith(_TRAILER, at + _WORD):
                block_end = at + self._word(at)
                if block_end > size:
                    break
                first = at + _WORD
            while first + _WORD <= size:
                end = first + self._word(first)
                if end > (block_end or size):
                    break
                starts.append(first)
                ends.append(end)
                first = end
                if block_end is None or end == block_end:
                    break
            if block_end is not None and first != block_end:
                raise self._bad_length(block_end - first)
            if first == at:
                break
            at = used = first
            if data.startswith(_TRAILER, starts[-1] + _WORD):
                break
        return np.array(starts, np.int64), np.array(ends, np.int64), used

    def _before_trailer(self, starts: Offsets, ends: Offsets) -> tuple[Offsets, Offsets]:
        """The records before the trailer; takes the trailer, and refuses what stands behind it."""
        found = np.flatnonzero(_is_trailer(np.frombuffer(self._data, np.uint8), starts, ends))
        if not len(found):
            return starts, ends
        i = int(found[0])
        self.trailer = self._data[starts[i] : ends[i]]
        if i + 1 < len(starts):
            raise self._behind_trailer()
        return starts[:i], ends[:i]

    def _check_end(self) -> None:
        while True:
            if self._data.strip(_PADDING):
                raise self._behind_trailer()
            self._data = b""
            if self._at_end:
                return
            self._fill()

    def _behind_trailer(self) -> RejectedFile:
        return RejectedFile(
            "BAD_TRAILER",
            f"{self._name}: more follows the trailer, which is the last record of a file; deliver "
            "each file alone.",
        )

    def _truncated(self) -> RejectedFile:
        return RejectedFile(
            "TRUNCATED_FILE",
            f"{self._name}: the file ends within record {self._records + 1} after the header; "
            "deliver it again, complete.",
        )

    def _bad_length(self, length: int) -> RejectedFile:
        return RejectedFile(
            "BAD_RECORD_LENGTH",
            f"{self._name}: near record {self._records + 1} after the header a length of {length} "
            "bytes is stated or found, which no Metro 2 record has; deliver the file again, as it "
            "was written.",
        )


def _is_trailer(view: npt.NDArray[np.uint8], starts: Offsets, ends: Offsets) -> npt.NDArray[Any]:
    """Which records are trailers."""
    found = ends - starts >= _WORD + len(_TRAILER)
    for i, letter in enumerate(_TRAILER, start=_WORD):
        found[found] = view[starts[found] + i] == letter
    return found


def _is_date(text: bytes) -> bool:
    if len(text) != 8 or not text.isdigit():
        return False
    try:
        date(int(text[4:]), int(text[:2]), int(text[2:4]))
    except ValueError:
        return False
    return True
