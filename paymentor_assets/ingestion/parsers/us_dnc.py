"""The flat files of the US National Do Not Call Registry, which have no header.

The full list holds a line `AAA,NNNNNNN` (area code, number) for each listed phone. The change list
holds four items a line: the same two, then the day or instant of the change and its code, A (added)
or D (deleted); the one-letter item is taken for the code wherever it stands, since the public
sources give no order. The XML files that the registry offers as well are not read.
Source: FTC, National Do Not Call Registry, telemarketer access information.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.lines import RECORD_SCHEMA, RecordReader, original_record
from resources.errors import ContractError, RejectedFile

_LIST = ("area_code", "phone")
_CHANGES = (*_LIST, "changed_date", "change")
_COLUMNS: Mapping[frozenset[str], tuple[str, ...]] = {
    frozenset(columns): columns for columns in (_LIST, _CHANGES)
}
_WHOLE_NUMBER = re.compile(r"\s*\d{3}\s*,\s*\d{7}\s*(,.*)?")


class UsDnc:
    """The full list or the change list, as the columns of the contract say."""

    def __init__(self, contract: FeedContract) -> None:
        delivered = frozenset(c.name for c in contract.records[0].delivered_columns)
        if delivered not in _COLUMNS:
            raise ContractError(
                f"Feed {contract.feed}: a do-not-call list has the columns {', '.join(_LIST)}, a "
                f"change list {', '.join(_CHANGES)}; correct the contract."
            )
        self._columns = _COLUMNS[delivered]

    def tables(self) -> Mapping[str, pa.Schema]:
        """The lines, not split."""
        return {"records": RECORD_SCHEMA}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Lines of one file.

        Raises RejectedFile: TRUNCATED_FILE when it ends in the middle of a line.
        """
        reader = RecordReader(source.stream, source.file_index, source.name)
        reader.skip_bom()
        for batch in reader.records():
            yield {"records": batch}
        last = reader.last_record
        is_whole = _WHOLE_NUMBER.fullmatch(last) and last.count(",") == len(self._columns) - 1
        if reader.rows and not reader.is_terminated and not is_whole:
            raise RejectedFile(
                "TRUNCATED_FILE",
                f"{source.name}, row {reader.rows}: the file ends in the middle of the line; "
                "deliver it again, complete.",
            )

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Table `fields_0` from table `records`; phones in E.164."""
        count = len(self._columns)
        values = {
            "area_code": "nullif(items[1], '')",
            "phone": r"CASE WHEN regexp_full_match(items[1], '\d{3}') "
            r"AND regexp_full_match(items[2], '\d{7}') THEN '+1' || items[1] || items[2] "
            "ELSE nullif(concat_ws('-', items[1], items[2]), '') END",
            "changed_date": "nullif(CASE WHEN length(items[3]) = 1 THEN items[4] "
            "ELSE items[3] END, '')",
            "change": "nullif(CASE WHEN length(items[3]) = 1 THEN items[3] ELSE items[4] END, '')",
        }
        names = ", ".join(f"{name} VARCHAR" for name in self._columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 ({STAGED}, {names})")
        con.execute(
            f"""
            INSERT INTO fields_0
            SELECT file_index, row_number, row_number,
                   CASE WHEN NOT is_utf8 THEN 'NOT_UTF8'
                        WHEN len(items) <> {count} THEN 'WRONG_COLUMN_COUNT' END,
                   NULL, len(items), {", ".join(values[name] for name in self._columns)}
            FROM (
                SELECT *, list_transform(string_split(record, ','), lambda x: trim(x)) AS items
                FROM records
            )
            """
        )

    def original(self, index: int) -> tuple[str, str]:
        """The line's own bytes."""
        return original_record()
