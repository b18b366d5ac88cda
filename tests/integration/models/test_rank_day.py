"""A day's rankings, from published features to published decisions."""

from __future__ import annotations

from datetime import date

import pytest
from threadpoolctl import threadpool_limits

from paymentor_assets.audit.publications import Publication, newest, read_table
from paymentor_assets.models import feature_frame
from paymentor_assets.models import registry as models
from paymentor_assets.rankings import daily
from paymentor_assets.rankings.checks import check_day
from paymentor_assets.rankings.daily import rank_day
from paymentor_assets.rankings.tables import CHANNEL_PREFERENCES, CUSTOMER_RANKINGS
from resources.crash_points import SimulatedCrash, armed
from resources.errors import ApprovalError, ContractError, NoApprovedModel, PublicationError
from tests.integration.models.conftest import Register
from tests.support.feature_days import LENDER
from tests.support.model_lender import CLOCK, RUN, ModelLender, publish_features

DAY = date(2026, 6, 30)
FAMILY = "customer_ranking"


@pytest.fixture
def ready(place: ModelLender, register: Register) -> ModelLender:
    """Features published, a model approved."""
    publish_features(place, [DAY], customers=50)
    register()
    models.approve(
        place.lake, place.registry, place.store, family=FAMILY, actor="officer", reason="good",
        clock=CLOCK,
    )  # fmt: skip
    return place


def _rank(place: ModelLender) -> Publication:
    return rank_day(place.lake, place.registry, place.lender, DAY, RUN)


def test_all_open_accounts_are_ranked_and_say_why(ready: ModelLender) -> None:
    publication = _rank(ready)
    features = newest(ready.lake, "features", LENDER, DAY)
    assert features is not None
    assert publication.inputs == (features.publication_id,)
    rows = read_table(ready.lake, publication, CUSTOMER_RANKINGS)
    assert rows.num_rows == 49  # one of fifty is closed
    approval = models.approved_version(ready.lake, FAMILY)
    findings = check_day(ready.lake, publication, DAY, approval)
    assert len(findings) == 3
    assert all(finding.is_passed for finding in findings)
    preferences = read_table(ready.lake, publication, CHANNEL_PREFERENCES)
    assert preferences.num_rows == 49 * 4


def test_ranking_a_day_again_commits_nothing(ready: ModelLender) -> None:
    first = _rank(ready)
    heads = [ready.lake.head(name) for name in first.tables]
    again = _rank(ready)
    assert not again.is_new
    assert again.publication_id == first.publication_id
    assert [ready.lake.head(name) for name in first.tables] == heads


def test_a_day_cut_otherwise_ranks_alike(
    ready: ModelLender, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _rank(ready)
    monkeypatch.setattr(daily, "BATCH_ROWS", 7)
    monkeypatch.setattr(feature_frame, "JOINED_ROWS", 17)
    with threadpool_limits(1):
        again = _rank(ready)
    assert not again.is_new and again.publication_id == first.publication_id


def test_an_account_that_left_leaves_no_ranking(ready: ModelLender) -> None:
    _rank(ready)
    publish_features(ready, [DAY], customers=40)
    publication = _rank(ready)
    assert publication.is_new
    assert read_table(ready.lake, publication, CUSTOMER_RANKINGS).num_rows == 40


def test_the_checks_find_rankings_of_other_features(ready: ModelLender) -> None:
    publication = _rank(ready)
    publish_features(ready, [DAY], customers=45)
    approval = models.approved_version(ready.lake, FAMILY)
    ranked, unique, _approved = check_day(ready.lake, publication, DAY, approval)
    assert not ranked.is_passed
    assert ranked.numbers == {"open_accounts": 45, "missing": 0, "surplus": 4}
    assert unique.is_passed


def test_nothing_unapproved_scores(place: ModelLender, register: Register) -> None:
    publish_features(place, [DAY], customers=20)
    register()
    with pytest.raises(NoApprovedModel):
        _rank(place)
    assert newest(place.lake, "rankings", LENDER) is None


def test_nothing_altered_scores(ready: ModelLender) -> None:
    version = ready.registry.version(FAMILY, 1)
    (ready.registry.artefact_dir(version) / "paid_7d" / "scorer.json").write_bytes(b"")
    with pytest.raises(ApprovalError, match="customer_ranking version 1 was altered"):
        _rank(ready)
    assert newest(ready.lake, "rankings", LENDER) is None


def test_features_without_what_the_model_reads_are_refused(
    place: ModelLender, register: Register
) -> None:
    publish_features(place, [DAY], customers=20, lacking="days_past_due")
    register()
    models.approve(
        place.lake, place.registry, place.store, family=FAMILY, actor="officer", reason="good",
        clock=CLOCK,
    )  # fmt: skip
    with pytest.raises(ContractError, match=r"customer_ranking version 1 .* days_past_due"):
        _rank(place)
    assert newest(place.lake, "rankings", LENDER) is None


def test_a_newly_approved_version_scores_by_itself(ready: ModelLender, register: Register) -> None:
    _rank(ready)
    register("second")
    models.approve(
        ready.lake, ready.registry, ready.store, family=FAMILY, actor="officer", reason="better",
        clock=CLOCK,
    )  # fmt: skip
    rows = read_table(ready.lake, _rank(ready), CUSTOMER_RANKINGS)
    assert set(rows.column("model_version").to_pylist()) == {"2"}


def test_a_day_without_features_says_so(ready: ModelLender) -> None:
    with pytest.raises(PublicationError, match="features"):
        rank_day(ready.lake, ready.registry, ready.lender, date(2026, 6, 1), RUN)


@pytest.mark.parametrize(
    "point",
    ["rankings.before_publish", "audit.publish.after_table_commit", "rankings.after_publish"],
)
def test_a_day_that_died_is_finished_by_repeating_it(ready: ModelLender, point: str) -> None:
    with pytest.raises(SimulatedCrash), armed(point):
        _rank(ready)
    is_published = newest(ready.lake, "rankings", LENDER) is not None
    assert is_published == (point == "rankings.after_publish")
    publication = _rank(ready)
    assert publication.is_new != is_published
    assert read_table(ready.lake, publication, CUSTOMER_RANKINGS).num_rows == 49
    assert ready.lake.scan(CUSTOMER_RANKINGS.name).num_rows == 49
