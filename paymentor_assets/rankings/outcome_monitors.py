"""Calibration and lift by the week: scores of earlier days beside what came of them since.

Outcomes become known days or weeks after a score, and are published weekly; so what is measured is
the newest week of which they are known. What came of a day is read in `outcomes`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.audit.publications import covering, read_table
from paymentor_assets.models import monitoring
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.monitoring_table import CALIBRATION, LIFT
from paymentor_assets.rankings.watched import Promise, Scored
from resources.lakehouse import Lakehouse

#: The newest week of known outcomes is looked for among so many days.
WEEK_DAYS, LOOK_BACK_DAYS = 7, 14
MOST_RATE_GAP = 0.05
#: A lift below this is no better than picking at random.
LEAST_LIFT = 1.0
#: Fewer known outcomes say nothing about a tenth of them.
LEAST_OUTCOMES = 100


def against_outcomes(lake: Lakehouse, scored: Scored) -> list[dict[str, Any]]:
    """Calibration and lift of every promise of which enough outcomes are known; rows of MONITORING
    without the columns that say of what."""
    measures: list[dict[str, Any]] = []
    for promise in scored.watched.promises:
        known = _known_outcomes(lake, scored, promise)
        if known.num_rows < LEAST_OUTCOMES:
            continue
        said = promise.said(known)
        actual = known.column(promise.target).cast(pa.float64()).to_numpy()
        # A borrower's days of one week tell the same story.
        borrowers = len(known.column(scored.watched.table.key[1]).unique())
        days = known.column("as_of_date")
        about = {
            "subject": promise.column,
            "row_count": known.num_rows,
            "first_date": pc.min(days).as_py(),
            "last_date": pc.max(days).as_py(),
        }
        if promise.is_probability:
            measures.append({**about, **_calibration(actual, said, borrowers)})
        report = scored.model.card["targets"].get(promise.target, {}).get("test", {})
        promised = report.get("top_decile_lift")
        measures.append({**about, **_lift(actual, said, borrowers, promised)})
    return measures


def _calibration(actual: Floats, predicted: Floats, borrowers: int) -> dict[str, Any]:
    gap = float(actual.mean() - predicted.mean())
    error = float(np.sqrt((predicted * (1 - predicted)).mean() / borrowers))
    threshold = max(MOST_RATE_GAP, monitoring.RATE_ERRORS * error)
    return {
        "monitor": CALIBRATION,
        "reference": float(predicted.mean()),
        "value": gap,
        "threshold": threshold,
        "is_alarm": abs(gap) > threshold,
    }


def _lift(actual: Floats, said: Floats, borrowers: int, promised: float | None) -> dict[str, Any]:
    """Payers' share in the tenth called most likely over their share in all."""
    base, threshold = float(actual.mean()), LEAST_LIFT
    value = None
    if base:
        best = np.argsort(-said, kind="stable")[: max(1, len(actual) // 10)]
        value = float(actual[best].mean()) / base
        error = np.sqrt((1 - base) / base / max(1, borrowers // 10))
        threshold = max(0.0, LEAST_LIFT - monitoring.RATE_ERRORS * float(error))
    return {
        "monitor": LIFT,
        "reference": promised,
        "value": value,
        "threshold": threshold,
        "is_alarm": value is not None and value < threshold,
    }


def _known_outcomes(lake: Lakehouse, scored: Scored, promise: Promise) -> pa.Table:
    """Scores by the same version with what came of them, of the newest week that is known."""
    table, last = scored.watched.table, scored.day - timedelta(days=promise.horizon)
    wanted = [*table.key, promise.column, "model_version"]
    published = covering(lake, scored.watched.stage, scored.lender.lender_id)
    candidates = (last - timedelta(days=k) for k in range(LOOK_BACK_DAYS))
    days = [day for day in candidates if day in published and table.name in published[day].tables]
    if not days:
        return pa.table({})
    said = pa.concat_tables(read_table(lake, published[day], table, day, wanted) for day in days)
    mine = said.filter(pc.equal(said.column("model_version"), str(scored.version)))
    outcomes = promise.read(lake, scored.lender, scored.day, days)
    if not outcomes.num_rows:
        return pa.table({})
    known = mine.join(outcomes, keys=list(table.key), join_type="inner")
    week = sorted(known.column("as_of_date").unique().to_pylist())[-WEEK_DAYS:]
    # A join keeps no order, and ties of the score are broken by it.
    return known.filter(
        pc.is_in(known.column("as_of_date"), value_set=pa.array(week, pa.date32()))
    ).sort_by([(name, "ascending") for name in table.key])
