"""The dbt project in the asset graph: one build a lender, published when its tests passed."""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from graphlib import TopologicalSorter
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version
from pydantic import Field

from paymentor_assets.asset_metadata import (
    lineage_metadata,
    published_metadata,
    table_metadata,
)
from paymentor_assets.audit.publications import RunInfo, read_table
from paymentor_assets.audit.sealing import sealed_days_of
from paymentor_assets.features.build import (
    BUILD_ARGUMENTS,
    Plan,
    dbt_environment,
    not_passed,
    plan_build,
    prepare,
    process_environment,
    publish_plan,
    published_before,
)
from paymentor_assets.features.lineage import (
    Lineage,
    column_lineage,
    keep,
    kept,
    lineage_path,
)
from paymentor_assets.features.project import (
    PROJECT_DIR,
    TARGET,
    code_version,
    require_manifest,
)
from paymentor_assets.features.publish import Published
from paymentor_assets.features.scratch import row_counts
from paymentor_assets.features.tables import NAMESPACE, feature_tables
from paymentor_assets.features.translation import LakehouseTranslator
from paymentor_assets.lenders import LenderBook
from paymentor_assets.partitions import daily, days_of, lenders_of
from paymentor_assets.settings import Settings
from resources.clock import Clock
from resources.errors import PublicationError, UsageError
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore

POOL = "duckdb_writer"

_Event = dg.Output[object] | dg.AssetCheckResult
_Events = dict[tuple[str, ...], _Event]


class FeaturesConfig(dg.Config):
    """Days to build instead of the run's partitions: training asks for weekly ones.

    The run's partition is the last of them.
    """

    as_of_dates: list[str] = Field(default_factory=list)


class HouseDbt(DbtCliResource):
    """The dbt door of this project."""

    @cached_property
    def _cli_version(self) -> Version:
        # The parent starts `dbt --version` for this, which takes two seconds of each run.
        return Version(installed_version("dbt-core"))


def dbt_resource() -> HouseDbt:
    """dbt as the platform runs it: own target, no debug log file."""
    return HouseDbt(
        project_dir=str(PROJECT_DIR),
        profiles_dir=str(PROJECT_DIR),
        target=TARGET,
        global_config_flags=["--log-level-file=none"],
        # Beside this interpreter, wherever PATH points.
        dbt_executable=str(Path(sys.executable).with_name("dbt")),
    )


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The dbt models as assets and its tests as checks.

    Raises SettingsError naming the command when the dbt manifest is absent.
    """

    @dbt_assets(
        manifest=require_manifest(),
        project=DbtProject(project_dir=PROJECT_DIR, profiles_dir=PROJECT_DIR, target=TARGET),
        name="features",
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=POOL,
        dagster_dbt_translator=LakehouseTranslator(),
    )
    def features(
        context: dg.AssetExecutionContext,
        config: FeaturesConfig,
        dbt: DbtCliResource,
        lakehouse: dg.ResourceParam[Lakehouse],
        operational_store: dg.ResourceParam[OperationalStore],
        lenders: dg.ResourceParam[LenderBook],
        clock: dg.ResourceParam[Clock],
    ) -> Iterator[_Event]:
        days = _days_asked(context, config)
        _require_all_marts(context)
        run = RunInfo(context.run.run_id, code_version(), clock)
        merged: _Events = {}
        for lender in lenders_of(context, lenders):
            plan = plan_build(settings, lakehouse, lender, days, run)
            _tell(context, plan)
            if plan.freshness.nothing_new:
                held = published_before(lakehouse, plan, max(days))
                merged = {**_unchanged(context, lakehouse, held), **merged}
                continue
            sealed = sealed_days_of(operational_store, lender.lender_id)
            events, error = _build(context, dbt, settings, lakehouse, plan, run, sealed)
            _merge(merged, events)
            if error is not None:
                yield from (e for e in merged.values() if isinstance(e, dg.AssetCheckResult))
                raise error
        yield from merged.values()

    return [features]


def _tell(context: dg.AssetExecutionContext, plan: Plan) -> None:
    """Which days are built, and why; which are not."""
    lender_id = plan.lender.lender_id
    for day, reason in sorted(plan.freshness.stale.items()):
        context.log.info(f"{lender_id}: {day.isoformat()} is built, since {reason}.")
    if plan.freshness.published:
        held = ", ".join(day.isoformat() for day in sorted(plan.freshness.published))
        context.log.info(f"{lender_id}: nothing is new for {held}; what is published stands.")


def _build(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    settings: Settings,
    lake: Lakehouse,
    plan: Plan,
    run: RunInfo,
    sealed: Collection[date],
) -> tuple[_Events, PublicationError | None]:
    """One dbt build and its publication; what failed comes back beside the events."""
    prepare(plan)
    target_path = plan.place.target_path
    known = lineage_path(target_path, run.code_version)
    seen: list[Any] = []
    variables = dbt_environment(settings, plan.place)
    try:
        with process_environment(variables):
            invocation = dbt.cli([*BUILD_ARGUMENTS], context=context, target_path=target_path)
            seen.extend(invocation.stream())
    except DagsterDbtCliRuntimeError as error:
        return _by_key(seen), not_passed(variables, plan.place, plan.lender.lender_id, str(error))
    events = _by_key(seen)
    if not known.exists():
        keep(known, column_lineage(target_path, plan.place.scratch))
    events = _described(events, kept(known), row_counts(plan.place.scratch))
    published = publish_plan(lake, plan, run, sealed)
    context.log.info(
        f"{plan.lender.lender_id}: publication {published.features.publication_id} "
        f"{'is new' if published.features.is_new else 'held the same content already'}."
    )
    return {key: _with_publication(event, lake, published) for key, event in events.items()}, None


def _unchanged(context: dg.AssetExecutionContext, lake: Lakehouse, held: Published) -> _Events:
    """Events of a build that was not needed: the tests passed when this content was published."""
    definition = context.assets_def
    names = {key: name for name, key in definition.keys_by_output_name.items()}
    # Dagster wants outputs after those that they depend on.
    upstream = {spec.key: [dep.asset_key for dep in spec.deps] for spec in definition.specs}
    outputs = [
        dg.Output(None, output_name=names[key])
        for key in TopologicalSorter(upstream).static_order()
        if key in context.selected_asset_keys
    ]
    checks = [
        dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=True,
            metadata={"passed_for_publication": held.features.publication_id},
        )
        for key in context.selected_asset_check_keys
    ]
    return {
        key: _with_publication(event, lake, held)
        for key, event in _by_key([*outputs, *checks]).items()
    }


def _merge(merged: _Events, events: _Events) -> None:
    """Add a lender's events; a check of several lenders passes when it passes for each."""
    for key, event in events.items():
        before = merged.get(key)
        if not (isinstance(before, dg.AssetCheckResult) and not before.passed):
            merged[key] = event


