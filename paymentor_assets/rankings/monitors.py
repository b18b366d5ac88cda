"""What the monitors measure of a scored day: has the world moved away from what the model learned?

The reference is the published features of the newest days the model was trained on, scored by the
very artefact that scored the day. All families are measured alike; what is watched of each stands
in `watched`, what came of their scores is measured in `outcome_monitors`.
What does not belong here: the statistics themselves (models.monitoring), and acting on an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paymentor_assets.audit.publications import Publication, newest, read_table
from paymentor_assets.lenders import Lender
from paymentor_assets.models import artefact, families, monitoring
from paymentor_assets.models.learning import columns
from paymentor_assets.models.learning.designs import bin_of
from paymentor_assets.models.monitoring_table import (
    FEATURE_PSI,
    MISSING_RATE,
    MONITORING,
    SCORE_PSI,
)
from paymentor_assets.rankings.outcome_monitors import against_outcomes
from paymentor_assets.rankings.watched import WATCHED, FeatureDays, Scored, Spread, Watched
from resources.errors import ApprovalError, PublicationError
from resources.lakehouse import Lakehouse
from resources.registry import ModelRegistry

#: The newest weekly training days that are still published stand for all of them: two months, so
#: that every part of a month, with its due dates and paydays, is there twice.
REFERENCE_DAYS = 8
#: Evenly spaced customers (or accounts) of the reference: a PSI of more says the same.
SAMPLE_ROWS = 20_000
MOST_MORE_MISSING = 0.10
#: The stages that publish scores.
STAGES = tuple(sorted({watched.stage for watched in WATCHED}))
#: A day of the reference with fewer rows says nothing about how much days differ.
LEAST_ROWS = 100


def scored_publications(lake: Lakehouse, lender_id: str, day: date) -> dict[str, Publication]:
    """The newest publication of a day's scores by stage; only stages that have one."""
    found = {stage: newest(lake, stage, lender_id, day) for stage in STAGES}
    return {stage: published for stage, published in found.items() if published is not None}


