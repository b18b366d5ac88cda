"""What is measured before a version may be approved; every figure is recorded with the decision.

Plain arrays and the card's figures in, findings out. A failed check refuses the approval unless the
approver says why it shall be given nevertheless; what the artefact does not carry is said to be not
measured, never passed.

Does not belong here: where artefacts and decisions are (`models.registry`).
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from paymentor_assets.models import evaluation, monitoring
from paymentor_assets.models.learning.columns import Floats
from resources.errors import ContractError

Status = Literal["passed", "failed", "not measured"]

#: The artefact's file with the predictions that the card's figures are about.
EVALUATION_FILE = "evaluation.parquet"
EVALUATION_SCHEMA = pa.schema(
    [
        pa.field("target", pa.string()),
        #: `train` or `test`, the later days.
        pa.field("part", pa.string()),
        pa.field("actual", pa.float64()),
        pa.field("predicted", pa.float64()),
        #: The row's group by the declared protected column, where there is one.
        pa.field("protected", pa.string()),
    ]
)

RESAMPLES = 200
SEED = 0
INTERVAL = (2.5, 97.5)
#: Mean gap between predicted and realised rate, beyond what chance alone would show.
MOST_CALIBRATION_ERROR = 0.05
#: Four fifths: the smallest group's selection rate over the largest's (29 CFR 1607.4(D)).
LEAST_RATE_RATIO = 0.8
#: Whose score is among the best tenth is selected: acted on first.
SELECTED_SHARE = 0.1
LEAST_GROUP_ROWS = 30
#: CPU milliseconds for a row: a million accounts within seventeen minutes of one core.
MOST_MILLISECONDS = 1.0
PROBE_ROWS = 1_000


@dataclass(frozen=True)
class Finding:
    """What one check found: a sentence with its figure, for people and for the record."""

    check: str
    status: Status
    figure: str


@dataclass(frozen=True)
class Predictions:
    """A target's outcomes and predictions, shape (rows,) each; `protected` may be absent."""

    actual: Floats
    predicted: Floats
    #: Predictions on the rows that were learned from.
    trained: Floats
    protected: npt.NDArray[np.object_] | None = None

    @property
    def is_class(self) -> bool:
        """Whether the outcome is yes or no."""
        return bool(np.isin(self.actual, (0.0, 1.0)).all())


def evaluation_bytes(predictions: Mapping[str, Predictions]) -> bytes:
    """The content of EVALUATION_FILE; the same predictions give the same bytes."""
    tables = []
    for target, found in predictions.items():
        rows, learned = len(found.actual), len(found.trained)
        groups = [None] * rows if found.protected is None else found.protected.tolist()
        tables.append(
            pa.table(
                {
                    "target": [target] * (rows + learned),
                    "part": ["test"] * rows + ["train"] * learned,
                    "actual": pa.array([*found.actual, *([None] * learned)], pa.float64()),
                    "predicted": np.concatenate([found.predicted, found.trained]),
                    "protected": pa.array([*groups, *([None] * learned)], pa.string()),
                }
            ).cast(EVALUATION_SCHEMA)
        )
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), buffer, compression="zstd")
    return buffer.getvalue()


def read_evaluation(files: Mapping[str, bytes], what: str) -> dict[str, Predictions]:
    """Predictions by target out of an artefact's files; empty when it stores none.

    Raises ContractError naming `what` when the file is there and not what it should be.
    """
    if EVALUATION_FILE not in files:
        return {}
    try:
        rows = pq.read_table(io.BytesIO(files[EVALUATION_FILE])).cast(EVALUATION_SCHEMA)
    except (pa.ArrowInvalid, ValueError) as error:
        raise ContractError(f"{what}: {EVALUATION_FILE} cannot be read: {error}") from error
    frame = rows.to_pandas()
    found: dict[str, Predictions] = {}
    for target, of_target in frame.groupby("target", sort=True):
        test = of_target[of_target["part"] == "test"]
        groups = test["protected"]
        found[str(target)] = Predictions(
            actual=test["actual"].to_numpy(),
            predicted=test["predicted"].to_numpy(),
            trained=of_target.loc[of_target["part"] == "train", "predicted"].to_numpy(),
            protected=None if groups.isna().all() else groups.to_numpy(dtype=object),
        )
    return found


