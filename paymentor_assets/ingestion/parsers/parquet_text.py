"""Typed Arrow columns as the text that a contract reads.

Dates, decimals, numbers and booleans become their ISO or plain forms, an instant ends in Z. A
timestamp that says nothing of its zone keeps none (`2026-01-31 09:15:00.000000`), and is then an
instant only where the contract declares that as its `format`; at midnight it is a date to a column
of dates.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.ingestion.contracts.model import ColumnContract

_IS_TEXT = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
_IS_READABLE = (
    *_IS_TEXT,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_null,
)


def is_readable(kind: pa.DataType) -> bool:
    """Whether text can stand for values of this type; nested ones have no single value."""
    if pa.types.is_dictionary(kind):
        return is_readable(kind.value_type)
    return any(is_of(kind) for is_of in _IS_READABLE)


def text_lengths(array: pa.Array) -> pa.Array | None:
    """Bytes of text of each element; None when the elements are no text."""
    if pa.types.is_dictionary(array.type):
        lengths = text_lengths(array.dictionary)
        return None if lengths is None else lengths.take(array.indices)
    if not any(is_of(array.type) for is_of in _IS_TEXT):
        return None
    return pc.binary_length(array).cast(pa.int64())


def rendered(
    array: pa.Array, column: ColumnContract, is_int96: bool
) -> tuple[pa.Array, pa.BooleanArray | None]:
    """The elements as text, and which are UTF-8 (None: all)."""
    if pa.types.is_dictionary(array.type):
        # A dictionary grows through its row group; of a long one a batch uses a small part.
        if len(array.dictionary) > len(array):
            return rendered(array.dictionary.take(array.indices), column, is_int96)
        text, is_utf8 = rendered(array.dictionary, column, is_int96)
        at = array.indices
        whole = None if is_utf8 is None else is_utf8.take(at).fill_null(True)
        return text.take(at), whole
    kind = array.type
    if any(is_of(kind) for is_of in _IS_TEXT):
        return _decoded_text(array.cast(pa.large_binary()))
    if pa.types.is_decimal(kind):
        return _decimal_text(array), None
    if pa.types.is_timestamp(kind):
        return _timestamp_text(array, column, is_int96), None
    return array.cast(pa.string()), None


def _decoded_text(raw: pa.LargeBinaryArray) -> tuple[pa.Array, pa.BooleanArray | None]:
    try:
        return _trimmed(raw.cast(pa.string())), None
    except pa.ArrowInvalid:
        pass
    texts: list[str | None] = []
    is_utf8: list[bool] = []
    for value in raw.to_pylist():
        text = None if value is None else value.decode(errors="backslashreplace")
        texts.append(text)
        is_utf8.append(text is None or text.encode() == value)
    return _trimmed(pa.array(texts, pa.string())), pa.array(is_utf8)


def _trimmed(text: pa.Array) -> pa.Array:
    """Without blanks around; NULL where nothing is left."""
    is_bare = pc.and_(pc.greater(pc.binary_length(text), 0), pc.invert(pc.ends_with(text, " ")))
    if not pc.any(pc.or_(pc.starts_with(text, " "), pc.invert(is_bare))).as_py():
        return text
    bare = pc.utf8_trim(text, " ")
    return pc.if_else(pc.equal(pc.binary_length(bare), 0), pa.scalar(None, pa.string()), bare)


def _decimal_text(array: pa.Array) -> pa.Array:
    """Digits and a point; beyond six decimals Arrow would write 0 as 0E-10."""
    kind = array.type
    if kind.scale < 0:
        return array.cast(pa.decimal256(76, 0)).cast(pa.string())
    if kind.scale <= 6:
        return array.cast(pa.string())
    make = pa.decimal256 if pa.types.is_decimal256(kind) else pa.decimal128
    short = array.cast(make(kind.precision, 6), safe=False)
    is_exact = pc.equal(short.cast(kind), array)
    return pc.if_else(is_exact, short.cast(pa.string()), array.cast(pa.string()))


def _timestamp_text(array: pa.Array, column: ColumnContract, is_int96: bool) -> pa.Array:
    """Instants with Z; dates for a column of dates; otherwise as written, without a zone.

    INT96 stamps are instants by the practice of their writers (Hive, Impala, Spark), though Arrow
    reads them without a zone.
    """
    if is_int96:
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    if array.type.tz is not None:
        return array.cast(pa.timestamp(array.type.unit, "UTC")).cast(pa.string())
    text = array.cast(pa.timestamp("us"), safe=False).cast(pa.string())
    if column.type not in ("date", "local_date"):
        return text
    is_midnight = pc.ends_with(text, " 00:00:00.000000")
    return pc.if_else(is_midnight, pc.utf8_slice_codeunits(text, 0, 10), text)
