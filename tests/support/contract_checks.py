"""A file through parser and contract, up to its faults, without vault, tables or catalog."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion import checks
from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.parsers.interface import Parser, Source
from paymentor_assets.ingestion.tokens import kinds_of


@dataclass(frozen=True)
class Fault:
    """One fault of one row."""

    record: int
    row_number: int
    column: str | None
    reason_code: str
    sentence: str | None


def faults_of(
    contract: FeedContract, parser: Parser, content: bytes, *, business_date: date
) -> list[Fault]:
    """Every fault that parser and contract find in the rows of the file."""
    with duckdb.connect() as con:
        batches = list(parser.read(Source(BytesIO(content), 0, "file_0", Path())))
        for name, schema in parser.tables().items():
            con.register(name, pa.Table.from_batches([b[name] for b in batches], schema))
        parser.stage(con)
        con.execute(
            "CREATE TEMP TABLE files AS SELECT 0::INTEGER AS file_index, 'file_0' AS name, "
            "$day::DATE AS business_date, $at::TIMESTAMP AS known_at",
            {"day": business_date, "at": datetime.combine(business_date, time(23))},
        )
        for kind in kinds_of(contract.records):
            con.execute(f"CREATE TEMP MACRO token_{kind}(raw) AS 'token of ' || raw")
            con.execute(f"CREATE TEMP MACRO sealed_{kind}(raw) AS raw")
        con.execute(checks.FAULTS_DDL)
        for index, record in enumerate(contract.records):
            checks.stage_typed(con, record, index, zone="America/New_York")
        found = con.execute(
            "SELECT record_index, row_number, column_name, reason_code, sentence FROM faults "
            "ORDER BY record_index, row_number, position, reason_code"
        ).fetchall()
    return [Fault(*row) for row in found]
