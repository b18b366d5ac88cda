"""Content digests: one number that says whether two tables hold the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import pyarrow as pa

from resources.duck import connect
from resources.lakehouse import TableContract

EMPTY_DIGEST = sha256(b"").hexdigest()


@dataclass(frozen=True)
class DayDigest:
    """Digest and row count of one table on one day."""

    digest: str
    rows: int


def row_hash_sql(columns: Iterable[str]) -> str:
    """DuckDB expression: SHA-256 over the columns, each written as length:text, NULL as `-`.

    The length prefix keeps ('ab', 'c') apart from ('a', 'bc'); text is DuckDB's own shortest exact
    form of the value.
    """
    parts = (
        f"""coalesce(length(CAST("{c}" AS VARCHAR)) || ':' || CAST("{c}" AS VARCHAR), '-')"""
        for c in columns
    )
    return f"sha256(concat({', '.join(parts)}))"


def digested_columns(contract: TableContract) -> list[str]:
    """Columns that count: all but those that begin with `_` (run ids, wall-clock times)."""
    return [name for name in contract.column_names if not name.startswith("_")]


def content_digest(rows: pa.Table, contract: TableContract) -> DayDigest:
    """Digest of all rows, whatever their order; sorted by the contract's key."""
    digests = digests_by_day(rows, contract, day_column=None)
    return digests.get(None, DayDigest(EMPTY_DIGEST, 0))


def digests_by_day(
    rows: pa.Table, contract: TableContract, day_column: str | None = "as_of_date"
) -> dict[date | None, DayDigest]:
    """Digest for each day present in `day_column` (one entry under None without such a column)."""
    if rows.num_rows == 0:
        return {}
    order = ", ".join(f'"{k}"' for k in contract.key)
    columns = digested_columns(contract)
    row_hash = row_hash_sql(f"{c} as text" for c in columns)
    # By a step of its own: inside the hash each value would be written as text twice, which was
    # half of the cost.
    texts = ", ".join(f'CAST("{c}" AS VARCHAR) AS "{c} as text"' for c in columns)
    day = f'"{day_column}"' if day_column else "CAST(NULL AS DATE)"
    with connect() as con:
        con.register("digest_rows", rows)
        found = con.execute(
            f"SELECT day, sha256(string_agg(row_hash, '' ORDER BY {order}, row_hash)), count(*) "
            f"FROM (SELECT {day} AS day, {order}, {row_hash} AS row_hash "
            f"FROM (SELECT *, {texts} FROM digest_rows)) "
            "GROUP BY day"
        ).fetchall()
    return {found_day: DayDigest(digest, count) for found_day, digest, count in found}
