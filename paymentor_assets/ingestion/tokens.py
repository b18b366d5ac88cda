"""Tokens: what stands in the lakehouse in the place of personal data.

A value is brought to one canonical form first, so that two spellings of a phone number meet; then
HMAC-SHA256 with a key of its lender and kind, in SQL:
`sha256(opad || unhex(sha256(ipad || value)))` (RFC 2104). A token reads `<kind><key id>_<32 hex>`,
e.g. `ph1_…`. Only distinct values are worked on, however many rows repeat them.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable
from hashlib import sha256

import duckdb
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from paymentor_assets.ingestion.contracts.model import (
    REVERSIBLE_KINDS,
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
_SEALED_TOGETHER = 50_000
_SPACE = r"[ \t\r\n\f\v]+"

#: Replacing by pattern is dear, and hardly any value needs it.
_SPACED = (
    f"CASE WHEN regexp_matches(raw, '[\\t\\r\\n\\f\\v]|  ') "
    f"THEN trim(regexp_replace(raw, '{_SPACE}', ' ', 'g')) ELSE trim(raw) END"
)
#: SQL over `raw`. Phones are absent: their form needs a numbering plan, see `canonical_phone`.
_CANONICAL_SQL: dict[PiiKind, str] = {
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
_SEALED_SQL: dict[PiiKind, str] = {"name": _SPACED}
#: Mobile numbers that every numbering plan reads as they stand: India (6 to 9 first), and North
#: America (area code and exchange from 2). The library takes 40 µs a number.
_PLAIN_PHONE = r"\+91[6-9][0-9]{9}|\+1[2-9][0-9]{2}[2-9][0-9]{6}"


def canonical(kind: PiiKind, value: str, region: str | None = None) -> str:
    """The form of a value that is hashed; the same as the SQL of `stage_tokens` yields."""
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


def stage_tokens(
    con: duckdb.DuckDBPyConnection, contract: FeedContract, vault: Vault, lender_id: str
) -> None:
    """Tables `pii_<kind>` (raw, token, sealed_value) for the distinct values in `fields_*`."""
    for kind in kinds_of(contract.records):
        sources = [
            f'SELECT "{column.name}" AS raw FROM fields_{i}'
            for i, record in enumerate(contract.records)
            for column in record.delivered_columns
            if column.pii == kind
        ]
        distinct = f"SELECT DISTINCT raw FROM ({' UNION ALL '.join(sources)}) WHERE raw IS NOT NULL"
        if kind == "phone":
            canonical_values = _stage_phones(con, contract, distinct)
        else:
            canonical_values = f"SELECT raw, {_CANONICAL_SQL[kind]} AS canonical FROM ({distinct})"
        inner, outer = _pads(vault.token_key(lender_id, kind))
        # The keys travel as parameters, never as SQL text, which could end in a log.
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE pii_{kind} AS
            SELECT raw, {_SEALED_SQL.get(kind, "canonical")} AS sealed_value,
                   CASE WHEN canonical <> '' THEN '{_PREFIX[kind]}{KEY_ID}_' || left(
                       sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(canonical)))), 32)
                   END AS token
            FROM ({canonical_values})
            """,
            {"inner": inner, "outer": outer},
        )


def keep_accepted(
    con: duckdb.DuckDBPyConnection, contract: FeedContract, *, is_first: bool, all_accepted: bool
) -> None:
    """Add the values behind the tokens of `accepted_*` to table `to_seal`; `is_first` empties it.

    Values that stand only in rejected rows stay out: nobody may ever ask for them by token. There
    are none when `all_accepted`.
    """
    if is_first:
        con.execute("CREATE OR REPLACE TEMP TABLE to_seal (token VARCHAR, sealed_value VARCHAR)")
    for kind in kinds_of(contract.records):
        if kind not in REVERSIBLE_KINDS:
            continue
        used = " UNION ALL ".join(
            f'SELECT "{column.stored_name}" AS token FROM accepted_{i}'
            for i, record in enumerate(contract.records)
            for column in record.delivered_columns
            if column.pii == kind
        )
        only = "" if all_accepted else f"SEMI JOIN ({used}) USING (token)"
        con.execute(
            f"INSERT INTO to_seal SELECT token, sealed_value FROM pii_{kind} {only} "
            "WHERE token IS NOT NULL"
        )


def seal_accepted(con: duckdb.DuckDBPyConnection, vault: Vault) -> int:
    """Put what `to_seal` holds into the vault; returns how many values were new."""
    sealed = 0
    for batch in con.execute(
        "SELECT token, min(sealed_value) FROM to_seal GROUP BY token ORDER BY token"
    ).to_arrow_reader(_SEALED_TOGETHER):
        tokens, values = batch.columns
        # Only the values of new tokens leave Arrow; usually that is next to nothing.
        new = vault.absent(tokens.to_pylist())
        found = pc.index_in(pa.array(new, pa.string()), tokens)
        sealed += vault.seal(dict(zip(new, values.take(found).to_pylist(), strict=True)))
    return sealed


def kinds_of(records: Iterable[RecordContract]) -> list[PiiKind]:
    """Kinds of personal data in these records, in a fixed order."""
    found = {c.pii for record in records for c in record.delivered_columns if c.pii}
    return [kind for kind in _PREFIX if kind in found]


def _stage_phones(con: duckdb.DuckDBPyConnection, contract: FeedContract, distinct: str) -> str:
    """Reads the phones that a pattern cannot; returns the SELECT of all, with `canonical`."""
    regions = {c.region for r in contract.records for c in r.delivered_columns if c.pii == "phone"}
    region = next(iter(regions))
    con.execute(f"CREATE OR REPLACE TEMP TABLE phones AS {distinct}")
    is_plain = f"regexp_full_match(raw, '{_PLAIN_PHONE}')"
    others = con.execute(f"SELECT raw FROM phones WHERE NOT {is_plain} ORDER BY raw").fetchall()
    raw = [row[0] for row in others]
    read = pa.table(
        {
            "raw": pa.array(raw, pa.string()),
            "canonical": pa.array([canonical_phone(v, region) for v in raw], pa.string()),
        }
    )
    con.register("phones_read", read)
    return f"FROM phones_read UNION ALL SELECT raw, raw AS canonical FROM phones WHERE {is_plain}"


def _pads(key: bytes) -> tuple[bytes, bytes]:
    padded = key.ljust(_BLOCK, b"\0")
    return bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)
