"""The checks after a run find what they are there to find."""

from __future__ import annotations

from dataclasses import replace

from pyiceberg.expressions import EqualTo

from paymentor_assets.audit.publications import Publication, PublishedTable
from paymentor_assets.ingestion.conservation import lost_rows, orphan_rows
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES, raw_tables
from resources.clock import naive_utc
from tests.support.landing_house import LandingHouse, as_csv, payment_row


def taken_in(house: LandingHouse) -> Publication:
    house.deliver("payments", as_csv([payment_row(1), payment_row(2, amount="-1"), payment_row(3)]))
    result = house.ingest()
    assert result.publication is not None
    return result.publication


def at_head(house: LandingHouse, publication: Publication) -> Publication:
    """The publication as if it showed the tables as they are now."""
    heads = {name: PublishedTable(house.lake.head(name) or 0) for name in publication.tables}
    return replace(publication, tables=heads)


def test_a_sound_run_passes(house: LandingHouse) -> None:
    publication = taken_in(house)
    assert lost_rows(house.lake, publication, naive_utc(house.now)) == []
    assert orphan_rows(house.lake, publication, naive_utc(house.now)) == []


def test_a_row_that_vanished_is_missed(house: LandingHouse) -> None:
    publication = taken_in(house)
    table = raw_tables()["raw.payments"]
    house.lake.overwrite(table, table.schema.empty_table(), EqualTo("payment_id", "P1"), {})
    (fault,) = lost_rows(house.lake, at_head(house, publication), naive_utc(house.now))
    assert "3 rows recorded as 2 accepted and 1 rejected, but the tables hold 1 and 1" in fault


def test_rows_of_a_file_that_is_not_recorded_are_orphans(house: LandingHouse) -> None:
    publication = taken_in(house)
    house.lake.overwrite(
        INGESTED_FILES,
        INGESTED_FILES.schema.empty_table(),
        EqualTo("lender_id", "meridian"),
        {},
    )
    (fault,) = orphan_rows(house.lake, at_head(house, publication), naive_utc(house.now))
    assert fault.startswith("3 rows carry file id")
