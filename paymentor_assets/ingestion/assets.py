"""Ingestion in the asset graph: one step that fills every `raw/*` table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from paymentor_assets.asset_metadata import (
    DATA_ENGINEERING,
    asset_key,
    preview_metadata,
    table_metadata,
)
from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.ingestion.connector_assets import KEY as CONNECTOR_FILES
from paymentor_assets.ingestion.connectors.bureau_pull import BureauPull
from paymentor_assets.ingestion.connectors.consent_status import ConsentStatus
from paymentor_assets.ingestion.connectors.payments import PaymentEvents
from paymentor_assets.ingestion.conservation import lost_rows, orphan_rows
from paymentor_assets.ingestion.contracts.book import ContractBook, feed_of_table
from paymentor_assets.ingestion.contracts.tables import INGESTED_FILES, raw_tables
from paymentor_assets.ingestion.doors import Doors
from paymentor_assets.ingestion.ingest import ingest
from paymentor_assets.ingestion.result import IngestionResult, Progress
from paymentor_assets.lenders import Lender, lender_named
from paymentor_assets.partitions import lenders_of
from resources.clock import Clock, naive_utc
from resources.lakehouse import Lakehouse, TableContract
from resources.landing_zone import LandedFile, LandingZone
from resources.openpgp import PgpKeys
from resources.operational_store import OperationalStore
from resources.session_keys import SessionKeys
from resources.vault import Vault

GROUP = "ingestion"
INGESTION_VERSION = "1"
_BY_CONNECTORS = {*BureauPull.feeds, *ConsentStatus.feeds, *PaymentEvents.feeds}
_FILES_KEY = asset_key(INGESTED_FILES)
_CHECKS = {
    "rows_conserved": "Every row of every file is in raw.* or in raw.rejected_rows.",
    "no_orphan_rows": "Every row belongs to a file that is recorded as ingested.",
}


class IngestionConfig(dg.Config):
    """What to take in: by default whatever waits, of the lenders of the run."""

    lender: str | None = None
    #: Exactly these files (uris of the landing zone), also those that were given up; one that is
    #: gone meanwhile is left out, and said.
    uris: list[str] | None = None


def _spec(contract: TableContract) -> dg.AssetSpec:
    feed = feed_of_table().get(contract.name)
    return dg.AssetSpec(
        asset_key(contract),
        deps=[CONNECTOR_FILES] if feed is not None and feed.feed in _BY_CONNECTORS else [],
        group_name=GROUP,
        owners=[DATA_ENGINEERING],
        kinds={"iceberg", "duckdb"},
        code_version=INGESTION_VERSION,
        description=contract.description,
        metadata=table_metadata(contract),
    )


@dg.multi_asset(
    name="raw",
    specs=[_spec(contract) for contract in raw_tables().values()],
    check_specs=[
        dg.AssetCheckSpec(name, asset=_FILES_KEY, description=description, blocking=True)
        for name, description in _CHECKS.items()
    ],
)
def raw(
    context: dg.AssetExecutionContext,
    config: IngestionConfig,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    vault: dg.ResourceParam[Vault],
    landing_zone: dg.ResourceParam[LandingZone],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    contracts: dg.ResourceParam[ContractBook],
    pgp_keys: dg.ResourceParam[Callable[[str], PgpKeys]],
    session_keys: dg.ResourceParam[Callable[[str], SessionKeys]],
    receipt_clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Take in the waiting files of every lender of the run."""
    run = RunInfo(context.run.run_id, INGESTION_VERSION, receipt_clock)
    doors = Doors(
        lakehouse,
        operational_store,
        vault,
        landing_zone,
        lenders,
        contracts,
        pgp_keys,
        session_keys,
    )
    chosen = (
        lenders_of(context, lenders)
        if config.lender is None
        else [lender_named(lenders, config.lender)]
    )
    files: list[LandedFile] | None = None
    gone: list[str] = []
    if config.uris is not None:
        files, gone = _named_files(landing_zone, config.uris)
        for uri in gone:
            context.log.warning(f"{uri} is not in the landing zone any more; it was left out.")

    def report(progress: Progress) -> None:
        context.log.info(f"{progress.step}: {progress.done} of {progress.total} files")

    results = [
        ingest(
            doors,
            run,
            lender_id=lender.lender_id,
            files=files,
            progress=report,
        )
        for lender in chosen
    ]
    for file in (f for result in results for f in result.files):
        if file.status == "unfinished":
            context.log.error(str(file.message))
    for contract in raw_tables().values():
        is_files = contract.name == INGESTED_FILES.name
        metadata = _metadata(lakehouse, results, contract)
        if is_files:
            metadata |= _files_metadata(results, receipt_clock)
            if gone:
                metadata["files_gone"] = dg.MetadataValue.md(_lines(gone))
        yield dg.MaterializeResult(
            asset_key=asset_key(contract),
            metadata=metadata,
            check_results=_checks(lakehouse, results) if is_files else None,
        )


