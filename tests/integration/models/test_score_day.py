"""A day's scores of the families beside customer ranking, from published features to decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import dagster as dg
import pyarrow as pa
import pytest

from paymentor_assets.audit.publications import Publication, newest, read_table
from paymentor_assets.models import approvals, artefact
from paymentor_assets.models import registry as models
from paymentor_assets.models.assets import APPROVALS
from paymentor_assets.rankings import family_scores, score_assets
from paymentor_assets.rankings.family_scores import STAGE, TABLES, approved_models, score_day
from paymentor_assets.rankings.score_checks import violations
from paymentor_assets.rankings.tables import AFFINITY_INDEX, OFFER_PROPENSITY
from resources.errors import ApprovalError, ContractError, PublicationError, SealedDayError
from tests.support import family_models, lender_events
from tests.support.feature_days import LENDER
from tests.support.model_lender import CLOCK, RUN, ModelLender, publish_features, take_in

DAY = lender_events.DAYS[-1]
OFFERS = "offer_propensity"


def _register(place: ModelLender, family: str, note: str = "") -> None:
    files = {**family_models.files(family), "note.txt": note.encode()}
    place.registry.register(
        family,
        files,
        artefact_sha256=artefact.sha256_of_files(files),
        trainer="scientist",
        parameters={},
        metrics={},
        tags={},
        clock=CLOCK,
    )


def _approve(place: ModelLender, *families: str, note: str = "") -> None:
    for family in families:
        _register(place, family, note)
        models.approve(
            place.lake, place.registry, place.store, family=family, actor="officer",
            reason="good", clock=CLOCK,
        )  # fmt: skip


def _roll_back(place: ModelLender, family: str) -> None:
    models.rollback(
        place.lake, place.registry, place.store, family=family, actor="officer", reason="bad",
        clock=CLOCK,
    )  # fmt: skip


def _take_in_visits(place: ModelLender) -> pa.Table:
    """The invented visits as the lakehouse holds them: others' and later ones beside them."""
    visits = lender_events.published().events["raw.clickstream_events"]
    return take_in(place, DAY, {"raw.clickstream_events": visits})["raw.clickstream_events"]


@pytest.fixture
def ready(place: ModelLender) -> ModelLender:
    """Features and visits published, nothing approved."""
    publish_features(place, [DAY], customers=60)
    return place


def _score(place: ModelLender, sealed: tuple[date, ...] = ()) -> Publication | None:
    found = approved_models(place.lake, place.registry)
    return score_day(place.lake, found, place.lender, DAY, RUN, sealed=sealed)


def _materialize(place: ModelLender) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [dg.AssetSpec(["features", "customer_profile"]), dg.AssetSpec(APPROVALS),
         dg.AssetSpec(["features", "channel_engagement"]),
         dg.AssetSpec(["raw", "clickstream_events"]), score_assets.scores],
        selection=[score_assets.scores],
        partition_key=DAY.isoformat(),
        resources={
            "lakehouse": place.lake, "registry": place.registry,
            "operational_store": place.store, "lenders": {LENDER: place.lender}, "clock": CLOCK,
        },
    )  # fmt: skip


def test_all_families_are_published_and_again_commits_nothing(ready: ModelLender) -> None:
    _take_in_visits(ready)
    _approve(ready, *TABLES)
    publication = _score(ready)
    assert publication is not None and publication.is_new
    features = newest(ready.lake, "features", LENDER, DAY)
    assert features is not None and publication.inputs == (features.publication_id,)
    assert set(publication.tables) == {table.name for table in TABLES.values()}
    for family, table in TABLES.items():
        rows = read_table(ready.lake, publication, table)
        assert rows.num_rows > 0 and not any(violations(table, rows).values())
        approval = models.approved_version(ready.lake, family)
        assert set(rows.column("model_version").to_pylist()) == {str(approval.version)}
        assert set(rows.column("model_artefact_sha256").to_pylist()) == {approval.artefact_sha256}
        people = len(rows.column("customer_id").unique())
        assert people == 60 or (table is AFFINITY_INDEX and 0 < people <= 60)

    heads = [ready.lake.head(name) for name in publication.tables]
    again = _score(ready, sealed=(DAY,))
    assert again is not None and not again.is_new
    assert again.publication_id == publication.publication_id
    assert [ready.lake.head(name) for name in publication.tables] == heads


