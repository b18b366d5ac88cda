"""Customer segmentation: K-means over repayment history, balances and loan frequency.

Segments are named by their centroids, and numbered by the same rule, so that a retrained model
calls the same people by the same name (K-means itself numbers clusters by chance).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from paymentor_assets.models.family_spec import FamilySpec
from paymentor_assets.models.feature_spec import Feature, profile
from paymentor_assets.models.learning import columns, scorer
from paymentor_assets.models.learning.columns import Floats, Schema, Values
from resources.errors import ContractError

FAMILY = "customer_segmentation"
MODEL_FILE = "model.json"
SEGMENTS = 3
STARTS = 20
MIN_ROWS = 50
DECIMALS = 6

#: What a column says of risk (higher is riskier) or of value, by words in its name; the sign turns
#: columns where more is better.
RISK_WORDS = {
    "dpd": 1,
    "past_due": 1,
    "overdue": 1,
    "delinquen": 1,
    "default": 1,
    "bounce": 1,
    "broken": 1,
    "late": 1,
    "utilisation": 1,
    "utilization": 1,
    "missed": 1,
    "arrears": 1,
    "enquir": 1,
    "on_time": -1,
    "score": -1,
    "kept": -1,
    "paid_share": -1,
}
VALUE_WORDS = {
    "balance": 1,
    "income": 1,
    "inflow": 1,
    "amount": 1,
    "limit": 1,
    "savings": 1,
    "loans": 1,
    "accounts": 1,
    "frequency": 1,
    "principal": 1,
    "tenure": 1,
}

SPEC = FamilySpec(
    family=FAMILY,
    purpose=(
        "Divides customers into three segments (high risk, low risk, high value) by repayment "
        "history, balances and loan frequency, for reports and for choosing a strategy. A segment "
        "is a description; it decides nothing about a person."
    ),
    features=(
        profile("max_days_past_due", "the most days past due over all accounts"),
        Feature("worst_arrears_12m", "number", "p.worst_status_12m", "the worst status in a year"),
        Feature(
            "bureau_overdue_share",
            "number",
            "p.bureau_overdue / nullif(p.total_balance, 0)",
            "the overdue share of all balances",
        ),
        profile("utilisation", "the utilisation of credit limits"),
        profile("bureau_score", "the bureau score"),
        profile("enquiries_90d", "credit enquiries within 90 days"),
        Feature(
            "balance_to_income",
            "number",
            "p.total_balance / nullif(p.declared_monthly_income, 0)",
            "all balances in monthly incomes",
        ),
        profile("open_accounts", "open accounts with the lender"),
        Feature("open_loans", "number", "p.open_tradelines", "open tradelines"),
        profile("tenure_months", "months as a customer"),
    ),
    excluded={
        "country, state, city, postal_code, language, birth_year": (
            "protected characteristics, or stand for one"
        ),
        "amounts in a currency": "enter as ratios, so that markets share one model",
        "columns from account aggregators": "segments must exist for everybody",
    },
    limits=("Segments describe the customers of the extract; they are not forecasts.",),
    aa_purpose=None,
)


@dataclass(frozen=True)
class Segmentation:
    """Fitted segments: centroids in standardised ranks, with a name each."""

    schema: Schema
    names: tuple[str, ...]
    #: float64 (segments, columns).
    centroids: Floats
    card: Mapping[str, Any] = field(default_factory=dict)

    def assign(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803 - the field's name
        """`segment_id`, `segment` (its name) and `distance` to its centroid, X's index.

        Missing values count as the training median. Raises ContractError naming the column that is
        absent, of another type, or infinite.
        """
        matrix = _positions(self.schema, self.schema.read(X))
        distance = np.sqrt(((matrix[:, None, :] - self.centroids) ** 2).sum(axis=2))
        nearest = distance.argmin(axis=1)
        return pd.DataFrame(
            {
                "segment_id": nearest,
                "segment": np.array(self.names, dtype=object)[nearest],
                "distance": distance[np.arange(len(distance)), nearest],
            },
            index=X.index,
        )

    def files(self) -> dict[str, bytes]:
        """The model as one JSON file."""
        described = {
            "family": FAMILY,
            "schema": scorer.schema_as_json(self.schema),
            "names": list(self.names),
            "centroids": self.centroids.tolist(),
            "card": dict(self.card),
        }
        return {MODEL_FILE: (json.dumps(described, indent=1) + "\n").encode()}

    def digest(self) -> str:
        """SHA-256 over the parameters and the segments of a frame made from the schema."""
        hashed = sha256(self.files()[MODEL_FILE])
        distance = self.assign(self.schema.probe())["distance"]
        hashed.update(distance.round(DECIMALS).to_numpy(dtype=np.float64).tobytes())
        return hashed.hexdigest()


def from_files(files: Mapping[str, bytes]) -> Segmentation:
    """The inverse of `Segmentation.files`."""
    described = json.loads(files[MODEL_FILE])
    return Segmentation(
        scorer.schema_of(described["schema"]),
        tuple(described["names"]),
        np.array(described["centroids"]),
        described["card"],
    )


def fit(X: pd.DataFrame, seed: int = 0) -> Segmentation:  # noqa: N803
    """Three segments of the customers in X (rows, number columns; categories are not looked at).

    Raises ContractError for too few rows, no numbers, or rows that are all alike.
    """
    from sklearn.cluster import KMeans

    columns.as_frame(FAMILY, X)
    if len(X) < MIN_ROWS:
        raise ContractError(f"{FAMILY}: {len(X)} rows are too few; give at least {MIN_ROWS}.")
    learned = columns.learn(FAMILY, X)
    schema = Schema(FAMILY, tuple(c for c in learned.columns if c.is_number))
    if not schema.columns:
        raise ContractError(f"{FAMILY}: X has no column of numbers; segments are made of numbers.")
    matrix = _positions(schema, schema.read(X))
    if len(np.unique(matrix, axis=0)) < SEGMENTS:
        raise ContractError(f"{FAMILY}: the rows are alike; there are no segments in them.")
    with threadpool_limits(1):
        found = KMeans(SEGMENTS, n_init=STARTS, random_state=seed).fit(matrix)
    centroids = found.cluster_centers_.round(DECIMALS)
    order, names = _named(schema, centroids)
    shares = np.bincount(found.labels_, minlength=SEGMENTS)[order] / len(X)
    return Segmentation(
        schema,
        names,
        centroids[order],
        {
            "rows": len(X),
            "seed": seed,
            "shares": dict(zip(names, shares.round(4).tolist(), strict=True)),
            "left_out": [c.name for c in learned.columns if not c.is_number],
        },
    )


def _positions(schema: Schema, values: Values) -> Floats:
    """Each number as its place among the training quantiles, -1 to 1: no amount outweighs others.

    Shape (rows, columns); missing is the median, 0.
    """
    placed = []
    for column in schema.columns:
        points, first = np.unique(column.quantiles, return_index=True)
        last = len(column.quantiles) - 1 - np.unique(column.quantiles[::-1], return_index=True)[1]
        places = (first + last) / (len(column.quantiles) - 1) - 1
        position = np.interp(values[column.name], points, places)
        placed.append(np.where(np.isnan(values[column.name]), 0.0, position))
    return np.column_stack(placed)


def _named(schema: Schema, centroids: Floats) -> tuple[list[int], tuple[str, ...]]:
    """Order of the clusters and their names: riskiest first, then the most valuable of the rest.

    Without columns of risk or value, by the sum of the centroid.
    """
    risk = centroids @ _direction(schema, RISK_WORDS)
    value = centroids @ _direction(schema, VALUE_WORDS)
    if not risk.any() and not value.any():
        risk = -centroids.sum(axis=1)
    # Exact ties are broken by the centroids themselves, which do not depend on numbering.
    by_risk = sorted(range(SEGMENTS), key=lambda k: (-risk[k], value[k], tuple(centroids[k])))
    rest = sorted(by_risk[1:], key=lambda k: (value[k] - risk[k], tuple(centroids[k])))
    return [by_risk[0], rest[0], rest[1]], ("high_risk", "low_risk", "high_value")


def _direction(schema: Schema, words: Mapping[str, int]) -> Floats:
    signs = [
        next((sign for word, sign in words.items() if word in _plain(column.name)), 0)
        for column in schema.columns
    ]
    weights = np.array(signs, dtype=np.float64)
    return weights / max(1.0, float(np.abs(weights).sum()))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
