"""What the monitors measure of a ranked day: has the world moved away from what the model learned?

The reference is the published features of the newest days the model was trained on, scored by the
very artefact that scored the day. Outcomes are looked at by the week, once they are known.
What does not belong here: the statistics themselves (models.monitoring), and acting on an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import Publication, newest, read_table, require
from paymentor_assets.models import artefact, evaluation, feature_frame, monitoring
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.families import customer_ranking as family
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.designs import FEW_VALUES
from paymentor_assets.models.monitoring_table import (
    CALIBRATION,
    FEATURE_PSI,
    LIFT,
    MISSING_RATE,
    MONITORING,
    SCORE_PSI,
)
from paymentor_assets.models.training_extract import (
    FEATURES_STAGE,
    LABELS_STAGE,
    feature_contract,
)
from paymentor_assets.rankings.scoring import predict
from paymentor_assets.rankings.tables import CUSTOMER_RANKINGS
from resources.errors import ApprovalError
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry

RANKINGS_STAGE = "rankings"
#: The newest weekly training days that are still published stand for all of them.
REFERENCE_DAYS = 4
#: Evenly spaced rows of each side: a PSI of more says the same.
SAMPLE_ROWS = 20_000
#: Groups of a feature at most, but for categories of many values: its few values, and missing.
FEATURE_GROUPS = FEW_VALUES + 1
WEEK = timedelta(days=7)
MOST_MORE_MISSING = 0.10
MOST_RATE_GAP = 0.05
#: A lift below this is no better than picking at random.
LEAST_LIFT = 1.0
#: Fewer known outcomes say nothing about a tenth of them.
LEAST_OUTCOMES = 100

#: Published score to the target it predicts and the days until that is known.
_SCORES = {"p_pay_7d": ("paid_7d", 7), "p_pay_30d": ("paid_30d", 30)}
_LABEL_KEY = ["lender_id", "account_id", "as_of_date"]


@dataclass(frozen=True)
class Scored:
    """A ranked day and the artefact that ranked it."""

    publication: Publication
    day: date
    rows: pa.Table
    version: int
    model: ModelArtefact


def monitor_day(lake: Lakehouse, registry: ModelRegistry, lender_id: str, day: date) -> pa.Table:
    """All measures of a lender's ranked day; rows of MONITORING, none for a day without accounts.

    What cannot be measured has a null value (a feature that is empty), or no row at all (outcomes
    that are not known, a reference that was deleted). Raises PublicationError when the day was not
    ranked, ApprovalError when the artefact that ranked it is gone or altered.
    """
    scored = _scored(lake, registry, lender_id, day)
    if scored is None:
        return MONITORING.schema.empty_table()
    measures = [*_against_reference(lake, scored), *_against_outcomes(lake, scored)]
    common = {
        "lender_id": lender_id,
        "as_of_date": day,
        "family": family.FAMILY,
        "model_version": scored.version,
    }
    return pa.Table.from_pylist([{**common, **m} for m in measures], schema=MONITORING.schema)


def _scored(lake: Lakehouse, registry: ModelRegistry, lender_id: str, day: date) -> Scored | None:
    publication = require(lake, RANKINGS_STAGE, lender_id, day)
    rows = read_table(lake, publication, CUSTOMER_RANKINGS, day)
    if rows.num_rows == 0:
        return None
    version = int(rows.column("model_version")[0].as_py())
    files = artefact.read_files(registry.artefact_dir(registry.version(family.FAMILY, version)))
    if artefact.sha256_of_files(files) != rows.column("model_artefact_sha256")[0].as_py():
        raise ApprovalError(
            f"The artefact of {family.FAMILY} version {version} is not the one that ranked "
            f"{day.isoformat()}; restore the registry's files."
        )
    return Scored(publication, day, rows, version, artefact.from_files(files))


def _against_reference(lake: Lakehouse, scored: Scored) -> list[dict[str, Any]]:
    days = _reference_days(lake, scored)
    if not days:
        return []
    before = _sample(_frame(lake, scored.publication.lender_id, days))
    now = _sample(_frame(lake, scored.publication.lender_id, [scored.day]))
    names = [feature.name for feature in family.FEATURES]
    one, other = (frame.select(names).to_pandas() for frame in (before, now))
    about = {"row_count": now.num_rows, "first_date": scored.day, "last_date": scored.day}
    # The days of the reference repeat the same borrowers: they are evidence once.
    borrowers = max(1, before.num_rows // len(days))
    measures = [*_spread(one, other, borrowers), *_missing(one, other)]
    reference = predict(scored.model, before)
    for score, (target, _) in _SCORES.items():
        published = scored.rows.column(score).to_numpy()
        value = monitoring.score_psi(reference[target], published)
        threshold = monitoring.psi_alarm(borrowers, len(published), monitoring.SCORE_BINS)
        measures.append(_psi(SCORE_PSI, score, value, threshold))
    return [{**about, **measure} for measure in measures]


def _spread(before: pd.DataFrame, now: pd.DataFrame, borrowers: int) -> list[dict[str, Any]]:
    usable = [name for name in before if before[name].notna().any() and now[name].notna().any()]
    psi: Mapping[str, float] = {}
    if usable:
        psi = monitoring.drift(before[usable], now[usable], what=family.FAMILY).features
    return [
        _psi(
            FEATURE_PSI,
            str(name),
            psi.get(str(name)),
            monitoring.psi_alarm(borrowers, len(now), FEATURE_GROUPS),
        )
        for name in before
    ]


def _psi(monitor: str, subject: str, value: float | None, threshold: float) -> dict[str, Any]:
    return {
        "monitor": monitor,
        "subject": subject,
        "reference": None,
        "value": value,
        "threshold": threshold,
        "is_alarm": value is not None and value > threshold,
    }


def _missing(before: pd.DataFrame, now: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "monitor": MISSING_RATE,
            "subject": str(name),
            "reference": float(before[name].isna().mean()),
            "value": float(now[name].isna().mean()),
            "threshold": float(before[name].isna().mean()) + MOST_MORE_MISSING,
            "is_alarm": bool(
                now[name].isna().mean() > before[name].isna().mean() + MOST_MORE_MISSING
            ),
        }
        for name in before
    ]


def _against_outcomes(lake: Lakehouse, scored: Scored) -> list[dict[str, Any]]:
    measures: list[dict[str, Any]] = []
    for score, (target, horizon) in _SCORES.items():
        last = scored.day - timedelta(days=horizon)
        week = [last - timedelta(days=k) for k in range(WEEK.days)]
        known = _known_outcomes(lake, scored, week, score, target)
        if known.num_rows < LEAST_OUTCOMES:
            continue
        predicted = known.column(score).to_numpy()
        actual = known.column(target).cast(pa.float64()).to_numpy()
        days = known.column("as_of_date")
        about = {
            "subject": score,
            "row_count": known.num_rows,
            "first_date": pc.min(days).as_py(),
            "last_date": pc.max(days).as_py(),
        }
        report = scored.model.card["targets"][target]["test"]
        measures += [
            {**about, **_calibration(actual, predicted)},
            {**about, **_lift(actual, predicted, report.get("top_decile_lift"))},
        ]
    return measures


def _calibration(actual: Floats, predicted: Floats) -> dict[str, Any]:
    gap = float(actual.mean() - predicted.mean())
    error = float(np.sqrt((predicted * (1 - predicted)).mean() / len(actual)))
    threshold = max(MOST_RATE_GAP, monitoring.RATE_ERRORS * error)
    return {
        "monitor": CALIBRATION,
        "reference": float(predicted.mean()),
        "value": gap,
        "threshold": threshold,
        "is_alarm": abs(gap) > threshold,
    }


def _lift(actual: Floats, predicted: Floats, promised: float | None) -> dict[str, Any]:
    value = evaluation.probability_metrics(actual, predicted)["top_decile_lift"]
    return {
        "monitor": LIFT,
        "reference": promised,
        "value": value,
        "threshold": LEAST_LIFT,
        "is_alarm": value is not None and value < LEAST_LIFT,
    }


def _known_outcomes(
    lake: Lakehouse, scored: Scored, days: Sequence[date], score: str, target: str
) -> pa.Table:
    """Scores by the same version, with the outcomes published since; one row an account and day."""
    lender_id = scored.publication.lender_id
    labels_contract = "features.repayment_labels"
    parts = []
    for day in days:
        ranked = newest(lake, RANKINGS_STAGE, lender_id, day)
        labelled = newest(lake, LABELS_STAGE, lender_id, day)
        if ranked is None or labelled is None:
            continue
        rows = read_table(
            lake, ranked, CUSTOMER_RANKINGS, day, [*_LABEL_KEY, score, "model_version"]
        )
        mine = rows.filter(pc.equal(rows.column("model_version"), str(scored.version)))
        labels = read_table(
            lake, labelled, feature_contract(lake, labels_contract), day, [*_LABEL_KEY, target]
        )
        known = labels.filter(pc.is_valid(labels.column(target)))
        parts.append(mine.join(known, keys=_LABEL_KEY, join_type="inner"))
    if not parts:
        return pa.table({})
    return pa.concat_tables(parts)


def _reference_days(lake: Lakehouse, scored: Scored) -> list[date]:
    """The newest training days whose features are still published, newest first."""
    trained = {
        date.fromisoformat(day)
        for report in scored.model.card["targets"].values()
        for day in report["train_days"]
    }
    lender_id = scored.publication.lender_id
    published: list[date] = []
    for day in sorted(trained, reverse=True):
        if newest(lake, FEATURES_STAGE, lender_id, day) is not None:
            published.append(day)
        if len(published) == REFERENCE_DAYS:
            break
    return published


def _frame(lake: Lakehouse, lender_id: str, days: Sequence[date]) -> pa.Table:
    columns = {
        "features.account_features": feature_frame.account_columns(),
        "features.customer_profile": feature_frame.profile_columns(),
    }
    read: dict[str, pa.Table] = {}
    for name, wanted in columns.items():
        contract = feature_contract(lake, name)
        read[name] = pa.concat_tables(
            read_table(
                lake, require(lake, FEATURES_STAGE, lender_id, day), contract, day, wanted
            ).select(wanted)
            for day in days
        )
    return feature_frame.build(*read.values())


def _sample(frame: pa.Table) -> pa.Table:
    rows = min(frame.num_rows, SAMPLE_ROWS)
    return frame.take(np.linspace(0, frame.num_rows - 1, rows).astype(np.int64))
