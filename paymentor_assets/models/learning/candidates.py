"""The candidates: a regularised linear model, XGBoost, LightGBM, and the blend of the three.

Each member is fitted on every fold; its one free setting (penalty, or number of rounds) is chosen
by the mean over the folds, and its margins on the held-out rows are kept, from which everything
else is judged. So a member costs one fit a fold and one on all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from paymentor_assets.models.learning import boosters, linear
from paymentor_assets.models.learning.boosters import BoosterModel, Sample
from paymentor_assets.models.learning.columns import Floats, Schema, Values
from paymentor_assets.models.learning.designs import linear_design, tree_matrix
from paymentor_assets.models.learning.folds import Fold, Rows
from paymentor_assets.models.learning.linear import LinearModel

Name = Literal["linear", "xgboost", "lightgbm"]
Model = LinearModel | BoosterModel

MEMBERS: tuple[Name, ...] = ("linear", "xgboost", "lightgbm")
BLEND = "blend"
#: Fits side by side, each on one thread: the result does not depend on it.
WORKERS = 2


@dataclass(frozen=True)
class Problem:
    """Everything candidates are fitted to; all vectors of shape (rows,)."""

    schema: Schema
    values: Values
    #: 0/1, or standardised amounts.
    target: Floats
    #: Rows of weight 0 are scored with the rest, and neither learned from nor judged on.
    weight: Floats
    is_class: bool
    seed: int


@dataclass(frozen=True)
class Member:
    """One member after its folds."""

    name: Name
    #: Penalty of the linear member, rounds of a booster.
    setting: float
    #: Margins of the held-out rows, fold by fold.
    held: tuple[Floats, ...]


def examine(problem: Problem, folds: Sequence[Fold]) -> dict[str, Member]:
    """Every member on every fold."""
    design = linear_design(problem.schema, problem.values).matrix(problem.values)[0]
    trees = tree_matrix(problem.schema, problem.values)[0]

    def linear_fold(fold: Fold) -> list[Floats]:
        train = _weighed(problem, fold.train)
        fits = [
            linear.solve(
                design[train],
                problem.target[train],
                problem.weight[train],
                penalty,
                is_class=problem.is_class,
            )
            for penalty in linear.PENALTIES
        ]
        return [design[fold.held] @ coefficients + at for coefficients, at in fits]

    def booster_fold(library: boosters.Library) -> Callable[[Fold], tuple[Any, int]]:
        return lambda fold: boosters.train(
            library,
            _sample(problem, trees, _weighed(problem, fold.train)),
            is_class=problem.is_class,
            seed=problem.seed,
            check=_sample(problem, trees, fold.held),
        )

    with threadpool_limits(1), ThreadPoolExecutor(WORKERS) as pool:
        lines = list(pool.map(linear_fold, folds))
        members: dict[str, Member] = {"linear": _best_penalty(problem, folds, lines)}
        library: boosters.Library
        for library in ("xgboost", "lightgbm"):
            trained = list(pool.map(booster_fold(library), folds))
            rounds = max(1, round(float(np.mean([best for _, best in trained]))))
            held = [
                boosters.predict(library, booster, trees[fold.held], rounds)
                for (booster, _), fold in zip(trained, folds, strict=True)
            ]
            members[library] = Member(library, float(rounds), tuple(held))
    return members


def refit(problem: Problem, members: Sequence[Member]) -> list[Model]:
    """The members on all rows, with the settings their folds chose."""
    with threadpool_limits(1), ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda member: _refit(problem, member), members))


def _refit(problem: Problem, member: Member) -> Model:
    rows = _weighed(problem, np.arange(len(problem.target)))
    if member.name == "linear":
        design = linear_design(problem.schema, problem.values)
        matrix, _ = design.matrix(problem.values)
        coefficients, intercept = linear.solve(
            matrix[rows],
            problem.target[rows],
            problem.weight[rows],
            member.setting,
            is_class=problem.is_class,
        )
        centre = matrix[rows].mean(axis=0).round(linear.DECIMALS)
        return LinearModel(design, coefficients, intercept, centre)
    trees = tree_matrix(problem.schema, problem.values)[0]
    booster, _ = boosters.train(
        member.name,
        _sample(problem, trees, rows),
        is_class=problem.is_class,
        seed=problem.seed,
        rounds=int(member.setting),
    )
    return BoosterModel(member.name, problem.schema, boosters.save(member.name, booster))


def loss(target: Floats, margin: Floats, weight: Floats, *, is_class: bool) -> float:
    """Weighted mean log loss, or squared error on the standardised scale."""
    each = np.logaddexp(0.0, margin) - target * margin if is_class else (target - margin) ** 2
    return float(np.average(each, weights=weight))


def _best_penalty(problem: Problem, folds: Sequence[Fold], lines: list[list[Floats]]) -> Member:
    losses = [
        np.mean(
            [
                loss(
                    problem.target[fold.held],
                    line[number],
                    problem.weight[fold.held],
                    is_class=problem.is_class,
                )
                for fold, line in zip(folds, lines, strict=True)
            ]
        )
        for number in range(len(linear.PENALTIES))
    ]
    best = int(np.argmin(losses))
    return Member("linear", linear.PENALTIES[best], tuple(line[best] for line in lines))


def _weighed(problem: Problem, rows: Rows) -> Rows:
    return rows[problem.weight[rows] > 0]


def _sample(problem: Problem, matrix: boosters.Matrix, rows: Rows) -> Sample:
    return Sample(matrix[rows], problem.target[rows], problem.weight[rows])
