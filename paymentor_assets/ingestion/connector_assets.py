"""Connectors in the asset graph: one step that asks the sources of a lender for what is new."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from paymentor_assets.asset_metadata import DATA_ENGINEERING
from paymentor_assets.connections import ConnectorBook
from paymentor_assets.ingestion.connectors.delivery import Delivered
from paymentor_assets.ingestion.connectors.pull import Doors, pull
from paymentor_assets.ingestion.connectors.records import verify_exchanges
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import lenders_of
from resources.clock import Clock, as_utc
from resources.errors import LedgerError, PayMentorError
from resources.lakehouse import Lakehouse
from resources.landing_zone import WritableLandingZone
from resources.operational_schema import connector_deliveries
from resources.operational_store import OperationalStore

GROUP = "ingestion"
CONNECTORS_VERSION = "1"
KEY = dg.AssetKey(["landing", "connector_files"])
_COLUMNS = {
    "uri": "Where the file stands in the landing zone.",
    "delivery_id": "What was delivered together.",
    "lender_id": "Lender.",
    "connector": "Which of the lender's connectors wrote it.",
    "feed": "Feed whose contract the file is held to.",
    "file_id": "SHA-256 of its bytes, as in raw.ingested_files.",
    "row_count": "Rows in the file.",
    "delivered_at_utc": "When it was delivered, UTC.",
}


class ConnectorConfig(dg.Config):
    """What to ask: by default every connector of the lenders of the run."""

    connector: str | None = None
    #: Read a payment processor's events again from this instant on (ISO 8601 with an offset).
    since: str | None = None


@dg.multi_asset(
    name="connector_files",
    specs=[
        dg.AssetSpec(
            KEY,
            group_name=GROUP,
            owners=[DATA_ENGINEERING],
            kinds={"python"},
            code_version=CONNECTORS_VERSION,
            description=(
                "Files that connectors put into the landing zone: bureau reports that were due, "
                "payments of a processor, changed consents. The landing sensor takes them in like "
                "any other file."
            ),
            metadata={
                "dagster/column_schema": dg.TableSchema(
                    columns=[
                        dg.TableColumn(
                            c.name, type=str(c.type).lower(), description=_COLUMNS[c.name]
                        )
                        for c in connector_deliveries.columns
                    ]
                )
            },
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "exchanges_are_as_recorded",
            asset=KEY,
            description="Exchanges of the run are what their ledger entries say they were.",
            blocking=True,
        )
    ],
)
def connector_files(
    context: dg.AssetExecutionContext,
    config: ConnectorConfig,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    landing_zone: dg.ResourceParam[WritableLandingZone],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    connectors: dg.ResourceParam[ConnectorBook],
    contracts: dg.ResourceParam[ContractBook],
    receipt_clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Run the connectors one after the other; a source that fails does not keep the others."""
    doors = Doors(lakehouse, operational_store, landing_zone, connectors, contracts, receipt_clock)
    since = None if config.since is None else as_utc(datetime.fromisoformat(config.since))
    done: dict[str, Delivered] = {}
    faults: list[PayMentorError] = []
    for lender in lenders_of(context, lenders):
        chosen = (
            list(connectors.of(lender.lender_id))
            if config.connector is None
            else [config.connector]
        )
        for name in chosen:
            try:
                done[f"{lender.lender_id}/{name}"] = pull(
                    doors, lender, name, actor=f"run:{context.run.run_id}", since=since
                )
            except PayMentorError as error:
                context.log.error(f"{lender.lender_id}/{name}: {error}")
                faults.append(error)
    if faults:
        raise faults[0]
    yield dg.MaterializeResult(
        metadata=_metadata(done), check_results=[_recorded_check(operational_store, done)]
    )


ASSETS: Sequence[dg.AssetsDefinition] = [connector_files]


def _metadata(done: Mapping[str, Delivered]) -> dict[str, Any]:
    files = [uri for delivered in done.values() for uri in delivered.files]
    exchanges = [number for delivered in done.values() for number in delivered.exchanges]
    return {
        "connectors": len(done),
        "files": len(files),
        "rows": sum(sum(delivered.rows.values()) for delivered in done.values()),
        "exchanges": len(exchanges),
        "ledger_entries": dg.MetadataValue.text(
            f"{min(exchanges)} to {max(exchanges)}" if exchanges else "none"
        ),
        "uris": dg.MetadataValue.md("\n".join(f"- {uri}" for uri in files) or "Nothing was new."),
    }


def _recorded_check(store: OperationalStore, done: Mapping[str, Delivered]) -> dg.AssetCheckResult:
    exchanges = [number for delivered in done.values() for number in delivered.exchanges]
    fault: str | None = None
    count = 0
    try:
        if exchanges:
            count = verify_exchanges(store, first=min(exchanges))
    except LedgerError as error:
        fault = str(error)  # what the check reports; everything else is an error of the run
    return dg.AssetCheckResult(
        check_name="exchanges_are_as_recorded",
        asset_key=KEY,
        passed=fault is None,
        metadata={"exchanges": count, "fault": fault or "none"},
    )
