"""Metro 2 records taken apart into their segments, many at a time, without a loop over records.

Every record becomes one row of characters in the layout of `metro2_layout.ACCOUNT`, every consumer
appended to it one in that of `CONSUMER`. A record that cannot be taken apart keeps its place with a
reason and without content. What segments mean is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paymentor_assets.ingestion.parsers.metro2_framing import Block, Offsets
from paymentor_assets.ingestion.parsers.metro2_layout import (
    BASE,
    BASE_BYTES,
    CONSUMER_BYTES,
    CONSUMER_SEGMENTS,
    PACKED_BASE_BYTES,
    ROW_BYTES,
    SEGMENT_BYTES,
    SEGMENT_STARTS,
)
from paymentor_assets.ingestion.parsers.metro2_packed import Bytes, Flags, unpacked

_BLANK = 0x20
_TAG_BYTES = 2


@dataclass(frozen=True)
class Rows:
    """Records of one block, in file order.

    `text` (n, 764) and `consumers` (m, 200) are characters; `consumer_of` is the record that a
    consumer belongs to and `consumer_number` its place there, from 1; `consumers_before` counts the
    consumers of all earlier records of the block. `segments` says for each account segment which
    records have it. `errors` holds the reason codes RECORD_TOO_SHORT, SEGMENT_TOO_SHORT,
    UNKNOWN_SEGMENT, REPEATED_SEGMENT, BAD_PACKED_NUMBER and NOT_ASCII.
    """

    text: Bytes
    errors: list[str | None]
    fault_columns: list[str | None]
    originals: list[bytes]
    consumers: Bytes
    consumer_of: Offsets
    consumer_number: Offsets
    consumers_before: Offsets
    segments: dict[str, Flags]
    is_decimal: Flags


def take_apart(block: Block, *, is_packed: bool) -> Rows:
    """The records of a block as rows of characters."""
    apart = _Apart(block, is_packed)
    apart.take_segments()
    apart.reject_foreign_bytes()
    return apart.rows()


class _Apart:
    """A block while it is being taken apart; arrays are parallel to its records."""

    def __init__(self, block: Block, is_packed: bool) -> None:
        self._block = block
        self._view = np.frombuffer(block.data, np.uint8)
        count = len(block.starts)
        self._text: Bytes = np.full((count, ROW_BYTES), _BLANK, np.uint8)
        self._errors: list[str | None] = [None] * count
        self._fault_columns: list[str | None] = [None] * count
        self._segments = {tag: np.zeros(count, bool) for tag in SEGMENT_STARTS}
        self._is_decimal: Flags = np.zeros(count, bool)
        self._consumers: list[tuple[Offsets, Bytes]] = []
        self._base_bytes = PACKED_BASE_BYTES if is_packed else BASE_BYTES
        has_base = block.ends - block.starts >= self._base_bytes
        self._reject(np.flatnonzero(~has_base), "RECORD_TOO_SHORT")
        self._whole: Offsets = np.flatnonzero(has_base)
        if not len(self._whole):
            return
        base = self._windows(block.starts[self._whole], self._base_bytes)
        if is_packed:
            base, fault, self._is_decimal[self._whole] = unpacked(base)
            for i in np.flatnonzero(fault >= 0).tolist():
                record = int(self._whole[i])
                self._errors[record] = "BAD_PACKED_NUMBER"
                self._fault_columns[record] = BASE[int(fault[i])].name
        self._text[self._whole, :BASE_BYTES] = base

    def take_segments(self) -> None:
        """Move what is appended to each base segment to where it belongs, one segment at a time.

        Blanks at the end of a record are padding: records of the fixed layout are equally long.
        """
        starts = self._block.starts[self._whole] + self._base_bytes
        ends = self._block.ends[self._whole]
        records = self._whole
        # Where the last character that is no blank stands, up to each place.
        places = np.arange(len(self._view), dtype=np.int32)
        last = np.maximum.accumulate(np.where(self._view == _BLANK, np.int32(-1), places))
        while True:
            goes_on = last[ends - 1] >= starts
            records, starts, ends = records[goes_on], starts[goes_on], ends[goes_on]
            if not len(records):
                return
            lengths = self._take(records, starts, ends)
            goes_on = lengths > 0
            starts = starts + lengths
            records, starts, ends = records[goes_on], starts[goes_on], ends[goes_on]

    def _take(self, records: Offsets, starts: Offsets, ends: Offsets) -> Offsets:
        """One segment of each record; returns their lengths, 0 where the record is rejected."""
        lengths = np.zeros(len(records), np.int64)
        first = self._view[starts]
        second = self._view[np.minimum(starts + 1, ends - 1)]
        unknown = np.ones(len(records), bool)
        for tag, width in SEGMENT_BYTES.items():
            is_tag = (first == ord(tag[0])) & (second == ord(tag[1]))
            if not is_tag.any():
                continue
            unknown &= ~is_tag
            fits = starts + width <= ends
            self._reject(records[is_tag & ~fits], "SEGMENT_TOO_SHORT")
            chosen = np.flatnonzero(is_tag & fits)
            if tag not in CONSUMER_SEGMENTS:
                is_repeated = self._segments[tag][records[chosen]]
                self._reject(records[chosen[is_repeated]], "REPEATED_SEGMENT")
                chosen = chosen[~is_repeated]
                self._segments[tag][records[chosen]] = True
            if not len(chosen):
                continue
            lengths[chosen] = width
            content = self._windows(starts[chosen], width)
            if tag in CONSUMER_SEGMENTS:
                consumers = np.full((len(chosen), CONSUMER_BYTES), _BLANK, np.uint8)
                # The last byte of a J1 is reserved and would read as part of a country code.
                kept = width - 1 if tag == "J1" else width
                consumers[:, :kept] = content[:, :kept]
                self._consumers.append((records[chosen], consumers))
            else:
                at = SEGMENT_STARTS[tag]
                self._text[records[chosen], at : at + width] = content
        self._reject(records[unknown], "UNKNOWN_SEGMENT")
        return lengths

    def reject_foreign_bytes(self) -> None:
        """NOT_ASCII for records with a byte that is no printable ASCII character."""
        bad = np.flatnonzero(_is_foreign(self._text))
        consumers = [records[_is_foreign(content)] for records, content in self._consumers]
        self._reject(np.unique(np.concatenate([bad, *consumers])), "NOT_ASCII")

    def rows(self) -> Rows:
        is_sound = np.array([error is None for error in self._errors], bool)
        self._text[~is_sound] = _BLANK
        for flags in self._segments.values():
            flags &= is_sound
        data = self._block.data
        parts = self._consumers or [
            (np.zeros(0, np.int64), np.zeros((0, CONSUMER_BYTES), np.uint8))
        ]
        of = np.concatenate([records for records, _ in parts])
        content = np.concatenate([characters for _, characters in parts])
        kept = is_sound[of]
        of, content = of[kept], content[kept]
        # The parts stand in the order of their places in the records; a stable sort keeps it.
        order = np.argsort(of, kind="stable")
        of, content = of[order], content[order]
        per_record = np.bincount(of, minlength=len(self._errors))
        before = np.cumsum(per_record) - per_record
        return Rows(
            text=self._text,
            errors=self._errors,
            fault_columns=self._fault_columns,
            originals=[
                data[start:end]
                for start, end in zip(
                    self._block.starts.tolist(), self._block.ends.tolist(), strict=True
                )
            ],
            consumers=content,
            consumer_of=of,
            consumer_number=np.arange(len(of)) - before[of] + 1,
            consumers_before=before,
            segments=self._segments,
            is_decimal=self._is_decimal,
        )

    def _windows(self, starts: Offsets, width: int) -> Bytes:
        """A copy of `width` bytes from each place."""
        return np.lib.stride_tricks.sliding_window_view(self._view, width)[starts]

    def _reject(self, records: npt.NDArray[np.int64], reason_code: str) -> None:
        for record in records.tolist():
            self._errors[record] = self._errors[record] or reason_code


def _is_foreign(characters: Bytes) -> Flags:
    is_foreign = (characters < _BLANK) | (characters > 0x7E)
    return np.asarray(is_foreign.any(axis=1), bool)
