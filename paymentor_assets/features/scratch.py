"""What a dbt build left in its scratch file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from paymentor_assets.features.tables import NAMESPACE
from resources.duck import connect
from resources.lakehouse import TableContract

#: DuckDB keeps what it has read up to this; a mart is read once or twice.
_READING = "1GB"


@contextmanager
def open_marts(
    scratch: Path, contracts: Sequence[TableContract], lender_id: str
) -> Iterator[Mapping[TableContract, pa.Table]]:
    """The marts as they stand in a scratch file, in the column order and types of the contracts.

    Each is read when it is asked for: a day of a million customers is some gigabytes. Until the end
    of the context nobody can write the file. An empty mart is a table of no rows: publishing it
    withdraws what was published before.
    """
    with connect(scratch, read_only=True, memory_limit=_READING) as con:
        yield _Marts(con, tuple(contracts), lender_id)


@dataclass(frozen=True)
class _Marts(Mapping[TableContract, pa.Table]):
    con: duckdb.DuckDBPyConnection
    contracts: tuple[TableContract, ...]
    lender_id: str

    def __getitem__(self, contract: TableContract) -> pa.Table:
        if contract not in self.contracts:
            raise KeyError(contract.name)
        return (
            self.con.execute(
                f"SELECT {', '.join(contract.column_names)} "
                f"FROM {NAMESPACE}.{contract.name.split('.')[1]} WHERE lender_id = ?",
                [self.lender_id],
            )
            .to_arrow_table()
            .cast(contract.schema)
        )

    def __iter__(self) -> Iterator[TableContract]:
        return iter(self.contracts)

    def __len__(self) -> int:
        return len(self.contracts)


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
