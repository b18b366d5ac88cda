"""A developer's build beside what is published: what is found, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from paymentor_assets.audit.publications import Publication, RunInfo, publish_days
from paymentor_assets.commands.console import out
from paymentor_assets.commands.features import _show
from paymentor_assets.features.diff import ColumnChange, MartChange, compare_build
from paymentor_assets.settings import Settings
from resources.clock import FixedClock
from resources.errors import NotFound, UsageError
from resources.lakehouse import Lakehouse, TableContract

LENDER = "meridian"
DAY, NEXT = date(2026, 6, 10), date(2026, 6, 11)
MART = TableContract(
    name="features.account_features",
    schema=pa.schema(
        [
            pa.field("lender_id", pa.string(), nullable=False),
            pa.field("as_of_date", pa.date32(), nullable=False),
            pa.field("account_id", pa.string(), nullable=False),
            ("overdue", pa.decimal128(18, 2)),
            ("share", pa.float64()),
            ("paid_on", pa.date32()),
            ("bucket", pa.string()),
        ]
    ),
    key=("lender_id", "account_id", "as_of_date"),
    description="One account on one day.",
    partition_by=("lender_id", "as_of_date"),
)
LABELS = replace(MART, name="features.repayment_labels")
RUN = RunInfo("run-1", "code-1", FixedClock(datetime(2026, 7, 1, tzinfo=UTC)))


def _row(number: int, day: date = DAY, **values: Any) -> dict[str, Any]:
    known = {
        "lender_id": LENDER,
        "as_of_date": day,
        "account_id": f"A{number}",
        "overdue": Decimal("100.00"),
        "share": 0.5,
        "paid_on": date(2026, 6, 1),
        "bucket": "1-30",
    }
    return {**known, **values}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    home = tmp_path_factory.mktemp("diff")
    settings = Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})
    settings.lakehouse_dir.mkdir(parents=True)
    yield Lakehouse(settings.catalog_properties)


def _publish(
    lake: Lakehouse, rows: list[dict[str, Any]], mart: TableContract = MART, stage: str = "features"
) -> Publication:
    (day,) = {row["as_of_date"] for row in rows}
    return publish_days(
        lake,
        stage=stage,
        lender_id=LENDER,
        days=[day],
        tables={mart: pa.Table.from_pylist(rows, schema=mart.schema)},
        inputs=[],
        run=RUN,
    )


@pytest.fixture(scope="module")
def publication(lake: Lakehouse) -> Publication:
    """Five accounts of DAY."""
    return _publish(lake, [_row(n) for n in range(5)])


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch.duckdb"


def _build(scratch: Path, rows: list[dict[str, Any]], change: str = "*") -> None:
    built = pa.Table.from_pylist(rows, schema=MART.schema)
    with duckdb.connect(str(scratch)) as con:
        con.execute("CREATE SCHEMA features")
        con.register("built", built)
        con.execute(f"CREATE TABLE features.account_features AS SELECT {change} FROM built")


def _compared(
    lake: Lakehouse, scratch: Path, against: str = "published", lender: str | None = None
) -> MartChange:
    (change,) = compare_build(lake, scratch, [MART, LABELS], against=against, lender_id=lender)
    return change


def test_a_build_that_changes_nothing_is_the_same(
    lake: Lakehouse, publication: Publication, scratch: Path
) -> None:
    _build(scratch, [_row(n) for n in range(5)])
    change = _compared(lake, scratch)
    assert change.is_same
    assert change == MartChange(MART.name, LENDER, DAY, publication.publication_id, rows=5)


def test_changed_values_are_counted_and_measured(
    lake: Lakehouse, publication: Publication, scratch: Path
) -> None:
    rows = [_row(n) for n in range(5)]
    rows[0] |= {"overdue": Decimal("110.00"), "paid_on": date(2026, 6, 4), "bucket": "31-60"}
    rows[1] |= {"overdue": Decimal("60.00"), "share": None}
    _build(scratch, rows)
    change = _compared(lake, scratch)
    assert not change.is_same and (change.added, change.removed) == (0, 0)
    found = {column.name: column for column in change.columns}
    # The mean is over all rows known on both sides: (10 - 40) / 5.
    assert found["overdue"] == ColumnChange("overdue", 2, 0, 0, -6.0, -40.0)
    assert found["paid_on"] == ColumnChange("paid_on", 1, 0, 0, 0.6, 3.0)
    assert found["bucket"] == ColumnChange("bucket", 1, 0, 0, None, None)
    assert found["share"] == ColumnChange("share", 1, 1, 0, 0.0, 0.0)
    assert len(found) == 4


def test_what_becomes_known_is_told_apart_from_what_changes(lake: Lakehouse, scratch: Path) -> None:
    _publish(lake, [_row(1, NEXT, share=None), _row(2, NEXT), _row(3, NEXT, share=None)])
    _build(scratch, [_row(1, NEXT), _row(2, NEXT, share=None), _row(3, NEXT, share=None)])
    (column,) = _compared(lake, scratch).columns
    assert column == ColumnChange(
        "share", 2, became_null=1, became_known=1, mean_difference=None, largest_difference=None
    )


def test_rows_that_come_and_go_are_counted_and_not_compared(
    lake: Lakehouse, publication: Publication, scratch: Path
) -> None:
    _build(scratch, [_row(n, overdue=Decimal(n)) for n in (3, 4, 5)])
    change = _compared(lake, scratch)
    assert (change.rows, change.added, change.removed) == (3, 1, 3)
    assert [(c.name, c.changed) for c in change.columns] == [("overdue", 2)]


def test_columns_that_are_new_dropped_or_of_another_type_are_named(
    lake: Lakehouse, publication: Publication, scratch: Path
) -> None:
    rows = [_row(n) for n in range(5)]
    _build(scratch, rows, "* EXCLUDE (bucket, share), CAST(9 AS INTEGER) AS share, 1 AS emis")
    change = _compared(lake, scratch)
    assert (change.new_columns, change.dropped_columns) == (("emis",), ("bucket",))
    assert change.retyped_columns == ("share: DOUBLE to INTEGER",)
    # Values of two types are not compared.
    assert change.columns == () and not change.is_same


def test_a_day_that_was_never_published_is_new_altogether(lake: Lakehouse, scratch: Path) -> None:
    day = date(2026, 5, 1)
    _build(scratch, [_row(n, day) for n in range(3)])
    change = _compared(lake, scratch)
    assert change == MartChange(MART.name, LENDER, day, None, rows=3, added=3)
    assert not change.is_same


def test_one_lender_may_be_asked_for(
    lake: Lakehouse, publication: Publication, scratch: Path
) -> None:
    rows = [_row(n) for n in range(5)]
    _build(scratch, [*rows, _row(1, lender_id="riverside")])
    both = compare_build(lake, scratch, [MART])
    assert [(c.lender_id, c.publication_id is None) for c in both] == [
        (LENDER, False), ("riverside", True),
    ]  # fmt: skip
    assert _compared(lake, scratch, lender=LENDER).is_same
    with pytest.raises(NotFound, match="no mart rows to compare of lender nobody; build marts"):
        compare_build(lake, scratch, [MART], lender_id="nobody")


def test_an_earlier_publication_may_be_compared_with(lake: Lakehouse, scratch: Path) -> None:
    day = date(2026, 6, 20)
    earlier = _publish(lake, [_row(1, day, share=0.25)])
    later = _publish(lake, [_row(1, day, share=0.75)])
    _build(scratch, [_row(1, day, share=0.75), _row(1, DAY)])
    change = _compared(lake, scratch, against=earlier.publication_id)
    assert (change.day, change.publication_id) == (day, earlier.publication_id)
    assert [(c.name, c.largest_difference) for c in change.columns] == [("share", 0.5)]
    # DAY is not of that publication and is left out; the newest has what was built.
    assert _compared(lake, scratch, against=later.publication_id).is_same


def test_outcomes_are_compared_with_their_own_publication(lake: Lakehouse, scratch: Path) -> None:
    day = date(2026, 5, 2)
    labels = _publish(lake, [_row(1, day)], LABELS, stage="labels")
    _build(scratch, [_row(1, day, bucket=None)])
    with duckdb.connect(str(scratch)) as con:
        con.execute("ALTER TABLE features.account_features RENAME TO repayment_labels")
    change = _compared(lake, scratch)
    assert (change.table, change.publication_id) == (LABELS.name, labels.publication_id)
    assert [(c.name, c.became_null) for c in change.columns] == [("bucket", 1)]


def test_what_cannot_be_compared_is_said(
    lake: Lakehouse, publication: Publication, scratch: Path
) -> None:
    with pytest.raises(NotFound, match=r"no build to compare \(scratch.duckdb is absent\)"):
        compare_build(lake, scratch, [MART])
    _build(scratch, [_row(1)])
    with pytest.raises(NotFound, match="No publication 'p-unknown'"):
        compare_build(lake, scratch, [MART], against="p-unknown")
    other = _publish(lake, [_row(1)], replace(MART, name="decisions.rows"), stage="rankings")
    with pytest.raises(UsageError, match="is of stage rankings; name one of features"):
        compare_build(lake, scratch, [MART], against=other.publication_id)
    with pytest.raises(NotFound, match="The build holds no mart rows"):
        compare_build(lake, scratch, [LABELS])


def test_a_change_is_shown_in_the_words_of_a_review(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (
        ColumnChange("overdue", 2, 0, 1, -6.0, -40.0),
        ColumnChange("bucket", 5, 5, 0, None, None),
    )
    changed = MartChange(MART.name, LENDER, DAY, "p-1", 12, 2, 1, columns, ("emis",), (), ())
    out.width = 100
    for change in (
        MartChange(MART.name, LENDER, DAY, None, 3, added=3),
        MartChange(MART.name, LENDER, DAY, "p-1", 12),
        changed,
    ):
        _show(change)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "features.account_features of meridian, 2026-06-10: never published; 3 rows are new.",
        "features.account_features of meridian, 2026-06-10: all 12 rows are as published.",
        "features.account_features of meridian, 2026-06-10: 12 rows; 2 are new, 1 are gone "
        "(against p-1).",
        "  New columns: emis",
        "column   rows  share  became null  became known  mean change  largest",
        "bucket      5  50.0%            5             0",
        "overdue     2  20.0%            0             1           -6      -40",
    ]