def test_without_approval_nothing_is_published_and_it_is_said(ready: ModelLender) -> None:
    _register(ready, OFFERS)
    assert _score(ready) is None
    assert newest(ready.lake, STAGE, LENDER) is None
    result = _materialize(ready)
    assert result.success
    shown = {
        event.materialization.asset_key.path[-1]: event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert len(shown) == len(TABLES)
    for family, table in TABLES.items():
        said = shown[table.name.split(".")[1]]["not_scored"].value
        assert said == f"no approved version of {family}; nothing was scored"
    assert newest(ready.lake, STAGE, LENDER) is None


def test_the_asset_shows_version_and_checks(ready: ModelLender) -> None:
    _approve(ready, OFFERS)
    result = _materialize(ready)
    checks = result.get_asset_check_evaluations()
    assert len(checks) == 2 * len(TABLES) and all(check.passed for check in checks)
    metadata = next(
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key.path[-1] == OFFERS
    )
    assert metadata["model_version"].value == 1
    assert metadata["dagster/row_count"].value == 60 * 4 * 4


def test_a_family_approved_later_joins_and_one_rolled_back_is_withdrawn(
    ready: ModelLender,
) -> None:
    segments = TABLES["customer_segmentation"]
    _approve(ready, OFFERS)
    first = _score(ready)
    assert first is not None and set(first.tables) == {OFFER_PROPENSITY.name}
    _approve(ready, "customer_segmentation")
    both = _score(ready)
    assert both is not None
    assert both.table(OFFER_PROPENSITY.name).snapshot_id == (
        first.table(OFFER_PROPENSITY.name).snapshot_id
    )
    _roll_back(ready, OFFERS)
    left = _score(ready)
    assert left is not None and left.is_new
    assert read_table(ready.lake, left, OFFER_PROPENSITY).num_rows == 0
    assert read_table(ready.lake, left, segments).num_rows == 60
    _roll_back(ready, "customer_segmentation")
    nothing = _score(ready)
    assert nothing is not None
    assert read_table(ready.lake, nothing, segments).num_rows == 0


def test_a_day_that_was_carried_out_is_not_scored_otherwise(ready: ModelLender) -> None:
    _approve(ready, OFFERS)
    first = _score(ready)
    assert first is not None
    _approve(ready, OFFERS, note="second")
    with pytest.raises(SealedDayError, match="offer_propensity"):
        _score(ready, sealed=(DAY,))
    kept = newest(ready.lake, STAGE, LENDER, DAY)
    assert kept is not None and kept.publication_id == first.publication_id
    newer = _score(ready)
    assert newer is not None
    assert set(
        read_table(ready.lake, newer, OFFER_PROPENSITY).column("model_version").to_pylist()
    ) == {"2"}


def test_nothing_altered_scores(ready: ModelLender) -> None:
    _approve(ready, OFFERS)
    folder = ready.registry.artefact_dir(ready.registry.version(OFFERS, 1))
    (folder / "note.txt").write_text("altered")
    with pytest.raises(ApprovalError, match="offer_propensity version 1 was altered"):
        _score(ready)
    assert newest(ready.lake, STAGE, LENDER) is None


@pytest.mark.parametrize(
    ("family", "column"),
    [
        ("customer_segmentation", "utilisation"),
        ("income_imputation", "employment_type"),
        ("offer_propensity", "campaign_offers_180d"),
        ("channel_preference", "attempts_180d"),
    ],
)
def test_features_without_what_a_family_reads_are_refused(
    place: ModelLender, family: str, column: str
) -> None:
    publish_features(place, [DAY], customers=20, lacking=column)
    _approve(place, family)
    with pytest.raises(ContractError, match=rf"^{family} version 1 .* lacks {column}"):
        _score(place)
    assert newest(place.lake, STAGE, LENDER) is None


def test_an_approval_of_a_version_that_is_not_there_scores_nothing(ready: ModelLender) -> None:
    _approve(ready, OFFERS)
    approved = models.approved_version(ready.lake, OFFERS)
    approvals.append(ready.lake, [replace(approved, version=2)])
    with pytest.raises(ApprovalError, match="offer_propensity version 2 is approved but gone"):
        _score(ready)
    assert newest(ready.lake, STAGE, LENDER) is None


def test_a_day_without_features_says_so(place: ModelLender) -> None:
    _approve(place, OFFERS)
    with pytest.raises(PublicationError, match="features"):
        _score(place)


def test_visits_known_after_the_cutoff_do_not_count(ready: ModelLender) -> None:
    _approve(ready, "user_affinity")
    visits = _take_in_visits(ready)
    earlier = lender_events.DAYS[-3]
    publish_features(ready, [earlier], customers=60)
    found = approved_models(ready.lake, ready.registry)
    then = score_day(ready.lake, found, ready.lender, earlier, RUN)
    now = _score(ready)
    assert then is not None and now is not None
    end = ready.lender.cutoff_utc(earlier).replace(tzinfo=None)
    known = {
        row["customer_id"] for row in visits.to_pylist()
        if row["_known_at"] <= end and row["product"]
    }  # fmt: skip
    rows = read_table(ready.lake, then, AFFINITY_INDEX, earlier)
    assert len(rows) > 0 and set(rows.column("customer_id").to_pylist()) <= known
    # Who has looked at more has fewer products left.
    assert rows.num_rows != read_table(ready.lake, now, AFFINITY_INDEX, DAY).num_rows


def test_small_batches_score_alike(ready: ModelLender, monkeypatch: pytest.MonkeyPatch) -> None:
    _approve(ready, "customer_segmentation", "income_imputation", OFFERS, "channel_preference")
    whole = _score(ready)
    monkeypatch.setattr(family_scores, "BATCH_CUSTOMERS", 17)
    assert whole is not None
    again = _score(ready)
    assert again is not None and not again.is_new
