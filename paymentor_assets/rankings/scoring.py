"""Scoring: an approved artefact over a day's feature frame.

Each row's score depends on that row alone: neither the size of a batch, nor the number of threads,
nor the other accounts of the day can change a bit of it. Only the rank compares rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.day_reader import DayReader
from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.models.registry import ApprovedModel
from paymentor_assets.rankings.reason_codes import reason_codes
from paymentor_assets.rankings.tables import CUSTOMER_RANKINGS
from resources.errors import ContractError
from resources.lakehouse import MONEY

#: Bounds the memory of encoding and of contributions: a linear member's matrix is 3 KB a row.
BATCH_ROWS = 20_000
_KEPT = (
    "lender_id", "account_id", "as_of_date", "customer_id", "account_currency", "is_delinquent",
)  # fmt: skip
_SCORES = ("paid_7d", "paid_30d", "recovered_share_30d")


def rank_accounts(
    model: ApprovedModel, frames: Iterable[pa.Table], features_publication_id: str
) -> pa.Table:
    """Score and rank all rows of one lender and day; rows of decisions.customer_rankings.

    `frames` as from `models.feature_frame.batches`, one or more; of each only the scores are kept.
    Rank 1 has the highest probability of a payment within 30 days, then within 7, then the higher
    expected share, then the smaller account id.

    Raises ContractError naming family, version and column for a frame the model cannot read.
    """
    approval = model.approval
    reader = DayReader(model.artefact)
    try:
        scored = pa.concat_tables(_scored(reader, frame) for frame in frames)
        reader.check()
    except ContractError as error:
        raise ContractError(
            f"{approval.family} version {approval.version} cannot score: {error}"
        ) from error
    rows = scored.num_rows
    by_target = {name: scored.column(name).to_numpy() for name in _SCORES}
    further: dict[str, pa.Array] = {
        "rank": pa.array(ranks(by_target, scored.column("account_id")), pa.int32()),
        "model_name": pa.repeat(approval.family, rows),
        "model_version": pa.repeat(str(approval.version), rows),
        "model_artefact_sha256": pa.repeat(approval.artefact_sha256, rows),
        "features_publication_id": pa.repeat(features_publication_id, rows),
    }
    named = {
        "currency": scored.column("account_currency"),
        "p_pay_7d": scored.column("paid_7d"),
        "p_pay_30d": scored.column("paid_30d"),
    }
    kept = {name: scored.column(name) for name in scored.column_names}
    columns = {**kept, **named, **further}
    return pa.table({name: columns[name] for name in CUSTOMER_RANKINGS.column_names}).cast(
        CUSTOMER_RANKINGS.schema
    )


def predict(artefact: ModelArtefact, frame: pa.Table) -> dict[str, Floats]:
    """Predictions of every target over a whole frame, shape (rows,), by target name."""
    reader = DayReader(artefact)
    parts = [
        reader.of_parts.predict(reader.features(frame.slice(start, BATCH_ROWS)))
        for start in range(0, max(frame.num_rows, 1), BATCH_ROWS)
    ]
    reader.check()
    return {name: np.concatenate([part[name] for part in parts]) for name in artefact.targets}


def expected_recovery(frame: pa.Table, share: Floats) -> pa.Array:
    """Share of what falls due within 30 days, never more than is outstanding; two decimals."""
    due = np.asarray(pc.cast(frame.column("due_30d"), pa.float64()))
    outstanding = pc.fill_null(pc.cast(frame.column("outstanding_amount"), pa.float64()), np.inf)
    amount = np.minimum(share * due, np.asarray(outstanding)).round(2)
    return pa.array(amount).cast(MONEY)


def ranks(scores: Mapping[str, Floats], account_ids: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """1 to n without ties, shape (rows,)."""
    by_id = pc.sort_indices(account_ids).to_numpy()
    # lexsort is stable: equal scores stay in the order of their ids.
    order = by_id[
        np.lexsort(
            (
                -scores["recovered_share_30d"][by_id],
                -scores["paid_7d"][by_id],
                -scores["paid_30d"][by_id],
            )
        )
    ]
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return rank


def _scored(reader: DayReader, frame: pa.Table) -> pa.Table:
    """Keys, scores and reasons of a frame's rows."""
    features = reader.features(frame)
    scores = reader.of_parts.predict(features)
    # Copied, for one column that DuckDB gave would keep all of its frame in memory.
    kept = frame.select(_KEPT).take(pa.array(np.arange(frame.num_rows)))
    columns = {name: kept.column(name) for name in _KEPT}
    columns |= {name: pa.array(scores[name]) for name in _SCORES}
    columns["expected_recovery"] = expected_recovery(frame, scores["recovered_share_30d"])
    is_delinquent = frame.column("is_delinquent").to_numpy()
    reasons = reason_codes(reader.of_parts, features[is_delinquent])
    position = np.cumsum(is_delinquent) - 1
    columns["reason_codes"] = reasons.take(pa.array(position, mask=~is_delinquent))
    return pa.table(columns)
