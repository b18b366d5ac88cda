"""Monitoring of what scored, in the asset graph: a table by day, a plot and a check a monitor."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.asset_metadata import (
    DATA_SCIENCE,
    asset_key,
    published_metadata,
    table_metadata,
)
from paymentor_assets.audit.publications import RunInfo, publish_days, read_table
from paymentor_assets.lenders import Lender
from paymentor_assets.models import plots
from paymentor_assets.models.development import development_lakehouse
from paymentor_assets.models.handover import hand_over_monitoring
from paymentor_assets.models.monitoring_table import MONITORING, MONITORS, OF_OUTCOMES, STAGE
from paymentor_assets.partitions import daily, days_of, lenders_of
from paymentor_assets.rankings.monitors import monitor_day, scored_publications
from paymentor_assets.rankings.watched import WATCHED
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry

MONITORING_VERSION = "2"
_KEY = asset_key(MONITORING)


@dg.asset(
    key=_KEY,
    deps=[
        *(asset_key(watched.table) for watched in WATCHED),
        dg.AssetKey(["features", "account_features"]),
        dg.AssetKey(["features", "customer_profile"]),
        dg.AssetKey(["features", "repayment_labels"]),
    ],
    group_name="models",
    owners=[DATA_SCIENCE],
    kinds={"iceberg"},
    code_version=MONITORING_VERSION,
    description=(
        "How far a day's features, scores and known outcomes are from what the models that scored "
        "it learned, all families alike. Handed over to model development, whose drift sensor asks "
        "for training."
    ),
    metadata=table_metadata(MONITORING),
    partitions_def=daily,
    check_specs=[
        dg.AssetCheckSpec(name, asset=_KEY, description=description)
        for name, description in MONITORS.items()
    ],
)
def monitoring(
    context: dg.AssetExecutionContext,
    lakehouse: dg.ResourceParam[Lakehouse],
    registry: dg.ResourceParam[ModelRegistry],
    settings: dg.ResourceParam[Settings],
    lenders: dg.ResourceParam[dict[str, Lender]],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Measure every day and lender of the run, publish, and hand the measures over."""
    run = RunInfo(context.run.run_id, MONITORING_VERSION, clock)
    development = development_lakehouse(settings.development_dir)
    published = []
    for day in days_of(context):
        for lender in lenders_of(context, lenders):
            rows = monitor_day(lakehouse, registry, lender, day)
            scored = scored_publications(lakehouse, lender.lender_id, day)
            publication = publish_days(
                lakehouse,
                stage=STAGE,
                lender_id=lender.lender_id,
                days=[day],
                tables={MONITORING: rows},
                inputs=[publication.publication_id for publication in scored.values()],
                run=run,
            )
            hand_over_monitoring(development, publication, rows, run)
            published.append(publication)
    rows = pa.concat_tables(read_table(lakehouse, p, MONITORING) for p in published)
    alarms = rows.filter(rows.column("is_alarm"))
    yield dg.MaterializeResult(
        metadata={
            **published_metadata(published[-1], MONITORING.name, alarms),
            "dagster/row_count": rows.num_rows,
            "alarms": alarms.num_rows,
            **{name: dg.MetadataValue.md(_plot(rows, name)) for name in MONITORS},
        },
        check_results=[_check(rows, name) for name in MONITORS],
    )


def _measured(rows: pa.Table, monitor: str) -> pa.Table:
    return rows.filter(
        pc.and_(pc.equal(rows.column("monitor"), monitor), pc.is_valid(rows.column("value")))
    )


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['family']} {row['subject']}"


def _plot(rows: pa.Table, monitor: str) -> str:
    shown = {
        f"{row['lender_id']} {row['as_of_date']} {_named(row)}": row["value"]
        for row in _measured(rows, monitor).to_pylist()
    }
    return plots.bars(shown, f"{monitor.replace('_', ' ')}, largest first")


def _check(rows: pa.Table, monitor: str) -> dg.AssetCheckResult:
    measured = _measured(rows, monitor)
    alarms = measured.filter(measured.column("is_alarm"))
    subjects = sorted({_named(row) for row in alarms.to_pylist()})
    return dg.AssetCheckResult(
        check_name=monitor,
        asset_key=_KEY,
        # Outcomes may well not be known yet; a reference that is gone has to be seen.
        passed=alarms.num_rows == 0 and (measured.num_rows > 0 or monitor in OF_OUTCOMES),
        severity=dg.AssetCheckSeverity.WARN,
        description=", ".join(subjects) if measured.num_rows else "Nothing could be measured.",
        metadata={"measured": measured.num_rows, "alarms": alarms.num_rows},
    )
