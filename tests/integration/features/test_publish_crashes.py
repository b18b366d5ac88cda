"""A run that dies at any durable step of the publication leaves nothing visible, and a retry ends
where an undisturbed run would have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from paymentor_assets.audit.publications import all_publications, newest, read_table
from paymentor_assets.features.context import pinned_inputs
from paymentor_assets.features.project import load_manifest
from paymentor_assets.features.publish import LABELS, STAGE, publish_marts
from paymentor_assets.features.tables import feature_tables, tables_by_stage
from resources.crash_points import SimulatedCrash, armed
from resources.duck import connect
from resources.errors import PublicationError
from resources.lakehouse import MONEY, TIMESTAMP, TableContract
from tests.integration.features.conftest import DAY, deliver_day
from tests.support.raw_lake import RawLake

#: Where the run may die, and whether its publication is then already visible.
POINTS = {
    "features.after_build": False,
    "audit.publish.after_table_commit": False,
    "audit.publish.before_row": False,
    "audit.publish.after_row": True,
    "features.between_stages": True,
    "features.after_publish": True,
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> RawLake:
    raw = RawLake(tmp_path_factory.mktemp("crashes"))
    deliver_day(raw, DAY)
    # Files speak of a week later, so that outcomes of the day are known too.
    raw.publish(DAY + timedelta(days=8))
    return raw


def _scratch(path: Path, marker: int) -> Path:
    """Marts as a build leaves them, one row each, told apart by `marker`."""
    with connect(path) as con:
        con.execute("create schema features")
        for contract in feature_tables().values():
            row = pa.Table.from_pylist([_values(contract, marker)], schema=contract.schema)
            con.register("one_row", row)
            con.execute(f"create table {contract.name} as select * from one_row")
    return path


def _values(contract: TableContract, marker: int) -> Mapping[str, object]:
    known: dict[str, object] = {"lender_id": "meridian", "as_of_date": DAY}
    plain: dict[pa.DataType, object] = {
        pa.string(): "x",
        pa.int32(): marker,
        pa.bool_(): True,
        pa.float64(): 0.5,
        pa.date32(): date(2026, 1, 1),
        MONEY: Decimal("1.00"),
        TIMESTAMP: datetime.fromisoformat("2026-01-01"),
    }
    return {f.name: known.get(f.name, plain.get(f.type)) for f in contract.schema}


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_between_two_steps_is_made_good_by_a_retry(
    lake: RawLake, tmp_path: Path, point: str
) -> None:
    marker = list(POINTS).index(point)
    scratch = _scratch(tmp_path / "scratch.duckdb", marker)
    before = newest(lake.lake, STAGE, "meridian")
    inputs = pinned_inputs(lake.lake, lake.lender, [DAY], lake.run().clock)

    def publish() -> object:
        return publish_marts(
            lake.lake, scratch, lender_id="meridian", days=[DAY], inputs=inputs, run=lake.run()
        )

    with armed(point), pytest.raises(SimulatedCrash):
        publish()
    after_crash = newest(lake.lake, STAGE, "meridian")
    assert (after_crash != before) == POINTS[point]

    publish()
    final = newest(lake.lake, STAGE, "meridian")
    assert final is not None
    assert len(all_publications(lake.lake, stage=STAGE)) == marker + 1
    for contract in tables_by_stage(load_manifest())[STAGE].values():
        rows = read_table(lake.lake, final, contract).to_pylist()
        assert rows == [_values(contract, marker)]
        head = lake.lake.scan(contract.name)
        assert head.num_rows == 1
    outcomes = newest(lake.lake, LABELS, "meridian")
    assert outcomes is not None
    for contract in tables_by_stage(load_manifest())[LABELS].values():
        assert read_table(lake.lake, outcomes, contract).to_pylist() == [_values(contract, marker)]


def test_rows_of_another_day_are_refused(lake: RawLake, tmp_path: Path) -> None:
    scratch = _scratch(tmp_path / "scratch.duckdb", 99)
    inputs = pinned_inputs(lake.lake, lake.lender, [DAY], lake.run().clock)
    with pytest.raises(PublicationError, match="not among the days to publish"):
        publish_marts(
            lake.lake,
            scratch,
            lender_id="meridian",
            days=[date(2026, 6, 9)],
            inputs=inputs,
            run=lake.run(),
        )
