"""What a frame's columns are, learned once and checked at every use.

Two kinds: numbers (booleans are 0 and 1) and categories (text; a pandas categorical is one whatever
its values are). The known values of a category are stored, so a score never depends on which values
the frame at hand happens to hold. Missing is allowed everywhere; infinity, another type and a
column that is suddenly empty are not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from resources.errors import ContractError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
#: Column name to values: float64 for numbers, codes for categories, both of shape (rows,).
Values = Mapping[str, npt.NDArray[Any]]

MISSING = -1
#: The most frequent values of a category are told apart; the others are one value, "other".
MAX_LEVELS = 50
MIN_LEVEL_ROWS = 5
#: A column empty throughout is refused when chance would do that less often than this.
CHANCE_OF_EMPTY = 1e-9

_NUMBER_LIKE = {"integer", "floating", "mixed-integer-float", "decimal", "boolean"}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind, known values, and the share of rows that lacked it."""

    name: str
    is_number: bool
    #: Known values of a category, most frequent first; empty for a number.
    levels: tuple[str, ...]
    missing_share: float
    #: Quantiles of a number (0, 5, … 100 %), for monitoring and for fixed test frames.
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Schema:
    """The columns of a family's frame in order."""

    family: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def read(self, frame: pd.DataFrame) -> Values:
        """The frame's columns as numbers and codes; further columns are not looked at.

        A code is the position in `levels`, `len(levels)` for any other value, MISSING for none.
        Raises ContractError naming family and column for a column that is missing, of another type,
        infinite, or empty although it was filled when the model was trained.
        """
        as_frame(self.family, frame)
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise ContractError(
                f"{self.family}: the frame has no column {_listed(absent)}; the model was trained "
                "with it. Supply it, as missing values where it is unknown."
            )
        values: dict[str, npt.NDArray[Any]] = {}
        for column in self.columns:
            given = frame[column.name]
            if column.is_number:
                numbers = _numbers(self.family, given)
                is_missing = np.isnan(numbers)
                values[column.name] = numbers
            else:
                codes = _codes(self.family, given, column.levels)
                is_missing = codes == MISSING
                values[column.name] = codes
            if len(frame) and is_missing.all():
                self._refuse_if_improbable(column, len(frame))
        return values

    def of_parts(self) -> Schema:
        """The same columns for frames that are parts of a whole: one may be empty in a part."""
        return replace(self, columns=tuple(replace(c, missing_share=1.0) for c in self.columns))

    def check_filled(self, filled: Collection[str], rows: int) -> None:
        """ContractError for a column that none of `rows` rows has `filled`, though training had."""
        for column in self.columns:
            if column.name not in filled:
                self._refuse_if_improbable(column, rows)

    def _refuse_if_improbable(self, column: Column, rows: int) -> None:
        # One row without a value is an ordinary row; a thousand are a broken feed.
        if column.missing_share**rows < CHANCE_OF_EMPTY and rows >= 2:
            raise ContractError(
                f"{self.family}: column {column.name!r} is empty in all {rows} rows, but was in "
                f"only {column.missing_share:.1%} of the training rows. Mend the feature."
            )

    def without(self, names: Sequence[str]) -> Schema:
        """The same schema with fewer columns."""
        return Schema(self.family, tuple(c for c in self.columns if c.name not in set(names)))

    def probe(self, rows: int = 64) -> pd.DataFrame:
        """A fixed frame of typical values, for comparing models: a function of the schema only."""
        data: dict[str, Any] = {}
        for position, column in enumerate(self.columns):
            at = np.arange(rows) * (2 * position + 3)
            if column.is_number:
                data[column.name] = np.array(column.quantiles)[at % len(column.quantiles)]
            else:
                levels = np.array([*column.levels, None], dtype=object)
                data[column.name] = pd.Series(levels[at % len(levels)], dtype=object)
        return pd.DataFrame(data)


def learn(family: str, frame: pd.DataFrame) -> Schema:
    """The schema of a training frame.

    Raises ContractError naming family and column for an infinite or an empty column, a column of
    dates, or two columns of one name.
    """
    as_frame(family, frame)
    if frame.shape[1] == 0:
        raise ContractError(f"{family}: the frame has no columns; there is nothing to learn from.")
    return Schema(family, tuple(_learn_column(family, frame[name]) for name in frame.columns))


