"""A ranked day, monitored: quiet when the world stands still, loud when it moves."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets.audit.publications import publish_days
from paymentor_assets.features.publish import LABELS, STAGE
from paymentor_assets.models import handover
from paymentor_assets.models import registry as models
from paymentor_assets.models.monitoring_table import MONITORS
from paymentor_assets.rankings import monitoring_assets
from paymentor_assets.rankings.daily import rank_day
from paymentor_assets.rankings.monitors import monitor_day
from paymentor_assets.settings import Settings
from resources.errors import ApprovalError, PublicationError
from sensors.monitoring import build_monitoring_sensor
from tests.integration.models.conftest import Register
from tests.support.feature_days import LENDER, contract, feature_tables
from tests.support.model_lender import CLOCK, RUN, ModelLender, publish_features
from tests.support.trained_model import DAYS, LAST_DAY

#: Thirty days after LAST_DAY its outcomes are known.
DAY = LAST_DAY + timedelta(days=33)
CUSTOMERS = 300


def _publish_recent(place: ModelLender, change: str = "none") -> None:
    """Features of the ranked days and the outcomes of the earlier one, changed where asked."""
    tables = feature_tables(CUSTOMERS, [LAST_DAY, DAY])
    labels = {"features.repayment_labels": tables.pop("features.repayment_labels")}
    name = "features.account_features"
    accounts = tables[name]
    is_now = pc.equal(accounts.column("as_of_date"), pa.scalar(DAY))
    if change == "shift":
        later = pc.add(accounts.column("days_past_due"), 70)
        moved = pc.if_else(is_now, later, accounts.column("days_past_due"))
        accounts = _with(accounts, "days_past_due", moved)
    elif change == "lost":
        kept = pc.if_else(is_now, None, accounts.column("days_past_due"))
        accounts = _with(accounts, "days_past_due", kept)
    elif change == "nobody pays":
        column = "features.repayment_labels"
        paid = pc.and_(labels[column].column("paid_30d"), False)
        labels[column] = _with(labels[column], "paid_30d", paid)
    tables[name] = accounts
    for stage, of_stage in ((STAGE, tables), (LABELS, labels)):
        publish_days(
            place.lake, stage=stage, lender_id=LENDER, days=[LAST_DAY, DAY],
            tables={contract(key, rows): rows for key, rows in of_stage.items()},
            inputs=["ingestion-1"], run=RUN,
        )  # fmt: skip


def _with(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(
        place, rows.schema.field(name), values.cast(rows.schema.field(name).type)
    )


@pytest.fixture
def ranked(place: ModelLender, register: Register, request: pytest.FixtureRequest) -> ModelLender:
    """Training days published, a version approved, two days ranked."""
    publish_features(place, DAYS[:-1], customers=CUSTOMERS)
    _publish_recent(place, getattr(request, "param", "none"))
    register()
    models.approve(
        place.lake, place.registry, place.store, family="customer_ranking", actor="officer",
        reason="good", clock=CLOCK,
    )  # fmt: skip
    for day in (LAST_DAY, DAY):
        rank_day(place.lake, place.registry, place.lender, day, RUN)
    return place


def _alarms(place: ModelLender) -> set[tuple[str, str]]:
    rows = monitor_day(place.lake, place.registry, LENDER, DAY)
    alarms = rows.filter(rows.column("is_alarm")).to_pylist()
    return {(row["monitor"], row["subject"]) for row in alarms}


def test_a_world_that_stands_still_is_measured_and_raises_nothing(ranked: ModelLender) -> None:
    rows = monitor_day(ranked.lake, ranked.registry, LENDER, DAY)
    assert set(rows.column("monitor").to_pylist()) == set(MONITORS)
    assert _alarms(ranked) == set()
    calibration = [r for r in rows.to_pylist() if r["monitor"] == "calibration"]
    assert [r["subject"] for r in calibration] == ["p_pay_30d"]  # of 7 days nothing is ranked
    assert calibration[0]["first_date"] == calibration[0]["last_date"] == LAST_DAY
    assert calibration[0]["row_count"] == CUSTOMERS - 3
    assert monitor_day(ranked.lake, ranked.registry, LENDER, DAY).equals(rows)


@pytest.mark.parametrize(
    ("ranked", "alarms"),
    [
        ("shift", {("feature_psi", "days_past_due")}),
        ("lost", {("missing_rate", "days_past_due")}),
        ("nobody pays", {("calibration", "p_pay_30d")}),
    ],
    indirect=["ranked"],
)
def test_what_moves_raises_its_alarm(ranked: ModelLender, alarms: set[tuple[str, str]]) -> None:
    assert alarms <= _alarms(ranked)


def test_a_day_that_was_not_ranked_is_not_monitored(ranked: ModelLender) -> None:
    with pytest.raises(PublicationError, match="rankings"):
        monitor_day(ranked.lake, ranked.registry, LENDER, DAY + timedelta(days=1))


def test_another_artefact_than_the_one_that_ranked_is_refused(ranked: ModelLender) -> None:
    version = ranked.registry.version("customer_ranking", 1)
    (ranked.registry.artefact_dir(version) / "model_card.md").write_text("better")
    with pytest.raises(ApprovalError, match="customer_ranking version 1 is not the one"):
        monitor_day(ranked.lake, ranked.registry, LENDER, DAY)


def _materialize(place: ModelLender) -> dg.ExecuteInProcessResult:
    upstream = [dg.AssetSpec(key) for key in monitoring_assets.monitoring.dependency_keys]
    return dg.materialize(
        [*upstream, monitoring_assets.monitoring],
        partition_key=DAY.isoformat(),
        resources={
            "lakehouse": place.lake,
            "registry": place.registry,
            "settings": Settings.load({"PAYMENTOR_HOME": str(place.home), "PAYMENTOR_ENV": "test"}),
            "lenders": {LENDER: place.lender},
            "clock": CLOCK,
        },
    )


@pytest.mark.parametrize("ranked", ["shift"], indirect=True)
def test_alarms_fail_their_check_and_reach_development(ranked: ModelLender) -> None:
    result = _materialize(ranked)
    assert result.success  # an alarm is a finding, not a failure
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert set(checks) == set(MONITORS)
    assert not checks["feature_psi"].passed
    assert "days_past_due" in str(checks["feature_psi"].description)
    assert checks["lift"].passed
    (event,) = result.get_asset_materialization_events()
    for monitor in MONITORS:
        shown = str(event.materialization.metadata[monitor].value)
        assert shown.startswith("![") and "data:image/svg+xml" in shown
    handover.hand_over_approvals(ranked.lake, ranked.development)
    assert handover.drifting_models(ranked.development) == {"customer_ranking": 1}


def _sense(place: ModelLender, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    settings = Settings.load({"PAYMENTOR_HOME": str(place.home), "PAYMENTOR_ENV": "test"})
    sensor = build_monitoring_sensor(settings)
    context = dg.build_sensor_context(
        instance=instance,
        resources={"lakehouse": place.lake, "lenders": {LENDER: place.lender}},
    )
    decided = sensor(context)
    if isinstance(decided, dg.SensorResult):
        assert decided.run_requests is not None
        (request,) = decided.run_requests
        return request
    assert isinstance(decided, dg.SkipReason)
    return decided


def test_a_ranked_day_is_monitored_once(ranked: ModelLender) -> None:
    @dg.job(name="monitoring")
    def monitoring() -> None:
        """Stands for the real one, of which only the name matters here."""

    instance = dg.DagsterInstance.ephemeral()
    asked = _sense(ranked, instance)
    assert isinstance(asked, dg.RunRequest)
    assert asked.partition_key == DAY.isoformat()
    run = instance.create_run_for_job(
        monitoring, tags=asked.tags, status=dg.DagsterRunStatus.STARTED
    )
    assert "is measuring" in str(_sense(ranked, instance))
    instance.report_run_failed(run)
    assert isinstance(_sense(ranked, instance), dg.RunRequest)
    instance.create_run_for_job(monitoring, tags=asked.tags, status=dg.DagsterRunStatus.SUCCESS)
    assert "is monitored" in str(_sense(ranked, instance))
