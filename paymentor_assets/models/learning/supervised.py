"""The public face of what learned from outcomes: read, guard, fit; then predict and explain."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from paymentor_assets.models.learning import columns, fitting, folds, leakage, scorer, targets
from paymentor_assets.models.learning.columns import Floats, Schema
from paymentor_assets.models.learning.intervals import Conformal
from paymentor_assets.models.learning.scorer import Scorer
from paymentor_assets.models.learning.targets import Kind
from resources.errors import ContractError, LeakageError

MODEL_FILE = "model.json"
#: Scorers by their place: the model's own, and of the control group when there is one.
PREFIXES = ("", "control_")
DECIMALS = 9


@dataclass(frozen=True)
class FittedModel:
    """A family's model after `fit`. `card` says how it was chosen and what was left out."""

    family: str
    #: The columns every frame must have.
    schema: Schema
    scorers: tuple[Scorer, ...]
    conformal: Conformal | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def knows_uplift(self) -> bool:
        """Whether the model was fitted with a treatment."""
        return len(self.scorers) > 1

    def predict(self, X: pd.DataFrame) -> Floats:  # noqa: N803 - the field's name
        """Probability or amount, float64, shape (rows,).

        With a treatment: the probability under treatment. Unknown values of a category and missing
        values are fine; raises ContractError naming family and column for anything else.
        """
        return self.scorers[0].predict(self.schema.read(X))

    def predict_uplift(self, X: pd.DataFrame) -> Floats:  # noqa: N803
        """Probability with less probability without treatment, float64, shape (rows,).

        Raises ContractError when the model was fitted without a treatment.
        """
        if not self.knows_uplift:
            raise ContractError(
                f"{self.family}: this model was fitted without a treatment and knows no uplift; "
                "fit it with treatment=…"
            )
        values = self.schema.read(X)
        difference: Floats = self.scorers[0].predict(values) - self.scorers[1].predict(values)
        return difference

    def predict_interval(self, X: pd.DataFrame, coverage: float = 0.9) -> Floats:  # noqa: N803
        """Lower and upper amount that hold `coverage` of the outcomes, shape (rows, 2).

        Raises ContractError when the family has no intervals, or cannot promise the coverage.
        """
        if self.conformal is None:
            raise ContractError(
                f"{self.family}: this model has no intervals; it has probabilities."
            )
        main = self.scorers[0]
        margin = main.margin(self.schema.read(X))
        low, high = self.conformal.around(self.family, margin, coverage)
        return np.column_stack([main.target.from_margin(low), main.target.from_margin(high)])

    def explain(self, X: pd.DataFrame, top: int = 4) -> pd.DataFrame:  # noqa: N803
        """Reason codes: the `top` features a row, those that move its margin most first.

        One line a row and reason: `row` (position in X), `rank` (1 is the strongest), `feature`,
        `direction` (`raises` or `lowers` the prediction), `contribution` (signed, on the margin:
        log-odds, or standardised (log) amount; exact for every member).
        """
        parts = self.scorers[0].contributions(self.schema.read(X))
        names = np.array(self.scorers[0].schema.names, dtype=object)
        top = max(0, min(top, parts.shape[1]))
        order = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :top]
        strongest = np.take_along_axis(parts, order, axis=1).ravel()
        return pd.DataFrame(
            {
                "row": np.repeat(np.arange(len(parts)), top),
                "rank": np.tile(np.arange(1, top + 1), len(parts)),
                "feature": names[order.ravel()],
                "direction": np.where(strongest >= 0, "raises", "lowers"),
                "contribution": strongest,
            }
        )

    def digest(self) -> str:
        """SHA-256 over canonical parameters and predictions on a frame made from the schema."""
        hashed = sha256()
        for name, content in sorted(self.files().items()):
            hashed.update(name.encode() + b"\0" + sha256(content).digest())
        values = self.schema.read(self.schema.probe())
        for part in self.scorers:
            hashed.update(part.margin(values).round(DECIMALS).tobytes())
        return hashed.hexdigest()

    def files(self) -> scorer.Files:
        """The model as file name to content: JSON, UBJ and text, no pickle."""
        files: scorer.Files = {}
        for prefix, part in zip(PREFIXES, self.scorers, strict=False):
            files.update(scorer.files_of(part, prefix))
        described = {
            "family": self.family,
            "schema": scorer.schema_as_json(self.schema),
            "scorers": len(self.scorers),
            "conformal": None
            if self.conformal is None
            else {
                "edges": self.conformal.edges.tolist(),
                "residuals": [group.tolist() for group in self.conformal.residuals],
            },
            "card": dict(self.card),
        }
        files[MODEL_FILE] = (json.dumps(described, indent=1) + "\n").encode()
        return files


