"""Parquet files of named columns, and the rows of text that they become.

What a file of another format shares with it (a change log may be Parquet too) is public here; how
the bytes are read stands in `parquet_file`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.model import ColumnContract, FeedContract
from paymentor_assets.ingestion.parsers.columns import require_columns
from paymentor_assets.ingestion.parsers.interface import STAGED, Source
from paymentor_assets.ingestion.parsers.parquet_file import cells_schema, opened
from resources.duck import quote


class Parquet:
    """Parquet files with exactly the contract's columns, in any order."""

    def __init__(self, contract: FeedContract) -> None:
        self._contract = contract
        self._columns = contract.records[0].delivered_columns

    def tables(self) -> Mapping[str, pa.Schema]:
        """The rows, as text."""
        return {"cells": cells_schema(self._columns)}

    def read(self, source: Source) -> Iterator[Mapping[str, pa.RecordBatch]]:
        """Rows of one file.

        Raises RejectedFile: EMPTY_FILE, HEADER_MISMATCH, UNREADABLE, RECORD_TOO_LONG,
        ROW_GROUP_TOO_LARGE or ARCHIVE_BOMB.
        """
        with opened(source) as file:
            require_columns(source.name, file.names, self._contract.header, self._contract.feed)
            for batch in file.batches(self._columns):
                yield {"cells": batch}

    def stage(self, con: duckdb.DuckDBPyConnection) -> None:
        """Table `fields_0` from table `cells`."""
        names = [c.name for c in self._columns]
        con.execute(f"CREATE OR REPLACE TEMP TABLE fields_0 AS {fields_sql(names)}")

    def original(self, index: int) -> tuple[str, str]:
        """The row as a JSON object of its delivered columns; text that is not UTF-8 is escaped."""
        return original_cells(self._columns)


def fields_sql(names: Sequence[str]) -> str:
    """A SELECT of STAGED and these columns from table `cells`."""
    staged = [part.split()[0] for part in STAGED.split(", ")]
    given = {
        "line_number": "row_number",
        "parse_error": "CASE WHEN fault_column IS NOT NULL THEN 'NOT_UTF8' END",
        "column_count": "CAST(NULL AS INTEGER)",
    }
    places = ", ".join(f"{given.get(name, name)} AS {name}" for name in staged)
    texts = ", ".join(f'"{n}"' for n in names)
    return f"SELECT {places}, {texts} FROM cells"


def original_cells(columns: Sequence[ColumnContract], cells: str = "o") -> tuple[str, str]:
    """SQL for a row of table `cells` (by that alias) as JSON; see `Parser.original`."""
    members = ", ".join(f'{quote(c.delivered_as or c.name)}, {cells}."{c.name}"' for c in columns)
    return f"encode(CAST(json_object({members}) AS VARCHAR))", (
        f"JOIN cells AS {cells} "
        f"ON {cells}.file_index = v.file_index AND {cells}.row_number = v.line_number"
    )
