"""The choice between candidates: the best mean wins, unless a simpler one is as good.

A simpler candidate replaces the best when the mean of the paired fold differences is within one of
their standard errors (the one-standard-error rule of Breiman et al. 1984, on pairs, because folds
differ more than candidates do). Probabilities are judged by AUC, since families order work and
calibration follows; amounts by the explained share of variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paymentor_assets.models.evaluation import auc
from paymentor_assets.models.learning.candidates import BLEND, MEMBERS, Member, Problem
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.folds import Fold


@dataclass(frozen=True)
class Candidate:
    """One candidate's scores, fold by fold."""

    name: str
    members: tuple[str, ...]
    #: Which columns it sees: `all`, or `stable` ones only.
    columns: str
    scores: tuple[float, ...]
    #: Mean margins of its members on the held-out rows, fold by fold.
    held: tuple[Floats, ...]

    @property
    def mean(self) -> float:
        """Mean score over the folds; larger is better."""
        return float(np.mean(self.scores))


def candidates_of(
    problem: Problem, folds: Sequence[Fold], members: Mapping[str, Member], columns: str
) -> list[Candidate]:
    """Members and their blend as candidates, simplest first."""
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in MEMBERS}
    groups[BLEND] = MEMBERS
    found = []
    for name, names in groups.items():
        held = tuple(
            np.mean([members[n].held[number] for n in names], axis=0)
            for number in range(len(folds))
        )
        scores = tuple(
            score(problem.target[f.held], margin, problem.weight[f.held], is_class=problem.is_class)
            for f, margin in zip(folds, held, strict=True)
        )
        found.append(Candidate(name, tuple(names), columns, scores, held))
    return found


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The winner; `candidates` come simplest first."""
    best = max(candidates, key=lambda candidate: candidate.mean)
    for candidate in candidates:
        lead = np.subtract(best.scores, candidate.scores)
        error = float(lead.std(ddof=1) / np.sqrt(len(lead))) if len(lead) > 1 else 0.0
        if float(lead.mean()) <= error:
            return candidate
    return best


def report(candidates: Sequence[Candidate], chosen: Candidate) -> list[dict[str, Any]]:
    """All candidates with mean and standard error, for the model card."""
    return [
        {
            "candidate": candidate.name,
            "columns": candidate.columns,
            "mean": round(candidate.mean, 6),
            "standard_error": round(
                float(np.std(candidate.scores, ddof=1) / np.sqrt(len(candidate.scores)))
                if len(candidate.scores) > 1
                else 0.0,
                6,
            ),
            "folds": len(candidate.scores),
            "is_chosen": candidate is chosen,
        }
        for candidate in candidates
    ]


def score(target: Floats, margin: Floats, weight: Floats, *, is_class: bool) -> float:
    """AUC of a class, R² of an amount; weighted."""
    if is_class:
        return auc(target, margin, weight) or 0.0
    residual = np.average((target - margin) ** 2, weights=weight)
    variance = np.average((target - np.average(target, weights=weight)) ** 2, weights=weight)
    return float(1 - residual / variance) if variance else 0.0