def as_frame(family: str, frame: object) -> None:
    """ContractError unless this is a pandas frame whose columns have text names, each once."""
    if not isinstance(frame, pd.DataFrame):
        raise ContractError(f"{family}: X is a {type(frame).__name__}; give a pandas DataFrame.")
    odd = [name for name in frame.columns if not isinstance(name, str)]
    if odd:
        raise ContractError(f"{family}: column name {odd[0]!r} is not text; name the columns.")
    twice = frame.columns[frame.columns.duplicated()].tolist()
    if twice:
        raise ContractError(f"{family}: column {_listed(twice)} is there twice; keep one.")


def _learn_column(family: str, given: pd.Series[Any]) -> Column:
    name = str(given.name)
    missing_share = float(given.isna().mean())
    if missing_share == 1.0:
        raise ContractError(
            f"{family}: column {name!r} holds no value at all; leave it out or mend the feature."
        )
    if _is_date(given):
        raise ContractError(
            f"{family}: column {name!r} holds dates; give a duration, such as days before the "
            "as-of date, because a date itself never comes again."
        )
    if _is_number(given):
        numbers = _numbers(family, given)
        quantiles = np.nanquantile(numbers, np.linspace(0, 1, 21))
        return Column(name, True, (), missing_share, tuple(float(q) for q in quantiles))
    counts = given.dropna().astype(str).value_counts()
    frequent = counts[counts >= MIN_LEVEL_ROWS].index.tolist() or counts.index.tolist()
    by_count = sorted(frequent, key=lambda level: (-int(counts[level]), level))
    return Column(name, False, tuple(by_count[:MAX_LEVELS]), missing_share, ())


def _is_date(given: pd.Series[Any]) -> bool:
    return pd.api.types.is_datetime64_any_dtype(given.dtype) or (
        given.dtype == object
        and pd.api.types.infer_dtype(given, skipna=True) in {"datetime", "datetime64", "date"}
    )


def _is_number(given: pd.Series[Any]) -> bool:
    if isinstance(given.dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(given.dtype):
        return True
    return given.dtype == object and pd.api.types.infer_dtype(given, skipna=True) in _NUMBER_LIKE


def _numbers(family: str, given: pd.Series[Any]) -> Floats:
    if not _is_number(given) and not given.isna().all():
        raise ContractError(
            f"{family}: column {given.name!r} holds {given.dtype} values; the model was trained on "
            "numbers. Mend the feature's type."
        )
    numbers = as_floats(given)
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise ContractError(
            f"{family}: column {given.name!r} holds {infinite} infinite values; mend the feature "
            "(a division by zero?), or say missing."
        )
    return numbers


def as_floats(given: pd.Series[Any]) -> Floats:
    """Numbers of any pandas type as float64 with NaN for missing, shape (rows,)."""
    if given.dtype == np.float64:
        return given.to_numpy()
    return np.asarray(
        given.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64
    )


def _codes(family: str, given: pd.Series[Any], levels: Sequence[str]) -> Codes:
    is_missing = given.isna().to_numpy()
    is_plain_number = not isinstance(given.dtype, pd.CategoricalDtype) and (
        pd.api.types.is_numeric_dtype(given.dtype) or _is_date(given)
    )
    if is_plain_number and not is_missing.all():
        raise ContractError(
            f"{family}: column {given.name!r} holds {given.dtype} values; the model was trained on "
            "text. Mend the feature's type."
        )
    # Each different text is looked up once: half of the cost of scoring was one lookup a row.
    text = given if isinstance(given.dtype, pd.StringDtype) else given.astype(str)
    position, different = pd.factorize(text)
    known = {level: code for code, level in enumerate(levels)}
    # The last is what position -1, a missing value, points at.
    found = np.array([*(known.get(str(level), len(levels)) for level in different), MISSING])
    return np.where(is_missing, MISSING, found[position]).astype(np.int64)


def _listed(names: Sequence[object]) -> str:
    return ", ".join(repr(name) for name in names)
