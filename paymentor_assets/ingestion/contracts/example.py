"""An example of a delimited file as a contract describes it, for people to look at.

The values are made up from the contract alone: they fit its types, enumerations and forms.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO

from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract, PiiKind

_ROWS = 2
_PERSONAL: dict[PiiKind, str] = {
    "name": "Example Person",
    "phone": "+919876543210",
    "email": "person@example.com",
    "national_id": "ABCDE1234F",
    "aa_handle": "person@example-aa",
    "narration": "UPI/example/rent",
}
#: Tried in turn for a column of text with a form; the first that has the form is taken.
_TEXTS = ("example", "400001", "Asia/Kolkata", "XXXX1234", "0", "101", "A", "9876543210", "12345")


def example_file(contract: FeedContract, business_date: date) -> bytes:
    """Header and two rows, with the contract's column names, delimiter, encoding and date forms."""
    text = StringIO()
    writer = csv.writer(text, delimiter=contract.delimiter, lineterminator="\n")
    writer.writerow(contract.header)
    record = contract.records[0]
    for row in range(1, _ROWS + 1):
        writer.writerow(
            _value(column, business_date, row, is_day=column.name == record.business_date)
            for column in record.delivered_columns
        )
    return text.getvalue().encode(contract.encoding)


def _value(column: ColumnContract, business_date: date, row: int, *, is_day: bool) -> str:
    if column.enum:
        return column.enum[(row - 1) % len(column.enum)]
    if column.pii:
        return _PERSONAL[column.pii]
    match column.type:
        case "date" | "local_date" | "timestamp":
            day = business_date if is_day else business_date - timedelta(days=row)
            return _instant(column, datetime.combine(day, time(9, 15), UTC))
        case "decimal" | "double" | "integer":
            return str(_number(column, row))
        case "boolean":
            return "true" if row == 1 else "false"
        case "text":
            return _text(column, row)


def _instant(column: ColumnContract, instant: datetime) -> str:
    if column.format:
        # DuckDB's %g (milliseconds) is another thing in Python.
        return instant.strftime(column.format.replace("%g", "000"))
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ" if column.type == "timestamp" else "%Y-%m-%d")


def _number(column: ColumnContract, row: int) -> int | float:
    floor = max(column.min or 0, column.above or 0)
    value = floor + row if column.type == "double" else floor + 10 * row
    return int(value if column.max is None else min(value, column.max))


def _text(column: ColumnContract, row: int) -> str:
    texts = (f"{column.name[:20]}-{row}", *_TEXTS)
    if column.pattern is None:
        return texts[0] if column.name.endswith("_id") else _TEXTS[0]
    # A form that none of them has is shown itself.
    return next((t for t in texts if re.fullmatch(column.pattern, t)), column.pattern)
