"""NumPy to Arrow, for the column kinds that the feeds use."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]


def _mask(is_null: Mask | None) -> Mask | None:
    return None if is_null is None else np.asarray(is_null, dtype=bool)


def integers(values: npt.ArrayLike, is_null: Mask | None = None) -> pa.Array:
    """int64, with optional nulls."""
    return pa.array(np.asarray(values, dtype="int64"), mask=_mask(is_null))


def booleans(values: npt.ArrayLike) -> pa.Array:
    """true / false."""
    return pa.array(np.asarray(values, dtype=bool))


def rates(values: npt.ArrayLike, is_null: Mask | None = None) -> pa.Array:
    """double, rounded to six digits so that the text is short and stable."""
    return pa.array(np.round(np.asarray(values, dtype="float64"), 6), mask=_mask(is_null))


def dates(days: npt.ArrayLike, is_null: Mask | None = None) -> pa.Array:
    """date32 from days since the epoch."""
    return pa.array(np.asarray(days, dtype="int32"), pa.int32(), mask=_mask(is_null)).cast(
        pa.date32()
    )


def instants(seconds: npt.ArrayLike, is_null: Mask | None = None) -> pa.Array:
    """ISO 8601 text with a ``Z``, from epoch seconds."""
    moments = np.asarray(seconds, dtype="int64").astype("datetime64[s]")
    text = pa.array(np.datetime_as_string(moments, unit="s"), mask=_mask(is_null))
    return join(text, "Z")


def money(cents: npt.ArrayLike, is_null: Mask | None = None) -> pa.Array:
    """decimal(18,2) from whole cents or paise, without passing through a float.

    A decimal128 is a 16-byte little-endian integer: the cents and their sign extension.
    """
    low = np.ascontiguousarray(cents, dtype="int64")
    words = np.empty((len(low), 2), dtype="int64")
    words[:, 0] = low
    words[:, 1] = low >> 63
    validity = None
    if is_null is not None:
        validity = pa.array(~np.asarray(is_null, dtype=bool)).buffers()[1]
    return pa.Array.from_buffers(
        pa.decimal128(18, 2), len(low), [validity, pa.py_buffer(words.tobytes())]
    )


def pick(values: Sequence[str | None], codes: npt.ArrayLike) -> pa.Array:
    """``values[code]`` for each code, as text."""
    return pa.array(values, pa.string()).take(pa.array(np.asarray(codes, dtype="int64")))


def numbered(prefix: str, numbers: npt.ArrayLike, width: int) -> pa.Array:
    """Zero-filled identifiers such as ``C0000042``."""
    digits = pa.array(np.asarray(numbers, dtype="int64")).cast(pa.string())
    return join(prefix, pc.utf8_lpad(digits, width, "0"))


def join(*parts: pa.Array | str) -> pa.Array:
    """Element-wise concatenation; a null part makes a null."""
    return pc.binary_join_element_wise(
        *(pa.scalar(part) if isinstance(part, str) else part.cast(pa.string()) for part in parts),
        pa.scalar(""),
    )


def blank(values: pa.Array, is_null: Mask) -> pa.Array:
    """The same column with nulls where ``is_null``."""
    return pc.if_else(
        pa.array(~np.asarray(is_null, dtype=bool)), values, pa.scalar(None, values.type)
    )
