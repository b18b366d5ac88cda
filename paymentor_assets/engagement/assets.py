"""Engagement in the asset graph: the stream that feeds it, and the dispatch that answers to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from paymentor_assets.asset_metadata import (
    DATA_ENGINEERING,
    RISK,
    asset_key,
    preview_metadata,
    table_metadata,
)
from paymentor_assets.audit.micro_batches import Copied, copy_new_rows
from paymentor_assets.audit.publications import Publication, RunInfo
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.engagement import checks
from paymentor_assets.engagement.batches import (
    decisions_batch,
    deliveries_batch,
    publish_dispatch,
)
from paymentor_assets.engagement.dispatch import carry_out
from paymentor_assets.engagement.dispatch_result import DispatchResult
from paymentor_assets.engagement.events import normalise_events
from paymentor_assets.engagement.stream_ingest import ShardRange, ingest_ranges, pending_ranges
from paymentor_assets.engagement.tables import (
    DELIVERIES,
    DISPATCH_DECISIONS,
    EVENTS,
    RAW_EVENTS,
    UNPARSED_EVENTS,
)
from paymentor_assets.lenders import Lender
from paymentor_assets.partitions import daily, days_of, lenders_of
from resources.channels import Channel
from resources.clock import Clock
from resources.lakehouse import Lakehouse, TableContract
from resources.operational_store import OperationalStore
from resources.streams import Stream
from resources.vault import Vault

GROUP = "engagement"
#: Apart from what comes back, or the collapsed lineage would be a circle.
DISPATCH_GROUP = "dispatch"
CODE_VERSION = "1"
_PREVIEW_ROWS = 5
_PLANNED = [dg.AssetKey(["decisions", name]) for name in ("actions", "offers")]
#: Made set-based in DuckDB; the others are rows of the operational store.
_DERIVED = (RAW_EVENTS, EVENTS, UNPARSED_EVENTS)
#: Sealed bytes say nothing to a reader.
_NOT_SHOWN = frozenset({"payload_sealed"})


def _spec(contract: TableContract, owner: str, **arguments: Any) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(contract),
        group_name=DISPATCH_GROUP if contract in (DISPATCH_DECISIONS, DELIVERIES) else GROUP,
        owners=[owner],
        kinds={"iceberg", "duckdb"} if contract in _DERIVED else {"iceberg", "python"},
        code_version=CODE_VERSION,
        description=contract.description,
        metadata=table_metadata(contract),
        **arguments,
    )


class StreamConfig(dg.Config):
    """Which ranges to read: by shard {after, upto}; none means everything up to the heads."""

    ranges: dict[str, dict[str, int]] | None = None


@dg.multi_asset(
    name="engagement__raw_events",
    specs=[_spec(RAW_EVENTS, DATA_ENGINEERING)],
    check_specs=[
        dg.AssetCheckSpec(
            "every_record_once",
            asset=asset_key(RAW_EVENTS),
            description="Every sequence number up to the committed offset stands exactly once.",
            blocking=True,
        )
    ],
)
def raw_events(
    context: dg.AssetExecutionContext,
    config: StreamConfig,
    lakehouse: dg.ResourceParam[Lakehouse],
    streams: dg.ResourceParam[Stream],
    vault: dg.ResourceParam[Vault],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    receipt_clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Append exact ranges of the engagement stream, once."""
    if config.ranges:
        ranges = {shard: ShardRange(**wanted) for shard, wanted in config.ranges.items()}
    else:
        ranges = {
            shard: wanted
            for lender in lenders_of(context, lenders)
            for shard, wanted in pending_ranges(
                lakehouse, streams, lender_id=lender.lender_id
            ).items()
        }
    run = RunInfo(context.run.run_id, CODE_VERSION, receipt_clock)
    result = ingest_ranges(lakehouse, streams, vault, lenders, ranges, run)
    for shard in result.skipped:
        context.log.info(f"The range of {shard} was committed before; nothing was read.")
    faults = checks.shards_not_whole(lakehouse)
    yield dg.MaterializeResult(
        metadata={
            **_table_metadata(lakehouse, RAW_EVENTS),
            "rows_added": result.rows,
            "offsets": dg.MetadataValue.json(dict(result.offsets)),
            "skipped_shards": dg.MetadataValue.json(list(result.skipped)),
        },
        check_results=[_check("every_record_once", RAW_EVENTS, faults)],
    )


