"""Scoring: an approved artefact over a day's feature frame.

Each row's score depends on that row alone: neither the size of a batch, nor the number of threads,
nor the other accounts of the day can change a bit of it. Only the rank compares rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.registry import ApprovedModel
from paymentor_assets.rankings.reason_codes import reason_codes
from paymentor_assets.rankings.tables import CUSTOMER_RANKINGS
from resources.errors import ContractError
from resources.lakehouse import MONEY

#: Bounds the memory of encoding and of contributions.
BATCH_ROWS = 100_000


def rank_accounts(model: ApprovedModel, frame: pa.Table, features_publication_id: str) -> pa.Table:
    """Score and rank all rows of one lender and day; rows of decisions.customer_rankings.

    `frame` as from `models.feature_frame.build`. Rank 1 has the highest probability of a payment
    within 30 days, then within 7, then the higher expected share, then the smaller account id.

    Raises ContractError naming family, version and column for a frame the model cannot read.
    """
    approval = model.approval
    try:
        scores = predict(model.artefact, frame)
        reasons = _reasons_of_delinquent(model.artefact, frame)
    except ContractError as error:
        raise ContractError(f"Version {approval.version} of {error}") from error
    rows = frame.num_rows
    columns = {
        "lender_id": frame.column("lender_id"),
        "account_id": frame.column("account_id"),
        "as_of_date": frame.column("as_of_date"),
        "customer_id": frame.column("customer_id"),
        "currency": frame.column("account_currency"),
        "p_pay_7d": pa.array(scores["paid_7d"]),
        "p_pay_30d": pa.array(scores["paid_30d"]),
        "expected_recovery": expected_recovery(frame, scores["recovered_share_30d"]),
        "rank": pa.array(ranks(scores, frame.column("account_id")), pa.int32()),
        "is_delinquent": frame.column("is_delinquent"),
        "model_name": pa.repeat(approval.family, rows),
        "model_version": pa.repeat(str(approval.version), rows),
        "model_artefact_sha256": pa.repeat(approval.artefact_sha256, rows),
        "reason_codes": reasons,
        "features_publication_id": pa.repeat(features_publication_id, rows),
    }
    return pa.table(columns).select(CUSTOMER_RANKINGS.column_names).cast(CUSTOMER_RANKINGS.schema)


def predict(
    artefact: ModelArtefact, frame: pa.Table, batch_rows: int = BATCH_ROWS
) -> dict[str, Floats]:
    """Predictions of every target, shape (rows,), by target name."""
    parts: dict[str, list[Floats]] = {name: [] for name in artefact.targets}
    for start in range(0, max(frame.num_rows, 1), batch_rows):
        predicted = artefact.predict(_features(artefact, frame.slice(start, batch_rows)))
        for name, values in predicted.items():
            parts[name].append(values)
    return {name: np.concatenate(found) for name, found in parts.items()}


def expected_recovery(frame: pa.Table, share: Floats) -> pa.Array:
    """Share of what falls due within 30 days, never more than is outstanding; two decimals."""
    due = np.asarray(pc.cast(frame.column("due_30d"), pa.float64()))
    outstanding = pc.fill_null(pc.cast(frame.column("outstanding_amount"), pa.float64()), np.inf)
    amount = np.minimum(share * due, np.asarray(outstanding)).round(2)
    return pa.array(amount).cast(MONEY)


def ranks(scores: dict[str, Floats], account_ids: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """1 to n without ties, shape (rows,)."""
    order = np.lexsort(
        (
            account_ids.to_numpy().astype(str),
            -scores["recovered_share_30d"],
            -scores["paid_7d"],
            -scores["paid_30d"],
        )
    )
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return rank


def _reasons_of_delinquent(artefact: ModelArtefact, frame: pa.Table) -> pa.Array:
    is_delinquent = frame.column("is_delinquent").to_numpy()
    delinquent = frame.filter(pa.array(is_delinquent))
    reasons = pa.concat_arrays(
        [
            reason_codes(artefact, _features(artefact, delinquent.slice(start, BATCH_ROWS)))
            for start in range(0, max(delinquent.num_rows, 1), BATCH_ROWS)
        ]
    )
    position = np.cumsum(is_delinquent) - 1
    return reasons.take(pa.array(position, mask=~is_delinquent))


def _features(artefact: ModelArtefact, frame: pa.Table) -> pd.DataFrame:
    """The frame's columns that the model may know; what it needs and lacks is its own to refuse."""
    known = [name for name in artefact.phrases if name in frame.column_names]
    features: pd.DataFrame = frame.select(known).to_pandas()
    return features
