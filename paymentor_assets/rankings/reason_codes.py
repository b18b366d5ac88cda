"""Reason codes: which features moved an account's probability of payment, in words.

Exact contributions of the model that scored; at most four, the strongest first. Only accounts that
are acted on get them: the exact method costs more than the score.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.families import customer_ranking as family

MAX_REASONS = 4
#: In log-odds; below it a feature did not move the probability by a thousandth.
MIN_CONTRIBUTION = 0.005


def reason_codes(model: ModelArtefact, frame: pd.DataFrame) -> pa.Array:
    """One JSON list a row of `frame`: code, feature, direction, contribution (log-odds), text."""
    if len(frame) == 0:
        return pa.array([], pa.string())
    explained = model.learned(family.EXPLAINED_TARGET).explain(frame, top=MAX_REASONS)
    reasons = [_reasons(model, frame, part) for _, part in explained.groupby("rank", sort=True)]
    listed = pc.binary_join_element_wise(*reasons, ",", null_handling="skip")
    return pc.binary_join_element_wise("[", listed, "]", "")


def _reasons(model: ModelArtefact, frame: pd.DataFrame, chosen: pd.DataFrame) -> pa.Array:
    """The reason at one rank for every row; null where the contribution is too small to tell."""
    strength = chosen["contribution"].to_numpy().round(4)
    feature = chosen["feature"]
    named = pa.array(feature, pa.string())
    phrases = pa.array(feature.map(dict(model.phrases)), pa.string())
    text = pc.binary_join_element_wise(phrases, ": ", _values(frame, feature.to_numpy()), "")
    reason = pc.binary_join_element_wise(
        '{"code":"', pc.utf8_upper(named), '","feature":"', named,
        '","direction":"', pa.array(chosen["direction"], pa.string()),
        '","contribution":', pc.cast(pa.array(strength), pa.string()), ',"text":"', text, '"}', "",
    )  # fmt: skip
    return pc.if_else(pa.array(np.abs(strength) >= MIN_CONTRIBUTION), reason, None)


def _values(frame: pd.DataFrame, chosen: npt.NDArray[np.object_]) -> pa.Array:
    """The chosen feature's value in each row as text, safe inside a JSON string."""
    text = pa.nulls(len(chosen), pa.string())
    for name in np.unique(chosen):
        is_chosen = pa.array(chosen == name)
        values = pa.array(frame[name], from_pandas=True)
        if pa.types.is_floating(values.type):
            values = pc.round(values, ndigits=2)
        shown = pc.cast(values, pa.string())
        for character in ("\\", '"'):
            shown = pc.replace_substring(shown, character, "\\" + character)
        text = pc.if_else(is_chosen, shown, text)
    return pc.fill_null(text, "unknown")
