"""Where one subject of a TUDF file ends and the next begins; the header and the trailer.

A subject ends where its last segment (ES02**) is followed by another subject or the trailer, so
that a wrong length within one subject cannot spoil the others. What stands in a subject is for
`tudf_segments`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO

import numpy as np

from paymentor_assets.ingestion.parsers.lines import BOM
from paymentor_assets.ingestion.parsers.tudf_layout import (
    END_OF_SUBJECT,
    HEADER_BYTES,
    HEADER_MARK,
    REPORTED,
    TRAILER,
)
from paymentor_assets.ingestion.parsers.tudf_segments import Offsets
from resources.errors import RejectedFile

BLOCK_BYTES = 4 << 20
#: Longer than any person's subject: some hundred accounts of some hundred characters each.
MAX_SUBJECT_BYTES = 1 << 20
#: Where a subject ends: its last segment, and then another subject, the trailer or nothing more.
_END = re.compile(rb"ES02\*\*\s*(?=PN03|TRLR|\Z)")
_PADDING = b" \r\n\0\x1a"


class SubjectFile:
    """One file, cut into blocks of whole subjects; the header is read and judged at once.

    `reported` is the day of the header (DDMMYYYY).
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Raises RejectedFile: EMPTY_FILE, BAD_HEADER."""
        self._stream = stream
        self._name = name
        self._data = b""
        self._at_end = False
        self._subjects = 0
        while len(self._data) < HEADER_BYTES + len(BOM) and not self._at_end:
            self._fill()
        self._data = self._data.removeprefix(BOM)
        if not self._data.strip(_PADDING):
            raise RejectedFile(
                "EMPTY_FILE", f"{name} holds nothing; deliver the file again, complete."
            )
        header, self._data = self._data[:HEADER_BYTES], self._data[HEADER_BYTES:]
        if not header.startswith(HEADER_MARK) or len(header) < HEADER_BYTES:
            raise RejectedFile(
                "BAD_HEADER",
                f"{name} does not begin with a TUDF header of version 12 ({HEADER_BYTES} "
                "characters from TUDF12 on); deliver it again as such.",
            )
        if not _is_date(header[REPORTED]):
            raise RejectedFile(
                "BAD_HEADER",
                f"{name}, header: the date reported (positions 55 to 62) is not a date "
                "(DDMMYYYY); correct the header and deliver the file again.",
            )
        self.reported = header[REPORTED].decode()

    def blocks(self) -> Iterator[tuple[bytes, Offsets, Offsets]]:
        """Bytes, and where subjects start and end in them, about BLOCK_BYTES at a time.

        Raises RejectedFile: RECORD_TOO_LONG, TRUNCATED_FILE, BAD_TRAILER.
        """
        while True:
            if self._data.lstrip(_PADDING).startswith(TRAILER):
                self._check_end()
                return
            starts, ends, used = self._cut()
            if len(starts):
                self._subjects += len(starts)
                yield self._data, starts, ends
            self._data = self._data[used:]
            if self._data.lstrip(_PADDING).startswith(TRAILER):
                continue
            if self._at_end:
                raise RejectedFile(
                    "TRUNCATED_FILE",
                    f"{self._name} ends after {self._subjects} whole subjects, without the trailer "
                    "TRLR; deliver it again, complete.",
                )
            if len(self._data) > MAX_SUBJECT_BYTES:
                raise RejectedFile(
                    "RECORD_TOO_LONG",
                    f"{self._name}: subject {self._subjects + 1} does not end (ES02**) within "
                    f"{MAX_SUBJECT_BYTES} characters; deliver the file again, as it was written.",
                )
            self._fill()

    def _fill(self) -> None:
        block = self._stream.read(BLOCK_BYTES)
        self._data += block
        self._at_end = not block

    def _cut(self) -> tuple[Offsets, Offsets, int]:
        starts: list[int] = []
        ends: list[int] = []
        at = len(self._data) - len(self._data.lstrip(_PADDING))
        for end in _END.finditer(self._data):
            # What follows is not read yet: more of this subject may.
            if end.end() == len(self._data) and not self._at_end:
                break
            starts.append(at)
            ends.append(end.start() + len(END_OF_SUBJECT))
            at = end.end()
            if self._data.startswith(TRAILER, at):
                break
        return np.array(starts, np.int64), np.array(ends, np.int64), at

    def _check_end(self) -> None:
        self._data = self._data.lstrip(_PADDING).removeprefix(TRAILER)
        while True:
            if self._data.strip(_PADDING):
                raise RejectedFile(
                    "BAD_TRAILER",
                    f"{self._name}: more follows the trailer, which ends a file; deliver each file "
                    "alone.",
                )
            self._data = b""
            if self._at_end:
                return
            self._fill()


def _is_date(text: bytes) -> bool:
    if len(text) != 8 or not text.isdigit():
        return False
    try:
        date(int(text[4:]), int(text[2:4]), int(text[:2]))
    except ValueError:
        return False
    return True