def monitor_day(lake: Lakehouse, registry: ModelRegistry, lender: Lender, day: date) -> pa.Table:
    """All measures of a lender's scored day; rows of MONITORING, none for a day without scores.

    What cannot be measured has a null value (a feature that is empty), or no row at all (outcomes
    that are not known, a reference that was deleted). Raises PublicationError when the day was not
    scored, ApprovalError when an artefact that scored it is gone or altered.
    """
    published = scored_publications(lake, lender.lender_id, day)
    if not published:
        raise PublicationError(
            f"No model has scored {day.isoformat()} of lender {lender.lender_id} (stages rankings "
            "and scores), so there is nothing to monitor; run that day first."
        )
    features = FeatureDays(lake, lender, SAMPLE_ROWS // REFERENCE_DAYS)
    measures: list[dict[str, Any]] = []
    for watched in WATCHED:
        scored = _scored(lake, registry, lender, day, watched, published.get(watched.stage))
        if scored is not None:
            about = {
                "lender_id": lender.lender_id,
                "as_of_date": day,
                "family": watched.family,
                "model_version": scored.version,
            }
            found = [*_against_reference(features, scored), *against_outcomes(lake, scored)]
            measures += [{**about, **measure} for measure in found]
    return pa.Table.from_pylist(measures, schema=MONITORING.schema)


def _scored(
    lake: Lakehouse,
    registry: ModelRegistry,
    lender: Lender,
    day: date,
    watched: Watched,
    published: Publication | None,
) -> Scored | None:
    if published is None or watched.table.name not in published.tables:
        return None
    rows = read_table(lake, published, watched.table, day)
    if rows.num_rows == 0:
        return None
    version = int(rows.column("model_version")[0].as_py())
    files = artefact.read_files(registry.artefact_dir(registry.version(watched.family, version)))
    if artefact.sha256_of_files(files) != rows.column("model_artefact_sha256")[0].as_py():
        raise ApprovalError(
            f"The artefact of {watched.family} version {version} is not the one that scored "
            f"{day.isoformat()}; restore the registry's files."
        )
    return Scored(watched, lender, day, rows, version, artefact.from_files(files))


def _against_reference(features: FeatureDays, scored: Scored) -> list[dict[str, Any]]:
    days = _reference_days(features, scored)
    if not days:
        return []
    look = scored.watched.look
    before, now = look(features, scored.model, days), look(features, scored.model, [scored.day])
    measures = [*_features(scored.model.family, before.frame, now.frame)]
    for spread in scored.watched.spreads:
        measures += _score(spread, *(_only(rows, spread) for rows in (before.scores, scored.rows)))
    about = {"row_count": now.frame.num_rows, "first_date": scored.day, "last_date": scored.day}
    return [{**about, **measure} for measure in measures]


def _only(rows: pa.Table, spread: Spread) -> pa.Table:
    return rows if spread.only is None else rows.filter(rows.column(spread.only))


def _features(family: str, before: pa.Table, now: pa.Table) -> Iterator[dict[str, Any]]:
    """PSI and missing rate of every feature that is the customer's; none for empty frames."""
    spec = families.get(family).SPEC
    names = [f.name for f in spec.features if f.name in before.column_names]
    if not names or not before.num_rows or not now.num_rows:
        return
    one, other = (rows.select(names).to_pandas() for rows in (before, now))
    known = [name for name in names if one[name].notna().any() and other[name].notna().any()]
    if known:
        schema = columns.learn(family, one[known])
        old, new = schema.read(one[known]), schema.read(other[known])
        for column in schema.columns:
            was, is_now = (bin_of(read[column.name], column) for read in (old, new))
            yield _psi(FEATURE_PSI, column.name, was, is_now, before, now)
    for name in (name for name in names if name not in known):
        yield _measure(FEATURE_PSI, name, None, monitoring.ALARM)
    for name in names:
        usual, today = float(one[name].isna().mean()), float(other[name].isna().mean())
        error = np.sqrt(usual * (1 - usual) * (1 / _borrowers(before) + 1 / _borrowers(now)))
        most = usual + max(MOST_MORE_MISSING, monitoring.RATE_ERRORS * float(error))
        yield _measure(MISSING_RATE, name, today, most, reference=usual)


def _score(spread: Spread, before: pa.Table, now: pa.Table) -> list[dict[str, Any]]:
    if not before.num_rows or not now.num_rows:
        return []
    one, other = (_values(rows, spread) for rows in (before, now))
    grouped = monitoring.categories if spread.is_category else monitoring.tenths
    return [_psi(SCORE_PSI, spread.column, *grouped(one, other), before, now)]


def _values(rows: pa.Table, spread: Spread) -> npt.NDArray[Any]:
    column = rows.column(spread.column)
    values: npt.NDArray[Any] = np.asarray(
        column.to_numpy().astype(str) if spread.is_category else column.cast(pa.float64())
    )
    return values


def _psi(
    monitor: str,
    subject: str,
    before: columns.Codes,
    now: columns.Codes,
    reference: pa.Table,
    today: pa.Table,
) -> dict[str, Any]:
    """PSI of group numbers; an alarm is what neither chance nor the calendar explains."""
    groups = int(max(before.max(), now.max())) + 1
    # The days of the reference repeat the same borrowers: they are evidence once.
    chance = monitoring.psi_alarm(_borrowers(reference), _borrowers(today), max(2, groups))
    days = reference.column("as_of_date").to_numpy().astype("datetime64[D]")
    calendar = monitoring.usual_psi(before, days, span=1, least=LEAST_ROWS)
    return _measure(monitor, subject, monitoring.group_psi(before, now), max(chance, calendar))


def _borrowers(rows: pa.Table) -> int:
    return len(rows.column("customer_id").unique())


def _measure(
    monitor: str,
    subject: str,
    value: float | None,
    threshold: float,
    *,
    reference: float | None = None,
) -> dict[str, Any]:
    return {
        "monitor": monitor,
        "subject": subject,
        "reference": reference,
        "value": value,
        "threshold": threshold,
        "is_alarm": value is not None and value > threshold,
    }


def _reference_days(features: FeatureDays, scored: Scored) -> list[date]:
    """The newest training days whose features are still published, newest first."""
    trained = {
        date.fromisoformat(day)
        for report in scored.model.card["targets"].values()
        for day in report["train_days"]
    }
    return sorted(trained & set(features.published), reverse=True)[:REFERENCE_DAYS]
