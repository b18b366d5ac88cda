"""What the pandas peer reads: Parquet as frames, and which version of a row was known when.

Money becomes DOUBLE in Arrow, before pandas would make objects of it. The features themselves are
in `pandas_payments` and `pandas_cashflow`.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.features.synthetic_lake import DAY, LENDER

ZONE = ZoneInfo(LENDER.zone)
TODAY = pd.Timestamp(DAY)
#: The instant up to which DAY knows, naive UTC as in storage.
CUTOFF = pd.Timestamp(
    datetime.combine(DAY + timedelta(days=1), time(6), ZONE).astimezone(UTC).replace(tzinfo=None)
)
_DELIVERY = ["_known_at", "_file_id", "_row_number"]
#: How long an account that is missing from the newest snapshot keeps its last one.
CARRY_DAYS = 7


def read(parquet: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """The lender's rows of a table with these columns and those that order its versions."""
    wanted = [*columns, *(c for c in _DELIVERY if c not in columns)]
    table = pq.read_table(
        parquet / f"{name}.parquet",
        columns=wanted,
        filters=pc.field("_lender_id") == LENDER.lender_id,
    )
    table = table.cast(pa.schema([(f.name, _type_in_pandas(f.type)) for f in table.schema]))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _type_in_pandas(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(kind):
        return pa.float64()
    return pa.timestamp("us") if pa.types.is_date(kind) else kind


def known(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Of every key the version that was the newest one at the cut-off; few keys have several."""
    frame = frame[frame["_known_at"] <= CUTOFF]
    again = frame.duplicated(keys, keep=False)
    newest = frame[again].sort_values(_DELIVERY).drop_duplicates(keys, keep="last")
    return pd.concat([frame[~again], newest])


def with_known_until(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Every version with `known_until`: the instant of its key's next one, NaT for the newest."""
    frame = frame.sort_values([*keys, *_DELIVERY])
    following = frame.shift(-1)
    same = np.logical_and.reduce([frame[k].to_numpy() == following[k].to_numpy() for k in keys])
    return frame.assign(known_until=following["_known_at"].where(same))


def days(span: pd.Series) -> pd.Series:
    """Whole days of a difference of dates, as numbers."""
    found: pd.Series = span.dt.days
    return found


def deviation(squares: pd.Series, total: pd.Series, count: pd.Series) -> pd.Series:
    """Standard deviation of `count` values, from their sum and the sum of their squares."""
    mean = total / count
    found: pd.Series = np.sqrt((squares / count - mean**2).clip(lower=0)).round(6)
    return found


def spread(by_span: pd.Series, lengths: tuple[int, ...]) -> pd.DataFrame:
    """Sums by (key, span) as one cumulated column a window; 0 where nothing fell into it."""
    wide = by_span.unstack(fill_value=0).reindex(columns=list(lengths), fill_value=0)
    return wide.cumsum(axis=1)
