"""A parser alone: bytes in, its relations of text out, without files, contracts or tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.parsers.interface import Parser, Source


@dataclass
class Parsed:
    """What a parser made of some files, staged at every batch as a big file is."""

    rows: dict[int, list[dict[str, Any]]]
    originals: dict[int, dict[tuple[int, int], bytes]]

    def row(self, record: int, number: int) -> dict[str, Any]:
        """The row with that row number."""
        return next(r for r in self.rows[record] if r["row_number"] == number)


def parse(parser: Parser, *files: bytes, records: int = 1, names: Sequence[str] = ()) -> Parsed:
    """Run the parser over the files; raises RejectedFile as the parser does."""
    parsed = Parsed({i: [] for i in range(records)}, {i: {} for i in range(records)})
    with duckdb.connect() as con, TemporaryDirectory() as scratch:
        for index, content in enumerate(files):
            name = names[index] if names else f"file_{index}"
            for batch in parser.read(Source(BytesIO(content), index, name, Path(scratch))):
                _stage(con, parser, batch, parsed)
    return parsed


def _stage(
    con: duckdb.DuckDBPyConnection,
    parser: Parser,
    batch: Mapping[str, pa.RecordBatch],
    parsed: Parsed,
) -> None:
    for name, schema in parser.tables().items():
        rows = batch.get(name)
        table = schema.empty_table() if rows is None else pa.Table.from_batches([rows], schema)
        con.register("given", table)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM given")
        con.unregister("given")
    parser.stage(con)
    for record, rows in parsed.rows.items():
        found = con.execute(f"FROM fields_{record} ORDER BY file_index, row_number")
        rows += found.to_arrow_table().to_pylist()
        expression, joins = parser.original(record)
        parsed.originals[record].update(
            {
                (file_index, row_number): original
                for file_index, row_number, original in con.execute(
                    f"SELECT v.file_index, v.row_number, {expression} FROM fields_{record} AS v "
                    f"{joins}"
                ).fetchall()
            }
        )
