"""How each family is trained: from outcomes, as segments, or from events.

All three learn from the earlier days of an extract and are judged on the later ones.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from paymentor_assets.models import fair_use, fairness, training
from paymentor_assets.models.artefact import DECIMALS, ModelArtefact
from paymentor_assets.models.families import customer_segmentation, user_affinity
from paymentor_assets.models.families.user_affinity import Affinity
from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.predictions import Part, Predictions, evaluation_bytes, evenly
from paymentor_assets.models.splits import TEST_SHARE
from paymentor_assets.models.training import Trained, TrainingData
from resources.errors import ContractError

#: Names of what the families without outcomes give.
SEGMENT, AFFINITY = "segment", "affinity"


def train(spec: FamilySpec, data: TrainingData, *, seed: int = 7) -> ModelArtefact:
    """Fit and evaluate a family on its extract.

    Raises ContractError in a sentence when the extract does not suffice, or when a feature may not
    be used; LeakageError naming the features that know the outcome.
    """
    features = fair_use.features_of(spec)
    rows = data.in_order(spec.family)
    if spec.targets:
        trained = training.train_targets(spec, rows, seed)
    elif spec.family == customer_segmentation.FAMILY:
        trained = _segments(spec, rows, seed)
    else:
        trained = _affinity(spec, rows, seed)
    return ModelArtefact(
        family=spec.family,
        targets=trained.models,
        phrases=spec.phrases,
        evaluation=evaluation_bytes(trained.predictions),
        card={
            "purpose": spec.purpose,
            "targets": trained.reports,
            "fairness": fairness.fair(trained.predictions).figure,
            "explained_target": spec.explained_target,
            "features": features,
            "missing_share": {
                feature.name: round(rows.column(feature.name).null_count / rows.num_rows, 4)
                for feature in spec.features
            },
            "excluded": dict(spec.excluded),
            "limits": list(spec.limits),
            "seed": seed,
            "data": data.described(),
        },
    )


def _segments(spec: FamilySpec, rows: pa.Table, seed: int) -> Trained:
    """Segments of the earlier days, and what they make of the later ones."""
    days, earlier, later = _divided(spec, rows)
    frame = rows.select([feature.name for feature in spec.features]).to_pandas()
    unknown = [name for name in frame if frame.loc[earlier, name].isna().all()]
    model = customer_segmentation.fit(frame[earlier].drop(columns=unknown), seed=seed)
    before, now = model.assign(frame[earlier]), model.assign(frame[later])
    metrics: dict[str, float] = {"rows": float(len(now))}
    for segment in model.names:
        metrics[f"share_{segment}"] = round(float((now["segment"] == segment).mean()), 6)
        was = float((before["segment"] == segment).mean())
        metrics[f"share_{segment}_in_training"] = round(was, 6)
    metrics["mean_distance"] = round(float(now["distance"].mean()), 6)
    metrics["kept_from_week_to_week"] = _kept(rows, days, model.assign(frame)["segment"])
    report = {
        "test": metrics,
        **_said_of_days(days, earlier, later),
        "left_out_unknown": unknown,
        "centroids": [
            {"segment": name, **dict(zip(model.schema.names, centre.tolist(), strict=True))}
            for name, centre in zip(model.names, model.centroids.round(3), strict=True)
        ],
    }
    learned, judged = (evenly(np.flatnonzero(part)) for part in (earlier, later))
    borrower, place = training.borrowers(rows), model.assign(frame)["segment_id"].to_numpy(float)
    kept = Predictions(
        kind="segment",
        test=Part(borrower[judged], days[judged], place[judged]),
        actual=np.full(len(judged), np.nan),
        train=Part(borrower[learned], days[learned], place[learned]),
    )
    return Trained({SEGMENT: model}, {SEGMENT: report}, {SEGMENT: kept})


def _affinity(spec: FamilySpec, rows: pa.Table, seed: int) -> Trained:
    """A ranker of the earlier days, judged by the next new product of the later ones."""
    days, earlier, later = _divided(spec, rows)
    events = pd.DataFrame(
        {
            "customer_id": rows.column("subject_id").to_pylist(),
            "product": rows.column("product").to_pylist(),
            "occurred_at": rows.column("occurred_at").to_pandas(),
        }
    )
    model = user_affinity.fit(events[earlier], seed=seed)
    if not isinstance(model, Affinity):
        raise TypeError(f"{spec.family}: a model of events was expected.")
    scored = _scored_with_the_next(model, events[earlier], events[later])
    ranks = scored.loc[scored["is_next"], "rank"].to_numpy(dtype=np.float64)
    if not len(ranks):
        raise ContractError(
            f"{spec.family}: on the later days nobody known came to a new product, so there is "
            "nothing to judge by; extract more days."
        )
    report = {
        "test": {
            "rows": float(len(ranks)),
            "mean_reciprocal_rank": round(float((1 / ranks).mean()), 6),
            "first_is_right": round(float((ranks == 1).mean()), 6),
            "products": float(len(model.catalogue.products)),
        },
        **_said_of_days(days, earlier, later),
        "left_out_unknown": [],
        "choice": {**model.card, "folds": f"{model.card['examples']} next new products"},
    }
    return Trained({AFFINITY: model}, {AFFINITY: report}, {AFFINITY: _places(scored, days[later])})


def _scored_with_the_next(
    model: Affinity, before: pd.DataFrame, after: pd.DataFrame
) -> pd.DataFrame:
    """The ranked products of each known customer who newly came to one: `is_next` says to which."""
    scored = model.score(before)
    scored["rank"] = scored.groupby("customer_id")["score"].rank(ascending=False, method="first")
    first = after.sort_values(["occurred_at", "customer_id", "product"], kind="stable")
    found = first.merge(scored, on=["customer_id", "product"]).drop_duplicates("customer_id")
    judged = scored.merge(
        found[["customer_id", "product"]], on="customer_id", suffixes=("", "_next")
    )
    judged["is_next"] = judged["product"] == judged["product_next"]
    return judged


def _places(scored: pd.DataFrame, days: Any) -> Predictions:
    """The share of a customer's products that stand below each: comparable between customers.

    They were ranked before the first of `days`. Of what was learned from nothing is kept: places
    are spread evenly by nature.
    """
    _, borrower = np.unique(scored["customer_id"].to_numpy(str), return_inverse=True)
    rows = evenly(np.arange(len(scored)))
    below = scored.groupby("customer_id")["rank"].transform("count") - scored["rank"]
    products = scored.groupby("customer_id")["rank"].transform("count")
    return Predictions(
        kind="order",
        test=Part(
            borrower.astype(np.int64)[rows],
            np.full(len(rows), days.min()),
            (below / products).to_numpy(float).round(DECIMALS)[rows],
        ),
        actual=scored["is_next"].to_numpy(float)[rows],
        train=Part(np.array([], dtype=np.int64), days[:0], np.array([])),
    )


def _divided(spec: FamilySpec, rows: pa.Table) -> tuple[Any, Any, Any]:
    """Each row's day, and masks of the earlier and the later days; all of shape (rows,)."""
    days = rows.column("as_of_date").to_numpy().astype("datetime64[D]")
    known = np.unique(days)
    if len(known) < 2:
        raise ContractError(
            f"{spec.family}: the extract has {len(known)} days; at least 2 are needed, to learn "
            "from the earlier and judge on the later. Extract more days."
        )
    later = days >= known[-max(1, round(len(known) * TEST_SHARE))]
    return days, ~later, later


def _said_of_days(days: Any, earlier: Any, later: Any) -> dict[str, Any]:
    return {
        "horizon_days": 0,
        "train_rows": int(earlier.sum()),
        "train_days": _iso(days[earlier]),
        "purged_days": [],
        "test_days": _iso(days[later]),
    }


def _iso(days: Any) -> list[str]:
    return [date.isoformat(day) for day in np.unique(days).tolist()]


def _kept(rows: pa.Table, days: Any, segment: pd.Series[Any]) -> float:
    """Share of customers whose segment was the same on the extract's day before."""
    placed = pd.DataFrame(
        {
            "subject": rows.column("subject_id").to_pylist(),
            "day": days,
            "segment": segment.to_numpy(),
        }
    ).sort_values(["subject", "day"])
    before = placed.groupby("subject")["segment"].shift()
    known = before.notna()
    return round(float((before[known] == placed["segment"][known]).mean()), 6)
