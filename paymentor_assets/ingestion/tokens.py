"""Tokens: what stands in the lakehouse in the place of personal data.

A value is brought to one canonical form first, so that two spellings of a phone number meet; then
HMAC-SHA256 with a key of its lender and kind, in SQL:
`sha256(opad || unhex(sha256(ipad || value)))` (RFC 2104). A token reads `<kind><key id>_<32 hex>`,
e.g. `ph1_…`.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import sha256

import duckdb
import phonenumbers
import pyarrow.compute as pc
from duckdb.sqltypes import VARCHAR

from paymentor_assets.ingestion.contracts.model import (
    FeedContract,
    PiiKind,
    RecordContract,
)
from resources.vault import KEY_ID, Vault

_PREFIX: dict[PiiKind, str] = {
    "name": "nm",
    "phone": "ph",
    "email": "em",
    "national_id": "id",
    "aa_handle": "aa",
    "narration": "na",
    "account_number": "ac",
    "address": "ad",
    "birth_date": "bd",
}
_BLOCK = 64  # bytes of a SHA-256 block
_PADS = ("inner", "outer")
_SEALED_TOGETHER = 50_000
_SPACE = r"[ \t\r\n\f\v]+"

#: Replacing by pattern is dear, and hardly any value needs it.
_SPACED = (
    f"CASE WHEN regexp_matches(raw, '[\\t\\r\\n\\f\\v]|  ') "
    f"THEN trim(regexp_replace(raw, '{_SPACE}', ' ', 'g')) ELSE trim(raw) END"
)
#: SQL over `raw`. Phones are absent: their form needs a numbering plan, see `canonical_phone`.
_CANONICAL: dict[PiiKind, str] = {
    "name": f"lower(nfc_normalize({_SPACED}))",
    "address": f"lower(nfc_normalize({_SPACED}))",
    "email": "lower(trim(raw))",
    "national_id": "CASE WHEN regexp_full_match(raw, '[A-Z0-9]+') THEN raw "
    "ELSE upper(regexp_replace(raw, '[^A-Za-z0-9]', '', 'g')) END",
    "aa_handle": "lower(trim(raw))",
    "narration": "trim(raw)",
    # No character is dropped: two accounts may differ by a dash alone.
    "account_number": "upper(trim(raw))",
    "birth_date": "trim(raw)",
}
#: What the vault gives back; a name keeps its spelling, since a message addresses a person by it.
_SEALED: dict[PiiKind, str] = {"name": _SPACED}
#: Mobile numbers that every numbering plan reads as they stand: India (6 to 9 first), and North
#: America (area code and exchange from 2). The library takes 40 µs a number.
_PLAIN_PHONE = r"\+91[6-9][0-9]{9}|\+1[2-9][0-9]{2}[2-9][0-9]{6}"


def canonical(kind: PiiKind, value: str, region: str | None = None) -> str:
    """The form of a value that is hashed; the same as the SQL of `define_macros` yields."""
    match kind:
        case "phone":
            return canonical_phone(value, region)
        case "name" | "address":
            return unicodedata.normalize("NFC", re.sub(_SPACE, " ", value).strip(" ")).lower()
        case "national_id":
            return re.sub("[^A-Za-z0-9]", "", value).upper()
        case "email" | "aa_handle":
            return value.strip(" ").lower()
        case "account_number":
            return value.strip(" ").upper()
        case "narration" | "birth_date":
            return value.strip(" ")


def canonical_phone(value: str, region: str | None) -> str:
    """E.164; a number that no numbering plan can read keeps its digits."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return re.sub("[^0-9+]", "", value)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def token_of(
    vault: Vault, lender_id: str, kind: PiiKind, value: str, region: str | None = None
) -> str:
    """The token of one value, e.g. to find out who an inbound message came from."""
    key = vault.token_key(lender_id, kind)
    digest = hmac.new(key, canonical(kind, value, region).encode(), sha256).hexdigest()
    return f"{_PREFIX[kind]}{KEY_ID}_{digest[:32]}"