@dg.multi_asset(
    name="events",
    can_subset=True,
    specs=[
        _spec(contract, DATA_ENGINEERING, deps=[asset_key(RAW_EVENTS)], skippable=True)
        for contract in (EVENTS, UNPARSED_EVENTS)
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "every_event_once",
            asset=asset_key(EVENTS),
            description="No event id stands twice.",
            blocking=True,
        )
    ],
)
def events(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    vault: dg.ResourceParam[Vault],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Normalise what is new; both tables are always brought up to date, whichever is asked for."""
    run = RunInfo(context.run.run_id, CODE_VERSION, clock)
    result = normalise_events(lakehouse, operational_store, vault, lenders, run)
    figures: Mapping[TableContract, dict[str, Any]] = {
        EVENTS: {
            "rows_added": result.events,
            "raw_events_read": result.raw_rows,
            "duplicates": result.duplicates,
            "actions_unknown": result.unresolved,
            "people_suppressed": result.suppressions,
        },
        UNPARSED_EVENTS: {"rows_added": result.unparsed},
    }
    for contract, counts in figures.items():
        if asset_key(contract) in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=asset_key(contract),
                metadata={
                    **_table_metadata(lakehouse, contract),
                    **_publication_metadata(result.publications),
                    **counts,
                },
            )
    if any(check.name == "every_event_once" for check in context.selected_asset_check_keys):
        yield _check("every_event_once", EVENTS, checks.events_not_unique(lakehouse))


@dg.multi_asset(
    name="dispatch_decisions",
    specs=[_spec(DISPATCH_DECISIONS, RISK, deps=_PLANNED, partitions_def=daily)],
)
def dispatch_decisions(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    vault: dg.ResourceParam[Vault],
    channels: dg.ResourceParam[Mapping[str, Channel]],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """Carry out a planned day: judge again, send, write down.

    In simulated time the whole day, each action at its scheduled instant; in real time whatever is
    due now.
    """
    run = RunInfo(context.run.run_id, CODE_VERSION, clock)
    rulebook = Rulebook.load()
    total = DispatchResult()
    for lender in lenders_of(context, lenders):
        for day in days_of(context):
            result = carry_out(
                operational_store,
                lakehouse,
                vault,
                channels,
                lenders,
                rulebook,
                clock,
                run,
                lender_id=lender.lender_id,
                as_of_date=day,
            )
            context.log.info(f"{lender.lender_id} {day}: {result}")
            total.add(result)
    copied = copy_new_rows(lakehouse, operational_store, decisions_batch(), run)
    return dg.MaterializeResult(
        metadata={
            **_table_metadata(lakehouse, DISPATCH_DECISIONS),
            **_counts(total),
            "rows_added": copied.rows,
            "rulebook_version": rulebook.version,
        }
    )


@dg.multi_asset(
    name="deliveries",
    specs=[
        _spec(
            DELIVERIES, DATA_ENGINEERING, deps=[asset_key(DISPATCH_DECISIONS)], partitions_def=daily
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "sent_only_when_allowed",
            asset=asset_key(DELIVERIES),
            description="Every message that left has an allow of the same attempt.",
            blocking=True,
        )
    ],
)
def sent_messages(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    operational_store: dg.ResourceParam[OperationalStore],
    lenders: dg.ResourceParam[Mapping[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Copy new deliveries to the lakehouse and publish stage `dispatch`."""
    run = RunInfo(context.run.run_id, CODE_VERSION, clock)
    copied: Copied = copy_new_rows(lakehouse, operational_store, deliveries_batch(lenders), run)
    publications = publish_dispatch(lakehouse, operational_store, run)
    faults = checks.sends_without_allow(operational_store)
    yield dg.MaterializeResult(
        metadata={
            **_table_metadata(lakehouse, DELIVERIES),
            **_publication_metadata(publications),
            "rows_added": copied.rows,
        },
        check_results=[_check("sent_only_when_allowed", DELIVERIES, faults)],
    )


STREAM_ASSETS: Sequence[dg.AssetsDefinition] = [raw_events, events]
DISPATCH_ASSETS: Sequence[dg.AssetsDefinition] = [dispatch_decisions, sent_messages]


def _table_metadata(lake: Lakehouse, contract: TableContract) -> dict[str, Any]:
    snapshot_id = lake.head(contract.name)
    metadata: dict[str, Any] = {"dagster/row_count": checks.row_count(lake, contract.name)}
    if snapshot_id is not None:
        # Text: snapshot ids are 64-bit, and the browser's numbers are not.
        metadata["iceberg_snapshot_id"] = dg.MetadataValue.text(str(snapshot_id))
        shown = [name for name in contract.column_names if name not in _NOT_SHOWN]
        scan = lake.load(contract.name).scan(selected_fields=tuple(shown), limit=_PREVIEW_ROWS)
        metadata["preview"] = preview_metadata(scan.to_arrow())
    return metadata


def _publication_metadata(publications: Sequence[Publication]) -> dict[str, Any]:
    return {
        "publication_id": dg.MetadataValue.text(
            ", ".join(p.publication_id for p in publications) or "none"
        ),
        "is_new_publication": any(p.is_new for p in publications),
    }


def _counts(result: DispatchResult) -> dict[str, Any]:
    counts: dict[str, Any] = dict(vars(result))
    rules = dict(sorted(counts.pop("blocked_by_rule").items()))
    return {**counts, "blocked_by_rule": dg.MetadataValue.json(rules)}


def _check(name: str, contract: TableContract, faults: Sequence[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset_key(contract),
        passed=not faults,
        metadata={"faults": dg.MetadataValue.json(list(faults[:20]))},
    )
