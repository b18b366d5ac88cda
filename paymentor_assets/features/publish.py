"""Publish the marts of a build whose tests passed: read from scratch, commit to the lakehouse.

Features and outcomes are published apart: what was known on a day does not move, while what came of
it becomes known later by nature.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import Publication, RunInfo, newest, publish_days
from paymentor_assets.audit.sealing import refuse_changes_of_sealed_days
from paymentor_assets.features.context import BuildInputs
from paymentor_assets.features.project import load_manifest
from paymentor_assets.features.scratch import open_marts
from paymentor_assets.features.tables import tables_by_stage
from resources.crash_points import reach, register
from resources.lakehouse import Lakehouse, TableContract

STAGE = "features"
LABELS = "labels"
#: How long after a day its outcomes are known (dbt_project/models/marts/repayment_labels.sql).
HORIZONS = {"paid_7d": timedelta(days=7), "paid_30d": timedelta(days=30)}

register("features.after_build", "features.between_stages", "features.after_publish")


@dataclass(frozen=True)
class Published:
    """The publications of one build; no `labels` when no outcome of its days is known yet."""

    features: Publication
    labels: Publication | None

    @property
    def is_new(self) -> bool:
        """Whether anything was committed."""
        return self.features.is_new or (self.labels is not None and self.labels.is_new)

    def of(self, table: str) -> Publication | None:
        """The publication that names this table, if there is one."""
        publications = (self.features, self.labels)
        return next((p for p in publications if p is not None and table in p.tables), None)


def first_known_outcome(day: date) -> date:
    """The day through which files must speak before any outcome of `day` is known."""
    return day + min(HORIZONS.values())


def publish_marts(
    lake: Lakehouse,
    scratch: Path,
    *,
    lender_id: str,
    days: Sequence[date],
    inputs: BuildInputs,
    run: RunInfo,
    sealed: Collection[date] = (),
) -> Published:
    """Publish all marts of one lender for exactly these days: features together, then outcomes.

    Call it only after dbt's tests passed. When the content is what is already published, nothing is
    committed. Raises PublicationError when the scratch holds anything but these days, and
    SealedDayError when the same SQL now gives other features for a day of `sealed`: what was known
    on a day that was carried out cannot have changed. New SQL may; decisions keep reading the
    snapshots they name.
    """
    reach("features.after_build")
    by_stage = tables_by_stage(load_manifest())
    same_code = {
        day
        for day in set(sealed).intersection(days)
        if _code_version(newest(lake, STAGE, lender_id, day)) == run.code_version
    }
    with open_marts(scratch, list(by_stage[STAGE].values()), lender_id) as features:
        refuse_changes_of_sealed_days(
            lake, same_code, stage=STAGE, lender_id=lender_id, tables=features
        )
        published = publish_days(
            lake,
            stage=STAGE,
            lender_id=lender_id,
            days=days,
            tables=features,
            inputs=inputs.all_ids,
            run=run,
        )
    reach("features.between_stages")
    known = [day for day in days if first_known_outcome(day) <= inputs.known_through]
    labels = None
    if known:
        with open_marts(scratch, list(by_stage[LABELS].values()), lender_id) as outcomes:
            labels = publish_days(
                lake,
                stage=LABELS,
                lender_id=lender_id,
                days=known,
                tables=_of_days(outcomes, known),
                inputs=inputs.all_ids,
                run=run,
            )
    reach("features.after_publish")
    return Published(published, labels)


def _code_version(publication: Publication | None) -> str | None:
    return None if publication is None else publication.code_version


def _of_days(
    tables: Mapping[TableContract, pa.Table], days: Sequence[date]
) -> dict[TableContract, pa.Table]:
    wanted = pa.array(days, pa.date32())
    return {
        contract: rows.filter(pc.is_in(rows.column("as_of_date"), value_set=wanted))
        for contract, rows in tables.items()
    }
