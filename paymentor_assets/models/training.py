"""Training: from an extract to an artefact with its evaluation.

Runs in model development, on de-identified rows only. Every target is learned by the family's
public `fit` on the earlier days and judged on the later ones. The model that is evaluated is the
model that is kept: no refit on the held-out days, so every figure on the card is about these very
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models import evaluation, families, splits
from paymentor_assets.models.artefact import DECIMALS, Fitted
from paymentor_assets.models.evaluation import Mask
from paymentor_assets.models.family_spec import PROTECTED, FamilySpec, Kind, Target
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.learning.designs import tree_matrix
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.learning.targets import MIN_CLASS_ROWS
from paymentor_assets.models.learning.uplift import qini
from paymentor_assets.models.predictions import Ints, Part, Predictions, evenly
from paymentor_assets.models.splits import TimeSplit
from resources.errors import ContractError

MIN_TRAINING_ROWS = 100
#: Rows on which candidates are compared: weekly days of the same borrowers repeat each other, and a
#: comparison on more of them costs minutes (17,000 rows x 60 columns: 60 s of CPU instead of 25).
CHOOSE_ON = 8_000
#: Rows of which contributions are averaged for the list of features that matter.
EXPLAINED_ROWS = 2_000
TOP_FEATURES = 15
#: Of the intervals that are judged.
COVERAGE = 0.9

_METRICS: Mapping[Kind, Callable[[Floats, Floats], evaluation.Metrics]] = {
    "probability": evaluation.probability_metrics,
    "amount": evaluation.amount_metrics,
    "log_amount": evaluation.log_amount_metrics,
}


@dataclass(frozen=True)
class TrainingData:
    """Extract rows of all lenders, and where they come from.

    `rows` has the columns of training.<family>; `publications` names the extract's publications by
    lender, `snapshots` the Iceberg snapshots read.
    """

    rows: pa.Table
    publications: Mapping[str, str] = field(default_factory=dict)
    snapshots: Mapping[str, int] = field(default_factory=dict)

    def in_order(self, family: str) -> pa.Table:
        """Rows in an order that does not depend on how they were stored.

        Raises ContractError when there are too few to learn from.
        """
        if self.rows.num_rows < MIN_TRAINING_ROWS:
            raise ContractError(
                f"{family}: the extract has {self.rows.num_rows} rows, fewer than "
                f"{MIN_TRAINING_ROWS}; extract more days."
            )
        return self.rows.sort_by(
            [(name, "ascending") for name in ("lender_id", "as_of_date", "row_id")]
        )

    def described(self) -> dict[str, Any]:
        """What the model card says of the data."""
        return {
            "rows": self.rows.num_rows,
            "known_through": max(self.rows.column("known_through").to_pylist()).isoformat(),
            "publications": dict(self.publications),
            "snapshots": {name: str(snapshot) for name, snapshot in self.snapshots.items()},
        }


@dataclass(frozen=True)
class Sample:
    """What one target is learned from and judged on; arrays of shape (rows,)."""

    frame: pd.DataFrame
    actual: Floats
    days: npt.NDArray[np.datetime64]
    weight: Floats | None
    #: Whether each row had the treatment; all true for a family without one.
    is_treated: Mask
    split: TimeSplit
    borrower: Ints
    protected: npt.NDArray[np.object_] | None


@dataclass(frozen=True)
class Trained:
    """What training made of an extract, by target."""

    models: Mapping[str, Fitted]
    reports: Mapping[str, Mapping[str, Any]]
    predictions: Mapping[str, Predictions]


def train_targets(spec: FamilySpec, rows: pa.Table, seed: int) -> Trained:
    """Fit and evaluate all targets of a family that learns from outcomes.

    Raises ContractError when rows, days or outcomes do not suffice, naming target and cause, and
    LeakageError naming the features that know the outcome.
    """
    models: dict[str, FittedModel] = {}
    reports: dict[str, dict[str, Any]] = {}
    predictions: dict[str, Predictions] = {}
    for target in spec.targets:
        sample = _sample(spec, target, rows)
        try:
            model, learned = _fitted(spec, target, sample, seed)
        except ContractError as error:
            raise ContractError(f"{_what(spec, target)}: {error}") from error
        apart = None
        if spec.judged_apart:
            apart = rows.column(f"is_{spec.judged_apart}").to_numpy()
        models[target.name] = model
        predictions[target.name] = _predictions(target, model, sample)
        reports[target.name] = {
            **_judged(spec, target, model, sample, apart),
            "horizon_days": target.horizon_days,
            "train_rows": int(sample.split.train.sum()),
            "train_days": [d.isoformat() for d in sample.split.train_days],
            "purged_days": [d.isoformat() for d in sample.split.purged_days],
            "test_days": [d.isoformat() for d in sample.split.test_days],
            "choice": dict(model.card),
            **learned,
        }
    return Trained(models, reports, predictions)


def borrowers(rows: pa.Table) -> Ints:
    """A number for each row's borrower, shape (rows,)."""
    _, number = np.unique(rows.column("subject_id").to_numpy().astype(str), return_inverse=True)
    return number.astype(np.int64)


def _what(spec: FamilySpec, target: Target) -> str:
    return f"{spec.family} target {target.name}"


