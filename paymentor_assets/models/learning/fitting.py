"""From a checked sample to scorers: folds, candidates, choice, calibration, refit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paymentor_assets.models.calibration import platt, sigmoid
from paymentor_assets.models.learning import candidates as fitted_candidates
from paymentor_assets.models.learning import choice, drift, folds, intervals, uplift
from paymentor_assets.models.learning.candidates import Member, Problem
from paymentor_assets.models.learning.choice import Candidate
from paymentor_assets.models.learning.columns import Floats, Schema, Values
from paymentor_assets.models.learning.folds import Fold, Rows
from paymentor_assets.models.learning.intervals import Conformal
from paymentor_assets.models.learning.scorer import Scorer
from paymentor_assets.models.learning.targets import Target
from resources.errors import ContractError

OUTCOME_GROUPS = 10
#: More rows than this do not make the comparison of candidates surer, only dearer.
CHOOSE_ON = 50_000


@dataclass(frozen=True)
class Sample:
    """A training frame, read and checked; vectors of shape (rows,)."""

    family: str
    schema: Schema
    values: Values
    outcome: Floats
    target: Target
    weight: Floats
    #: Position in time, when rows have one.
    rank: Rows | None
    seed: int

    @property
    def is_class(self) -> bool:
        """Whether the outcome is 0 and 1."""
        return self.target.kind == "probability"


@dataclass(frozen=True)
class Outcome:
    """What fitting made: scorers, intervals, and the comparison for the model card."""

    scorers: tuple[Scorer, ...]
    conformal: Conformal | None
    card: dict[str, Any]


def fit(sample: Sample, *, with_intervals: bool, choose_on: int = CHOOSE_ON) -> Outcome:
    """Examine all candidates, choose, calibrate on held-out rows, and refit on all.

    Candidates are compared on at most `choose_on` rows.
    """
    everything, sample = sample, _spread(sample, choose_on)
    divided = _folds(sample, sample.outcome)
    compared: list[Candidate] = []
    members: dict[str, dict[str, Member]] = {}
    problems = _problems(sample)
    for columns, problem in problems.items():
        members[columns] = fitted_candidates.examine(problem, divided)
        compared += choice.candidates_of(problem, divided, members[columns], columns)
    chosen = choice.choose(_simplest_first(compared))
    problem = problems[chosen.columns]
    rows, margin = _once(divided, chosen.held)
    slope, intercept = 1.0, 0.0
    if sample.is_class:
        slope, intercept = platt(margin, sample.outcome[rows], sample.weight[rows])
    whole = replace(_problem(everything), schema=problem.schema)
    scorer = _scorer(everything, whole, chosen, members[chosen.columns], slope, intercept)
    card = _card(everything, divided, compared, chosen, members[chosen.columns], problems)
    return Outcome(
        (scorer,),
        intervals.learn(margin, problem.target[rows]) if with_intervals else None,
        {**card, "rows_to_choose_on": len(sample.outcome)},
    )


def fit_uplift(sample: Sample, treatment: Floats) -> Outcome:
    """Two scorers, of the treated and of the control group, chosen by the Qini coefficient.

    `treatment` is 0 or 1, shape (rows,). Folds have equal shares of each group and outcome.
    """
    divided = _folds(sample, 2 * treatment + sample.outcome)
    compared: list[Candidate] = []
    arms: dict[str, list[tuple[Problem, dict[str, Member]]]] = {}
    problems = _problems(sample)
    for columns, problem in problems.items():
        arms[columns] = [
            (part, fitted_candidates.examine(part, divided))
            for part in (
                replace(problem, weight=problem.weight * (treatment == arm)) for arm in (1, 0)
            )
        ]
        compared += _uplift_candidates(sample, divided, arms[columns], columns, treatment)
    chosen = choice.choose(_simplest_first(compared))
    scorers = []
    for problem, members in arms[chosen.columns]:
        slope, intercept = _arm_calibration(problem, divided, members, chosen)
        scorers.append(_scorer(sample, problem, chosen, members, slope, intercept))
    card = _card(sample, divided, compared, chosen, arms[chosen.columns][0][1], problems)
    return Outcome(tuple(scorers), None, card)


def _spread(sample: Sample, most: int) -> Sample:
    """At most `most` rows, evenly spaced in time (or in the order they came) within each class."""
    rows = len(sample.outcome)
    if rows <= most:
        return sample
    when = np.arange(rows) if sample.rank is None else sample.rank
    order = np.lexsort((when, sample.outcome if sample.is_class else np.zeros(rows)))
    taken = np.sort(order[np.linspace(0, rows - 1, most).astype(np.int64)])
    return replace(
        sample,
        values={name: values[taken] for name, values in sample.values.items()},
        outcome=sample.outcome[taken],
        weight=sample.weight[taken],
        rank=None if sample.rank is None else np.unique(sample.rank[taken], return_inverse=True)[1],
    )


def _problem(sample: Sample) -> Problem:
    return Problem(
        sample.schema,
        sample.values,
        sample.target.to_margin(sample.outcome),
        sample.weight,
        sample.is_class,
        sample.seed,
    )


def _problems(sample: Sample) -> dict[str, Problem]:
    """The same rows with stable columns only, and with all; one when all are stable."""
    problem = _problem(sample)
    if sample.rank is None:
        return {"all": problem}
    unstable = drift.unstable_columns(sample.schema, sample.values, sample.rank)
    if not unstable or len(unstable) == len(sample.schema.columns):
        return {"all": problem}
    stable = replace(problem, schema=sample.schema.without(unstable))
    return {"stable": stable, "all": problem}


def _folds(sample: Sample, groups: Floats) -> list[Fold]:
    if sample.rank is None:
        if not sample.is_class:
            edges = np.quantile(groups, np.linspace(0, 1, OUTCOME_GROUPS + 1)[1:-1])
            groups = np.searchsorted(edges, groups).astype(np.float64)
        return folds.stratified(groups, sample.seed)
    divided = folds.forward(sample.rank, groups, is_class=sample.is_class)
    if len(divided) < 2:
        raise ContractError(
            f"{sample.family}: y has both classes in too few stretches of time to judge on later "
            "rows; extract more days, or leave time out."
        )
    return divided


def _simplest_first(compared: Sequence[Candidate]) -> list[Candidate]:
    order = [*fitted_candidates.MEMBERS, fitted_candidates.BLEND]
    return sorted(compared, key=lambda candidate: order.index(candidate.name))


def _once(divided: Sequence[Fold], held: Sequence[Floats]) -> tuple[Rows, Floats]:
    """Each held-out row's number and margin, from the first fold that held it out.

    One margin a row: means over repeats would be better than any prediction of the final model.
    """
    rows = np.concatenate([fold.held for fold in divided])
    unique, first = np.unique(rows, return_index=True)
    return unique, np.concatenate(held)[first]


def _scorer(
    sample: Sample,
    problem: Problem,
    chosen: Candidate,
    members: dict[str, Member],
    slope: float,
    intercept: float,
) -> Scorer:
    models = fitted_candidates.refit(problem, [members[name] for name in chosen.members])
    return Scorer(problem.schema, sample.target, tuple(models), slope, intercept)


def _arm_calibration(
    problem: Problem, divided: Sequence[Fold], members: dict[str, Member], chosen: Candidate
) -> tuple[float, float]:
    held = [
        np.mean([members[name].held[number] for name in chosen.members], axis=0)
        for number in range(len(divided))
    ]
    rows, margin = _once(divided, held)
    return platt(margin, problem.target[rows], problem.weight[rows])


def _uplift_candidates(
    sample: Sample,
    divided: Sequence[Fold],
    arms: Sequence[tuple[Problem, dict[str, Member]]],
    columns: str,
    treatment: Floats,
) -> list[Candidate]:
    by_arm = [choice.candidates_of(problem, divided, members, columns) for problem, members in arms]
    found = []
    for treated, control in zip(*by_arm, strict=True):
        difference = tuple(
            sigmoid(one) - sigmoid(none)
            for one, none in zip(treated.held, control.held, strict=True)
        )
        scores = tuple(
            uplift.qini(part, sample.outcome[fold.held], treatment[fold.held])
            for fold, part in zip(divided, difference, strict=True)
        )
        found.append(replace(treated, scores=scores, held=difference))
    return found


def _card(
    sample: Sample,
    divided: Sequence[Fold],
    compared: Sequence[Candidate],
    chosen: Candidate,
    members: dict[str, Member],
    problems: dict[str, Problem],
) -> dict[str, Any]:
    seen = set(problems[chosen.columns].schema.names)
    return {
        "rows": len(sample.outcome),
        "target": sample.target.kind,
        "seed": sample.seed,
        "folds": f"{len(divided)} {'stratified' if sample.rank is None else 'forward in time'}",
        "candidates": choice.report(compared, chosen),
        "chosen": chosen.name,
        "settings": {name: members[name].setting for name in chosen.members},
        "unstable_columns": [name for name in sample.schema.names if name not in seen],
    }
