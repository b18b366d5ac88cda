"""Two deliveries to a lender, one of them full of faults, and all that may come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from paymentor_assets.audit.publications import newest
from paymentor_assets.ingestion.recovery import STAGE
from resources.operational_schema import file_index
from tests.support.landing_house import (
    LandingHouse,
    as_csv,
    as_lines,
    consent,
    deposit,
    landing_house,
    payment_row,
    payments,
    portfolio,
)


def first_delivery(house: LandingHouse) -> None:
    """A file each of two feeds."""
    house.deliver("payments", payments(2), suffix="first")
    house.deliver("aa_consents", as_lines(consent(1)))


def second_delivery(house: LandingHouse) -> None:
    """Sound, wrong, repeated and refused files, of four feeds."""
    rows = [payment_row(10), payment_row(11, amount="-1"), payment_row(12)]
    house.deliver("payments", as_csv(rows))
    house.deliver("payments", payments(2), suffix="same_as_first")
    house.deliver("payments", payments(2)[:-4], suffix="odd")
    house.deliver("payments", b"nonsense\n", suffix="refused")
    house.deliver("portfolio", portfolio(2))
    house.deliver("aa_consents", as_lines(consent(2)), suffix="more")
    house.deliver("aa_deposits", as_lines(deposit(1), deposit(2)))


def end_state(house: LandingHouse) -> dict[str, Any]:
    """All that may depend on history: tables, what readers see, the index, the vault."""
    with house.store.read() as connection:
        rows = connection.execute(select(file_index)).all()
    publication = newest(house.lake, STAGE, "meridian")
    assert publication is not None
    state: dict[str, Any] = {
        "index": sorted((r.uri, r.status, r.file_id, r.attempts) for r in rows)
    }
    for table, content in house.contents().items():
        state[table] = [{k: v for k, v in row.items() if k != "etag"} for row in content]
        published = publication.tables.get(table)
        seen = 0 if published is None else house.lake.scan(table, published.snapshot_id).num_rows
        assert seen == len(content), f"readers see all of {table} and nothing else"
    return state


def undisturbed_state(folder: Path) -> dict[str, Any]:
    """The end state of a house in which nothing goes wrong."""
    with landing_house(folder) as house:
        first_delivery(house)
        house.ingest()
        second_delivery(house)
        house.ingest(run_id="run-2")
        return end_state(house)