def _days_asked(context: dg.AssetExecutionContext, config: FeaturesConfig) -> list[date]:
    """The days to build: those of the configuration, else the run's partitions.

    Dagster gives events of partitioned assets a place only in a run that has a partition, and the
    partition is then shown as materialised: it must be one of the days.
    """
    if not (context.has_partition_key or context.has_partition_key_range):
        raise UsageError(
            "A run of features needs a partition; give it the last day of `as_of_dates`."
        )
    partitions = days_of(context)
    days = [date.fromisoformat(day) for day in config.as_of_dates] or partitions
    strangers = sorted(set(partitions) - set(days))
    if strangers:
        raise UsageError(
            f"Partition {strangers[0]} of the run is not among its `as_of_dates`, so it would be "
            "shown as built without being built; start the run for the last of those days."
        )
    return days


def _described(events: _Events, lineage: Lineage, rows: Mapping[str, int]) -> _Events:
    """The events with what was found out about their tables after the build."""
    described = dict(events)
    for key, event in events.items():
        if isinstance(event, dg.Output):
            metadata = {**event.metadata}
            if event.output_name in lineage:
                metadata |= lineage_metadata(lineage[event.output_name])
            if event.output_name in rows:
                metadata["dagster/row_count"] = dg.MetadataValue.int(rows[event.output_name])
            described[key] = event.with_metadata(metadata)
    return described


def _with_publication(event: _Event, lake: Lakehouse, published: Published) -> _Event:
    if not isinstance(event, dg.Output):
        return event
    layer, _, name = str(event.output_name).partition("__")
    if layer != NAMESPACE:
        return event
    contract = feature_tables()[f"{layer}.{name}"]
    metadata: dict[str, Any] = {
        **event.metadata,
        **table_metadata(contract),
        "lender_id": published.features.lender_id,
    }
    publication = published.of(contract.name)
    if publication is not None:
        preview = read_table(lake, publication, contract).slice(0, 5)
        metadata |= published_metadata(publication, contract.name, preview)
    return event.with_metadata(metadata)


def _require_all_marts(context: dg.AssetExecutionContext) -> None:
    """Marts are published together or not at all: a run names all of them or none."""
    marts = {dg.AssetKey(name.split(".")) for name in feature_tables()}
    missing = marts - context.selected_asset_keys
    if missing:
        raise UsageError(
            "Feature tables are built and published together; select all of group `features` "
            f"(missing: {', '.join(sorted(k.to_user_string() for k in missing))})."
        )


def _by_key(events: Iterable[object]) -> _Events:
    return {_key(e): e for e in events if isinstance(e, dg.Output | dg.AssetCheckResult)}


def _key(event: _Event) -> tuple[str, ...]:
    if isinstance(event, dg.AssetCheckResult):
        assert event.asset_key is not None and event.check_name is not None
        return ("check", *event.asset_key.path, event.check_name)
    return ("output", str(event.output_name))
