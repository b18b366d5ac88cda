"""From columns to the matrix a candidate eats, and back to the column behind a matrix column.

Linear candidates see a number as its standardised value, its standardised logarithm and bins, so
that a line can bend and a status code is a category, not an order; the ridge penalty decides how
much of that is used. Boosters see a number as it is. A category is one 0/1 column a known value in
both; an unknown value is 0 in all of them, that is: neither here nor there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paymentor_assets.models.learning.columns import MISSING, Column, Floats, Schema, Values

#: A number of this few different values is taken value by value.
FEW_VALUES = 15
#: Bins a number, fewer in a wide frame: a ridge solution costs the cube of the matrix columns.
MAX_BINS, MIN_BINS, BINS_IN_ALL = 10, 4, 300
#: Standard deviations beyond which a standardised value counts no further.
REACH = 5.0


@dataclass(frozen=True)
class NumberPlan:
    """How a linear candidate sees one number."""

    #: Values taken one by one, or edges of bins.
    points: tuple[float, ...]
    is_value_by_value: bool
    mean: float
    deviation: float
    log_mean: float
    log_deviation: float


@dataclass(frozen=True)
class LinearDesign:
    """The linear candidates' matrix: plans by column name."""

    schema: Schema
    plans: Mapping[str, NumberPlan]

    def matrix(self, values: Values) -> tuple[Floats, npt.NDArray[np.int64]]:
        """float64 (rows, columns) and the position in the schema behind each column."""
        blocks: list[Floats] = []
        owners: list[int] = []
        for position, column in enumerate(self.schema.columns):
            block = (
                _number_block(values[column.name], self.plans[column.name])
                if column.is_number
                else _category_block(values[column.name], column)
            )
            blocks.append(block)
            owners += [position] * block.shape[1]
        return np.concatenate(blocks, axis=1), np.array(owners, dtype=np.int64)

    def as_json(self) -> dict[str, Any]:
        """The plans as plain values."""
        return {name: asdict(plan) for name, plan in self.plans.items()}


def plans_of(given: Mapping[str, Any]) -> dict[str, NumberPlan]:
    """The inverse of `LinearDesign.as_json`."""
    return {
        name: NumberPlan(**{**plan, "points": tuple(plan["points"])})
        for name, plan in given.items()
    }


def linear_design(schema: Schema, values: Values) -> LinearDesign:
    """Learn bins and scales from training values; outcomes are not looked at."""
    numbers = [column.name for column in schema.columns if column.is_number]
    bins = int(np.clip(BINS_IN_ALL // max(1, len(numbers)), MIN_BINS, MAX_BINS))
    return LinearDesign(schema, {name: _plan(values[name], bins) for name in numbers})


def tree_matrix(
    schema: Schema, values: Values
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The boosters' matrix: float32 (rows, columns), NaN where missing, and each column's owner."""
    widths = [1 if column.is_number else len(column.levels) + 1 for column in schema.columns]
    rows = len(next(iter(values.values())))
    matrix = np.empty((rows, sum(widths)), dtype=np.float32)
    start = 0
    for column, width in zip(schema.columns, widths, strict=True):
        # Straight into its place: blocks put side by side are copied twice.
        place = matrix[:, start : start + width]
        if column.is_number:
            place[:, 0] = values[column.name]
        else:
            np.equal(values[column.name][:, None], _codes_of(column), out=place, casting="unsafe")
        start += width
    return matrix, np.repeat(np.arange(len(widths)), widths)


def bin_of(values: npt.NDArray[Any], column: Column) -> npt.NDArray[np.int64]:
    """A group number a row for any column: level, or one of 20 quantile bins, or missing."""
    if not column.is_number:
        return values + 1
    found = np.searchsorted(np.unique(column.quantiles), values, side="right") + 1
    return np.where(np.isnan(values), 0, found).astype(np.int64)


def _plan(values: Floats, bins: int) -> NumberPlan:
    known = values[~np.isnan(values)]
    different = np.unique(known)
    is_few = len(different) <= FEW_VALUES
    edges = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])
    points = different if is_few else np.unique(edges)
    logarithm = _signed_log(known)
    return NumberPlan(
        points=tuple(float(point) for point in points),
        is_value_by_value=is_few,
        mean=float(known.mean()),
        deviation=float(known.std()) or 1.0,
        log_mean=float(logarithm.mean()),
        log_deviation=float(logarithm.std()) or 1.0,
    )


def _number_block(values: Floats, plan: NumberPlan) -> Floats:
    is_missing = np.isnan(values)
    known = np.where(is_missing, plan.mean, values)
    smooth = [np.clip((known - plan.mean) / plan.deviation, -REACH, REACH)]
    if plan.is_value_by_value:
        steps = known[:, None] == np.array(plan.points)
    else:
        logarithm = np.where(is_missing, plan.log_mean, _signed_log(known))
        smooth.append(np.clip((logarithm - plan.log_mean) / plan.log_deviation, -REACH, REACH))
        steps = np.searchsorted(plan.points, known)[:, None] == np.arange(len(plan.points) + 1)
    steps = steps & ~is_missing[:, None]
    return np.column_stack([*smooth, steps.astype(np.float64), is_missing.astype(np.float64)])


def _category_block(codes: npt.NDArray[np.int64], column: Column) -> Floats:
    block: Floats = (codes[:, None] == _codes_of(column)).astype(np.float64)
    return block


def _codes_of(column: Column) -> npt.NDArray[np.int64]:
    # Missing stands before the levels, so that a category that is never missing costs a dead
    # column and no special case.
    return np.arange(MISSING, len(column.levels))


def _signed_log(values: Floats) -> Floats:
    logarithm: Floats = np.sign(values) * np.log1p(np.abs(values))
    return logarithm
