"""Proof that a run lost nothing: its tables recounted against its own record of files."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import And, EqualTo

from paymentor_assets.audit.publications import Publication
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES, raw_tables
from paymentor_assets.ingestion.recovery import provenance_columns
from resources.lakehouse import Lakehouse, TableContract


def lost_rows(lake: Lakehouse, publication: Publication, ingested_at: datetime) -> list[str]:
    """Sentences on files of the run whose rows do not add up; empty when all do.

    `ingested_at` (naive UTC) names the run: everything it wrote carries that instant. For each
    file, rows in `raw.*` must be `rows_accepted`, rows in `raw.rejected_rows` `rows_rejected`, and
    the two together `rows_total`.
    """
    accepted, rejected = _counts(lake, publication, ingested_at)
    faults = []
    for file in _files(lake, publication, ingested_at):
        found = (accepted[file["file_id"]], rejected[file["file_id"]])
        if file["status"] != "ingested":
            found = (0, 0)  # a refused twin shares its bytes, and so its id, with nothing taken
        recorded = (file["rows_accepted"], file["rows_rejected"])
        if found != recorded or sum(recorded) != file["rows_total"]:
            faults.append(
                f"{file['uri']}: {file['rows_total']} rows recorded as {recorded[0]} accepted and "
                f"{recorded[1]} rejected, but the tables hold {found[0]} and {found[1]}."
            )
    return faults


def orphan_rows(lake: Lakehouse, publication: Publication, ingested_at: datetime) -> list[str]:
    """Sentences on rows of the run whose file is not recorded as ingested; empty when none."""
    accepted, rejected = _counts(lake, publication, ingested_at)
    recorded = {
        f["file_id"] for f in _files(lake, publication, ingested_at) if f["status"] == "ingested"
    }
    return [
        f"{count} rows carry file id {file_id}, which is not recorded as ingested."
        for file_id, count in sorted((accepted + rejected).items())
        if file_id not in recorded
    ]


def _counts(
    lake: Lakehouse, publication: Publication, ingested_at: datetime
) -> tuple[Counter[str], Counter[str]]:
    accepted: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for contract in raw_tables().values():
        if contract.name == INGESTED_FILES.name or contract.name not in publication.tables:
            continue
        file_column, _ = provenance_columns(contract)
        ids = _scan(lake, publication, contract, ingested_at, (file_column,)).column(0)
        counter = accepted if "_file_id" in contract.column_names else rejected
        for entry in pc.value_counts(ids.combine_chunks()).to_pylist():
            counter[entry["values"]] += entry["counts"]
    return accepted, rejected


def _files(
    lake: Lakehouse, publication: Publication, ingested_at: datetime
) -> list[dict[str, Any]]:
    columns = ("file_id", "uri", "status", "rows_total", "rows_accepted", "rows_rejected")
    return list(_scan(lake, publication, INGESTED_FILES, ingested_at, columns).to_pylist())


def _scan(
    lake: Lakehouse,
    publication: Publication,
    contract: TableContract,
    ingested_at: datetime,
    columns: tuple[str, ...],
) -> pa.Table:
    _, lender_column = provenance_columns(contract)
    return lake.scan(
        contract.name,
        publication.table(contract.name).snapshot_id,
        And(
            EqualTo(lender_column, publication.lender_id),
            EqualTo("_ingested_at", ingested_at.isoformat()),
        ),
        columns,
    )
