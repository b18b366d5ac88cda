"""TUDF 12, the format in which lenders of India report accounts to the credit bureau CIBIL.

A file is a header of 146 characters, subjects and a trailer; a subject is a person (PN), identity
documents (ID), telephones (PT), addresses (PA), accounts (TL) and its end (ES). Every account is a
row of `fields_0` with the person it belongs to; of telephones and addresses the first one counts. A
subject that cannot be taken apart, or has no account, is one row with a reason. The password of
the header is never looked at. What values may be is for the feed contract; tags and lengths stand
in `tudf_layout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.tudf_framing import SubjectFile
from paymentor_assets.ingestion.parsers.tudf_layout import FIELDS
from paymentor_assets.ingestion.parsers.tudf_segments import (
    Field,
    Offsets,
    Subjects,
    take_apart,
)
from resources.errors import ContractError

_PAN, _AADHAAR = b"01", b"06"

_TL = tuple(name for name, _ in FIELDS["TL"].values())
#: Columns of a person, from fields of the first segment of their kind, joined by a blank.
_PERSON: Mapping[str, tuple[str, ...]] = {
    "full_name": tuple(f"name_{i}" for i in range(1, 6)),
    "date_of_birth": ("date_of_birth",),
    "gender": ("gender",),
    "phone": ("phone",),
    "phone_type": ("phone_type",),
    "address": tuple(f"address_{i}" for i in range(1, 6)),
    "state_code": ("state_code",),
    "pin_code": ("pin_code",),
    "address_category": ("address_category",),
    "residence_code": ("residence_code",),
}
_IDENTITIES: Mapping[str, bytes] = {"pan": _PAN, "aadhaar": _AADHAAR}
_TEXTS = (*_TL, *(part for parts in _PERSON.values() for part in parts), *_IDENTITIES)
#: Which column a field is read into.
_COLUMN_OF = {name: name for name in _TL} | {
    part: name for name, parts in _PERSON.items() for part in parts
}
_ROWS = pa.schema(
    [
        pa.field("file_index", pa.int32()),
        pa.field("row_number", pa.int64()),
        pa.field("parse_error", pa.string()),
        pa.field("fault_column", pa.string()),
        pa.field("header_date", pa.string()),
        pa.field("original", pa.large_binary()),
        *(pa.field(name, pa.string()) for name in _TEXTS),
    ]
)


class Tudf:
    """Parser of TUDF 12 files."""

    def __init__(self, contract: FeedContract) -> None:
        columns = contract.records[0].delivered_columns
        known = _sql()
        names = {c.name: c.delivered_as or c.name for c in columns}
        if unknown := [name for name in names.values() if name not in known]:
            raise ContractError(
                f"TUDF 12 has no fields {', '.join(unknown)}; name them as the platform's own "
                "contract of feed bureau_tudf does."
            )
        self._columns = {name: known[field] for name, field in names.items()}

    def tables(self) -> Mapping[str, pa.Schema]:
        """One table: accounts with the person they belong to."""
        return {"tudf_accounts": _ROWS}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Batches of that table.

        Raises RejectedFile: EMPTY_FILE, BAD_HEADER, RECORD_TOO_LONG, TRUNCATED_FILE (the file ends
        within a subject or without trailer), BAD_TRAILER (something follows it).
        """
        reader = SubjectFile(source.stream, source.name)
        last = 0
        for data, starts, ends in reader.blocks():
            batch = _rows(source.file_index, last, reader.reported, data, starts, ends)
            last += batch.num_rows
            yield {"tudf_accounts": batch}

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """`fields_0`: one row an account."""
        names = ", ".join(f'"{name}" VARCHAR' for name in self._columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 ({STAGED}, {names})")
        con.execute(
            f"""
            INSERT INTO fields_0
            SELECT file_index, row_number, row_number, parse_error, fault_column, NULL,
                   {", ".join(self._columns.values())}
            FROM tudf_accounts
            """
        )

    def original(self, index: int) -> tuple[str, str]:
        """The account's own segment; with the first of a subject all that stands before it."""
        return "o.original", (
            "JOIN tudf_accounts AS o ON o.file_index = v.file_index AND o.row_number = v.row_number"
        )


def _rows(
    file_index: int, last: int, reported: str, data: bytes, starts: Offsets, ends: Offsets
) -> pa.RecordBatch:
    """One row an account, and one a subject that is rejected."""
    subjects = take_apart(data, starts, ends)
    per_subject = np.maximum(subjects.accounts, 1)
    first = np.cumsum(per_subject) - per_subject
    subject_of = np.repeat(np.arange(len(starts)), per_subject)
    count = len(subject_of)
    of = subject_of.tolist()
    columns: dict[str, pa.Array] = {
        "file_index": pa.array(np.full(count, file_index, np.int32)),
        "row_number": pa.array(np.arange(last + 1, last + count + 1)),
        "parse_error": pa.array([subjects.errors[i] for i in of], pa.string()),
        "fault_column": pa.array(
            [_COLUMN_OF.get(subjects.fault_columns[i] or "") for i in of], pa.string()
        ),
        "header_date": pa.array([reported] * count, pa.string()),
        "original": pa.array(_pieces(data, starts, ends, subjects), pa.large_binary()),
    }
    view = np.frombuffer(data, np.uint8)
    for name in _TL:
        if field := subjects.fields.get(name):
            columns[name] = _texts(view, field, first[field.subject] + field.ordinal, count)
    for name, field in _of_persons(subjects, view).items():
        per_person = _texts(view, field, field.subject, len(starts))
        columns[name] = per_person.take(pa.array(subject_of))
    for name in _TEXTS:
        columns.setdefault(name, pa.nulls(count, pa.string()))
    return pa.record_batch([columns[name] for name in _ROWS.names], schema=_ROWS)


def _pieces(data: bytes, starts: Offsets, ends: Offsets, subjects: Subjects) -> list[bytes]:
    """Each subject cut before its accounts but the first. Whole for every account, a subject of
    many would be as many times as large."""
    pieces = []
    accounts = subjects.account_starts.tolist()
    done = 0
    for start, end, count in zip(
        starts.tolist(), ends.tolist(), subjects.accounts.tolist(), strict=True
    ):
        cuts = [start, *accounts[done + 1 : done + count], end]
        done += count
        pieces += [data[begin:stop] for begin, stop in pairwise(cuts)]
    return pieces


def _of_persons(subjects: Subjects, view: np.ndarray) -> dict[str, Field]:
    """Fields that a subject has once: of first segments, and its identity documents by kind."""
    found = {
        part: field.of(field.ordinal == 0)
        for parts in _PERSON.values()
        for part in parts
        if (field := subjects.fields.get(part))
    }
    kinds, numbers = subjects.fields.get("id_type"), subjects.fields.get("id_number")
    if kinds is None or numbers is None:
        return found
    width = 1 + int(max(kinds.ordinal.max(initial=0), numbers.ordinal.max(initial=0)))
    for name, code in _IDENTITIES.items():
        is_kind = (kinds.length == len(code)) & (view[kinds.start] == code[0])
        is_kind &= view[np.minimum(kinds.start + 1, len(view) - 1)] == code[1]
        wanted = kinds.subject[is_kind] * width + kinds.ordinal[is_kind]
        field = numbers.of(np.isin(numbers.subject * width + numbers.ordinal, wanted))
        # Of several documents of one kind the first counts.
        order = np.lexsort((field.ordinal, field.subject))
        _, firsts = np.unique(field.subject[order], return_index=True)
        chosen = np.zeros(len(order), bool)
        chosen[order[firsts]] = True
        found[name] = field.of(chosen)
    return found


def _texts(view: np.ndarray, field: Field, rows: Offsets, count: int) -> pa.StringArray:
    """The values of a field as a column of `count` rows, null where it has none."""
    starts = np.zeros(count, np.int64)
    lengths = np.zeros(count, np.int64)
    starts[rows], lengths[rows] = field.start, field.length
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    is_given = np.packbits(lengths > 0, bitorder="little")
    return pa.StringArray.from_buffers(
        count,
        pa.py_buffer(offsets.astype(np.int32)),
        pa.py_buffer(np.ascontiguousarray(view[places])),
        pa.py_buffer(is_given),
    )


def _sql() -> dict[str, str]:
    """SQL of each column that a contract may ask for, over `tudf_accounts`."""
    found = {name: f"nullif(trim({name}), '')" for name in (*_TL, *_IDENTITIES)}
    for name, parts in _PERSON.items():
        found[name] = f"nullif(trim(concat_ws(' ', {', '.join(parts)})), '')"
    # A balance in favour of the customer has its sign at the end.
    balance = found["current_balance"]
    found["current_balance"] = (
        f"CASE WHEN {balance} LIKE '%-' THEN '-' || left({balance}, -1) ELSE {balance} END"
    )
    found["date_reported"] = (
        f"CASE WHEN parse_error IS NULL THEN coalesce({found['date_reported']}, header_date) END"
    )
    found["currency"] = "'INR'"
    return found
