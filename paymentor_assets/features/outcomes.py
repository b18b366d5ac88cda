"""Which days' outcomes have become known since they were published, and are to be published now.

A day is built when it closes, and its outcomes are weeks away. Nothing new arrives for the day
itself, so nobody would build it again: this says which days it is time for. Building them leaves
their features as they are and publishes the outcomes (docs/adr/0016).
"""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow.compute as pc

from paymentor_assets.audit.publications import Publication, covering, newest, read_table
from paymentor_assets.features.context import INGESTION
from paymentor_assets.features.project import load_manifest
from paymentor_assets.features.publish import HORIZONS, LABELS, STAGE
from paymentor_assets.features.tables import tables_by_stage
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.lakehouse import Lakehouse, TableContract

#: Outcomes that have been due for longer are published by a backfill (job `features_history`).
LOOK_BACK_DAYS = 60


def outcomes_due(lake: Lakehouse, lender: Lender, clock: Clock) -> list[date]:
    """Days with published features of which an outcome is known and not published, oldest first.

    An outcome is known once its horizon ends on a closed day that files speak of.
    """
    ingestion = newest(lake, INGESTION, lender.lender_id)
    if ingestion is None:
        return []
    known_through = min(ingestion.as_of_date, lender.last_closed_day(clock.now()))
    earliest = known_through - timedelta(days=LOOK_BACK_DAYS)
    built = covering(lake, STAGE, lender.lender_id)
    labelled = covering(lake, LABELS, lender.lender_id)
    (contract,) = tables_by_stage(load_manifest())[LABELS].values()
    return [
        day
        for day in sorted(built)
        if day >= earliest and _is_due(lake, contract, labelled.get(day), day, known_through - day)
    ]


def _is_due(
    lake: Lakehouse,
    contract: TableContract,
    published: Publication | None,
    day: date,
    passed: timedelta,
) -> bool:
    known = [name for name, horizon in HORIZONS.items() if horizon <= passed]
    if not known or published is None:
        return bool(known)
    rows = read_table(lake, published, contract, day, known)
    return any(pc.any(pc.is_null(rows.column(name))).as_py() for name in known)
