"""Packed base segments brought to the character layout, many at a time.

Two ways of packing are in use: packed decimals (two digits a byte, the sign in the last half byte:
`0MMDDYYYYs`), as the Credit Reporting Resource Guide describes, and big-endian binary numbers with
dates between a zero byte and the byte 0x73, as moov-io/metro2 writes them
(`pkg/lib/converters.go`). A record's own dates tell which: a binary date ends in 0x73, which is no
sign of a packed decimal. Nothing here knows what a field means.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paymentor_assets.ingestion.parsers.metro2_layout import BASE, BASE_BYTES, Field

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

_BINARY_SIGN = 0x73
_SIGNS = (0xC, 0xD, 0xF)
_BLANK, _ZERO = 0x20, 0x30


def unpacked(packed: Bytes) -> tuple[Bytes, npt.NDArray[np.int64], Flags]:
    """Base segments (n, 366) as characters (n, 426).

    Returns with them, for each, the position in BASE of the first field that cannot be read as a
    number (-1: all can), and whether its numbers are packed decimals.
    """
    is_decimal = _are_decimal(packed)
    text = np.full((len(packed), BASE_BYTES), _BLANK, np.uint8)
    fault = np.full(len(packed), -1, np.int64)
    for position, field in enumerate(BASE):
        raw = packed[:, field.packed_start : field.packed_start + field.packed_width]
        target = text[:, field.start : field.start + field.width]
        if field.kind == "text":
            target[:] = raw
            continue
        is_dated = field.kind in ("date", "timestamp")
        decimal, is_good_decimal = _from_decimal(raw, field.width)
        binary, is_good_binary = _from_binary(raw, field.width, is_dated)
        target[:] = np.where(is_decimal[:, None], decimal, binary)
        is_good = np.where(is_decimal, is_good_decimal, is_good_binary)
        fault[~is_good & (fault < 0)] = position
    return text, fault, is_decimal


def number(raw: bytes, *, is_decimal: bool) -> int | None:
    """One packed number of 5 bytes (9 digits); None when it is none."""
    row = np.frombuffer(raw, np.uint8)[None, :]
    digits, is_good = _from_decimal(row, 9) if is_decimal else _from_binary(row, 9, False)
    return int(digits.tobytes()) if is_good[0] else None


def _are_decimal(packed: Bytes) -> Flags:
    """Whether the first date of each record that is filled in is a packed decimal."""
    is_decimal = np.zeros(len(packed), bool)
    is_known = np.zeros(len(packed), bool)
    for field in _dates():
        raw = packed[:, field.packed_start : field.packed_start + field.packed_width]
        is_binary_here = (raw[:, 0] == 0) & (raw[:, -1] == _BINARY_SIGN)
        is_decimal_here = _from_decimal(raw, field.width)[1]
        is_decimal |= ~is_known & is_decimal_here
        is_known |= is_binary_here | is_decimal_here
    return is_decimal


def _dates() -> tuple[Field, ...]:
    return tuple(field for field in BASE if field.kind == "date")


def _from_decimal(raw: Bytes, width: int) -> tuple[Bytes, Flags]:
    halves = np.stack((raw >> 4, raw & 0xF), axis=2).reshape(len(raw), -1)
    sign, digits = halves[:, -1], halves[:, -1 - width : -1]
    padding = halves[:, : -1 - width]
    is_good = np.isin(sign, _SIGNS) & (digits <= 9).all(axis=1) & (padding == 0).all(axis=1)
    return (digits + _ZERO).astype(np.uint8), is_good


def _from_binary(raw: Bytes, width: int, is_dated: bool) -> tuple[Bytes, Flags]:
    is_good = np.ones(len(raw), bool)
    if is_dated:
        is_good = (raw[:, 0] == 0) & ((raw[:, -1] == _BINARY_SIGN) | (raw == 0).all(axis=1))
        raw = raw[:, 1:-1]
    weights = 256 ** np.arange(raw.shape[1] - 1, -1, -1, dtype=np.int64)
    values = raw.astype(np.int64) @ weights
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (values[:, None] // powers) % 10 + _ZERO
    return digits.astype(np.uint8), is_good & (values < 10**width)