def from_files(files: Mapping[str, bytes]) -> FittedModel:
    """The inverse of `FittedModel.files`; the caller has checked the files' hash."""
    described = json.loads(files[MODEL_FILE])
    conformal = described["conformal"]
    return FittedModel(
        described["family"],
        scorer.schema_of(described["schema"]),
        tuple(scorer.from_files(files, prefix) for prefix in PREFIXES[: described["scorers"]]),
        None
        if conformal is None
        else Conformal(
            np.array(conformal["edges"]), tuple(np.array(group) for group in conformal["residuals"])
        ),
        described["card"],
    )


def fit(
    family: str,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    kind: Kind,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    drop_leaks: bool = False,
    post_outcome: Collection[str] = (),
    reviewed: Collection[str] = (),
    with_intervals: bool = False,
    choose_on: int = fitting.CHOOSE_ON,
) -> FittedModel:
    """Read and check the sample, guard against leaks, choose between candidates, refit.

    `X` (rows, columns); `y`, `treatment`, `time` and `sample_weight` hold one value a row.
    `drop_leaks`, `post_outcome`, `reviewed` and `choose_on` are said at `Options`. Candidates are
    compared on at most `choose_on` rows, evenly spaced; the winner learns from all. (A treatment
    needs them all, because few of either group answer.)
    Raises ContractError for a sample that cannot be learned from, LeakageError for leaking columns.
    """
    columns.as_frame(family, X)
    outcome, target = targets.read(family, y, len(X), kind)
    schema = columns.learn(family, X)
    values = schema.read(X)
    found = leakage.find(schema, values, outcome, post_outcome, is_class=kind == "probability")
    kept = {
        name: why
        for name, why in found.items()
        if name in set(reviewed) and why != leakage.KNOWN_AFTER
    }
    found = {name: why for name, why in found.items() if name not in kept}
    if found and not drop_leaks:
        raise LeakageError(list(found), found, family)
    if len(found) == len(schema.columns):
        raise LeakageError(list(found), found, family)
    schema = schema.without(list(found))
    sample = fitting.Sample(
        family=family,
        schema=schema,
        values=values,
        outcome=outcome,
        target=target,
        weight=_weights(family, sample_weight, len(X)),
        rank=None if time is None else folds.time_rank(family, time, len(X)),
        seed=seed,
    )
    if treatment is None:
        result = fitting.fit(sample, with_intervals=with_intervals, choose_on=choose_on)
    elif kind != "probability":
        raise ContractError(f"{family}: a treatment needs an outcome of 0 and 1; leave it out.")
    else:
        result = fitting.fit_uplift(sample, _arms(family, treatment, outcome))
    card = {**result.card, "dropped_leaks": found, "reviewed_columns": kept}
    return FittedModel(family, schema, result.scorers, result.conformal, card)


def _weights(family: str, given: Any, rows: int) -> Floats:
    if given is None:
        return np.ones(rows)
    weight = targets.numbers(family, "sample_weight", given, rows)
    if (weight < 0).any() or not (weight > 0).any():
        raise ContractError(
            f"{family}: sample_weight must be zero or more, and not zero throughout."
        )
    scaled: Floats = weight / weight[weight > 0].mean()
    return scaled


def _arms(family: str, given: Any, outcome: Floats) -> npt.NDArray[np.float64]:
    treatment = targets.numbers(family, "treatment", given, len(outcome))
    targets.check_classes(family, treatment, "treatment")
    for arm, name in ((1, "treated"), (0, "control")):
        targets.check_classes(family, outcome[treatment == arm], f"y of the {name} group")
    return treatment
