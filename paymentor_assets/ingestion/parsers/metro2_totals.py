"""What a Metro 2 file holds, counted as its trailer counts, and the comparison of the two.

What is counted follows moov-io/metro2 (`pkg/lib/trailer_record.go`, after the Credit Reporting
Resource Guide): Social Security numbers that are not zero- or 9-filled, dates of birth and
telephone numbers that are not zero-filled.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from paymentor_assets.ingestion.parsers.metro2_layout import (
    ACCOUNT,
    BASE_BYTES,
    CONSUMER,
    CONSUMER_SEGMENTS,
    PACKED_TRAILER,
    TRAILER,
    Field,
)
from paymentor_assets.ingestion.parsers.metro2_packed import Bytes, Flags, number
from paymentor_assets.ingestion.parsers.metro2_segments import Rows
from resources.errors import RejectedFile

_RECORDS = "base segments"
_NAMED_FIGURES = 5
_ACCOUNT = {field.name: field for field in ACCOUNT}
_CONSUMER = {field.name: field for field in CONSUMER}
#: Characters of which a field holds nothing else when it says nothing.
_EMPTY = {"ssn": b" 09", "date_of_birth": b" 0", "phone": b" 0"}
_WORDS = {"ssn": "Social Security numbers", "date_of_birth": "dates of birth"}


class Totals:
    """Running counts of one file."""

    def __init__(self, *, is_packed: bool) -> None:
        self._is_packed = is_packed
        self._counts: Counter[str] = Counter()
        self._has_decimals = False
        self._are_all_read = True

    def add(self, rows: Rows) -> None:
        """Count the records of one block."""
        is_sound = np.array([error is None for error in rows.errors], bool)
        self._are_all_read &= bool(is_sound.all())
        self._has_decimals |= bool(rows.is_decimal.any())
        counts = self._counts
        counts[_RECORDS] += len(rows.text)
        text = rows.text[is_sound]
        status = np.ascontiguousarray(_slice(text, _ACCOUNT["account_status"])).view("S2")
        for code, count in zip(*np.unique(status, return_counts=True), strict=True):
            counts[f"accounts of status {code.decode()}"] += int(count)
        for tag, has_segment in rows.segments.items():
            counts[f"{tag} segments"] += int(has_segment.sum())
        self._count_people("base", text, _ACCOUNT)
        for tag in CONSUMER_SEGMENTS:
            people = rows.consumers[rows.consumers[:, 1] == ord(tag[1])]
            counts[f"{tag} segments"] += len(people)
            self._count_people(tag, people, _CONSUMER)

    def check(self, trailer: bytes | None, name: str) -> None:
        """Compare with the trailer; figures that it leaves blank are not stated and not compared.

        A record that could not be read has unknown content: then only the records are compared.

        Raises RejectedFile: TRUNCATED_FILE without a trailer, BAD_TRAILER naming the figures.
        """
        if trailer is None:
            raise RejectedFile(
                "TRUNCATED_FILE",
                f"{name} has no trailer record after its {self._counts[_RECORDS]} records; "
                "deliver it again, complete.",
            )
        stated = self._stated(trailer, name)
        if stated.get(_RECORDS) is None:
            raise RejectedFile(
                "BAD_TRAILER",
                f"{name}: the trailer does not state how many records the file holds; deliver it "
                "again with a complete trailer.",
            )
        compared = stated if self._are_all_read else {_RECORDS: stated[_RECORDS]}
        differences = [
            f"{figure} {word}, and the file holds {self._counts[word]}"
            for word, figure in compared.items()
            if figure is not None and figure != self._counts[word]
        ]
        if differences:
            more = len(differences) - _NAMED_FIGURES
            raise RejectedFile(
                "BAD_TRAILER",
                f"{name}: the trailer states {'; '.join(differences[:_NAMED_FIGURES])}"
                + (f"; {more} more figures disagree" if more > 0 else "")
                + ". Nothing of the file was taken; deliver it again, complete.",
            )

    def _stated(self, trailer: bytes, name: str) -> dict[str, int | None]:
        figures: dict[str, int | None] = {}
        layout = PACKED_TRAILER if self._is_packed else TRAILER
        if not self._is_packed:
            # Editors and portals drop the blanks at the end of a line.
            trailer = trailer.ljust(BASE_BYTES)
        for word, place in layout:
            raw = trailer[place]
            figure: int | None = None
            if self._is_packed and len(raw) == place.stop - place.start:
                figure = number(raw, is_decimal=self._has_decimals)
            elif raw.strip().isdigit():
                figure = int(raw)
            if figure is None and (self._is_packed or raw.strip()):
                raise RejectedFile(
                    "BAD_TRAILER",
                    f"{name}: where the trailer states the number of {word} (from position "
                    f"{place.start + 1}) there is no number; deliver the file again.",
                )
            figures[word] = figure
        return figures

    def _count_people(self, where: str, people: Bytes, fields: dict[str, Field]) -> None:
        ecoa = _slice(people, fields["ecoa_code"])[:, 0]
        self._counts["consumers of ECOA code Z"] += int((ecoa == ord("Z")).sum())
        for name, empty in _EMPTY.items():
            count = int(_is_stated(_slice(people, fields[name]), empty).sum())
            if name == "phone":
                self._counts["telephone numbers in all segments"] += count
            else:
                self._counts[f"{_WORDS[name]} in all segments"] += count
                self._counts[f"{_WORDS[name]} in {where} segments"] += count


def _slice(characters: Bytes, field: Field) -> Bytes:
    return characters[:, field.start : field.start + field.width]


def _is_stated(characters: Bytes, empty: bytes) -> Flags:
    """Whether a field holds anything but one of the characters that fill it."""
    is_filled = np.zeros(len(characters), bool)
    for filler in empty:
        is_filled |= (characters == filler).all(axis=1)
    return ~is_filled
