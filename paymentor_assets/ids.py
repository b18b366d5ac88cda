"""Deterministic ids: what a thing is decides its id, so making it twice makes it once."""

from __future__ import annotations

from hashlib import sha256

_SEPARATOR = "\x1f"


def deterministic_id(*parts: object) -> str:
    """32 hex characters of the SHA-256 over the parts, joined by the unit separator."""
    text = _SEPARATOR.join(str(part) for part in parts)
    return sha256(text.encode()).hexdigest()[:32]


def deterministic_id_sql(*expressions: str) -> str:
    """The DuckDB expression that yields `deterministic_id` over text expressions, set-based.

    Each expression must already be VARCHAR and not null (concat_ws would skip a null).
    """
    joined = ", ".join(expressions)
    return f"substr(sha256(concat_ws(chr(31), {joined})), 1, 32)"
