"""What is measured before a version may be approved; every figure is recorded with the decision.

Stored predictions and the card's figures in, findings out. A failed check refuses the approval
unless the approver says why it shall be given nevertheless. What the artefact does not carry, or
carries too few borrowers of, is said to be not measured, never passed. Several days of one borrower
are evidence once: intervals draw borrowers, not rows.

Does not belong here: fairness (`fairness`), where artefacts and decisions are (`models.registry`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from paymentor_assets.models import evaluation, monitoring
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.predictions import Ints, Predictions, borrowers_of

Status = Literal["passed", "failed", "not measured"]

RESAMPLES = 200
SEED = 0
INTERVAL = (2.5, 97.5)
#: Fewer borrowers say nothing about a version.
LEAST_BORROWERS = 50
#: Fewer days to learn from (weekly ones: two months) do not show how much days differ, since due
#: dates and paydays follow the calendar.
LEAST_DAYS = 8
#: Mean gap between predicted and realised rate, beyond what chance alone would show.
MOST_CALIBRATION_ERROR = 0.05
#: CPU milliseconds for a row: a million accounts within seventeen minutes of one core.
MOST_MILLISECONDS = 1.0
PROBE_ROWS = 1_000
#: Kinds whose outcome is yes or no.
_CLASSES = ("probability", "order")


@dataclass(frozen=True)
class Finding:
    """What one check found: a sentence with its figure, for people and for the record."""

    check: str
    status: Status
    figure: str


def as_record(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Findings as they are written down."""
    return [asdict(finding) for finding in findings]


def against_champion(new: Mapping[str, Predictions], old: Mapping[str, Predictions]) -> Finding:
    """AUC (R² of amounts) of both versions on their later days; fails when surely lower.

    The two were judged on different rows, so both are drawn anew and independently.
    """
    name = "metrics against the champion"
    parts, is_worse = [], False
    for target in (target for target in new if target in old):
        mine, theirs = new[target], old[target]
        if mine.kind == "segment" or _too_few(mine, theirs):
            continue
        measure = "AUC" if mine.kind in _CLASSES else "R²"
        draws = _resampled(mine, seed=SEED) - _resampled(theirs, seed=SEED + 1)
        low, high = np.nanpercentile(draws, INTERVAL)
        difference = _quality(mine) - _quality(theirs)
        is_worse |= bool(high < 0)
        parts.append(f"{target} {measure} {difference:+.4f} ({low:+.4f} to {high:+.4f})")
    if not parts:
        return Finding(
            name,
            "not measured",
            f"no champion, or fewer than {LEAST_BORROWERS} borrowers with stored outcomes of both",
        )
    return Finding(name, "failed" if is_worse else "passed", "; ".join(parts))


def calibrated(predictions: Mapping[str, Predictions]) -> Finding:
    """Predicted beside realised rate in ten groups; chance is taken off (binomial)."""
    name = "calibration"
    parts, worst = [], 0.0
    for target, found in predictions.items():
        if found.kind != "probability" or _too_few(found):
            continue
        error = _calibration_beyond_chance(found)
        worst = max(worst, error)
        parts.append(f"{target} {error:.3f} beyond chance")
    if not parts:
        return Finding(
            name,
            "not measured",
            f"fewer than {LEAST_BORROWERS} borrowers with a stored probability",
        )
    status: Status = "passed" if worst <= MOST_CALIBRATION_ERROR else "failed"
    return Finding(name, status, f"{'; '.join(parts)} (at most {MOST_CALIBRATION_ERROR})")


def stable(predictions: Mapping[str, Predictions]) -> Finding:
    """PSI between the predictions that were learned from and those of the later days.

    Fails above ALARM, where chance does not show as much between so many borrowers, nor the
    calendar between days that were learned from.
    """
    name = "stability"
    parts, is_moved = [], False
    for target, found in predictions.items():
        learned_from, later = borrowers_of(found.train), borrowers_of(found.test)
        days = len(np.unique(found.train.day))
        if min(learned_from, later) < LEAST_BORROWERS or days < LEAST_DAYS:
            continue
        grouped = monitoring.categories if found.kind == "segment" else monitoring.tenths
        before, now = grouped(found.train.predicted, found.test.predicted)
        value = monitoring.group_psi(before, now)
        most = max(
            monitoring.psi_alarm(learned_from, later, int(max(before.max(), now.max())) + 1),
            monitoring.usual_psi(
                before,
                found.train.day,
                span=len(np.unique(found.test.day)),
                least=LEAST_BORROWERS,
            ),
        )
        is_moved |= value > most
        parts.append(f"{target} PSI {value:.3f} (at most {most:.2f})")
    if not parts:
        return Finding(
            name,
            "not measured",
            f"fewer than {LEAST_BORROWERS} borrowers with predictions, learned from or later, or "
            f"fewer than {LEAST_DAYS} days to learn from",
        )
    return Finding(name, "failed" if is_moved else "passed", "; ".join(parts))


