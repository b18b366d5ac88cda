"""What a dbt build left in its scratch file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from paymentor_assets.features.tables import NAMESPACE
from resources.duck import connect
from resources.lakehouse import TableContract


def read_marts(
    scratch: Path, contracts: Sequence[TableContract], lender_id: str
) -> dict[TableContract, pa.Table]:
    """The marts as they stand in a scratch file, in the column order and types of the contracts.

    An empty mart is a table of no rows: publishing it withdraws what was published before.
    """
    with connect(scratch, read_only=True) as con:
        return {
            contract: con.execute(
                f"SELECT {', '.join(contract.column_names)} "
                f"FROM {NAMESPACE}.{contract.name.split('.')[1]} WHERE lender_id = ?",
                [lender_id],
            )
            .to_arrow_table()
            .cast(contract.schema)
            for contract in contracts
        }


def row_counts(scratch: Path) -> dict[str, int]:
    """Rows of every table by `schema__table`; views are not counted, which would run them.

    dagster-dbt counts too, and opens the file anew for each table.
    """
    with connect(scratch, read_only=True) as con:
        names = con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        counted = [
            f"SELECT '{schema}__{table}', count(*) FROM {schema}.{table}" for schema, table in names
        ]
        return dict(con.execute(" UNION ALL ".join(counted)).fetchall()) if counted else {}