ASSETS: Sequence[dg.AssetsDefinition] = [raw]


def _named_files(landing: LandingZone, uris: Sequence[str]) -> tuple[list[LandedFile], list[str]]:
    """The named files, and the names of those that are gone."""
    listed = {f.uri: f for f in landing.list()}
    return [listed[u] for u in uris if u in listed], [u for u in uris if u not in listed]


def _metadata(
    lake: Lakehouse, results: Sequence[IngestionResult], contract: TableContract
) -> dict[str, Any]:
    publications = [r.publication for r in results if r.publication is not None]
    snapshots = [
        p.tables[contract.name].snapshot_id for p in publications if contract.name in p.tables
    ]
    previews = [r.previews[contract.name] for r in results if contract.name in r.previews]
    metadata: dict[str, Any] = {
        "rows_added": sum(r.rows_added.get(contract.name, 0) for r in results),
        "rows_of_dead_runs_deleted": sum(
            r.dead_rows_deleted.get(contract.name, 0) for r in results
        ),
    }
    if snapshots:
        summary = lake.summary(contract.name, snapshots[-1])
        metadata["dagster/row_count"] = int(summary.get("total-records", 0))
        # Text: snapshot ids are 64-bit, and the browser's numbers are not.
        metadata["iceberg_snapshot_id"] = dg.MetadataValue.text(str(snapshots[-1]))
        metadata["publication_id"] = dg.MetadataValue.text(publications[-1].publication_id)
    if previews:
        metadata["preview"] = preview_metadata(previews[0])
    return metadata


def _files_metadata(results: Sequence[IngestionResult], clock: Clock) -> dict[str, Any]:
    files = [f for r in results for f in r.files]
    metadata: dict[str, Any] = {
        f"files_{status}": sum(f.status == status for f in files)
        for status in ("ingested", "rejected", "duplicate", "unfinished")
    }
    metadata["rows_accepted"] = sum(f.rows_accepted for f in files)
    metadata["rows_rejected"] = sum(f.rows_rejected for f in files)
    now = clock.now()
    latencies = [
        (now - f.landed.completed_at_utc).total_seconds()
        for f in files
        if f.landed.completed_at_utc is not None and f.is_decided_now
    ]
    if latencies:
        metadata["ingestion_latency_seconds"] = dg.MetadataValue.float(round(max(latencies), 3))
    if complaints := [f for f in files if f.message is not None and not f.was_recorded]:
        metadata["messages"] = dg.MetadataValue.md(
            _lines([f"{f.status}: {f.message}" for f in complaints])
        )
    return metadata


def _lines(items: Sequence[str], limit: int = 50) -> str:
    lines = [f"- {item}" for item in items[:limit]]
    if len(items) > limit:
        lines.append(f"- and {len(items) - limit} more, in {INGESTED_FILES.name}")
    return "\n".join(lines)


def _checks(lake: Lakehouse, results: Sequence[IngestionResult]) -> list[dg.AssetCheckResult]:
    faults: dict[str, list[str]] = {name: [] for name in _CHECKS}
    for result in results:
        if result.publication is None or result.is_nothing_new:
            continue
        instant = naive_utc(result.files[0].received_at)
        faults["rows_conserved"] += lost_rows(lake, result.publication, instant)
        faults["no_orphan_rows"] += orphan_rows(lake, result.publication, instant)
    return [
        dg.AssetCheckResult(
            check_name=name,
            asset_key=_FILES_KEY,
            passed=not found,
            metadata={"faults": len(found), "first": found[0] if found else ""},
        )
        for name, found in faults.items()
    ]
