"""Whether a lender's own contract fills the tables that the platform's contract promises.

A lender may rename, reorder and leave out optional columns, write dates its own way, and tighten
checks. What is stored, what identifies a row and what is personal data is the platform's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from paymentor_assets.ingestion.contracts.model import (
    ColumnContract,
    ColumnType,
    FeedContract,
    RecordContract,
)

#: Types that are stored alike, and so may stand for each other.
_STORED_ALIKE: dict[ColumnType, ColumnType] = {"local_date": "date"}


def disagreements(own: FeedContract, standard: FeedContract) -> list[str]:
    """A sentence for each way in which `own` would not fill the tables of `standard`."""
    tables, promised = ([r.table for r in c.records] for c in (own, standard))
    if tables != promised:
        return [f"it fills {', '.join(tables)} instead of {', '.join(promised)}"]
    return [
        f"{record.table}, {fault}"
        for record, other in zip(own.records, standard.records, strict=True)
        for fault in _record_faults(record, other)
    ]


def _record_faults(own: RecordContract, standard: RecordContract) -> Iterator[str]:
    columns = {c.name: c for c in own.columns}
    promised = {c.name: c for c in standard.columns}
    for name in columns:
        if name not in promised:
            yield f"property {name}: the table has no such column; remove it"
    for name, other in promised.items():
        if name in columns:
            yield from (f"property {name}: {f}" for f in _column_faults(columns[name], other))
        elif other.required or other.stored_name in standard.key:
            yield f"property {name}: it is missing, and the table requires it"
        elif other.derived or any(other.name in _inputs(c) for c in promised.values()):
            yield f"property {name}: it is missing, and another column is made with it"
    if own.key != standard.key:
        yield f"primaryKey: it is {', '.join(own.key)} instead of {', '.join(standard.key)}"
    if own.business_date != standard.business_date:
        yield f"businessDate: it is {own.business_date} instead of {standard.business_date}"
    codes = {rule.reason_code for rule in own.rules}
    for rule in standard.rules:
        if rule.reason_code not in codes:
            yield f"quality {rule.reason_code}: the check is missing"


def _column_faults(own: ColumnContract, standard: ColumnContract) -> Iterator[str]:
    if own.pii != standard.pii:
        yield (
            f"it is declared {_sensitivity(own)}, and the platform's contract says "
            f"{_sensitivity(standard)}; what is personal data is not the lender's to change"
        )
    if _stored(own.type) != _stored(standard.type):
        yield f"its type is {own.type}, and the table stores {standard.type}"
    if standard.required and not own.required:
        yield "the table requires it; say required: true"
    if own.derived != standard.derived:
        yield f"transformLogic is {own.derived} instead of {standard.derived}"
    if standard.enum and not set(own.enum or ("",)) <= set(standard.enum):
        yield f"enum may only narrow {', '.join(standard.enum)}"
    if standard.not_after and own.not_after != standard.not_after:
        yield f"notAfter must stay {standard.not_after}"
    if _floor(own) < _floor(standard):
        yield "its lower bound may be raised, not lowered or removed"
    if standard.max is not None and (own.max is None or own.max > standard.max):
        yield "its upper bound may be lowered, not raised or removed"


def _floor(column: ColumnContract) -> tuple[Decimal, bool]:
    """The lower bound in an order in which an exclusive one counts as higher."""
    lowest = Decimal("-Infinity")
    floors = [(column.min, False), (column.above, True)]
    return max((bound if bound is not None else lowest, above) for bound, above in floors)


def _stored(column_type: ColumnType) -> ColumnType:
    return _STORED_ALIKE.get(column_type, column_type)


def _sensitivity(column: ColumnContract) -> str:
    return f"personal data ({column.pii})" if column.pii else "plain"


def _inputs(column: ColumnContract) -> tuple[str, ...]:
    """The columns a derived column is computed from."""
    return ("narration", "mode", "direction") if column.derived else ()
