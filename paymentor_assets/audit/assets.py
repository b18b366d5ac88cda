"""Audit in the asset graph: the ledger in the lakehouse, the publications, the upkeep."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from paymentor_assets.asset_metadata import (
    DATA_ENGINEERING,
    RISK,
    asset_key,
    preview_metadata,
    table_metadata,
)
from paymentor_assets.audit import ledger as chain
from paymentor_assets.audit.maintenance import Upkeep, maintain
from paymentor_assets.audit.micro_batches import LEDGER_BATCH, copy_new_rows
from paymentor_assets.audit.publications import PUBLICATIONS, RunInfo
from paymentor_assets.audit.tables import LEDGER, MAINTENANCE
from resources.clock import Clock
from resources.errors import LedgerError
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_store import OperationalStore

GROUP = "audit"
CODE_VERSION = "1"
_PREVIEW_ROWS = 5


def _common(contract: TableContract, owner: str) -> dict[str, Any]:
    return {
        "key": asset_key(contract),
        "group_name": GROUP,
        "owners": [owner],
        "kinds": {"iceberg", "python"},
        "code_version": CODE_VERSION,
        "description": contract.description,
        "metadata": table_metadata(contract),
    }


@dg.multi_asset(
    name="ledger",
    specs=[dg.AssetSpec(**_common(LEDGER, RISK))],
    check_specs=[
        dg.AssetCheckSpec(
            "chain_holds",
            asset=asset_key(LEDGER),
            description="Every entry follows from the entries before it.",
            blocking=True,
        )
    ],
)
def ledger(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Copy new ledger entries, and walk the chain of all of them."""
    run = RunInfo(context.run.run_id, CODE_VERSION, clock)
    copied = copy_new_rows(lakehouse, operational_store, LEDGER_BATCH, run)
    fault: str | None = None
    try:
        chain.verify(operational_store)
    except LedgerError as error:
        fault = str(error)  # what the check reports; everything else is an error of the run
    yield dg.MaterializeResult(
        metadata={
            **_table_metadata(lakehouse, LEDGER),
            "rows_added": copied.rows,
            "last_sequence": copied.last_sequence,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="chain_holds", passed=fault is None, metadata={"fault": fault or "none"}
            )
        ],
    )


#: Every stage writes it, so no one step makes it.
publications = dg.AssetSpec(**_common(PUBLICATIONS, DATA_ENGINEERING))


@dg.multi_asset(
    name="maintenance",
    specs=[dg.AssetSpec(**_common(MAINTENANCE, DATA_ENGINEERING), deps=[asset_key(LEDGER)])],
)
def maintenance(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    receipt_clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """Fewer files, fewer snapshots, no litter; ages are those of files, so the clock is real."""
    run = RunInfo(context.run.run_id, CODE_VERSION, receipt_clock)
    done = maintain(lakehouse, receipt_clock, run)
    return dg.MaterializeResult(
        metadata={
            **_table_metadata(lakehouse, MAINTENANCE),
            "tables_looked_at": len(done),
            "files_removed": sum(upkeep.files_removed for upkeep in done),
            "bytes_freed": sum(upkeep.bytes_freed for upkeep in done),
            "snapshots_expired": sum(upkeep.snapshots_expired for upkeep in done),
            "done": dg.MetadataValue.md(_listed(done)),
        }
    )


ASSETS: Sequence[Any] = [ledger, publications, maintenance]


def _listed(done: Sequence[Upkeep]) -> str:
    lines = [
        f"- {u.table}: {u.files_before} to {u.files_after} files, {u.snapshots_expired} snapshots "
        f"expired, {u.files_removed} files removed"
        + (", overtaken by a writer" if u.is_overtaken else "")
        for u in done
        if not u.is_nothing
    ]
    return "\n".join(lines) or "Every table was fine as it was."


def _table_metadata(lake: Lakehouse, contract: TableContract) -> dict[str, Any]:
    snapshot_id = lake.head(contract.name)
    if snapshot_id is None:
        return {"dagster/row_count": 0}
    scan = lake.load(contract.name).scan(limit=_PREVIEW_ROWS)
    return {
        "dagster/row_count": int(lake.summary(contract.name).get("total-records", 0)),
        # Text: snapshot ids are 64-bit, and the browser's numbers are not.
        "iceberg_snapshot_id": dg.MetadataValue.text(str(snapshot_id)),
        "preview": preview_metadata(scan.to_arrow()),
    }
