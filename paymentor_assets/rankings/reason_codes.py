"""Reason codes: which features moved an account's probability of payment, in words.

Exact SHAP contributions (Lundberg et al. 2020) of the model that scored, summed back from encoded
columns to features; at most four, the strongest first. Only accounts that are acted on get them:
the exact method costs more than the score.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models import boosting
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.boosting import Floats
from paymentor_assets.models.families import customer_ranking as family

MAX_REASONS = 4
#: In log-odds; below it a feature did not move the probability by a thousandth.
MIN_CONTRIBUTION = 0.005

Indices = npt.NDArray[np.int64]


def reason_codes(model: ModelArtefact, frame: pa.Table) -> pa.Array:
    """One JSON list a row of `frame`: code, feature, direction, contribution (log-odds), text."""
    if frame.num_rows == 0:
        return pa.array([], pa.string())
    booster = model.targets[family.EXPLAINED_TARGET].booster
    by_feature = _by_feature(model, boosting.contributions(booster, model.encode(frame)))
    strongest = np.argsort(-np.abs(by_feature), axis=1, kind="stable")[:, :MAX_REASONS]
    reasons = [
        _reasons(model, frame, by_feature, strongest[:, place])
        for place in range(strongest.shape[1])
    ]
    listed = pc.binary_join_element_wise(*reasons, ",", null_handling="skip")
    joined = pc.binary_join_element_wise("[", listed, "]", "")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _by_feature(model: ModelArtefact, contributions: Floats) -> Floats:
    names = model.encoder.feature_names
    summed = np.zeros((len(contributions), len(names)), dtype=np.float64)
    for position, owner in enumerate(model.encoder.owners):
        summed[:, owner] += contributions[:, position]
    return summed.round(4)


def _reasons(
    model: ModelArtefact, frame: pa.Table, by_feature: Floats, chosen: Indices
) -> pa.Array:
    """The reason at one place for every row; null where the contribution is too small to tell."""
    names = model.encoder.feature_names
    strength = by_feature[np.arange(len(chosen)), chosen]
    direction = np.where(strength > 0, "raises", "lowers")
    named = pa.array([names[i] for i in range(len(names))]).take(pa.array(chosen))
    codes = pc.utf8_upper(named)
    phrases = pa.array([model.phrases[name] for name in names]).take(pa.array(chosen))
    text = pc.binary_join_element_wise(phrases, ": ", _values(model, frame, chosen), "")
    reason = pc.binary_join_element_wise(
        '{"code":"', codes, '","feature":"', named, '","direction":"', pa.array(direction),
        '","contribution":', pc.cast(pa.array(strength), pa.string()), ',"text":"', text, '"}', "",
    )  # fmt: skip
    return pc.if_else(pa.array(np.abs(strength) >= MIN_CONTRIBUTION), reason, None)


def _values(model: ModelArtefact, frame: pa.Table, chosen: Indices) -> pa.Array:
    """The chosen feature's value in each row as text, safe inside a JSON string."""
    text = pa.nulls(len(chosen), pa.string())
    for index, (name, kind) in enumerate(model.encoder.numbers_and_categories):
        is_chosen = chosen == index
        if not is_chosen.any():
            continue
        values = frame.column(name).combine_chunks()
        if kind == "number":
            values = pc.round(values, ndigits=2)
        shown = pc.cast(values, pa.string())
        for character in ("\\", '"'):
            shown = pc.replace_substring(shown, character, "\\" + character)
        text = pc.if_else(pa.array(is_chosen), shown, text)
    return pc.fill_null(text, "unknown")
