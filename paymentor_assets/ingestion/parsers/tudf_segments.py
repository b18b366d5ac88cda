"""Subjects of a TUDF file taken apart into fields, many at a time.

A subject is a chain of tag, length and value, so that only the walk along it finds its fields. All
subjects of a block are walked in step, one field of each at a time. A length that leads beyond the
subject, or a tag that its segment does not have, ends the walk of that subject alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paymentor_assets.ingestion.parsers.tudf_layout import FIELDS, SEGMENTS

Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_PREFIX_BYTES = 4
_ZERO = 0x30
_NONE = -1
#: How many segments of a kind a subject may have: one, or as many as their numbers can tell (I01,
#: T001).
_MOST = {"PN": 1, "ID": 99, "PT": 99, "PA": 99, "TL": 999, "ES": 1}
_CODES = {segment: code for code, segment in enumerate(SEGMENTS)}


@dataclass(frozen=True)
class Field:
    """All values of one field of a block: whose they are, in which of its segments, and where."""

    subject: Offsets
    ordinal: Offsets
    start: Offsets
    length: Offsets

    def of(self, chosen: Flags) -> Field:
        """Some of the values."""
        return Field(
            self.subject[chosen], self.ordinal[chosen], self.start[chosen], self.length[chosen]
        )


@dataclass(frozen=True)
class Subjects:
    """The subjects of a block.

    `fields` holds the values by field name; `ordinal` in them counts the segments of that kind of
    the subject from 0. `accounts` is the number of TL segments of each sound subject, and
    `account_starts` where they begin, subject by subject. `errors` holds FIRST_SEGMENT_NOT_PN,
    UNKNOWN_TAG, BAD_LENGTH, REPEATED_SEGMENT, REPEATED_FIELD, NOT_ASCII and
    NO_ACCOUNT; `fault_columns` the field at fault when it is known.
    """

    fields: dict[str, Field]
    accounts: Offsets
    account_starts: Offsets
    errors: list[str | None]
    fault_columns: list[str | None]


def take_apart(data: bytes, starts: Offsets, ends: Offsets) -> Subjects:
    """The subjects that stand in `data` from `starts` to `ends`, each with its ES segment."""
    walk = _Walk(data, starts, ends)
    walk.go()
    return walk.subjects()


class _Walk:
    """The state of the walk; arrays are parallel to the subjects."""

    def __init__(self, data: bytes, starts: Offsets, ends: Offsets) -> None:
        self._view = np.frombuffer(data, np.uint8)
        self._starts, self._ends = starts, ends
        count = len(starts)
        self._errors: list[str | None] = [None] * count
        self._fault_columns: list[str | None] = [None] * count
        self._segment = np.full(count, _NONE, np.int64)
        # How many segments of each kind a subject has had, and the fields of the newest one.
        self._had = np.zeros((len(SEGMENTS), count), np.int64)
        self._seen = np.zeros((100, count), bool)
        self._found: dict[str, list[Field]] = {}
        # Subject and place of each TL segment.
        self._account_of: list[Offsets] = [np.zeros(0, np.int64)]
        self._account_at: list[Offsets] = [np.zeros(0, np.int64)]

    def go(self) -> None:
        foreign = np.cumsum((self._view < 0x20) | (self._view > 0x7E))
        before = np.where(self._starts > 0, foreign[np.maximum(self._starts - 1, 0)], 0)
        is_foreign = foreign[self._ends - 1] > before
        self._reject(np.flatnonzero(is_foreign), "NOT_ASCII")
        who = np.flatnonzero(~is_foreign)
        at = self._starts[who]
        while len(who):
            at, goes_on = self._step(who, at)
            goes_on &= at < self._ends[who]
            who, at = who[goes_on], at[goes_on]

    def _step(self, who: Offsets, at: Offsets) -> tuple[Offsets, Flags]:
        """One field or segment head of each subject; returns where the next begins, if it does."""
        view, ends = self._view, self._ends[who]
        fits = at + _PREFIX_BYTES <= ends
        prefix = view[np.minimum(at[:, None] + np.arange(_PREFIX_BYTES), len(view) - 1)]
        figures = prefix[:, 2:].astype(np.int64) - _ZERO
        length = figures[:, 0] * 10 + figures[:, 1]
        value = at + _PREFIX_BYTES
        fits &= ((figures >= 0) & (figures <= 9)).all(axis=1) & (value + length <= ends)
        fits &= length > 0
        self._reject(who[~fits], "BAD_LENGTH")
        goes_on = fits.copy()
        is_head = np.zeros(len(who), bool)
        for segment, letter in SEGMENTS.items():
            is_here = fits & (prefix[:, 0] == ord(segment[0])) & (prefix[:, 1] == ord(segment[1]))
            is_head |= is_here
            if is_here.any():
                is_sound = view[np.minimum(value, len(view) - 1)] == ord(letter)
                self._reject(who[is_here & ~is_sound], "UNKNOWN_TAG")
                goes_on &= ~is_here | is_sound
                if segment == "TL":
                    self._account_of.append(who[is_here])
                    self._account_at.append(at[is_here])
                goes_on &= ~self._enter(segment, who, is_here & is_sound)
        goes_on &= is_head | self._take(who, fits & ~is_head, prefix, value, length)
        return value + length, goes_on

    def _enter(self, segment: str, who: Offsets, is_here: Flags) -> Flags:
        """Begin a segment; returns which subjects are rejected for it."""
        code = _CODES[segment]
        had = self._had[code, who]
        is_first = self._segment[who] == _NONE
        misplaced = is_here & is_first & (segment != "PN")
        self._reject(who[misplaced], "FIRST_SEGMENT_NOT_PN")
        repeated = is_here & (had >= _MOST[segment])
        # Nothing may follow the end of the subject.
        repeated |= is_here & (self._segment[who] == _CODES["ES"])
        self._reject(who[repeated], "REPEATED_SEGMENT")
        entered = who[is_here]
        self._segment[entered] = code
        self._had[code, entered] += 1
        self._seen[:, entered] = False
        return np.asarray(misplaced | repeated, bool)

    def _take(
        self,
        who: Offsets,
        is_field: Flags,
        prefix: npt.NDArray[np.uint8],
        value: Offsets,
        length: Offsets,
    ) -> Flags:
        """Fields of the segments that the subjects are in; returns which were taken."""
        tag = (prefix[:, 0].astype(np.int64) - _ZERO) * 10 + prefix[:, 1].astype(np.int64) - _ZERO
        tag[((prefix[:, :2] < _ZERO) | (prefix[:, :2] > _ZERO + 9)).any(axis=1)] = _NONE
        taken = np.zeros(len(who), bool)
        known = np.zeros(len(who), bool)
        for segment, fields in FIELDS.items():
            in_segment = is_field & (self._segment[who] == _CODES[segment])
            if not in_segment.any():
                continue
            for text, (name, longest) in fields.items():
                is_here = in_segment & (tag == int(text))
                if not is_here.any():
                    continue
                known |= is_here
                is_long = is_here & (length > longest)
                self._reject(who[is_long], "BAD_LENGTH", name)
                is_repeated = is_here & self._seen[int(text), who]
                self._reject(who[is_repeated], "REPEATED_FIELD", name)
                good = is_here & ~is_long & ~is_repeated
                self._seen[int(text), who[good]] = True
                taken |= good
                subject = who[good]
                ordinal = self._had[_CODES[segment], subject] - 1
                self._found.setdefault(name, []).append(
                    Field(subject, ordinal, value[good], length[good])
                )
        is_outside = self._segment[who] == _NONE
        self._reject(who[is_field & is_outside], "FIRST_SEGMENT_NOT_PN")
        self._reject(who[is_field & ~known & ~is_outside], "UNKNOWN_TAG")
        return taken

    def subjects(self) -> Subjects:
        # A length may lead past the end of the subject's last segment and yet not past its bytes.
        self._reject(np.flatnonzero(self._had[_CODES["ES"]] == 0), "BAD_LENGTH")
        accounts = self._had[_CODES["TL"]]
        self._reject(np.flatnonzero(accounts == 0), "NO_ACCOUNT")
        is_sound = np.array([error is None for error in self._errors], bool)
        fields = {}
        for name, parts in self._found.items():
            whole = Field(
                *(
                    np.concatenate([getattr(part, axis) for part in parts])
                    for axis in ("subject", "ordinal", "start", "length")
                )
            )
            fields[name] = whole.of(is_sound[whole.subject])
        account_of, account_at = map(np.concatenate, (self._account_of, self._account_at))
        kept = is_sound[account_of]
        order = np.argsort(account_of[kept], kind="stable")
        return Subjects(
            fields=fields,
            accounts=np.where(is_sound, accounts, 0),
            account_starts=account_at[kept][order],
            errors=self._errors,
            fault_columns=self._fault_columns,
        )

    def _reject(self, subjects: Offsets, reason_code: str, column: str | None = None) -> None:
        for subject in subjects.tolist():
            if self._errors[subject] is None:
                self._errors[subject] = reason_code
                self._fault_columns[subject] = column