def without_leaks(card: Mapping[str, Any]) -> Finding:
    """Whether the leakage guard has looked at every target, and what it took out."""
    name = "leakage"
    reports = card.get("targets", {})
    guarded = {
        target: report["choice"]
        for target, report in reports.items()
        if "dropped_leaks" in report.get("choice", {})
    }
    if not reports or len(guarded) < len(reports):
        return Finding(name, "not measured", "the card says nothing of the leakage guard")
    said = [
        f"{what}: {', '.join(columns)}"
        for key, what in (
            ("dropped_leaks", "left out"),
            ("reviewed_columns", "tell the outcome alone, and were found to be known in time"),
        )
        if (columns := sorted({c for choice in guarded.values() for c in choice.get(key, ())}))
    ]
    return Finding(name, "passed", "; ".join(said) or "no column tells the outcome")


def quick(score: Callable[[], object] | None, rows: int = PROBE_ROWS) -> Finding:
    """CPU time of scoring `rows` rows, which `score` does."""
    name = "latency"
    if score is None:
        return Finding(name, "not measured", "the family does not learn from outcomes")
    score()  # the first call loads libraries
    begun = time.process_time()
    score()
    each = (time.process_time() - begun) * 1000 / rows
    status: Status = "passed" if each <= MOST_MILLISECONDS else "failed"
    return Finding(name, status, f"{each:.4f} ms of CPU a row (at most {MOST_MILLISECONDS:g})")


def _too_few(*found: Predictions) -> bool:
    return any(borrowers_of(some.test) < LEAST_BORROWERS for some in found)


def _quality(found: Predictions, weight: Floats | None = None) -> float:
    """AUC of a probability or order; R² of an amount, of its logarithm for relative errors."""
    weight = np.ones(len(found.actual)) if weight is None else weight
    if found.kind in _CLASSES:
        area = evaluation.auc(found.actual, found.test.predicted, weight)
        return np.nan if area is None else area
    actual, predicted = found.actual, found.test.predicted
    if found.kind == "log_amount":
        actual, predicted = np.log(actual), np.log(np.maximum(predicted, 1e-9))
    spread = (weight * (actual - np.average(actual, weights=weight)) ** 2).sum()
    return float(1 - (weight * (predicted - actual) ** 2).sum() / spread) if spread else np.nan


def _resampled(found: Predictions, *, seed: int) -> Floats:
    """The quality when borrowers are drawn anew, shape (RESAMPLES,)."""
    return np.array([_quality(found, weight) for weight in _draws(found.test.borrower, seed)])


def _draws(borrower: Ints, seed: int) -> Iterator[Floats]:
    """How often each row counts in a draw of as many borrowers as there are, shape (rows,)."""
    rng = np.random.default_rng(seed)
    known, place = np.unique(borrower, return_inverse=True)
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, len(known), len(known)), minlength=len(known))
        yield drawn[place].astype(np.float64)


def _calibration_beyond_chance(found: Predictions) -> float:
    order = np.argsort(found.test.predicted, kind="stable")
    beyond = 0.0
    for rows in np.array_split(order, evaluation.CALIBRATION_BINS):
        predicted, realised = found.test.predicted[rows].mean(), found.actual[rows].mean()
        # The mean absolute value of a normal error is sqrt(2 / pi) of its standard error.
        borrowers = len(np.unique(found.test.borrower[rows]))
        chance = np.sqrt(2 / np.pi * predicted * (1 - predicted) / borrowers)
        beyond += len(rows) * (abs(predicted - realised) - chance)
    return max(0.0, float(beyond / len(order)))