def _sample(spec: FamilySpec, target: Target, rows: pa.Table) -> Sample:
    label = pc.cast(rows.column(target.name), pa.float64())
    days = rows.column("as_of_date").to_numpy().astype("datetime64[D]")
    split = splits.by_time(
        days,
        label.is_valid().to_numpy(),
        horizon_days=target.horizon_days,
        known_through=rows.column("known_through").to_numpy().astype("datetime64[D]"),
        what=_what(spec, target),
    )
    if spec.is_steady:
        split = splits.one_row_a_subject(split, rows.column("subject_id").to_pylist())
    treated = np.ones(len(days), dtype=bool)
    if spec.treatment:
        treated = rows.column(spec.treatment).to_numpy()
    return Sample(
        frame=rows.select([feature.name for feature in spec.features]).to_pandas(),
        actual=label.to_numpy(),
        days=days,
        weight=rows.column(spec.weight).to_numpy() if spec.weight else None,
        is_treated=treated,
        split=split,
        borrower=borrowers(rows),
        protected=rows.column(PROTECTED).to_numpy() if spec.protected else None,
    )


def _fitted(
    spec: FamilySpec, target: Target, sample: Sample, seed: int
) -> tuple[FittedModel, dict[str, Any]]:
    """The model, and what the card says of how it was fitted."""
    train, learned = sample.split.train, {}
    further: dict[str, Any] = dict(target.options)
    if spec.treatment:
        if _has_control(sample):
            further["treatment"] = sample.is_treated[train].astype(np.float64)
            learned["treatment"] = "treated and control learned apart; judged on the treated"
        else:
            train = train & sample.is_treated
            learned["treatment"] = (
                f"too few of the control group accepted or declined (at least {MIN_CLASS_ROWS} "
                "each are needed): learned from the treated alone, no uplift"
            )
    if sample.weight is not None:
        further["sample_weight"] = sample.weight[train]
    if not spec.is_steady:
        further["time"] = sample.days[train]
    known = sample.frame[train]
    unknown = [name for name in known if known[name].isna().all()]
    model: FittedModel = families.get(spec.family).fit(
        known.drop(columns=unknown),
        sample.actual[train],
        seed=seed,
        choose_on=CHOOSE_ON,
        reviewed=[feature.name for feature in spec.features if feature.reviewed],
        **further,
    )
    return model, {**learned, "left_out_unknown": unknown}


def _has_control(sample: Sample) -> bool:
    control = sample.actual[sample.split.train & ~sample.is_treated]
    return bool(min((control == 1).sum(), (control == 0).sum()) >= MIN_CLASS_ROWS)


def _judged(
    spec: FamilySpec, target: Target, model: FittedModel, sample: Sample, apart: Mask | None
) -> dict[str, Any]:
    """Metrics on the later days, beside a plain regression on the same days."""
    train, test = (part & sample.is_treated for part in (sample.split.train, sample.split.test))
    metrics = _METRICS[target.kind]
    later, outcome = sample.frame[test], sample.actual[test]
    predictions = {
        "test": model.predict(later).round(DECIMALS),
        "baseline": evaluation.baseline_predictions(
            tree_matrix(model.schema, model.schema.read(sample.frame[train]))[0],
            sample.actual[train],
            tree_matrix(model.schema, model.schema.read(later))[0],
            kind=target.kind,
        ),
    }
    report: dict[str, Any] = {name: metrics(outcome, p) for name, p in predictions.items()}
    if apart is not None:
        part = apart[test]
        for name, predicted in predictions.items():
            report[f"{name}_{spec.judged_apart}"] = metrics(outcome[part], predicted[part])
    if target.is_probability:
        report["calibration"] = evaluation.calibration_table(outcome, predictions["test"])
    if model.conformal is not None:
        covered = evaluation.coverage(outcome, model.predict_interval(later, COVERAGE))
        report["test"][f"covered_by_{100 * COVERAGE:.0f}_percent_interval"] = covered
    if len(model.scorers) > 1:
        everybody = sample.split.test
        report["test"]["qini"] = round(
            qini(
                model.predict_uplift(sample.frame[everybody]),
                sample.actual[everybody],
                sample.is_treated[everybody].astype(np.float64),
            ),
            DECIMALS,
        )
    report["top_features"] = _top_features(model, later)
    return report


def _predictions(target: Target, model: FittedModel, sample: Sample) -> Predictions:
    """What is kept to judge the version by: the rows that the card's metrics are about."""
    train, test = (
        evenly(np.flatnonzero(part & sample.is_treated))
        for part in (sample.split.train, sample.split.test)
    )
    return Predictions(
        kind=target.kind,
        test=_part(model, sample, test),
        actual=sample.actual[test],
        train=_part(model, sample, train),
        protected=None if sample.protected is None else sample.protected[test],
    )


def _part(model: FittedModel, sample: Sample, rows: Ints) -> Part:
    predicted = model.predict(sample.frame.iloc[rows]).round(DECIMALS)
    return Part(sample.borrower[rows], sample.days[rows], predicted)


def _top_features(model: FittedModel, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Features by their share of all contributions to the margin, on evenly spaced rows."""
    taken = np.unique(np.linspace(0, len(frame) - 1, EXPLAINED_ROWS).astype(np.int64))
    reasons = model.explain(frame.iloc[taken], top=len(model.schema.columns))
    strength = reasons["contribution"].abs().groupby(reasons["feature"]).sum()
    total = float(strength.sum()) or 1.0
    best = sorted(strength.items(), key=lambda item: (-item[1], str(item[0])))[:TOP_FEATURES]
    return [{"feature": str(name), "share": round(value / total, 4)} for name, value in best]
