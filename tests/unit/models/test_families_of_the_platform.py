"""The five families beside customer ranking: their rows, and what training makes of them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets.models import (
    artefact,
    fair_use,
    families,
    model_card,
    protected_groups,
    splits,
)
from paymentor_assets.models.family_spec import PROTECTED
from paymentor_assets.models.feature_spec import profile
from paymentor_assets.models.trainers import train
from paymentor_assets.models.training import TrainingData
from paymentor_assets.models.training_rows import rows_of
from resources.errors import ContractError
from tests.support import family_models, lender_events

OTHERS = [name for name in families.NAMES if name != "customer_ranking"]
_spec, _rows, _model = family_models.spec, family_models.rows, family_models.model
OFFERS, CONTACTS = "raw.campaign_responses", "raw.contact_history"


@pytest.mark.parametrize("name", families.NAMES)
def test_rows_are_those_of_the_contract_and_name_nobody(name: str) -> None:
    rows = _rows(name)
    assert rows.num_rows > 300
    assert rows.schema.equals(_spec(name).rows.schema)
    assert len(rows.column("row_id").unique()) == rows.num_rows
    published = lender_events.published()
    people = set(published.features["features.customer_profile"].column("customer_id").to_pylist())
    for field in rows.schema:
        if pa.types.is_string(field.type):
            assert not people & set(rows.column(field.name).to_pylist()), field.name


def test_an_event_is_judged_by_what_was_known_two_days_before() -> None:
    published = lender_events.published()
    contacts = published.events[CONTACTS]
    one = contacts.slice(0, 1)
    at = one.column("contacted_at_utc")[0].as_py().date()
    rows = rows_of(
        _spec("channel_preference"),
        replace(published, events={**published.events, CONTACTS: one}),
        "salt",
    )
    days = rows.column("as_of_date").to_pylist()
    assert days and all(timedelta(2) <= at - day <= timedelta(8) for day in days)


def test_a_corrected_event_counts_once_as_it_was_known_last() -> None:
    published = lender_events.published()
    offers = published.events[OFFERS]
    later = pc.add(offers.column("_known_at"), pa.scalar(timedelta(days=1)))
    corrected = offers.set_column(
        offers.schema.get_field_index("response"), "response", pa.array(["accepted"] * len(offers))
    ).set_column(offers.schema.get_field_index("_known_at"), "_known_at", later)
    both = pa.concat_tables([corrected, offers])
    rows = rows_of(
        _spec("offer_propensity"),
        replace(published, events={**published.events, OFFERS: both}),
        "salt",
    )
    assert rows.num_rows == _rows("offer_propensity").num_rows
    assert set(rows.column("accepted").to_pylist()) == {True}


def test_targeted_contacts_count_a_quarter() -> None:
    rows = _rows("channel_preference")
    weight = {(row["is_randomised"], row["weight"]) for row in rows.to_pylist()}
    assert weight == {(True, 1.0), (False, 0.25)}


@pytest.mark.parametrize("name", OTHERS)
def test_training_gives_an_artefact_that_reads_back_the_same(name: str) -> None:
    model = _model(name)
    files = artefact.files_of(model, model_card.render(model))
    again = artefact.from_files(files)
    assert again.digest() == model.digest()
    assert artefact.files_of(again, model_card.render(again)) == files
    assert not any(content.startswith(b"\x80") for content in files.values())
    for words in (_spec(name).purpose, "## Limits", "fair use"):
        assert words in model_card.render(model)
    headline = model_card.headline(model)
    assert all(np.isfinite(value) for value in headline.values())
    assert not [name for name in headline if not re.fullmatch(r"[\w\-. :/]+", name)]  # of MLflow


@pytest.mark.parametrize("name", ["customer_segmentation", "user_affinity"])
def test_the_same_rows_in_any_order_give_the_same_model(name: str) -> None:
    rows = _rows(name)
    shuffled = rows.take(pa.array(np.random.default_rng(0).permutation(rows.num_rows)))
    assert train(_spec(name), TrainingData(shuffled)).digest() == _model(name).digest()


def test_channels_are_told_apart() -> None:
    report = _model("channel_preference").card["targets"]["engaged"]
    assert report["test"]["auc"] > 0.7
    assert 0 < report["test_randomised"]["rows"] < report["test"]["rows"]
    assert report["top_features"][0]["feature"] == "channel"


def test_offers_learn_what_the_offer_adds() -> None:
    model = _model("offer_propensity")
    report = model.card["targets"]["accepted"]
    assert "control" in report["treatment"] and report["test"]["qini"] > 0
    rows = _rows("offer_propensity").select(list(model.phrases)).to_pandas()
    uplift = model.learned("accepted").predict_uplift(rows)
    by_whatsapp = (rows["channel"] == "whatsapp").to_numpy()
    assert uplift[by_whatsapp].mean() > uplift[~by_whatsapp].mean() + 0.2


def test_offers_without_enough_controls_say_so() -> None:
    rows = _rows("offer_propensity")
    treated = rows.filter(rows.column("is_offered"))
    card = train(_spec("offer_propensity"), TrainingData(treated)).card
    assert "no uplift" in card["targets"]["accepted"]["treatment"]


def test_incomes_are_judged_on_borrowers_that_were_not_seen() -> None:
    model = _model("income_imputation")
    report = model.card["targets"]["monthly_income"]
    borrowers = len(_rows("income_imputation").column("subject_id").unique())
    assert report["train_rows"] + report["test"]["rows"] <= borrowers
    assert report["test"]["r2_log"] > 0.5
    assert 0.7 <= report["test"]["covered_by_90_percent_interval"] <= 1


def test_one_row_a_subject_never_learns_and_judges_the_same_one() -> None:
    subjects = [f"{i % 40:08x}" for i in range(400)]
    half = np.arange(400) < 200
    split = splits.TimeSplit(half, ~half, (), (), ())
    found = splits.one_row_a_subject(split, subjects)
    learned = {subjects[i] for i in np.flatnonzero(found.train)}
    judged = {subjects[i] for i in np.flatnonzero(found.test)}
    assert learned and judged and not learned & judged
    assert found.train.sum() == len(learned) and found.test.sum() == len(judged)
    assert np.flatnonzero(found.train).min() >= 160  # the newest of each


def test_segments_stay_where_people_stay() -> None:
    test = _model("customer_segmentation").card["targets"]["segment"]["test"]
    shares = [test[f"share_{name}"] for name in ("high_risk", "low_risk", "high_value")]
    assert sum(shares) == pytest.approx(1)


def test_affinity_is_judged_by_the_next_new_product() -> None:
    test = _model("user_affinity").card["targets"]["affinity"]["test"]
    assert test["rows"] > 10
    assert 1 / test["products"] <= test["mean_reciprocal_rank"] <= 1


@pytest.mark.parametrize("name", families.NAMES)
def test_too_few_rows_fail_in_a_sentence(name: str) -> None:
    with pytest.raises(ContractError, match=f"{name}: the extract has 10 rows"):
        train(_spec(name), TrainingData(_rows(name).slice(0, 10)))


@pytest.mark.parametrize("name", ["customer_ranking", "channel_preference", "offer_propensity"])
def test_one_outcome_only_fails_in_a_sentence(name: str) -> None:
    spec, rows = _spec(name), _rows(name)
    target = spec.targets[0].name
    never = pc.and_(rows.column(target), False)
    spoiled = rows.set_column(rows.schema.get_field_index(target), target, never)
    with pytest.raises(ContractError, match=f"{name} target {target}: .* one class only"):
        train(spec, TrainingData(spoiled))


def test_contacts_that_hardly_anybody_answered_fail_in_a_sentence() -> None:
    rows = _rows("channel_preference")
    answered = pa.array(np.arange(rows.num_rows) % 400 == 0)
    spoiled = rows.set_column(rows.schema.get_field_index("engaged"), "engaged", answered)
    with pytest.raises(ContractError, match=r"channel_preference target engaged: .* at least 10 "):
        train(_spec("channel_preference"), TrainingData(spoiled))


def test_no_family_reads_a_protected_column() -> None:
    for name in families.NAMES:
        for feature in fair_use.features_of(_spec(name)):
            assert "protected_proxy" not in feature["tags"]


@pytest.mark.parametrize("name", families.NAMES)
def test_protected_groups_are_carried_to_judge_by_and_never_learned_from(name: str) -> None:
    spec = _spec(name)
    carries = spec.protected is not None
    assert (PROTECTED in _rows(name).column_names) == carries
    assert carries == (name not in ("customer_segmentation", "user_affinity"))
    for fitted in _model(name).targets.values() if carries else ():
        assert PROTECTED not in fitted.schema.names
    for column in {*protected_groups.protected_columns()} - {"as_of_date"}:
        asked = replace(spec, features=(profile(column, "something"),))
        with pytest.raises(ContractError, match="protected characteristic or stands for one"):
            fair_use.features_of(asked)


def test_an_unknown_birth_year_is_of_no_group() -> None:
    profiles = lender_events.published().features["features.customer_profile"]
    place = profiles.schema.get_field_index("birth_year")
    years = [None, 1930, *[1990] * (profiles.num_rows - 2)]
    known = profiles.set_column(place, "birth_year", pa.array(years, pa.int32()))
    rows = known.select(["lender_id", "customer_id", "as_of_date"])
    found = protected_groups.with_groups(_spec("customer_ranking"), rows, known)
    first = found.filter(pc.equal(found.column("as_of_date"), lender_events.DAYS[0]))
    by_customer = {row["customer_id"]: row[PROTECTED] for row in first.to_pylist()}
    assert (by_customer["C000000"], by_customer["C000001"]) == (None, "62 and over")
    assert set(by_customer.values()) == {None, "62 and over", "30 to 44"}


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("customer_ranking", "birth_year", "stands for one"),
        ("income_imputation", "state", "stands for one"),
        ("income_imputation", "product_views_30d", "excluded from decisions on credit"),
    ],
)
def test_a_feature_that_may_not_be_used_is_refused(name: str, column: str, said: str) -> None:
    spec = _spec(name)
    asked = replace(spec, features=(*spec.features, profile(column, "something")))
    with pytest.raises(ContractError, match=rf"{name}: feature '{column}' reads .*{said}"):
        fair_use.features_of(asked)


def test_account_aggregator_columns_are_for_their_purpose_only() -> None:
    for name in families.NAMES:
        spec = _spec(name)
        reads_aa = any("aa_derived" in f["tags"] for f in fair_use.features_of(spec))
        assert not reads_aa or spec.aa_purpose is not None
