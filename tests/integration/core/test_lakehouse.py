"""The lakehouse: tables are what their contract says, commits replace exactly what they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import And, EqualTo

from resources.duck import connect, iceberg_scan_sql, load_lake_extensions
from resources.errors import CatalogError, NotFound
from resources.lakehouse import MONEY, TIMESTAMP, Lakehouse, TableContract, column
from tests.support.lakes import OpenLake, lakes_in

SCHEMA = pa.schema(
    [
        column("lender_id", pa.string(), "Lender."),
        column("as_of_date", pa.date32(), "Day."),
        column("number", pa.int64(), "Number."),
        column("amount", MONEY, "Amount."),
    ]
)
CONTRACT = TableContract("features.things", SCHEMA, ("lender_id", "number"), "Things.")
MONDAY, TUESDAY = date(2026, 6, 29), date(2026, 6, 30)
SUMMARY = {"run-id": "run-1"}


@pytest.fixture
def open_lake(tmp_path: Path) -> Iterator[OpenLake]:
    """Opens the lakehouse of the test anew, as another process would."""
    with lakes_in(tmp_path) as open_one:
        yield open_one


@pytest.fixture
def lake(open_lake: OpenLake) -> Lakehouse:
    """The lakehouse of the test."""
    return open_lake()


def things(*numbers: int, lender: str = "north", day: date = MONDAY) -> pa.Table:
    return pa.Table.from_pylist(
        [{"lender_id": lender, "as_of_date": day, "number": n, "amount": None} for n in numbers],
        schema=SCHEMA,
    )


def numbers(lake: Lakehouse, snapshot_id: int | None = None) -> list[tuple[str, date, int]]:
    rows = lake.scan(CONTRACT.name, snapshot_id).to_pylist()
    return sorted((r["lender_id"], r["as_of_date"], r["number"]) for r in rows)


def only(lender: str, day: date) -> And:
    return And(EqualTo("lender_id", lender), EqualTo("as_of_date", day.isoformat()))


def test_a_table_that_was_never_made_is_absent_not_empty(lake: Lakehouse) -> None:
    assert not lake.exists(CONTRACT.name)
    assert lake.head(CONTRACT.name) is None
    with pytest.raises(NotFound, match=r"no table features\.things; nothing was written"):
        lake.scan(CONTRACT.name)


def test_a_table_is_made_once_with_descriptions_and_properties(lake: Lakehouse) -> None:
    contract = TableContract(
        "features.made", SCHEMA, ("number",), "Made.", ("lender_id",),
        {"commit.retry.num-retries": "0"},
    )  # fmt: skip
    table = lake.ensure(contract)
    assert table.properties["comment"] == "Made."
    assert table.properties["commit.retry.num-retries"] == "0"
    assert [f.doc for f in table.schema().fields] == ["Lender.", "Day.", "Number.", "Amount."]
    assert [f.name for f in table.spec().fields] == ["lender_id"]
    assert lake.head(contract.name) is None
    assert lake.ensure(contract).metadata_location == table.metadata_location


DRIFT = {
    "required": (
        SCHEMA.append(column("more", pa.string(), "", nullable=False)),
        "column more is new and required",
    ),
    "surplus": (SCHEMA.remove(3), "column amount is not in the contract"),
    "surplus and new": (
        SCHEMA.remove(3).append(column("more", pa.string(), "")),
        "column amount is not in the contract",
    ),
    "retyped": (
        SCHEMA.set(2, column("number", pa.string(), "")),
        "column number is int64 there and string in the contract",
    ),
    "money": (
        SCHEMA.set(3, column("amount", pa.decimal128(18, 4), "")),
        r"amount is decimal128\(18, 2\) there and decimal128\(18, 4\)",
    ),
    "reordered": (
        pa.schema([SCHEMA[i] for i in (1, 0, 2, 3)]),
        r"in another order \(lender_id, as_of_date, number, amount\)",
    ),
}


@pytest.mark.parametrize(("schema", "sentence"), DRIFT.values(), ids=DRIFT)
def test_a_table_that_differs_from_its_contract_is_left_alone(
    lake: Lakehouse, schema: pa.Schema, sentence: str
) -> None:
    lake.append(CONTRACT, things(1), SUMMARY)
    before = lake.metadata_location(CONTRACT.name)
    drifted = TableContract(CONTRACT.name, schema, ("number",), "Things.")
    for write in (
        lambda: lake.ensure(drifted),
        lambda: lake.append(drifted, schema.empty_table(), SUMMARY),
        lambda: lake.overwrite(drifted, schema.empty_table(), only("north", MONDAY), SUMMARY),
    ):
        with pytest.raises(CatalogError, match=sentence) as caught:
            write()
        assert "Table features.things differs" in str(caught.value)
        assert "Nothing was changed. Give a column" in str(caught.value)
    assert lake.metadata_location(CONTRACT.name) == before


GAINED = TableContract(
    CONTRACT.name,
    pa.schema(
        [
            column("first", pa.string(), "New, first."),
            SCHEMA.field("lender_id"),
            column("middle", MONEY, "New, in the middle."),
            column("beside", pa.list_(pa.string()), "New, beside it."),
            *[SCHEMA.field(name) for name in ("as_of_date", "number", "amount")],
            column("last", TIMESTAMP, "New, last."),
        ]
    ),
    CONTRACT.key,
    CONTRACT.description,
    ("lender_id",),
)
OLD = replace(CONTRACT, partition_by=("lender_id",))


def gained(number: int) -> pa.Table:
    row = {"first": "a", "lender_id": "north", "as_of_date": MONDAY, "number": number}
    row |= {"middle": Decimal("1.00"), "beside": ["b"], "last": datetime(2026, 6, 29, 1)}  # noqa: DTZ001
    return pa.Table.from_pylist([row], schema=GAINED.schema)


def test_optional_columns_are_added_to_a_table_with_rows(lake: Lakehouse) -> None:
    first = lake.append(OLD, things(1, 2), SUMMARY)
    table = lake.ensure(GAINED)
    assert [f.name for f in table.schema().fields] == GAINED.column_names
    assert [f.doc for f in table.schema().fields][:3] == [
        "New, first.", "Lender.", "New, in the middle.",
    ]  # fmt: skip
    assert lake.ensure(GAINED).metadata_location == table.metadata_location, "once is enough"
    assert lake.head(OLD.name) == first, "no row was touched"
    lake.append(GAINED, gained(3), SUMMARY)
    lake.overwrite(GAINED, gained(4), EqualTo("number", 2), SUMMARY)
    rows = lake.scan(OLD.name).cast(GAINED.schema).sort_by("number").to_pylist()
    assert [row["number"] for row in rows] == [1, 3, 4]
    assert [rows[0][n] for n in ("first", "middle", "beside", "last")] == [None] * 4
    assert rows[1:] == [*gained(3).to_pylist(), *gained(4).to_pylist()]


def test_an_older_snapshot_is_read_in_the_columns_of_today(lake: Lakehouse) -> None:
    first = lake.append(OLD, things(1), SUMMARY)
    lake.append(GAINED, gained(2), SUMMARY)
    assert lake.scan(OLD.name, first).column_names == GAINED.column_names
    rows = lake.scan(OLD.name, first, "number < 9", ("number", "last"))
    assert rows.to_pylist() == [{"number": 1, "last": None}]
    assert lake.scan(OLD.name, first, "last IS NOT NULL").num_rows == 0


def test_a_snapshot_that_is_gone_is_not_an_empty_table(lake: Lakehouse) -> None:
    lake.append(CONTRACT, things(1), SUMMARY)
    with pytest.raises(NotFound, match=r"features\.things has no snapshot 7"):
        lake.scan(CONTRACT.name, 7)


def test_writers_that_add_columns_together_end_with_one_table(
    open_lake: Callable[[], Lakehouse],
) -> None:
    lakes = [open_lake() for _ in range(4)]
    lakes[0].append(OLD, things(1), SUMMARY)
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda lake: lake.ensure(GAINED), lakes))
    columns = {tuple(f.name for f in t.schema().fields) for t in tables}
    assert columns == {tuple(GAINED.column_names)}
    assert lakes[0].scan(OLD.name).num_rows == 1


def test_an_append_is_one_commit_with_its_summary(lake: Lakehouse) -> None:
    first = lake.append(CONTRACT, things(1, 2), SUMMARY)
    second = lake.append(CONTRACT, things(3), {"run-id": "run-2"})
    assert lake.head(CONTRACT.name) == second != first
    assert lake.summary(CONTRACT.name)["run-id"] == "run-2"
    assert lake.summary(CONTRACT.name, first)["run-id"] == "run-1"
    assert [n for *_, n in numbers(lake, first)] == [1, 2]
    assert [n for *_, n in numbers(lake)] == [1, 2, 3]
    assert lake.has_snapshot(CONTRACT.name, first)
    assert not lake.has_snapshot(CONTRACT.name, first + 1)


def test_an_overwrite_replaces_exactly_what_its_filter_names(lake: Lakehouse) -> None:
    lake.append(
        CONTRACT,
        pa.concat_tables([things(1, 2), things(3, day=TUESDAY), things(4, lender="south")]),
        SUMMARY,
    )
    lake.overwrite(CONTRACT, things(5), only("north", MONDAY), SUMMARY)
    assert numbers(lake) == [("north", MONDAY, 5), ("north", TUESDAY, 3), ("south", MONDAY, 4)]


def test_an_overwrite_by_no_rows_deletes_exactly_what_its_filter_names(lake: Lakehouse) -> None:
    before = lake.append(
        CONTRACT,
        pa.concat_tables([things(1, 2), things(3, day=TUESDAY), things(4, lender="south")]),
        SUMMARY,
    )
    after = lake.overwrite(CONTRACT, SCHEMA.empty_table(), only("north", MONDAY), SUMMARY)
    assert numbers(lake) == [("north", TUESDAY, 3), ("south", MONDAY, 4)]
    assert len(numbers(lake, before)) == 4
    assert lake.head(CONTRACT.name) == after
    assert lake.summary(CONTRACT.name)["run-id"] == "run-1"


def test_an_overwrite_may_be_the_first_commit_also_with_no_rows(lake: Lakehouse) -> None:
    snapshot = lake.overwrite(CONTRACT, SCHEMA.empty_table(), only("north", MONDAY), SUMMARY)
    assert lake.head(CONTRACT.name) == snapshot
    assert numbers(lake) == []


def test_a_scan_reads_the_columns_and_rows_that_are_asked_for(lake: Lakehouse) -> None:
    lake.append(CONTRACT, things(1, 2), SUMMARY)
    rows = lake.scan(CONTRACT.name, None, "number = 2", ("number", "lender_id"))
    assert rows.to_pylist() == [{"lender_id": "north", "number": 2}]
    assert rows.schema.field("lender_id").type == pa.string()


def test_duckdb_reads_a_pinned_snapshot(lake: Lakehouse) -> None:
    first = lake.append(CONTRACT, things(1, 2), SUMMARY)
    lake.append(CONTRACT, things(3), SUMMARY)
    location = lake.metadata_location(CONTRACT.name)
    with connect() as con:
        load_lake_extensions(con)
        for pin, expected in ((first, [(1,), (2,)]), (None, [(1,), (2,), (3,)])):
            scan = iceberg_scan_sql(location, pin)
            assert con.execute(f"SELECT number FROM ({scan}) ORDER BY 1").fetchall() == expected


class LosingCommits(Lakehouse):
    """A lakehouse whose overwrites are overtaken by another writer some times."""

    losses = 0

    def ensure(self, contract: TableContract) -> Any:
        table = super().ensure(contract)
        commit = table.overwrite

        def overwrite(*args: object, **kwargs: object) -> None:
            if self.losses:
                self.losses -= 1
                raise CommitFailedException("branch main has changed")
            commit(*args, **kwargs)

        table.overwrite = overwrite
        return table


def test_an_overwrite_lost_to_another_writer_is_done_again(
    open_lake: Callable[..., Lakehouse],
) -> None:
    losing = open_lake(LosingCommits)
    losing.append(CONTRACT, things(1), SUMMARY)
    losing.losses = 3  # type: ignore[attr-defined]
    losing.overwrite(CONTRACT, things(2), only("north", MONDAY), SUMMARY)
    assert numbers(losing) == [("north", MONDAY, 2)]
    losing.losses = 4  # type: ignore[attr-defined]
    with pytest.raises(CatalogError, match=r"Other writers committed to features\.things"):
        losing.overwrite(CONTRACT, things(3), only("north", MONDAY), SUMMARY)
    assert numbers(losing) == [("north", MONDAY, 2)]


@pytest.mark.parametrize("attempt", range(3))
def test_writers_that_begin_together_make_one_table(
    open_lake: Callable[[], Lakehouse], attempt: int
) -> None:
    lakes = [open_lake() for _ in range(4)]
    for lake in lakes:
        assert not lake.exists(CONTRACT.name)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda lake: lake.ensure(CONTRACT), lakes))
    assert len({str(table.metadata.table_uuid) for table in made}) == 1
