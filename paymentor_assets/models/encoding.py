"""From the feature frame to the numbers a booster eats, and back to the feature behind a number.

Categories become one 0/1 column a known value; the known values are stored in the artefact, so that
scoring never depends on which values a day happens to hold. Unknown and missing are NaN in every
column of the category, which XGBoost treats as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.models.feature_spec import Feature
from resources.errors import ContractError

Matrix = npt.NDArray[np.float32]

#: More values than this in a category is an identifier in disguise.
MAX_VOCABULARY = 50


@dataclass(frozen=True)
class Encoder:
    """Features in order, and for each category its known values in order."""

    numbers_and_categories: tuple[tuple[str, str], ...]
    vocabularies: Mapping[str, tuple[str, ...]]

    @property
    def feature_names(self) -> list[str]:
        """Feature names in order."""
        return [name for name, _ in self.numbers_and_categories]

    @property
    def encoded_names(self) -> list[str]:
        """Names of the matrix columns in order (`product=auto_loan`)."""
        return [
            encoded
            for name, kind in self.numbers_and_categories
            for encoded in (
                [name]
                if kind == "number"
                else [f"{name}={value}" for value in self.vocabularies[name]]
            )
        ]

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """For each matrix column, the index of its feature: shape (columns,)."""
        return np.array(
            [
                index
                for index, (name, kind) in enumerate(self.numbers_and_categories)
                for _ in range(1 if kind == "number" else len(self.vocabularies[name]))
            ],
            dtype=np.int64,
        )

    def matrix(self, frame: pa.Table) -> Matrix:
        """Encode a frame: float32, shape (rows, columns), NaN where unknown.

        Raises ContractError naming the feature that is absent, of another type or infinite.
        """
        out = np.empty((frame.num_rows, len(self.encoded_names)), dtype=np.float32)
        position = 0
        for name, kind in self.numbers_and_categories:
            if name not in frame.column_names:
                raise ContractError(
                    f"The frame has no feature {name!r}; the model was trained with it."
                )
            values = frame.column(name)
            if kind == "number":
                out[:, position] = _numbers(name, values)
                position += 1
                continue
            codes = _codes(name, values, self.vocabularies[name])
            for code in range(len(self.vocabularies[name])):
                out[:, position] = np.where(codes < 0, np.nan, codes == code)
                position += 1
        return out


def learn(features: Sequence[Feature], frame: pa.Table) -> Encoder:
    """The encoder of a training frame: vocabularies are the values seen, sorted.

    Raises ContractError for a category with more than MAX_VOCABULARY values.
    """
    vocabularies: dict[str, tuple[str, ...]] = {}
    for feature in features:
        if feature.kind == "category":
            seen = sorted(v for v in frame.column(feature.name).unique().to_pylist() if v)
            if len(seen) > MAX_VOCABULARY:
                raise ContractError(
                    f"Category {feature.name!r} has {len(seen)} values, more than "
                    f"{MAX_VOCABULARY}: that is an identifier, not a category."
                )
            vocabularies[feature.name] = tuple(seen)
    return Encoder(tuple((f.name, f.kind) for f in features), vocabularies)


def _numbers(name: str, values: pa.ChunkedArray) -> Matrix:
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise ContractError(f"Feature {name!r} is {values.type}; the model was trained on numbers.")
    numbers: Matrix = (
        pc.fill_null(pc.cast(values, pa.float64()), float("nan"))
        .to_numpy(zero_copy_only=False)
        .astype(np.float32)
    )
    if np.isinf(numbers).any():
        raise ContractError(
            f"Feature {name!r} holds {int(np.isinf(numbers).sum())} infinite values; "
            "mend the feature, a model cannot."
        )
    return numbers


def _codes(name: str, values: pa.ChunkedArray, vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise ContractError(f"Feature {name!r} is {values.type}; the model was trained on text.")
    found = pc.index_in(
        pc.cast(values, pa.string()), value_set=pa.array(list(vocabulary), pa.string())
    )
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