def as_record(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Findings as they are written down."""
    return [asdict(finding) for finding in findings]


def against_champion(new: Mapping[str, Predictions], old: Mapping[str, Predictions]) -> Finding:
    """AUC (R² of amounts) of both versions on their later days; fails when surely lower.

    The two were judged on different rows, so both are drawn anew and independently.
    """
    name = "metrics against the champion"
    shared = [target for target in new if target in old]
    if not shared:
        return Finding(name, "not measured", "no champion, or no stored predictions to compare")
    parts, is_worse = [], False
    for target in shared:
        measure = "AUC" if new[target].is_class else "R²"
        draws = _resampled(new[target], seed=SEED) - _resampled(old[target], seed=SEED + 1)
        low, high = np.nanpercentile(draws, INTERVAL)
        difference = _quality(new[target].actual, new[target].predicted) - _quality(
            old[target].actual, old[target].predicted
        )
        is_worse |= bool(high < 0)
        parts.append(f"{target} {measure} {difference:+.4f} ({low:+.4f} to {high:+.4f})")
    return Finding(name, "failed" if is_worse else "passed", "; ".join(parts))


def calibrated(card: Mapping[str, Any]) -> Finding:
    """Predicted beside realised rate in the card's groups; chance is taken off (binomial)."""
    name = "calibration"
    parts, worst = [], 0.0
    for target, report in card.get("targets", {}).items():
        if not report.get("calibration"):
            continue
        rows, predicted, realised = (
            np.array([group[key] for group in report["calibration"]])
            for key in ("rows", "predicted", "realised")
        )
        error = _calibration_beyond_chance(rows, predicted, realised)
        worst = max(worst, error)
        parts.append(f"{target} {error:.3f} beyond chance")
    if not parts:
        return Finding(name, "not measured", "the card has no calibration table")
    status: Status = "passed" if worst <= MOST_CALIBRATION_ERROR else "failed"
    return Finding(name, status, f"{'; '.join(parts)} (at most {MOST_CALIBRATION_ERROR})")


def stable(predictions: Mapping[str, Predictions]) -> Finding:
    """PSI between the predictions that were learned from and those of the later days."""
    name = "stability"
    parts, worst = [], 0.0
    for target, found in predictions.items():
        if not len(found.trained):
            continue
        value = monitoring.score_psi(found.trained, found.predicted)
        worst = max(worst, value)
        parts.append(f"{target} PSI {value:.3f}")
    if not parts:
        return Finding(name, "not measured", "the artefact stores no predictions")
    status: Status = "passed" if worst <= monitoring.ALARM else "failed"
    return Finding(name, status, f"{'; '.join(parts)} (at most {monitoring.ALARM})")


def fair(predictions: Mapping[str, Predictions]) -> Finding:
    """The gap of selection rates between protected groups, with a bootstrap interval.

    Fails when the ratio of the smallest to the largest rate is surely below four fifths.
    """
    name = "fairness"
    parts, is_unfair = [], False
    for target, found in predictions.items():
        if found.protected is None:
            continue
        selected = found.predicted >= np.quantile(found.predicted, 1 - SELECTED_SHARE)
        groups, place = np.unique(found.protected.astype(str), return_inverse=True)
        is_large = np.bincount(place) >= LEAST_GROUP_ROWS
        if is_large.sum() < 2:
            continue
        gaps, ratios = _rate_draws(selected, place, is_large)
        rates = _rates(selected, place, len(groups))[is_large]
        low, high = np.percentile(gaps, INTERVAL)
        is_unfair |= bool(np.percentile(ratios, INTERVAL[1]) < LEAST_RATE_RATIO)
        ratio = rates.min() / rates.max() if rates.max() else 1.0
        parts.append(
            f"{target} selection-rate gap {np.ptp(rates):.3f} ({low:.3f} to {high:.3f}), "
            f"ratio {ratio:.2f}"
        )
    if not parts:
        return Finding(name, "not measured", "no protected column is stored with the predictions")
    return Finding(name, "failed" if is_unfair else "passed", "; ".join(parts))


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


def _quality(actual: Floats, predicted: Floats) -> float:
    if np.isin(actual, (0.0, 1.0)).all():
        found = evaluation.auc(actual, predicted)
    else:
        found = evaluation.amount_metrics(actual, predicted).get("r2")
    return np.nan if found is None else float(found)


def _resampled(found: Predictions, *, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    rows = len(found.actual)
    draws = (rng.integers(0, rows, rows) for _ in range(RESAMPLES))
    return np.array([_quality(found.actual[draw], found.predicted[draw]) for draw in draws])


def _calibration_beyond_chance(rows: Floats, predicted: Floats, realised: Floats) -> float:
    # The mean absolute value of a normal error is sqrt(2 / pi) of its standard error.
    chance = np.sqrt(2 / np.pi * predicted * (1 - predicted) / rows)
    gap = np.abs(predicted - realised) - chance
    return max(0.0, float((rows * gap).sum() / rows.sum()))


def _rates(selected: npt.NDArray[np.bool_], place: npt.NDArray[np.int64], groups: int) -> Floats:
    counted = np.bincount(place, minlength=groups)
    rates: Floats = np.bincount(place, selected, groups) / np.maximum(counted, 1)
    return rates


def _rate_draws(
    selected: npt.NDArray[np.bool_],
    place: npt.NDArray[np.int64],
    is_large: npt.NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(SEED)
    gaps, ratios = np.zeros(RESAMPLES), np.ones(RESAMPLES)
    for draw in range(RESAMPLES):
        taken = rng.integers(0, len(selected), len(selected))
        rates = _rates(selected[taken], place[taken], len(is_large))[is_large]
        gaps[draw] = np.ptp(rates)
        ratios[draw] = rates.min() / rates.max() if rates.max() else 1.0
    return gaps, ratios