def define_macros(
    con: duckdb.DuckDBPyConnection, contract: FeedContract, vault: Vault, lender_id: str
) -> None:
    """SQL macros of every kind of personal data in the contract: `token_<kind>(raw)`, and
    `sealed_<kind>(raw)`, which is what the vault keeps of a value. Both are NULL for NULL; a token
    is NULL, too, where nothing of the value counts."""
    for kind in kinds_of(contract.records):
        canonical_value = _canonical_phones(con, contract) if kind == "phone" else _CANONICAL[kind]
        # The keys travel as parameters, never as SQL text, which could end in a log.
        for pad, key in zip(_PADS, _pads(vault.token_key(lender_id, kind)), strict=True):
            con.execute(f"SET VARIABLE {pad}_{kind} = $key", {"key": key})
        inner, outer = (f"getvariable('{pad}_{kind}')" for pad in _PADS)
        con.execute(
            f"""
            CREATE OR REPLACE TEMP MACRO token_{kind}(raw) AS
            '{_PREFIX[kind]}{KEY_ID}_' || left(sha256({outer} || unhex(
                sha256({inner} || encode(nullif({canonical_value}, ''))))), 32)
            """
        )
        sealed = _SEALED.get(kind, canonical_value)
        con.execute(f"CREATE OR REPLACE TEMP MACRO sealed_{kind}(raw) AS {sealed}")


def keep_values(con: duckdb.DuckDBPyConnection, contract: FeedContract, *, is_first: bool) -> None:
    """Add the values behind the tokens of `accepted_*` to table `to_seal`; `is_first` empties it.

    Values that stand only in rejected rows stay out: nobody may ever ask for them by token.
    """
    if is_first:
        con.execute("CREATE OR REPLACE TEMP TABLE to_seal (token VARCHAR, sealed_value VARCHAR)")
    for i, record in enumerate(contract.records):
        for column in record.delivered_columns:
            if column.sealed_name:
                con.execute(
                    f'INSERT INTO to_seal SELECT "{column.stored_name}", "{column.sealed_name}" '
                    f'FROM accepted_{i} WHERE "{column.stored_name}" IS NOT NULL'
                )


def seal_accepted(con: duckdb.DuckDBPyConnection, vault: Vault) -> int:
    """Put what `to_seal` holds into the vault; returns how many values were new.

    Of several spellings under one token the first in order is kept.
    """
    sealed = 0
    for batch in con.execute("FROM to_seal ORDER BY token, sealed_value").to_arrow_reader(
        _SEALED_TOGETHER
    ):
        tokens, values = batch.columns
        # Only the values of new tokens leave Arrow; usually that is next to nothing.
        new = vault.absent(tokens)
        found = pc.index_in(new, tokens)
        sealed += vault.seal(
            dict(zip(new.to_pylist(), values.take(found).to_pylist(), strict=True))
        )
    return sealed


def kinds_of(records: Iterable[RecordContract]) -> list[PiiKind]:
    """Kinds of personal data in these records, in a fixed order."""
    found = {c.pii for record in records for c in record.delivered_columns if c.pii}
    return [kind for kind in _PREFIX if kind in found]


def _canonical_phones(con: duckdb.DuckDBPyConnection, contract: FeedContract) -> str:
    """SQL of the canonical form of a phone; only what the pattern cannot read goes to Python."""
    regions = {c.region for r in contract.records for c in r.delivered_columns if c.pii == "phone"}
    read = lru_cache(_SEALED_TOGETHER)(partial(canonical_phone, region=next(iter(regions))))
    with suppress(duckdb.InvalidInputException):
        con.remove_function("canonical_phone")
    con.create_function("canonical_phone", lambda raw: read(raw), [VARCHAR], VARCHAR)
    return (
        f"CASE WHEN regexp_full_match(raw, '{_PLAIN_PHONE}') THEN raw ELSE canonical_phone(raw) END"
    )


def _pads(key: bytes) -> tuple[bytes, bytes]:
    padded = key.ljust(_BLOCK, b"\0")
    return bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)
