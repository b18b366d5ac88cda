"""The dbt project inside Dagster: what a run publishes, shows and refuses."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from paymentor_assets.audit.publications import all_publications, newest
from paymentor_assets.features.assets import build_assets, dbt_resource
from paymentor_assets.lenders import LenderBook
from resources.clock import SystemClock
from resources.operational_store import OperationalStore
from tests.integration.features.conftest import DAY, NEXT, deliver_day, payment
from tests.support.raw_lake import RawLake


def _run(
    lake: RawLake, instance: dg.DagsterInstance, **options: object
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        build_assets(lake.settings),
        instance=instance,
        resources={
            "dbt": dbt_resource(),
            "lakehouse": lake.lake,
            "operational_store": OperationalStore(f"sqlite:///{lake.home}/operational.db"),
            "lenders": LenderBook(lake.settings.lenders_dir),
            "clock": SystemClock(),
        },
        raise_on_error=False,
        **options,  # type: ignore[arg-type]
    )


def _days(*days: date) -> dict[str, object]:
    return {"ops": {"features": {"config": {"as_of_dates": [str(day) for day in days]}}}}


# dagster-dbt's own call.
@pytest.mark.filterwarnings("ignore:AssetExecutionContext.op is deprecated:DeprecationWarning")
def test_a_day_in_dagster(tmp_path: Path) -> None:
    lake = RawLake(tmp_path)
    deliver_day(lake, DAY)
    lake.publish(DAY)
    with dg.DagsterInstance.ephemeral() as instance:
        result = _run(lake, instance, partition_key=DAY.isoformat())
        assert result.success
        publication = newest(lake.lake, "features", "meridian", DAY)
        assert publication is not None and publication.run_id == result.run_id
        shown = {
            m.asset_key.to_user_string(): m.metadata
            for m in result.asset_materializations_for_node("features")
        }
        for name, table in publication.tables.items():
            metadata = shown[name.replace(".", "/")]
            assert metadata["publication_id"].value == publication.publication_id
            assert metadata["iceberg_snapshot_id"].value == str(table.snapshot_id)
            assert metadata["dagster/row_count"].value == sum(table.rows.values())
            assert "dagster/column_lineage" in metadata
            assert metadata["dagster/column_schema"].value.columns[0].description
        lineage = shown["staging/stg_payments"]["dagster/column_lineage"].value
        (amount,) = lineage.deps_by_column["amount"]
        assert (amount.asset_key, amount.column_name) == (
            dg.AssetKey(["raw", "payments"]),
            "amount",
        )
        assert shown["intermediate/int_payment_days"]["dagster/row_count"].value == 1
        assert "dagster/row_count" not in shown["staging/stg_payments"]
        checks = result.get_asset_check_evaluations()
        assert checks and all(check.passed for check in checks)

        # Nothing is new: the run shows every asset and check again, without starting dbt.
        again = _run(lake, instance, partition_key=DAY.isoformat())
        assert again.success
        seen = {m.asset_key for m in again.asset_materializations_for_node("features")}
        assert seen == {m.asset_key for m in result.asset_materializations_for_node("features")}
        assert {c.check_name for c in again.get_asset_check_evaluations()} == {
            c.check_name for c in checks
        }
        for check in again.get_asset_check_evaluations():
            told = check.metadata["passed_for_publication"].value
            assert told == publication.publication_id

        # Days named in the configuration, as training asks for them, in one build.
        week_before = DAY - timedelta(days=7)
        weekly = _run(
            lake, instance, partition_key=DAY.isoformat(), run_config=_days(week_before, DAY)
        )
        assert weekly.success
        publications = all_publications(lake.lake, stage="features")
        assert [p.as_of_dates for p in publications] == [(DAY,), (week_before,)]

        # The next run fails a dbt test: the check says so, and nothing is published.
        odd = {**payment("P-odd", "A1", NEXT), "status": "maybe"}
        lake.deliver("raw.payments", lake.delivered(NEXT), [odd])
        lake.publish(NEXT)
        result = _run(
            lake,
            instance,
            partition_key=NEXT.isoformat(),
        )
        assert not result.success
        failed = [c.check_name for c in result.get_asset_check_evaluations() if not c.passed]
        assert len(failed) == 1 and failed[0].startswith("rows_satisfy_stg_payments")
        assert len(all_publications(lake.lake, stage="features")) == 2


@pytest.mark.parametrize(
    ("partition", "sentence"), [(None, "needs a partition"), ("2026-06-01", "not among its")]
)
def test_a_run_shows_only_days_that_it_built(
    tmp_path: Path, partition: str | None, sentence: str
) -> None:
    lake = RawLake(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        result = _run(lake, instance, partition_key=partition, run_config=_days(DAY))
    (failure,) = result.get_step_failure_events()
    assert sentence in str(failure.step_failure_data.error)


def test_marts_are_selected_together_or_not_at_all(tmp_path: Path) -> None:
    lake = RawLake(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        result = _run(
            lake,
            instance,
            partition_key=DAY.isoformat(),
            selection=[dg.AssetKey(["features", "account_features"])],
        )
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "built and published together" in str(failure.step_failure_data.error)
