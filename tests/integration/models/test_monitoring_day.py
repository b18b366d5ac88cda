"""A scored day, monitored: quiet when the world stands still, loud when it moves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets.audit.publications import publish_days
from paymentor_assets.features.publish import LABELS, STAGE
from paymentor_assets.models import artefact, handover
from paymentor_assets.models import registry as models
from paymentor_assets.models.monitoring_table import MONITORS
from paymentor_assets.rankings.daily import rank_day
from paymentor_assets.rankings.family_scores import STAGE as SCORES
from paymentor_assets.rankings.family_scores import approved_models, score_day
from paymentor_assets.rankings.monitors import monitor_day
from paymentor_assets.rankings.watched import WATCHED
from paymentor_assets.settings import Settings
from resources.errors import ApprovalError, PublicationError
from resources.lakehouse import TIMESTAMP
from sensors.monitoring import build_monitoring_sensor
from tests.support import family_models, lender_events
from tests.support.feature_days import LENDER, contract, feature_tables
from tests.support.lender_events import PRODUCTS
from tests.support.model_lender import (
    CLOCK,
    RUN,
    ModelLender,
    model_lender,
    publish_features,
    take_in,
)
from tests.support.monitored import materialize_monitoring
from tests.support.trained_model import DAYS, LAST_DAY

#: Thirty days after LAST_DAY its outcomes are known.
DAY = LAST_DAY + timedelta(days=33)
#: What was offered and visited in the week after it is known on DAY.
BETWEEN = LAST_DAY + timedelta(days=14)
CUSTOMERS = 150
OTHERS = tuple(watched.family for watched in WATCHED if watched.stage == SCORES)


def _publish_recent(place: ModelLender, *, is_moved: bool) -> None:
    """Features of the ranked days and the outcomes of the earlier one.

    Where the world moved, everybody is 70 days later on DAY, half of that is not known, and nobody
    had paid.
    """
    tables = feature_tables(CUSTOMERS, [LAST_DAY, BETWEEN, DAY])
    labels = {"features.repayment_labels": tables.pop("features.repayment_labels")}
    if is_moved:
        accounts = tables["features.account_features"]
        days_late = accounts.column("days_past_due").to_pandas()
        is_now = accounts.column("as_of_date").to_pandas() == DAY
        days_late = days_late.astype("Int64").mask(is_now, days_late + 70)
        days_late = days_late.mask(is_now & (days_late.index % 2 == 1))
        tables["features.account_features"] = _with(accounts, "days_past_due", days_late)
        profiles = tables["features.customer_profile"]
        visits = profiles.column("clickstream_events_30d").to_pandas() + 20 * is_now
        tables["features.customer_profile"] = _with(profiles, "clickstream_events_30d", visits)
        outcomes = labels["features.repayment_labels"]
        unpaid = pc.and_(outcomes.column("paid_30d"), False)
        labels["features.repayment_labels"] = _with(outcomes, "paid_30d", unpaid)
    for stage, of_stage in ((STAGE, tables), (LABELS, labels)):
        publish_days(
            place.lake, stage=stage, lender_id=LENDER, days=[LAST_DAY, BETWEEN, DAY],
            tables={contract(key, rows): rows for key, rows in of_stage.items()},
            inputs=["ingestion-1"], run=RUN,
        )  # fmt: skip


def _with(rows: pa.Table, name: str, values: Any) -> pa.Table:
    field = rows.schema.field(name)
    column = pa.array(values.to_pylist() if isinstance(values, pa.ChunkedArray) else values)
    return rows.set_column(rows.schema.get_field_index(name), field, column.cast(field.type))


def _events(*, is_moved: bool) -> dict[str, pa.Table]:
    """Offers and visits of the week after BETWEEN; where the world moved, all offers are taken."""
    who = [f"C{i:06d}" for i in range(CUSTOMERS)]
    at = pa.array([datetime.combine(BETWEEN, time(9)) + timedelta(days=3)] * CUSTOMERS, TIMESTAMP)
    known = {
        "_known_at": pc.add(at, pa.scalar(timedelta(hours=8))), "_file_id": ["file"] * CUSTOMERS,
        "_row_number": pa.array(range(CUSTOMERS), pa.int64()), "customer_id": who,
        "product": [PRODUCTS[i % len(PRODUCTS)] for i in range(CUSTOMERS)],
    }  # fmt: skip
    taken = ["accepted" if is_moved or i % 10 == 0 else "ignored" for i in range(CUSTOMERS)]
    offers = pa.table(
        {**known, "response_id": [f"R{name}" for name in who], "offered_at_utc": at,
         "channel": ["email"] * CUSTOMERS, "response": taken, "is_control": [False] * CUSTOMERS}
    )  # fmt: skip
    clicks = pa.table({**known, "event_id": [f"E{name}" for name in who], "occurred_at_utc": at})
    # A few visits a customer: there must be products left to be drawn to.
    earlier = lender_events.published().events["raw.clickstream_events"].slice(0, 2 * CUSTOMERS)
    return {
        "raw.campaign_responses": offers,
        "raw.clickstream_events": pa.concat_tables([earlier, clicks.select(earlier.column_names)]),
    }


def _approve(place: ModelLender, family: str, files: Mapping[str, bytes]) -> None:
    place.registry.register(
        family, files, artefact_sha256=artefact.sha256_of_files(files),
        trainer="scientist", parameters={}, metrics={}, tags={}, clock=CLOCK,
    )  # fmt: skip
    models.approve(
        place.lake, place.registry, place.store, family=family, actor="officer", reason="good",
        clock=CLOCK,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ranked(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    empty_registry: Path,
    files: Mapping[str, bytes],
) -> ModelLender:
    """Training days published, a version of each family approved, days ranked and scored."""
    place = model_lender(tmp_path_factory.mktemp(request.param))
    place.registry.directory.mkdir()
    shutil.copy(empty_registry, place.registry.database)
    publish_features(place, DAYS[3:6], customers=CUSTOMERS)
    _publish_recent(place, is_moved=request.param == "moved")
    take_in(place, DAY, _events(is_moved=request.param == "moved"))
    _approve(place, "customer_ranking", files)
    for family in OTHERS:
        _approve(place, family, family_models.files(family))
    for day in (LAST_DAY, DAY):
        rank_day(place.lake, place.registry, place.lender, day, RUN)
    for day in (BETWEEN, DAY):
        score_day(place.lake, approved_models(place.lake, place.registry), place.lender, day, RUN)
    return place


still = pytest.mark.parametrize("ranked", ["still"], indirect=True, scope="module")
moved = pytest.mark.parametrize("ranked", ["moved"], indirect=True, scope="module")


def _alarms(place: ModelLender) -> set[tuple[str, str, str]]:
    rows = monitor_day(place.lake, place.registry, place.lender, DAY)
    alarms = rows.filter(rows.column("is_alarm")).to_pylist()
    return {(row["family"], row["monitor"], row["subject"]) for row in alarms}


@still
def test_a_world_that_stands_still_is_measured_and_raises_nothing(ranked: ModelLender) -> None:
    rows = monitor_day(ranked.lake, ranked.registry, ranked.lender, DAY)
    assert set(rows.column("monitor").to_pylist()) == set(MONITORS)
    assert _alarms(ranked) == set()
    measured = {(r["family"], r["monitor"]) for r in rows.to_pylist() if r["value"] is not None}
    spread = {"feature_psi", "missing_rate", "score_psi"}
    assert measured == {
        *(("customer_ranking", monitor) for monitor in {*spread, "calibration", "lift"}),
        *(("offer_propensity", monitor) for monitor in {*spread, "calibration", "lift"}),
        *(("customer_segmentation", monitor) for monitor in spread),
        *(("income_imputation", monitor) for monitor in spread),
        *(("user_affinity", monitor) for monitor in {"score_psi", "lift"}),
    }
    calibration = [r for r in rows.to_pylist() if r["monitor"] == "calibration"]
    # Of 7 days nothing is ranked.
    assert [r["subject"] for r in calibration] == ["p_pay_30d", "p_accept"]
    assert (calibration[1]["row_count"], calibration[1]["last_date"]) == (CUSTOMERS, BETWEEN)
    assert calibration[0]["first_date"] == calibration[0]["last_date"] == LAST_DAY
    assert CUSTOMERS * 0.9 < calibration[0]["row_count"] < CUSTOMERS
    assert monitor_day(ranked.lake, ranked.registry, ranked.lender, DAY).equals(rows)


@moved
def test_what_moves_raises_its_alarm(ranked: ModelLender) -> None:
    assert _alarms(ranked) >= {
        ("customer_ranking", "feature_psi", "days_past_due"),
        ("customer_ranking", "missing_rate", "days_past_due"),
        ("customer_ranking", "calibration", "p_pay_30d"),
        ("offer_propensity", "feature_psi", "clickstream_events_30d"),
        ("offer_propensity", "calibration", "p_accept"),
    }


@still
def test_a_day_that_was_not_scored_is_not_monitored(ranked: ModelLender) -> None:
    with pytest.raises(PublicationError, match="nothing to monitor"):
        monitor_day(ranked.lake, ranked.registry, ranked.lender, DAY + timedelta(days=1))


@still
def test_another_artefact_than_the_one_that_ranked_is_refused(ranked: ModelLender) -> None:
    version = ranked.registry.version("customer_ranking", 1)
    strange = ranked.registry.artefact_dir(version) / "strange.md"
    strange.write_text("better")
    with pytest.raises(ApprovalError, match="customer_ranking version 1 is not the one"):
        monitor_day(ranked.lake, ranked.registry, ranked.lender, DAY)
    strange.unlink()


@moved
def test_alarms_fail_their_check_and_reach_development(ranked: ModelLender) -> None:
    result = materialize_monitoring(ranked, DAY)
    assert result.success  # an alarm is a finding, not a failure
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert set(checks) == set(MONITORS)
    assert not checks["feature_psi"].passed
    assert "customer_ranking days_past_due" in str(checks["feature_psi"].description)
    assert checks["lift"].passed
    (event,) = result.get_asset_materialization_events()
    for monitor in MONITORS:
        shown = str(event.materialization.metadata[monitor].value)
        assert shown.startswith("![") and "data:image/svg+xml" in shown
    handover.hand_over_approvals(ranked.lake, ranked.development)
    assert handover.drifting_models(ranked.development) .items() >= {
        "customer_ranking": 1, "offer_propensity": 1,
    }.items()  # fmt: skip


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


@still
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
    # Outcomes become known: the same day is measured with them.
    publish_features(ranked, [LAST_DAY - timedelta(days=1)], customers=5)
    assert isinstance(_sense(ranked, instance), dg.RunRequest)
