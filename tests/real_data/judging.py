"""How the families are judged on public data: what a case is, and one runner a kind of outcome.

What belongs here: folds, measures, the result of a case. What does not: which sets are judged and
what is asked of them (`protocol`), and what is in them (`model_sets`, `berka_loans`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import KFold, RepeatedStratifiedKFold, StratifiedKFold

from paymentor_assets.models import families, monitoring
from paymentor_assets.models.learning.uplift import qini, qini_interval
from resources.errors import LeakageError
from tests.real_data import berka_loans, model_sets
from tests.real_data.model_sets import DataSet, Floats

FOLDS = 5
#: Of the set that is too small for one division into folds.
REPEATS = 5
SEED = 42
TRAINING_SHARE = 0.8
COVERAGE = 0.9


@dataclass
class Result:
    """Measures of one set, fold by fold, and what was chosen."""

    measures: dict[str, list[float]] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def add(self, model: Any, seconds: float, **measures: float) -> None:
        """One more fold."""
        self.chosen.append(str(model.card["chosen"]))
        self.cpu_seconds.append(seconds)
        for name, value in measures.items():
            self.measures.setdefault(name, []).append(value)

    def mean(self, measure: str) -> float:
        """Mean over the folds."""
        return float(np.mean(self.measures[measure]))


@dataclass(frozen=True)
class Case:
    """A set, its family, how it is judged, and what is asked of the mean over all folds."""

    name: str
    family: str
    run: Callable[[int], Result]
    #: Measure to the smallest and to the largest mean over all folds.
    at_least: dict[str, float]
    at_most: dict[str, float] = field(default_factory=dict)
    #: Part of a bound that a single fold may fall short of it: about three of its standard errors.
    fold_slack: float = 0.0


def _fit(family: str, X: pd.DataFrame, y: Floats, **options: Any) -> tuple[Any, float]:  # noqa: N803
    begun = time.process_time()
    return families.get(family).fit(X, y, **options), time.process_time() - begun


def _stratified(groups: npt.NDArray[Any], folds: int) -> Iterator[tuple[Any, Any]]:
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(groups, groups)
    return (pair for pair, _ in zip(split, range(folds), strict=False))


def classes(family: str, read: Callable[[], DataSet]) -> Callable[[int], Result]:
    """AUC and Brier score by stratified folds."""

    def run(folds: int) -> Result:
        data, result = read(), Result()
        for train, held in _stratified(data.y, folds):
            model, seconds = _fit(family, data.X.iloc[train], data.y[train])
            p = model.predict(data.X.iloc[held])
            result.add(
                model,
                seconds,
                auc=roc_auc_score(data.y[held], p),
                brier=brier_score_loss(data.y[held], p),
            )
        return result

    return run


def incomes(read: Callable[[], DataSet]) -> Callable[[int], Result]:
    """R² of the logarithm, and the share of incomes inside the 90 % interval."""

    def run(folds: int) -> Result:
        data, result = read(), Result()
        split = KFold(FOLDS, shuffle=True, random_state=SEED).split(data.y)
        for (train, held), _ in zip(split, range(folds), strict=False):
            model, seconds = _fit("income_imputation", data.X.iloc[train], data.y[train])
            log_income = np.log(data.y[held])
            error = log_income - np.log(model.predict(data.X.iloc[held]))
            low, high = model.predict_interval(data.X.iloc[held], coverage=COVERAGE).T
            result.add(
                model,
                seconds,
                r2_log=float(1 - (error**2).mean() / log_income.var()),
                coverage=float(((low <= data.y[held]) & (data.y[held] <= high)).mean()),
            )
        return result

    return run


def bank_marketing(folds: int) -> Result:
    """The last fifth of the file, after the base rate jumped; leak and drift must be said."""
    data, result = model_sets.bank_marketing(), Result()
    cut = int(TRAINING_SHARE * len(data.y))
    try:
        families.get("offer_propensity").fit(data.X.iloc[:cut], data.y[:cut])
    except LeakageError as error:
        result.notes.append(f"leakage guard: {', '.join(error.columns)}")
    X = data.X.drop(columns="duration")  # noqa: N806
    before, now = X.iloc[:cut], X.iloc[cut:]
    model, seconds = _fit("offer_propensity", before, data.y[:cut], time=np.arange(cut))
    p = model.predict(now)
    report = monitoring.drift(
        before,
        now,
        score_before=model.predict(before),
        score_now=p,
        outcome_before=data.y[:cut],
        outcome_now=data.y[cut:],
    )
    result.notes.append(f"drift alarms: {'; '.join(report.alarms) or 'none'}")
    result.notes.append(f"columns left out as unstable: {model.card['unstable_columns']}")
    result.add(
        model,
        seconds,
        auc=roc_auc_score(data.y[cut:], p),
        drift_alarms=float(len(report.alarms)),
        leaks_found=float(any("duration" in note for note in result.notes[:1])),
    )
    return result


def bureau_offer(folds: int) -> Result:
    """Qini coefficient of the uplift, and of the response model for comparison, x 10,000."""
    (data, treatment), result = model_sets.bureau_offer(), Result()
    pooled: list[tuple[Floats, Any]] = []
    for train, held in _stratified(2 * treatment + data.y, folds):
        model, seconds = _fit(
            "offer_propensity", data.X.iloc[train], data.y[train], treatment=treatment[train]
        )
        difference = model.predict_uplift(data.X.iloc[held])
        response = model.predict(data.X.iloc[held])
        pooled.append((difference, held))
        result.add(
            model,
            seconds,
            qini_e4=1e4 * qini(difference, data.y[held], treatment[held]),
            response_qini_e4=1e4 * qini(response, data.y[held], treatment[held]),
        )
    every = np.concatenate([held for _, held in pooled])
    low, high = qini_interval(
        np.concatenate([part for part, _ in pooled]), data.y[every], treatment[every]
    )
    result.notes.append(
        f"Qini x 10,000, 90 % bootstrap interval: {1e4 * low:.0f} to {1e4 * high:.0f}"
    )
    return result


def adult(folds: int) -> Result:
    """The official division, and how often each sex is selected, with a bootstrap interval."""
    train, test, result = model_sets.adult("data"), model_sets.adult("test"), Result()
    model, seconds = _fit("income_imputation", train.X, train.y)
    p = model.predict(test.X)
    result.add(model, seconds, auc=roc_auc_score(test.y, p))
    is_woman = (test.X["sex"] == "Female").to_numpy()
    gap, low, high = selection_rate_gap(p >= 0.5, is_woman)
    result.notes.append(
        f"selection rate of men less that of women at 0.5: {gap:.3f} "
        f"(90 % interval {low:.3f} to {high:.3f})"
    )
    return result


def berka(folds: int) -> Result:
    """AUC with cash flow and with the loan's terms alone, on the same folds, five times over."""
    data, result = berka_loans.loans(), Result()
    terms = data.X[berka_loans.TERMS]
    split = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    taken = folds if folds < FOLDS else FOLDS * REPEATS
    for (train, held), _ in zip(split.split(terms, data.y), range(taken), strict=False):
        model, seconds = _fit("customer_ranking", data.X.iloc[train], data.y[train])
        plain, _ = _fit("customer_ranking", terms.iloc[train], data.y[train])
        auc = roc_auc_score(data.y[held], model.predict(data.X.iloc[held]))
        auc_of_terms = roc_auc_score(data.y[held], plain.predict(terms.iloc[held]))
        result.add(
            model, seconds, auc=auc, auc_of_terms=auc_of_terms, gain_over_terms=auc - auc_of_terms
        )
    return result


def selection_rate_gap(
    is_selected: npt.NDArray[np.bool_], is_group: npt.NDArray[np.bool_], draws: int = 500
) -> tuple[float, float, float]:
    """Selection rate outside the group less inside it, with a 90 % bootstrap interval."""
    chance = np.random.default_rng(SEED)

    def gap(rows: Any) -> float:
        selected, group = is_selected[rows], is_group[rows]
        return float(selected[~group].mean() - selected[group].mean())

    drawn = [gap(chance.integers(0, len(is_group), len(is_group))) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.05, 0.95])
    return gap(slice(None)), float(low), float(high)


def failures(case: Case, result: Result, slack: float = 0.0) -> list[str]:
    """What the result falls short of; `slack` is the part of a bound that is forgiven."""
    short = [
        f"{name} {result.mean(name):.4f} < {bound}"
        for name, bound in case.at_least.items()
        if result.mean(name) < bound * (1 - slack)
    ]
    return short + [
        f"{name} {result.mean(name):.4f} > {bound}"
        for name, bound in case.at_most.items()
        if result.mean(name) > bound * (1 + slack)
    ]
