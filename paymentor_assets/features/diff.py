"""What a change of the SQL would change: a developer's own build beside what is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from paymentor_assets.audit.publications import newest, publication_named, read_table
from paymentor_assets.features.publish import LABELS, STAGE
from paymentor_assets.features.tables import NAMESPACE
from resources.duck import connect, quote
from resources.errors import NotFound, UsageError
from resources.lakehouse import Lakehouse, TableContract

PUBLISHED = "published"
_NUMBERS = ("INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "FLOAT")


@dataclass(frozen=True)
class ColumnChange:
    """How one column differs over the rows that stand on both sides.

    `became_null` and `became_known` are among `changed`. The differences (built minus published,
    in the column's unit; days for dates) are over rows known on both sides; None for text.
    """

    name: str
    changed: int
    became_null: int
    became_known: int
    mean_difference: float | None
    largest_difference: float | None


@dataclass(frozen=True)
class MartChange:
    """One mart of one lender and day: rows, and the columns that differ."""

    table: str
    lender_id: str
    day: date
    #: Publication compared with; None when the day was never published.
    publication_id: str | None
    rows: int
    added: int = 0
    removed: int = 0
    columns: tuple[ColumnChange, ...] = ()
    new_columns: tuple[str, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    retyped_columns: tuple[str, ...] = field(default=())

    @property
    def is_same(self) -> bool:
        """Whether publishing the build would change nothing."""
        return self.publication_id is not None and not (
            self.added
            or self.removed
            or self.columns
            or self.new_columns
            or self.dropped_columns
            or self.retyped_columns
        )


def compare_build(
    lake: Lakehouse,
    scratch: Path,
    marts: Sequence[TableContract],
    *,
    against: str = PUBLISHED,
    lender_id: str | None = None,
) -> list[MartChange]:
    """Compare every mart in a scratch file with what is published for its lenders and days.

    `against` is `published` (the newest publication of each day) or the id of one publication, of
    which only the tables and days that it covers are compared. `marts` name the keys.

    Raises NotFound when there is no scratch, mart, or publication to compare.
    """
    if not scratch.exists():
        raise NotFound(
            f"There is no build to compare ({scratch.name} is absent); run `dbt build` in "
            "dbt_project/ first."
        )
    changes: list[MartChange] = []
    with connect(scratch, read_only=True) as con:
        built = {
            str(row[0])
            for row in con.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = ?",
                [NAMESPACE],
            ).fetchall()
        }
        for mart in marts:
            if mart.name.split(".")[1] not in built:
                continue
            days = con.execute(
                f"SELECT DISTINCT lender_id, as_of_date FROM {mart.name} "
                "WHERE ? IS NULL OR lender_id = ? ORDER BY ALL",
                [lender_id, lender_id],
            ).fetchall()
            for lender, day in days:
                change = _compare(con, lake, mart, against, str(lender), day)
                if change is not None:
                    changes.append(change)
    if not changes:
        raise NotFound(
            "The build holds no mart rows to compare"
            f"{f' of lender {lender_id}' if lender_id else ''}; build marts for a day that has "
            "data (`dbt build -s customer_profile+ --vars '{as_of_date: 2026-06-30}'`)."
        )
    return changes


def _compare(
    con: duckdb.DuckDBPyConnection,
    lake: Lakehouse,
    mart: TableContract,
    against: str,
    lender_id: str,
    day: date,
) -> MartChange | None:
    rows = _count(con, f"FROM {mart.name} WHERE lender_id = ? AND as_of_date = ?", lender_id, day)
    if against == PUBLISHED:
        found = [newest(lake, stage, lender_id, day) for stage in (STAGE, LABELS)]
        publication = next((p for p in found if p is not None and mart.name in p.tables), None)
    else:
        publication = publication_named(lake, against)
        if publication.stage not in (STAGE, LABELS):
            raise UsageError(
                f"Publication {against} is of stage {publication.stage}; name one of features."
            )
        covers = publication.lender_id == lender_id and day in publication.as_of_dates
        if not covers or mart.name not in publication.tables:
            return None
    if publication is None:
        return MartChange(mart.name, lender_id, day, None, rows, added=rows)
    con.register("published", read_table(lake, publication, mart, day))
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW built AS SELECT * FROM {mart.name} "
        f"WHERE lender_id = {quote(lender_id)} AND as_of_date = DATE '{day.isoformat()}'"
    )
    return _differences(con, mart, lender_id, day, publication.publication_id, rows)


def _differences(
    con: duckdb.DuckDBPyConnection,
    mart: TableContract,
    lender_id: str,
    day: date,
    publication_id: str,
    rows: int,
) -> MartChange:
    now, before = _types(con, "built"), _types(con, "published")
    on = " AND ".join(f'b."{key}" = p."{key}"' for key in mart.key)
    shared = [name for name in now if name in before and name not in mart.key]
    retyped = [name for name in shared if now[name] != before[name]]
    measured = [name for name in shared if name not in retyped]
    columns: list[ColumnChange] = []
    if measured:
        sums = ", ".join(_sums(name, now[name]) for name in measured)
        totals = con.execute(f"SELECT {sums} FROM built AS b JOIN published AS p ON {on}")
        values = totals.fetchone() or ()
        for i, name in enumerate(measured):
            changed, nulled, known, mean, largest = values[5 * i : 5 * i + 5]
            if changed:
                columns.append(ColumnChange(name, changed, nulled, known, mean, largest))
    return MartChange(
        table=mart.name,
        lender_id=lender_id,
        day=day,
        publication_id=publication_id,
        rows=rows,
        added=_count(con, f"FROM built AS b ANTI JOIN published AS p ON {on}"),
        removed=_count(con, f"FROM published AS p ANTI JOIN built AS b ON {on}"),
        columns=tuple(columns),
        new_columns=tuple(name for name in now if name not in before),
        dropped_columns=tuple(name for name in before if name not in now),
        retyped_columns=tuple(f"{name}: {before[name]} to {now[name]}" for name in retyped),
    )


def _sums(name: str, kind: str) -> str:
    now, before = f'b."{name}"', f'p."{name}"'
    if kind.startswith(_NUMBERS):
        difference = f"CAST({now} AS DOUBLE) - CAST({before} AS DOUBLE)"
    elif kind == "DATE":
        difference = f"CAST(date_diff('day', {before}, {now}) AS DOUBLE)"
    else:
        difference = "CAST(NULL AS DOUBLE)"
    return (
        f"coalesce(sum(CAST({now} IS DISTINCT FROM {before} AS INTEGER)), 0), "
        f"coalesce(sum(CAST({now} IS NULL AND {before} IS NOT NULL AS INTEGER)), 0), "
        f"coalesce(sum(CAST({now} IS NOT NULL AND {before} IS NULL AS INTEGER)), 0), "
        f"avg({difference}), arg_max({difference}, abs({difference}))"
    )


def _types(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    described = con.execute(f"DESCRIBE {relation}").fetchall()
    return {str(row[0]): str(row[1]) for row in described}


def _count(con: duckdb.DuckDBPyConnection, tail: str, *values: object) -> int:
    (count,) = con.execute(f"SELECT count(*) {tail}", list(values)).fetchone() or (0,)
    return int(count)
