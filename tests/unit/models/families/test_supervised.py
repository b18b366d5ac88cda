"""What a fitted family says: chances, amounts, reasons; the same ones every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from paymentor_assets.models import families
from paymentor_assets.models.evaluation import auc, calibration_error
from paymentor_assets.models.learning import folds, supervised
from resources.errors import ContractError, NotFound
from tests.unit.models.families.conftest import Sample, make


def test_probabilities_rank_and_are_calibrated_on_people_not_seen(ranking: Any) -> None:
    later = make(4000, seed=9)
    p = ranking.predict(later.X)
    assert p.dtype == np.float64 and p.shape == (4000,)
    assert ((p > 0) & (p < 1)).all()
    assert (auc(later.y, p) or 0) > 0.63
    assert calibration_error(later.y, p) < 0.06


def test_unseen_values_and_gaps_are_fine(ranking: Any, sample: Sample) -> None:
    odd = sample.X.head(5).copy()
    odd["product"] = pd.Series(["boat", None, "gold", "plane", np.nan], dtype=object)
    odd.loc[2, ["income", "days_past_due"]] = np.nan
    assert np.isfinite(ranking.predict(odd)).all()
    one = odd.iloc[[1]].assign(income=np.nan, noise=np.nan)
    assert np.isfinite(ranking.predict(one)).all()
    assert ranking.predict(odd.iloc[:0]).shape == (0,)


def test_a_row_scores_alike_alone_and_among_others(ranking: Any, sample: Sample) -> None:
    together = ranking.predict(sample.X.head(50))
    alone = np.concatenate([ranking.predict(sample.X.iloc[[i]]) for i in range(50)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-12)


def test_the_order_of_columns_and_further_ones_do_not_matter(ranking: Any, sample: Sample) -> None:
    mixed = sample.X[sample.X.columns[::-1]].assign(further="x")
    np.testing.assert_array_equal(ranking.predict(mixed), ranking.predict(sample.X))


def test_the_same_seed_and_rows_give_the_same_model(ranking: Any, sample: Sample) -> None:
    fit = families.get("customer_ranking").fit
    again = fit(sample.X, sample.y, seed=3)
    assert again.digest() == ranking.digest()
    np.testing.assert_array_equal(again.predict(sample.X), ranking.predict(sample.X))
    changed = sample.y.copy()
    changed[:40] = 1 - changed[:40]
    assert fit(sample.X, changed, seed=3).digest() != ranking.digest()


@pytest.mark.parametrize("model", ["ranking", "income"])
def test_files_without_pickle_hold_the_whole_model(
    model: str, sample: Sample, request: pytest.FixtureRequest
) -> None:
    fitted = request.getfixturevalue(model)
    files = fitted.files()
    assert all(name.endswith((".json", ".ubj", ".txt")) for name in files)
    back = supervised.from_files(files)
    assert back.digest() == fitted.digest()
    np.testing.assert_array_equal(back.predict(sample.X), fitted.predict(sample.X))
    pd.testing.assert_frame_equal(back.explain(sample.X), fitted.explain(sample.X))


def test_reasons_add_up_to_the_prediction(ranking: Any, sample: Sample) -> None:
    every = ranking.explain(sample.X, top=99)
    total = every.groupby("row")["contribution"].sum().to_numpy()
    p = ranking.predict(sample.X)
    base = np.log(p / (1 - p)) - total
    np.testing.assert_allclose(base, base[0], atol=1e-4)


def test_reasons_name_the_strongest_first(ranking: Any, sample: Sample) -> None:
    reasons = ranking.explain(sample.X, top=4)
    assert reasons.columns.tolist() == ["row", "rank", "feature", "direction", "contribution"]
    assert len(reasons) == 4 * len(sample.X)
    first = reasons[reasons["rank"] == 1]
    assert set(first["feature"]) >= {"days_past_due", "status"}
    strength = reasons["contribution"].abs().to_numpy().reshape(-1, 4)
    assert (np.diff(strength, axis=1) <= 0).all()
    latest = int(sample.X["days_past_due"].argmax())
    worst = reasons[(reasons["row"] == latest) & (reasons["feature"] == "days_past_due")]
    assert worst["direction"].tolist() == ["raises"]


def test_the_losers_stay_on_the_card(ranking: Any) -> None:
    compared = ranking.card["candidates"]
    assert [c["candidate"] for c in compared] == ["linear", "xgboost", "lightgbm", "blend"]
    assert sum(c["is_chosen"] for c in compared) == 1
    assert all(c["folds"] == 5 for c in compared)


def test_weights_count(sample: Sample) -> None:
    fit = families.get("offer_propensity").fit
    plain = fit(sample.X, sample.y).predict(sample.X).mean()
    heavy = fit(sample.X, sample.y, sample_weight=1 + 4 * sample.y).predict(sample.X).mean()
    assert heavy > plain + 0.1


def test_recovered_amounts_are_never_negative(sample: Sample) -> None:
    amount = np.where(sample.y > 0, sample.amount, 0.0)
    fitted = families.get("customer_ranking").fit(sample.X, amount, task="regression")
    later = make(2000, seed=5)
    predicted = fitted.predict(later.X)
    assert (predicted >= 0).all()
    assert predicted.mean() == pytest.approx(amount.mean(), rel=0.15)


def test_every_family_has_the_face_and_no_other_name_does() -> None:
    for name in families.NAMES:
        assert callable(families.get(name).fit)
    with pytest.raises(NotFound, match="offer_propensity"):
        families.get("crystal_ball")


def test_a_calendar_is_not_learned_from(sample: Sample) -> None:
    """The column that says when a row was is left out when later rows tell against it."""
    rows = 2000
    later = make(rows, seed=21)
    when = np.arange(rows)
    chance = np.random.default_rng(0)
    # From period to period the rate rises with the outcome; within a period it falls with it.
    period, within = when * folds.BLOCKS // rows, chance.random(rows)
    logit = 0.03 * later.X["days_past_due"] + 0.5 * period - 3 * within
    y = (chance.random(rows) < 1 / (1 + np.exp(-logit))).astype(float)
    dated = later.X.assign(rate_of_the_week=period + within)
    fitted = families.get("offer_propensity").fit(dated, y, time=when)
    assert fitted.card["folds"] == "4 forward in time"
    assert fitted.card["unstable_columns"] == ["rate_of_the_week"]
    assert {c["columns"] for c in fitted.card["candidates"]} == {"stable", "all"}


def test_time_must_have_instants_enough(sample: Sample) -> None:
    with pytest.raises(ContractError, match="offer_propensity: time has 2 different values"):
        families.get("offer_propensity").fit(sample.X, sample.y, time=np.arange(len(sample.y)) % 2)
