"""The choice between candidates, the folds it rests on, and the two special measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paymentor_assets.models import families
from paymentor_assets.models.learning import folds, uplift
from paymentor_assets.models.learning.choice import Candidate, choose
from tests.unit.models.families.conftest import Sample, make


def _candidate(name: str, *scores: float) -> Candidate:
    return Candidate(name, (name,), "all", scores, ())


def test_the_best_mean_wins() -> None:
    simple = _candidate("simple", 0.70, 0.71, 0.70)
    best = _candidate("best", 0.75, 0.76, 0.75)
    assert choose([simple, best]) is best


def test_a_simpler_one_as_good_replaces_it() -> None:
    """Mean 0.7233 against 0.7200; the paired differences 0.04, -0.04, 0.01 have error 0.0233."""
    simple = _candidate("simple", 0.70, 0.75, 0.71)
    best = _candidate("best", 0.74, 0.71, 0.72)
    assert choose([simple, best]) is simple


def test_differences_are_paired() -> None:
    """Folds differ by 0.2, candidates by 0.01 in every fold: that is a difference."""
    simple = _candidate("simple", 0.60, 0.70, 0.80)
    best = _candidate("best", 0.61, 0.71, 0.811)
    assert choose([simple, best]) is best


def test_stratified_folds_hold_each_row_out_once_a_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folds, "REPEATS", 3)
    groups = (np.arange(1000) % 10 == 0).astype(float)
    divided = folds.stratified(groups, seed=1)
    assert len(divided) == 15
    held = np.concatenate([fold.held for fold in divided])
    assert (np.bincount(held) == 3).all()
    for fold in divided:
        assert not np.intersect1d(fold.train, fold.held).size
        assert groups[fold.held].mean() == pytest.approx(0.1)
    assert len(folds.stratified(np.zeros(6000), seed=1)) == 5


def test_forward_folds_learn_before_they_judge_and_divide_no_instant() -> None:
    chance = np.random.default_rng(0)
    day = chance.integers(0, 40, 3000)
    rank = folds.time_rank("f", day.astype("datetime64[D]"), 3000)
    divided = folds.forward(rank, chance.integers(0, 2, 3000).astype(float), is_class=True)
    assert len(divided) == folds.BLOCKS - 2
    for fold in divided:
        assert day[fold.train].max() < day[fold.held].min()


@pytest.mark.parametrize(("instants", "judged"), [(3, 2), (5, 4), (6, 4), (40, 4)])
def test_few_instants_judge_from_the_second_on(instants: int, judged: int) -> None:
    rank = np.repeat(np.arange(instants), 10)
    made = folds.forward(rank, np.tile([0.0, 1.0], len(rank) // 2), is_class=True)
    assert len(made) == judged
    for fold in made:
        assert rank[fold.train].max() < rank[fold.held].min()


def test_candidates_may_be_compared_on_fewer_rows_than_are_learned_from(sample: Sample) -> None:
    fit = families.get("customer_ranking").fit
    when = np.arange(len(sample.y)) // 20
    few = fit(sample.X, sample.y, time=when, choose_on=300, seed=3)
    assert (few.card["rows_to_choose_on"], few.card["rows"]) == (300, len(sample.y))
    # Other rows are learned from than in a fit that never saw the rest.
    taken = np.linspace(0, len(sample.y) - 1, 300).astype(int)
    alone = fit(sample.X.iloc[taken], sample.y[taken], time=when[taken], seed=3)
    assert not np.array_equal(few.predict(sample.X), alone.predict(sample.X))


def test_qini_of_a_perfect_and_a_reversed_order() -> None:
    """Four people: the treated one accepts and its control does not, then the other way round."""
    outcome, treatment = np.array([1.0, 0.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0])
    best = uplift.qini(np.array([4.0, 3.0, 2.0, 1.0]), outcome, treatment)
    # Gains after each person: 1, 1, 1, 0; their mean less half of the end, over four people.
    assert best == pytest.approx((3 / 4 - 0) / 4)
    assert uplift.qini(-np.array([4.0, 3.0, 2.0, 1.0]), outcome, treatment) < 0


def test_uplift_finds_whom_the_offer_changes(sample: Sample) -> None:
    fitted = families.get("offer_propensity").fit(
        sample.X, sample.treated_y, treatment=sample.treatment
    )
    later = make(3000, seed=8)
    gain = fitted.predict_uplift(later.X)
    behind = (later.X["days_past_due"] > 10).to_numpy()
    assert gain[behind].mean() > 0.2 and gain[~behind].mean() < 0
    low, high = uplift.qini_interval(gain, later.treated_y, later.treatment, draws=100)
    found = uplift.qini(gain, later.treated_y, later.treatment)
    assert 0 < low < found < high
    assert ((fitted.predict(later.X) > 0) & (fitted.predict(later.X) < 1)).all()


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_intervals_hold_what_they_promise(coverage: float, income: Any) -> None:
    later = make(4000, seed=4)
    bounds = income.predict_interval(later.X, coverage=coverage)
    assert bounds.shape == (4000, 2) and (bounds[:, 0] < bounds[:, 1]).all() and (bounds > 0).all()
    inside = (bounds[:, 0] <= later.amount) & (later.amount <= bounds[:, 1])
    assert inside.mean() == pytest.approx(coverage, abs=0.05)


def test_an_income_class_is_a_probability(sample: Sample) -> None:
    fitted = families.get("income_imputation").fit(sample.X, sample.amount > 5000)
    assert ((fitted.predict(sample.X) > 0) & (fitted.predict(sample.X) < 1)).all()
