"""The extract in development's own lakehouse."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from paymentor_assets.audit.publications import Publication
from paymentor_assets.features.publish import Published
from paymentor_assets.models.development import read_extract
from paymentor_assets.models.families.customer_ranking import SPEC
from paymentor_assets.models.training_extract import extract
from resources.crash_points import SimulatedCrash, armed
from resources.errors import PublicationError
from tests.support.feature_days import LENDER, weekly
from tests.support.model_lender import RUN, SALT_KEY, ModelLender, publish_features

TRAINING_ROWS = SPEC.rows
DAYS = weekly(date(2026, 6, 30), 7)


def _extract(place: ModelLender, known_through: date | None = None) -> Publication:
    return extract(
        place.lake, place.development, lender_id=LENDER, salt_key=SALT_KEY, run=RUN,
        known_through=known_through,
    )  # fmt: skip


def _ids(published: Published) -> set[str]:
    assert published.labels is not None
    return {published.features.publication_id, published.labels.publication_id}


def _days(rows: pa.Table) -> list[date]:
    return sorted(rows.column("as_of_date").unique().to_pylist())


def test_it_goes_to_development_and_names_what_it_was_made_of(place: ModelLender) -> None:
    published = publish_features(place, DAYS, customers=30)
    publication = _extract(place)
    assert set(publication.inputs) == _ids(published)
    assert place.development.exists(TRAINING_ROWS.name)
    assert not place.lake.exists(TRAINING_ROWS.name)
    data = read_extract(place.development, SPEC)
    assert _days(data.rows) == DAYS[:-1]  # nothing of the last day's outcome is known
    assert data.publications == {LENDER: publication.publication_id}


def test_the_same_features_give_the_same_extract(place: ModelLender) -> None:
    publish_features(place, DAYS, customers=30)
    first = _extract(place)
    again = _extract(place)
    assert not again.is_new
    assert again.publication_id == first.publication_id
    assert place.development.head(TRAINING_ROWS.name) == (
        first.table(TRAINING_ROWS.name).snapshot_id
    )


def test_each_day_comes_from_the_publication_that_covers_it(place: ModelLender) -> None:
    history = publish_features(place, DAYS[:-1], customers=30)
    newer = publish_features(place, DAYS[-2:], customers=20, seed=2)
    publication = _extract(place)
    assert set(publication.inputs) == _ids(history) | _ids(newer)
    rows = publication.table(TRAINING_ROWS.name).rows
    assert rows[DAYS[-2].isoformat()] == 20
    assert rows[DAYS[0].isoformat()] == 30


def test_days_of_an_earlier_extract_do_not_live_on(place: ModelLender) -> None:
    publish_features(place, DAYS, customers=30)
    _extract(place)
    shorter = _extract(place, known_through=DAYS[3])
    assert _days(read_extract(place.development, SPEC).rows) == DAYS[:3]
    assert shorter.table(TRAINING_ROWS.name).rows[DAYS[4].isoformat()] == 0
    everything = place.development.scan(TRAINING_ROWS.name)
    assert _days(everything) == DAYS[:3]


def test_without_features_it_says_what_to_run(place: ModelLender) -> None:
    with pytest.raises(PublicationError, match="features_history"):
        _extract(place)
    with pytest.raises(PublicationError, match="no extract to learn from"):
        read_extract(place.development, SPEC)


@pytest.mark.parametrize(
    "point",
    [
        "audit.publish.after_table_commit",
        "audit.publish.before_row",
        "models.extract.after_commit",
    ],
)
def test_an_extract_that_died_is_finished_by_repeating_it(place: ModelLender, point: str) -> None:
    publish_features(place, DAYS, customers=30)
    with pytest.raises(SimulatedCrash), armed(point):
        _extract(place)
    publication = _extract(place)
    rows = place.development.scan(TRAINING_ROWS.name)
    assert rows.num_rows == sum(publication.table(TRAINING_ROWS.name).rows.values())
    assert len(rows.column("row_id").unique()) == rows.num_rows
