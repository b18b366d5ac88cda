"""Sealed days: once something of a day was sent, what the day was decided from may not move."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from paymentor_assets.audit.publications import compare_with_published
from resources.errors import SealedDayError
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_schema import sealed_days
from resources.operational_store import OperationalStore


def is_sealed(connection: Connection, lender_id: str, day: date) -> bool:
    """Whether an action of the day has been leased for sending."""
    found = connection.execute(
        select(sealed_days.c.sealed_at_utc).where(
            sealed_days.c.lender_id == lender_id, sealed_days.c.as_of_date == day
        )
    ).first()
    return found is not None


def sealed_days_of(store: OperationalStore, lender_id: str) -> frozenset[date]:
    """The days of a lender that were carried out, in whole or in part."""
    with store.read() as connection:
        rows = connection.execute(
            select(sealed_days.c.as_of_date).where(sealed_days.c.lender_id == lender_id)
        )
        return frozenset(row.as_of_date for row in rows)


def refuse_changes_of_sealed_days(
    lake: Lakehouse,
    sealed: Collection[date],
    *,
    stage: str,
    lender_id: str,
    tables: Mapping[TableContract, pa.Table],
) -> None:
    """Raise SealedDayError when publishing `tables` would change a sealed day of this stage.

    Rows must carry `as_of_date`; days that are not sealed are not looked at.
    """
    difference: dict[str, str] = {}
    for day in sorted(sealed):
        of_day = {
            contract: rows.filter(pc.equal(rows.column("as_of_date"), pa.scalar(day, pa.date32())))
            for contract, rows in tables.items()
        }
        changed = compare_with_published(
            lake, stage=stage, lender_id=lender_id, day=day, tables=of_day
        )
        difference |= {f"{name} of {day.isoformat()}": how for name, how in changed.items()}
    if difference:
        told = "; ".join(f"{name}: {how}" for name, how in difference.items())
        raise SealedDayError(
            f"Stage {stage} of lender {lender_id} would change days that were carried out: {told}. "
            "Nothing was written; find out what changed (code, model, or late data let in).",
            difference,
        )
