"""Publish the marts of a build whose tests passed: read from scratch, commit to the lakehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from paymentor_assets.audit.publications import Publication, RunInfo, publish_days
from paymentor_assets.features.context import BuildInputs
from paymentor_assets.features.tables import NAMESPACE, feature_tables
from resources.crash_points import reach, register
from resources.duck import connect
from resources.lakehouse import Lakehouse, TableContract

STAGE = "features"

register("features.after_build", "features.after_publish")


def read_marts(
    scratch: Path, contracts: Sequence[TableContract], lender_id: str
) -> dict[TableContract, pa.Table]:
    """The marts as they stand in a scratch file, in the column order and types of the contracts.

    An empty mart is a table of no rows: publishing it withdraws what was published before.
    """
    with connect(scratch, read_only=True) as con:
        return {
            contract: con.execute(
                f"SELECT {', '.join(contract.column_names)} "
                f"FROM {NAMESPACE}.{contract.name.split('.')[1]} WHERE lender_id = ?",
                [lender_id],
            )
            .to_arrow_table()
            .cast(contract.schema)
            for contract in contracts
        }


def publish_marts(
    lake: Lakehouse,
    scratch: Path,
    *,
    lender_id: str,
    days: Sequence[date],
    inputs: BuildInputs,
    run: RunInfo,
) -> Publication:
    """Publish all marts of one lender for exactly these days, together.

    Call it only after dbt's tests passed. When the content is what is already published, nothing is
    committed. Raises PublicationError when the scratch holds anything but these days.
    """
    reach("features.after_build")
    tables = read_marts(scratch, list(feature_tables().values()), lender_id)
    publication = publish_days(
        lake,
        stage=STAGE,
        lender_id=lender_id,
        days=days,
        tables=tables,
        inputs=inputs.publication_ids,
        run=run,
    )
    reach("features.after_publish")
    return publication
