"""A home of an earlier version, whose tables lack columns that contracts have gained since."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pyarrow as pa

from paymentor_assets.audit.publications import newest
from paymentor_assets.ingestion.contracts.tables import raw_tables
from paymentor_assets.ingestion.recovery import STAGE
from resources.duck import connect, load_lake_extensions
from resources.warehouse import BuildContext, Pin, create_pinned_views, source_columns
from tests.support.landing_house import LandingHouse, payments, portfolio

TODAY = raw_tables()["raw.payments"]
GAINED = ("method", "currency")


def made_earlier(house: LandingHouse) -> None:
    """Take in payments, as the version did that knew neither method nor currency."""
    earlier = pa.schema([field for field in TODAY.schema if field.name not in GAINED])
    house.deliver("payments", payments(2))
    house.ingest()
    rows = house.lake.scan(TODAY.name).select(earlier.names).cast(earlier)
    house.lake.catalog.drop_table(TODAY.name)
    house.lake.append(replace(TODAY, schema=earlier), rows, {"run-id": "earlier"})


def test_the_next_delivery_adds_the_columns(house: LandingHouse) -> None:
    made_earlier(house)
    house.deliver("payments", payments(3, customer_id="later"), suffix="later")
    (file,) = house.ingest(run_id="run-2").files
    assert (file.status, file.message) == ("ingested", None)
    rows = house.lake.scan(TODAY.name)
    assert rows.column_names == TODAY.column_names
    found = Counter((r["customer_id"], r["method"], r["currency"]) for r in rows.to_pylist())
    assert found == {("C1", None, None): 2, ("later", "upi", "INR"): 3}
    publication = newest(house.lake, STAGE, "meridian")
    assert publication is not None
    assert publication.tables[TODAY.name].snapshot_id == house.lake.head(TODAY.name)


def test_tables_without_new_rows_get_their_columns_too(house: LandingHouse) -> None:
    made_earlier(house)
    house.deliver("portfolio", portfolio(1))
    house.ingest(run_id="run-2")
    assert [f.name for f in house.lake.load(TODAY.name).schema().fields] == TODAY.column_names


def test_dbt_reads_an_older_snapshot_in_the_columns_of_its_sources(house: LandingHouse) -> None:
    made_earlier(house)
    snapshot = house.lake.head(TODAY.name)
    assert snapshot is not None
    for brought_up_to_date in (False, True):
        if brought_up_to_date:
            house.lake.ensure(TODAY)
        pins = {TODAY.name: Pin(house.lake.metadata_location(TODAY.name), snapshot)}
        with connect() as con:
            load_lake_extensions(con)
            create_pinned_views(con, BuildContext((), pins))
            described = con.execute("DESCRIBE raw.payments").fetchall()
            assert [row[0] for row in described] == list(source_columns()[TODAY.name])
            read = "SELECT payment_id, method, currency FROM raw.payments ORDER BY 1"
            assert con.execute(read).fetchall() == [("P1", None, None), ("P2", None, None)]
